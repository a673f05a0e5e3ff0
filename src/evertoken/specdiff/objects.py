"""Two schemas side by side: types, enums, limits, fields, items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken.specdiff.nodes import Node, Site
from evertoken.specdiff.pairing import paired, tags_of
from evertoken.specdiff.scalars import rule_of, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evertoken.specdiff.nodes import Place
    from evertoken.specdiff.shapes import Schemas, Shape
    from evertoken.specdiff.walk import Pair, Walk

_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})


class Objects:
    """Compares pairs of schemas, and leads the walk on to what is in them."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._was: Schemas = walk.was
        self._now: Schemas = walk.now

    def compare(self, pair: Pair, old: Node, new: Node) -> None:
        """Note what differs in two schemas themselves."""
        before, after = self._was.shapes(old), self._now.shapes(new)
        self._null(pair, before, after, old, new)
        before = tuple(shape for shape in before if shape.kind != "null")
        after = tuple(shape for shape in after if shape.kind != "null")
        self._types(pair, before, after, old, new)
        for kind in dict.fromkeys(shape.kind for shape in before):
            left = [shape for shape in before if shape.kind == kind]
            right = [shape for shape in after if shape.kind == kind]
            if right:
                self._kind(pair, left, right)

    def _null(
        self, pair: Pair, before: Sequence[Shape], after: Sequence[Shape], old: Node, new: Node
    ) -> None:
        was, is_ = _nulls(before), _nulls(after)
        anything = any(shape.kind == "any" for shape in (*before, *after))
        if bool(was) != bool(is_) and not anything:
            rule = "null-added" if is_ else "null-removed"
            self._walk.note(
                pair, rule, pair.where, _origins(was or before) or old.key, _origins(is_ or after) or new.key
            )

    def _types(
        self, pair: Pair, before: Sequence[Shape], after: Sequence[Shape], old: Node, new: Node
    ) -> None:
        kinds, others = {shape.kind for shape in before}, {shape.kind for shape in after}
        lost, gained = _beyond(kinds, others), _beyond(others, kinds)
        if not (lost or gained):
            return
        rule = "type-changed" if lost and gained else "type-narrowed" if lost else "type-widened"
        self._walk.note(
            pair,
            rule,
            pair.where,
            _origins(before) or old.key,
            _origins(after) or new.key,
            before=_words(before),
            after=_words(after),
        )

    def _kind(self, pair: Pair, before: Sequence[Shape], after: Sequence[Shape]) -> None:
        pairs, gone, come = paired(before, after, self._was, self._now)
        several = len(before) > 1 or len(after) > 1
        for left, right in pairs:
            label = f"<{_label(right, self._now)}>" if several and right.kind == "object" else ""
            self._one(pair, left, right, pair.where + label)
        for shapes, rule, scalar, schemas in (
            (gone, "alternative-removed", "limit-tightened", self._was),
            (come, "alternative-added", "limit-loosened", self._now),
        ):
            for shape in shapes:
                told = scalar if shape.kind in _SCALARS else rule
                word = _label(shape, schemas)
                was, is_ = (None, word) if shapes is come else (word, None)
                old, new = ((), (shape.origin,)) if shapes is come else ((shape.origin,), ())
                detail = ("alternative", word, *sorted(shape.required))
                self._walk.note(pair, told, pair.where, old, new, before=was, after=is_, detail=detail)

    def _one(self, pair: Pair, old: Shape, new: Shape, where: str) -> None:
        self._enum(pair, old, new, where)
        if old.values is None and new.values is None:
            self._limits(pair, old, new, where)
        if old.kind == "any":
            return
        if old.kind == "object":
            self._object(pair, old, new, where)
        if old.kind == "array" and (old.items or new.items):
            items, others = old.items or _anything(old, self._was), new.items or _anything(new, self._now)
            self._walk.visit(pair, items, others, where.removeprefix(pair.where) + "[]")

    def _enum(self, pair: Pair, old: Shape, new: Shape, where: str) -> None:
        if old.values is None and new.values is None:
            return
        if old.values is None or new.values is None:
            rule = "enum-closed" if old.values is None else "enum-opened"
            self._walk.note(
                pair,
                rule,
                where,
                _stated(old),
                _stated(new),
                before=_listed(old),
                after=_listed(new),
            )
            return
        gained = [text for text in new.values if text not in old.values]
        lost = [text for text in old.values if text not in new.values]
        if gained:
            self._walk.note(
                pair,
                "enum-gained",
                where,
                _stated(old),
                (new.values[gained[0]],),
                after=values_of(gained),
                detail=tuple(gained),
            )
        if lost:
            self._walk.note(
                pair,
                "enum-lost",
                where,
                (old.values[lost[0]],),
                _stated(new),
                before=values_of(lost),
                detail=tuple(lost),
            )

    def _limits(self, pair: Pair, old: Shape, new: Shape, where: str) -> None:
        for keyword in sorted(old.limits.keys() | new.limits.keys()):
            before, was = old.limits.get(keyword, (None, old.origin))
            after, is_ = new.limits.get(keyword, (None, new.origin))
            if before == after:
                continue
            date = keyword == "format" and "date-time" in {before, after} and pair.side == "response"
            self._walk.note(
                pair,
                "datetime-changed" if date else rule_of(keyword, before, after),
                where,
                (was,),
                (is_,),
                before={keyword: before},
                after={keyword: after},
                detail=keyword,
            )

    def _object(self, pair: Pair, old: Shape, new: Shape, where: str) -> None:
        walk, step = self._walk, where.removeprefix(pair.where)
        if bool(old.properties) != bool(new.properties):
            forms = ["fields" if shape.properties else "map" for shape in (old, new)]
            walk.note(
                pair, "form-changed", where, (old.origin,), (new.origin,), before=forms[0], after=forms[1]
            )
        for name, node in old.properties.items():
            if name in new.properties:
                walk.visit(pair, node, new.properties[name], step + spelled(name))
            else:
                walk.note(pair, "field-removed", where + spelled(name), node.start)
        for name, node in new.properties.items():
            if name not in old.properties:
                rule = "field-added-required" if name in new.required else "field-added"
                walk.note(pair, rule, where + spelled(name), (), node.start)
        self._required(pair, old, new, where)
        if bool(old.closed) != bool(new.closed):
            rule = "keys-closed" if new.closed else "keys-opened"
            walk.note(pair, rule, where, (old.closed or old.origin,), (new.closed or new.origin,))
        elif old.free or new.free:
            values = old.free or _anything(old, self._was), new.free or _anything(new, self._now)
            walk.visit(pair, *values, step + "{}")

    def _required(self, pair: Pair, old: Shape, new: Shape, where: str) -> None:
        for name in sorted(old.required.keys() ^ new.required.keys()):
            if (name in old.properties) == (name in new.properties):
                rule = "field-required" if name in new.required else "field-optional"
                was = old.properties[name].start if name in old.properties else (old.origin,)
                is_ = new.properties[name].start if name in new.properties else (new.origin,)
                stated = old.required.get(name) or new.required.get(name)
                self._walk.note(pair, rule, where + spelled(name), was, is_, detail=(name, stated))


def spelled(name: str) -> str:
    """Return the step to a field, such as `.name`."""
    plain = name and not set(name) & set('.[]{}<>"') and name.isprintable()
    return f".{name}" if plain else f'."{name}"'


def _nulls(shapes: Sequence[Shape]) -> list[Shape]:
    return [shape for shape in shapes if shape.kind == "null"]


def _origins(shapes: Sequence[Shape]) -> tuple[Place, ...]:
    return tuple(shape.origin for shape in shapes)


def _stated(shape: Shape) -> tuple[Place, ...]:
    """Return where an enum is stated, or the schema that has none."""
    return (next(iter(shape.values.values())),) if shape.values else (shape.origin,)


def _listed(shape: Shape) -> object:
    return None if shape.values is None else values_of(list(shape.values))


def _beyond(kinds: set[str], others: set[str]) -> set[str]:
    """Return the types that others do not cover."""
    if "any" in others:
        return set()
    covered = others | ({"integer"} if "number" in others else set[str]())
    return kinds - covered


def _words(shapes: Sequence[Shape]) -> str:
    return " | ".join(dict.fromkeys(shape.kind for shape in shapes)) or "nothing"


def _label(shape: Shape, schemas: Schemas) -> str:
    """Return what an alternative is called."""
    tags = tags_of(shape, schemas)
    if shape.name:
        return shape.name
    if tags:
        name = min(tags, key=lambda tag: (tag not in {"type", "action", "kind", "strategy"}, tag))
        return f"{name}={tags[name]}"
    limits = ", ".join(f"{keyword} {fact[0]}" for keyword, fact in sorted(shape.limits.items()))
    return f"{shape.kind} ({limits})" if limits else shape.kind


def _anything(shape: Shape, schemas: Schemas) -> Node:
    """Return a schema that allows everything, for the items or further keys of which nothing is said."""
    name, parts = shape.origin
    site = Site(schemas.documents.by_name[name], (*parts, "*"), True)  # noqa: FBT003 - the schema `true`
    return Node((site,), (site,))
