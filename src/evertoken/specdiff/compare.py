"""Two documents compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evertoken.specdiff.api import calls_of, read_documents
from evertoken.specdiff.calls import Calls
from evertoken.specdiff.changes import Comparison
from evertoken.specdiff.objects import Objects
from evertoken.specdiff.shapes import Schemas
from evertoken.specdiff.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evertoken.specdiff.api import Call


def compare(old: Path, new: Path) -> Comparison:
    """Return what changed between two documents, or folders of them; raise `SpecError` for a wrong one."""
    interned: dict[object, int] = {}
    was = Schemas(read_documents(old), interned)
    now = Schemas(read_documents(new), interned)
    walk = Walk(was, now)
    calls = Calls(walk)
    for before, after in _matched(calls_of(was), calls_of(now)):
        if before and after:
            calls.compare(before, after)
        elif before:
            calls.removed(before)
        elif after:
            calls.added(after)
    walk.run(Objects(walk).compare)
    return Comparison(tuple(walk.changes()), walk.descriptions)


def _matched(old: Sequence[Call], new: Sequence[Call]) -> list[tuple[Call | None, Call | None]]:
    """Return pairs of operations: those of one name, by which a caller knows them, else of one route."""
    by_key, by_route = {call.key: call for call in new}, {call.route: call for call in new}
    found: dict[str, Call] = {call.key: by_key[call.key] for call in old if call.key in by_key}
    taken = set(found)
    for call in old:
        other = by_route.get(call.route)
        if call.key not in found and other is not None and other.key not in taken:
            found[call.key] = other
            taken.add(other.key)
    pairs: list[tuple[Call | None, Call | None]] = [(call, found.get(call.key)) for call in old]
    pairs += [(None, call) for call in new if call.key not in taken]
    return sorted(pairs, key=_order)


def _order(pair: tuple[Call | None, Call | None]) -> str:
    return next(call.key for call in (pair[1], pair[0]) if call)
