"""Pairs of schemas, each compared once, and the operations that reach it."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Final

from evertoken.generate.document import is_object
from evertoken.specdiff.changes import Change
from evertoken.specdiff.nodes import lifecycle_of, schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evertoken.specdiff.api import Call
    from evertoken.specdiff.nodes import Node, Place, Site
    from evertoken.specdiff.rules import Side
    from evertoken.specdiff.shapes import Schemas

MOST_PAIRS: Final = 300_000  # the whole API has 10,000


@dataclasses.dataclass(slots=True, eq=False)
class Pair:
    """Two schemas that stand at the same place, or an operation, from which all of them are reached.

    `where` is the first way to it: an operation, and a place in its request or answer.
    """

    old: Node | None
    new: Node | None
    side: Side
    where: str
    order: int
    below: list[Pair] = dataclasses.field(default_factory=list["Pair"])
    calls: set[int] = dataclasses.field(default_factory=set[int])


@dataclasses.dataclass(slots=True)
class _Note:
    rule: str
    side: Side
    where: str
    before: object
    after: object
    old: tuple[Place, ...]
    new: tuple[Place, ...]
    pairs: list[Pair]


class Walk:
    """One comparison: what is still to be compared, and what was found."""

    def __init__(self, was: Schemas, now: Schemas) -> None:
        self.was: Schemas = was
        self.now: Schemas = now
        self._pairs: dict[object, Pair] = {}
        self._todo: collections.deque[Pair] = collections.deque()
        self._notes: dict[object, _Note] = {}
        self._described: set[object] = set()
        self._calls: list[Call] = []
        self._roots: list[Pair] = []

    def root(self, call: Call, side: Side) -> Pair:
        """Return where an operation's schemas are reached from; `call` is told with each change in them."""
        if not self._calls or self._calls[-1] is not call:
            self._calls.append(call)
        pair = Pair(None, None, side, "", len(self._calls) - 1, calls={len(self._calls) - 1})
        self._roots.append(pair)
        return pair

    def visit(self, parent: Pair, old: Node, new: Node, step: str) -> None:
        """Compare two schemas, now or soon; `step` is what leads to them from `parent`."""
        where = parent.where + step
        self._compare_marks(parent, old, new, where)
        key = (parent.side, old.key, new.key)
        if key not in self._pairs:
            if len(self._pairs) >= MOST_PAIRS:
                raise new.sites[0].error(f"leads to more than {MOST_PAIRS:,} schemas made of others")
            self._pairs[key] = Pair(old, new, parent.side, where, parent.order)
            self._todo.append(self._pairs[key])
        parent.below.append(self._pairs[key])

    def run(self, compare: Callable[[Pair, Node, Node], None]) -> None:
        """Compare all pairs that are left, those too which that leads to."""
        while self._todo:
            pair = self._todo.popleft()
            if pair.old is not None and pair.new is not None:
                compare(pair, pair.old, pair.new)

    def note(
        self,
        pair: Pair,
        rule: str,
        where: str,
        old: Sequence[Place] = (),
        new: Sequence[Place] = (),
        *,
        before: object = None,
        after: object = None,
        detail: object = None,
    ) -> None:
        """Note a change once for each place in the documents that it comes from.

        `detail` tells changes apart that come from the same places, such as two limits.
        """
        key = (rule, pair.side, tuple(old), tuple(new), detail)
        found = self._notes.get(key)
        if found is None:
            found = _Note(rule, pair.side, where, before, after, tuple(old), tuple(new), [])
            self._notes[key] = found
        found.pairs.append(pair)

    def describe(self, old: Site, new: Site) -> None:
        """Count a place whose texts differ."""
        if _texts(old) != _texts(new):
            self._described.add((old.place, new.place))

    @property
    def descriptions(self) -> int:
        """How many places have another text."""
        return len(self._described)

    def changes(self) -> list[Change]:
        """Return what was found, in the order in which operations reach it."""
        for root in self._roots:
            self._spread(root)
        changes = [self._change(found) for found in self._notes.values()]
        order = {id(call): index for index, call in enumerate(self._calls)}
        return sorted(changes, key=lambda change: order[id(change.calls[0])])

    def _spread(self, root: Pair) -> None:
        (index,) = root.calls
        todo = list(root.below)
        while todo:
            pair = todo.pop()
            if index not in pair.calls:
                pair.calls.add(index)
                todo += pair.below

    def _change(self, found: _Note) -> Change:
        indices = sorted(set[int]().union(*(pair.calls for pair in found.pairs)))
        first = found.pairs[0].order
        indices = [first, *(index for index in indices if index != first)]
        return Change(
            rule=found.rule,
            side=found.side,
            place=found.where,
            before=found.before,
            after=found.after,
            old=self._written(self.was, found.old),
            new=self._written(self.now, found.new),
            schema=schema_of(found.new) or schema_of(found.old),
            calls=tuple(self._calls[index] for index in indices),
        )

    @staticmethod
    def _written(schemas: Schemas, places: Sequence[Place]) -> str | None:
        for name, parts in places[:1]:
            return schemas.documents.by_name[name].place(parts)
        return None

    def _compare_marks(self, pair: Pair, old: Node, new: Node, where: str) -> None:
        self.describe(old.chain[0], new.chain[0])
        self.describe(old.chain[-1], new.chain[-1])
        was, is_ = _mark(old, "deprecated"), _mark(new, "deprecated")
        if bool(was) != bool(is_):
            rule = "deprecated" if is_ else "undeprecated"
            self.note(pair, rule, where, was or old.start, is_ or new.start)
        was, is_ = _mark(old, "x-release-lifecycle"), _mark(new, "x-release-lifecycle")
        before, after = _lifecycle(old), _lifecycle(new)
        if before != after:
            places = was or old.start, is_ or new.start
            self.note(pair, "lifecycle", where, *places, before=before, after=after)


def _texts(site: Site) -> tuple[object, ...]:
    raw = site.raw if is_object(site.raw) else {}
    return tuple(raw.get(key) for key in ("summary", "description", "title"))


def _mark(node: Node, key: str) -> tuple[Place, ...]:
    """Return where a mark stands, on the use of a schema or on the schema."""
    for site in node.chain:
        if is_object(site.raw) and site.raw.get(key):
            return (site.place,)
    return ()


def _lifecycle(node: Node) -> str:
    found = [lifecycle_of(site.object()) for site in node.chain if is_object(site.raw)]
    return next((lifecycle for lifecycle in found if lifecycle != "GA"), "GA")
