"""Each kind of change, and what it means for a caller of the SDK.

What is sent and what comes back are judged apart. A request may be allowed more and never less; an answer may
promise more and never less. Two things are particular to the SDK: the enums of its types are open, so a new
value breaks nobody, and limits shape no code of what comes back.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final, Literal

Side = Literal["request", "response"]


class Verdict(enum.IntEnum):
    """How much a change weighs: the larger, the more."""

    PATCH = 1
    MINOR = 2
    BREAKING = 3

    @property
    def word(self) -> str:
        """Return the word that output uses."""
        return self.name.lower()


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A kind of change. A side without a verdict does not know it; `section` is one of Keep a Changelog's."""

    text: str
    request: Verdict | None
    response: Verdict | None
    section: str = "Changed"

    def verdict(self, side: Side) -> Verdict:
        """Return the verdict for a side."""
        found = self.request if side == "request" else self.response
        assert found is not None, f"{self.text}: no verdict for a {side}"  # noqa: S101 - the table is wrong
        return found


_NONE: Final = None
_PATCH, _MINOR, _BREAKING = Verdict.PATCH, Verdict.MINOR, Verdict.BREAKING

RULES: Final[dict[str, Rule]] = {
    # Operations. What a method is called, which scopes it needs: the request's side.
    "operation-added": Rule("new operation", _MINOR, _NONE, "Added"),
    "operation-removed": Rule("operation removed", _BREAKING, _NONE, "Removed"),
    "operation-renamed": Rule("operation renamed", _BREAKING, _NONE),
    "operation-moved": Rule("another path or HTTP method under the same name", _PATCH, _NONE),
    "operation-deprecated": Rule("operation deprecated", _MINOR, _NONE, "Deprecated"),
    "operation-undeprecated": Rule("operation no longer deprecated", _PATCH, _NONE),
    "operation-lifecycle": Rule("another lifecycle", _MINOR, _NONE),
    "scope-needed": Rule("needs a scope that no token needed before", _BREAKING, _NONE),
    "scope-removed": Rule("a scope is no longer enough", _BREAKING, _NONE),
    "scope-added": Rule("a further scope is enough", _MINOR, _NONE),
    "scope-free": Rule("needs no scope any more", _MINOR, _NONE),
    # Parameters.
    "parameter-added": Rule("new parameter, optional", _MINOR, _NONE, "Added"),
    "parameter-added-required": Rule("new parameter, required", _BREAKING, _NONE, "Added"),
    "parameter-removed": Rule("parameter removed", _BREAKING, _NONE, "Removed"),
    "parameter-renamed": Rule("parameter of the path renamed", _BREAKING, _NONE),
    "parameter-required": Rule("parameter now required", _BREAKING, _NONE),
    "parameter-optional": Rule("parameter no longer required", _MINOR, _NONE),
    "parameter-style": Rule("parameter written otherwise into the URL", _PATCH, _NONE),
    # Bodies, media types and statuses.
    "body-added": Rule("new body", _MINOR, _MINOR, "Added"),
    "body-added-required": Rule("new body with something required", _BREAKING, _NONE, "Added"),
    "body-removed": Rule("body removed", _BREAKING, _BREAKING, "Removed"),
    "body-required": Rule("body now required", _BREAKING, _NONE),
    "body-optional": Rule("body no longer required", _MINOR, _NONE),
    "media-added": Rule("new media type", _MINOR, _MINOR, "Added"),
    "media-removed": Rule("media type removed", _BREAKING, _BREAKING, "Removed"),
    "status-changed": Rule("another success status", _NONE, _MINOR),
    "status-added": Rule("new success status, with a body as before", _NONE, _MINOR, "Added"),
    "status-added-body": Rule("new success status, with another body", _NONE, _BREAKING, "Added"),
    "status-removed": Rule("success status removed, others are left", _NONE, _MINOR, "Removed"),
    "error-added": Rule("new error status", _NONE, _PATCH),
    "error-removed": Rule("error status removed", _NONE, _PATCH),
    # Fields, at any depth.
    "field-added": Rule("new field, optional", _MINOR, _MINOR, "Added"),
    "field-added-required": Rule("new field, required", _BREAKING, _MINOR, "Added"),
    "field-removed": Rule("field removed", _BREAKING, _BREAKING, "Removed"),
    "field-required": Rule("field now required", _BREAKING, _MINOR),
    "field-optional": Rule("field no longer required", _MINOR, _BREAKING),
    # Values: of fields, parameters, items and bodies.
    "null-added": Rule("may now be null", _MINOR, _BREAKING),
    "null-removed": Rule("may no longer be null", _BREAKING, _MINOR),
    "type-widened": Rule("type widened", _MINOR, _BREAKING),
    "type-narrowed": Rule("type narrowed", _BREAKING, _MINOR),
    "type-changed": Rule("type changed", _BREAKING, _BREAKING),
    "form-changed": Rule(
        "object with named fields instead of a map, or the other way round", _MINOR, _BREAKING
    ),
    "alternative-added": Rule("new alternative", _MINOR, _BREAKING, "Added"),
    "alternative-removed": Rule("alternative removed", _BREAKING, _MINOR, "Removed"),
    "enum-gained": Rule("enum gained values", _MINOR, _MINOR, "Added"),
    "enum-lost": Rule("enum lost values", _BREAKING, _MINOR, "Removed"),
    "enum-opened": Rule("any value instead of an enum", _MINOR, _MINOR),
    "enum-closed": Rule("an enum instead of any value", _BREAKING, _MINOR),
    "limit-loosened": Rule("limit loosened", _MINOR, _PATCH),
    "limit-tightened": Rule("limit tightened", _BREAKING, _PATCH),
    "limit-changed": Rule("limit changed", _BREAKING, _PATCH),
    "datetime-changed": Rule("a date-time instead of text, or the other way round", _NONE, _BREAKING),
    "keys-opened": Rule("other keys are allowed", _MINOR, _PATCH),
    "keys-closed": Rule("other keys are refused", _BREAKING, _PATCH),
    # Marks of parameters and fields.
    "deprecated": Rule("deprecated", _MINOR, _MINOR, "Deprecated"),
    "undeprecated": Rule("no longer deprecated", _PATCH, _PATCH),
    "lifecycle": Rule("another lifecycle", _MINOR, _MINOR),
}
"""By name; the same table stands in docs/spec-diff.md. Descriptions are counted, not listed: patch."""
