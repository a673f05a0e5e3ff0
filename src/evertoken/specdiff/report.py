"""A comparison as text, and as JSON of a documented shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from evertoken.generate.document import is_array, is_object
from evertoken.specdiff import changelog
from evertoken.specdiff.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evertoken.specdiff.api import Call
    from evertoken.specdiff.changes import Change, Comparison

FORMAT: Final = 1  # of the JSON; it changes when a key is removed or means something else
_LONGEST: Final = 60  # characters of a value in text
_NAMED: Final = 3  # operations named where a change touches many
_COUNTED: Final = {
    "operations": "operations",
    "parameters": "parameters",
    "request_fields": "request fields",
    "response_fields": "response fields",
    "request_enum_values": "request enum values",
    "response_enum_values": "response enum values",
    "verdicts": "changes",
    "descriptions": "descriptions",
}


def as_json(comparison: Comparison) -> str:
    """Return the JSON that docs/spec-diff.md describes."""
    found: dict[str, Any] = {
        "format": FORMAT,
        "step": comparison.step,
        "breaking": comparison.breaking,
        "counts": comparison.counts(),
        "changes": [_entry(change) for change in comparison.changes],
        "changelog": changelog.sections(comparison),
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


def as_text(comparison: Comparison) -> str:
    """Return the changes by group and operation, the counts, the changelog's lines and the version step."""
    lines: list[str] = []
    for title, changes in _groups(comparison.changes):
        lines += [title, *_operations(changes), ""]
    lines += ["Summary", *_summary(comparison), ""]
    lines += ["Changelog", *(f"  {line}".rstrip() for line in changelog.lines(comparison)), ""]
    lines.append(f"Version step: {comparison.step}")
    return "\n".join(printable(line) for line in lines)


def _entry(change: Change) -> dict[str, Any]:
    return {
        "rule": change.rule,
        "side": change.side,
        "verdict": change.verdict.word,
        "place": change.place,
        "before": change.before,
        "after": change.after,
        "schema": change.schema,
        "old": change.old,
        "new": change.new,
        "operations": [{"key": call.key, "method": call.method, "path": call.path} for call in change.calls],
    }


def _groups(changes: Iterable[Change]) -> list[tuple[str, list[Change]]]:
    found: dict[str, list[Change]] = {}
    for change in changes:
        groups = {call.group for call in change.calls}
        title = "several groups" if len(groups) > 1 else next(iter(groups)) or "no group"
        found.setdefault(title, []).append(change)
    return sorted(found.items(), key=lambda entry: (entry[0] in {"several groups", "no group"}, entry[0]))


def _operations(changes: Sequence[Change]) -> list[str]:
    by_calls: dict[tuple[str, ...], list[Change]] = {}
    for change in changes:
        by_calls.setdefault(tuple(call.key for call in change.calls), []).append(change)
    lines: list[str] = []
    for keys in sorted(by_calls, key=lambda keys: (len(keys) > 1, keys)):
        found = sorted(by_calls[keys], key=lambda change: (-change.verdict, change.place, change.rule))
        lines.append(f"  {_heading(found[0].calls)}")
        lines += [f"    {_line(change)}" for change in found]
    return lines


def printable(text: str) -> str:
    """Return a text on one line, without characters that move a cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _heading(calls: Sequence[Call]) -> str:
    """Return an operation with its path, or the number of several and the names of some."""
    if len(calls) == 1:
        (call,) = calls
        return call.key if call.key == call.http else f"{call.key}  {call.http}"
    shown = ", ".join(call.key for call in calls[:_NAMED])
    return f"{len(calls)} operations: {shown}{', ...' if len(calls) > _NAMED else ''}"


def _line(change: Change) -> str:
    values = "" if change.rule in {"operation-added", "operation-removed"} else _values(change)
    schema = f" [{change.schema}]" if change.schema else ""
    place = f"{change.place}: " if change.place else ""
    return f"{change.verdict.word:<8}  {place}{RULES[change.rule].text}{values}{schema}"


def _values(change: Change) -> str:
    before, after = _short(change.before), _short(change.after)
    if change.before is None and change.after is None:
        return ""
    if change.rule.startswith(("enum-gained", "enum-lost")) or change.before is None or change.after is None:
        return f" ({after if change.before is None else before})"
    return f" ({before} -> {after})"


def _short(value: object) -> str:
    if is_object(value):
        text = ", ".join(
            f"{key} {'none' if limit is None else _short(limit)}" for key, limit in value.items()
        )
    elif is_array(value):
        text = ", ".join(_short(one) for one in value)
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _summary(comparison: Comparison) -> list[str]:
    lines: list[str] = []
    for name, numbers in comparison.counts().items():
        told = [f"{number:,} {word.replace('_', ' ')}" for word, number in numbers.items() if number]
        lines.append(f"  {_COUNTED[name]}: {', '.join(told) or 'none'}")
    return lines
