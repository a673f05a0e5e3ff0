"""The lines for CHANGELOG.md, by the sections of Keep a Changelog."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from evertoken.generate.document import is_array, is_object
from evertoken.specdiff.rules import RULES, Verdict

if TYPE_CHECKING:
    from evertoken.specdiff.changes import Change, Comparison

_SECTIONS: Final = ("Added", "Changed", "Deprecated", "Removed")
_WHOLE: Final = ("operation-added", "operation-removed")
_NAMED: Final = 3  # operations or places named in one line


def sections(comparison: Comparison) -> dict[str, list[str]]:
    """Return Markdown lines by section: breaking ones first, then operations, then what is in them.

    What only shows in documentation is one line.
    """
    grouped: dict[tuple[str, bool, str, tuple[str, ...]], list[Change]] = {}
    for change in comparison.changes:
        if change.verdict > Verdict.PATCH:
            rule = RULES[change.rule]
            keys = () if change.rule in _WHOLE else tuple(call.key for call in change.calls)
            key = (rule.section, change.verdict < Verdict.BREAKING, change.rule, keys)
            grouped.setdefault(key, []).append(change)
    found: dict[str, list[str]] = {section: [] for section in _SECTIONS}
    order = list(RULES)
    for key in sorted(grouped, key=lambda key: (key[1], order.index(key[2]), key[3])):
        found[key[0]] += _lines(grouped[key])
    rest = sum(change.verdict == Verdict.PATCH for change in comparison.changes)
    if rest or comparison.descriptions:
        found["Changed"].append(_documentation(rest, comparison.descriptions))
    return {section: lines for section, lines in found.items() if lines}


def lines(comparison: Comparison) -> list[str]:
    """Return the sections as lines of Markdown."""
    found: list[str] = []
    for section, entries in sections(comparison).items():
        found += [*([""] if found else []), f"### {section}", "", *entries]
    return found or ["Nothing changed."]


def _lines(changes: list[Change]) -> list[str]:
    first = changes[0]
    breaking = "**Breaking:** " if first.verdict == Verdict.BREAKING else ""
    if first.rule in _WHOLE:
        return [
            f"- {breaking}{_code(change.calls[0].key)} ({_code(change.calls[0].http)})"
            f"{_stage(change)}."
            for change in changes
        ]  # fmt: skip
    keys = [call.key for call in first.calls]
    several = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    names = ", ".join(_code(key) for key in keys[:_NAMED]) + several
    return [f"- {breaking}{names}: {RULES[first.rule].text}{_told(changes)}."]


def _stage(change: Change) -> str:
    if change.rule == "operation-added" and change.calls[0].lifecycle != "GA":
        return ", early access" if change.calls[0].lifecycle == "EA" else f", {change.calls[0].lifecycle}"
    return ""


def _told(changes: list[Change]) -> str:
    """Return the places and values that a line is about."""
    told = list(dict.fromkeys(found for change in changes if (found := _place(change))))
    return f": {', '.join(told)}" if told else ""


def _place(change: Change) -> str:
    values = _values(change)
    place = _code(change.place) if change.place else ""
    return f"{place} ({values})" if place and values else place or values


def _values(change: Change) -> str:
    if change.rule == "enum-gained":
        return _listed(change.after)
    if change.rule == "enum-lost":
        return _listed(change.before)
    before, after = (_plain(value) for value in (change.before, change.after))
    if before and after:
        return f"{before} to {after}"
    return before or after


def _listed(value: object) -> str:
    if is_array(value):
        return ", ".join(_code(str(one)) for one in value)
    return ""


def _plain(value: object) -> str:
    if is_array(value):
        return _listed(value)
    if is_object(value):
        return ", ".join(f"{key} {'none' if limit is None else limit}" for key, limit in value.items())
    return _code(str(value)) if value is not None else ""


def _documentation(others: int, descriptions: int) -> str:
    told = [
        *([f"{descriptions:,} descriptions"] if descriptions else []),
        *([f"{others:,} limits, statuses and marks that no caller has to heed"] if others else []),
    ]
    return f"- Documentation follows the API: {', '.join(told)}."


def _code(text: str) -> str:
    plain = "".join(character if character.isprintable() else "?" for character in text)
    fence = "`" * (max((len(run) for run in re.findall("`+", plain)), default=0) + 1)
    return f"{fence}{plain}{fence}" if len(fence) == 1 else f"{fence} {plain} {fence}"
