"""A change, and what all changes of a comparison come to."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from evertoken.generate.document import is_array
from evertoken.specdiff.rules import RULES, Side, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evertoken.specdiff.api import Call


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change, told once however many operations it touches.

    `place` is where the first of `calls` meets it; `old` and `new` are the places in the documents, as far as
    there are any, and `schema` the named schema that holds it. `before` and `after` are JSON values.
    """

    rule: str
    side: Side
    place: str
    before: object
    after: object
    old: str | None
    new: str | None
    schema: str | None
    calls: tuple[Call, ...]

    @property
    def verdict(self) -> Verdict:
        """What it means for a caller."""
        return RULES[self.rule].verdict(self.side)

    @property
    def size(self) -> int:
        """How many it counts as: an enum may gain several values."""
        values = self.after if self.rule == "enum-gained" else self.before
        return len(values) if self.rule in {"enum-gained", "enum-lost"} and is_array(values) else 1


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """All changes, by operation; `descriptions` counts the places whose texts differ."""

    changes: tuple[Change, ...]
    descriptions: int

    @property
    def step(self) -> str:
        """Return the version step that it calls for: major, minor, patch or none."""
        weight = max((change.verdict for change in self.changes), default=None)
        if weight is None:
            return "patch" if self.descriptions else "none"
        return {Verdict.BREAKING: "major", Verdict.MINOR: "minor", Verdict.PATCH: "patch"}[weight]

    @property
    def breaking(self) -> bool:
        """Tell whether a caller may have to change something."""
        return self.step == "major"

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many came, went and changed, by what they are."""
        touched = {
            call.key
            for change in self.changes
            if change.rule not in {"operation-added", "operation-removed"}
            for call in change.calls
        }
        return {
            "operations": {**self._sum({"added": ["operation-added"], "removed": ["operation-removed"]}),
                           "changed": len(touched)},
            "parameters": self._sum(_marks("parameter")),
            "request_fields": self._sum(_marks("field"), "request"),
            "response_fields": self._sum(_marks("field"), "response"),
            "request_enum_values": self._sum(_VALUES, "request"),
            "response_enum_values": self._sum(_VALUES, "response"),
            "verdicts": {
                verdict.word: sum(change.verdict == verdict for change in self.changes)
                for verdict in reversed(Verdict)
            },
            "descriptions": {"changed": self.descriptions},
        }  # fmt: skip

    def _sum(self, rules: dict[str, Sequence[str]], side: Side | None = None) -> dict[str, int]:
        return {
            word: sum(
                change.size for change in self.changes if change.rule in names and side in {None, change.side}
            )
            for word, names in rules.items()
        }


_VALUES: dict[str, Sequence[str]] = {"gained": ["enum-gained"], "lost": ["enum-lost"]}


def _marks(what: str) -> dict[str, Sequence[str]]:
    return {
        "added": [f"{what}-added", f"{what}-added-required"],
        "added_required": [f"{what}-added-required"],
        "removed": [f"{what}-removed"],
        "newly_required": [f"{what}-required"],
        "no_longer_required": [f"{what}-optional"],
    }
