"""allOf, oneOf and anyOf: alternatives that hold together, and lists of alternatives made short."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from evertoken.specdiff.scalars import applying, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evertoken.specdiff.nodes import Node, Place
    from evertoken.specdiff.shapes import Shape


def product(left: Sequence[Shape], right: Sequence[Shape]) -> list[Shape]:
    """Return what both lists of alternatives allow."""
    pairs = [both(one, other) for one in left for other in right]
    return [shape for shape in pairs if shape is not None]


def both(left: Shape, right: Shape) -> Shape | None:
    """Return what is both, or None where nothing is."""
    kind = _kind(left.kind, right.kind)
    if kind is None:
        return None
    # A schema without a type only adds to the one that has it.
    main, other = (right, left) if left.kind == "any" else (left, right)
    values = _values(left.values, right.values)
    if values is not None and not values:
        return None
    return dataclasses.replace(
        main,
        kind=kind,
        name=main.name or other.name,
        values=values,
        limits={} if values is not None else applying(joined(left.limits, right.limits), kind),
        properties=_properties(left.properties, right.properties) if kind in {"object", "any"} else {},
        required={**right.required, **left.required} if kind in {"object", "any"} else {},
        free=_node(left.free, right.free),
        closed=left.closed or right.closed,
        items=_node(left.items, right.items),
    )


def _kind(left: str, right: str) -> str | None:
    if right in {left, "any"}:
        return left
    if left == "any":
        return right
    return "integer" if {left, right} == {"integer", "number"} else None


def _values(
    left: Mapping[str, Place] | None, right: Mapping[str, Place] | None
) -> Mapping[str, Place] | None:
    if left is None or right is None:
        return left if right is None else right
    return {text: place for text, place in left.items() if text in right}


def _properties(left: Mapping[str, Node], right: Mapping[str, Node]) -> Mapping[str, Node]:
    found = dict(left)
    for name, node in right.items():
        found[name] = found[name].joined(node) if name in found else node
    return found


def _node(left: Node | None, right: Node | None) -> Node | None:
    return left.joined(right) if left and right else left or right


def simplified(shapes: Sequence[Shape], place: Place) -> list[Shape]:
    """Return alternatives without those that others contain, and with one enum for each type."""
    anything = [shape for shape in shapes if shape.kind == "any" and shape.plain]
    if anything:
        return anything[:1]
    found: list[Shape] = []
    for kind in dict.fromkeys(shape.kind for shape in shapes):
        of_kind = [shape for shape in shapes if shape.kind == kind]
        if kind in {"object", "array", "any"}:
            found += of_kind
        else:
            found += _scalars(of_kind, place)
    if any(shape.kind == "number" and shape.plain for shape in found):
        found = [shape for shape in found if shape.kind != "integer"]
    return found


def _scalars(shapes: list[Shape], place: Place) -> list[Shape]:
    plain = [shape for shape in shapes if shape.plain]
    if plain:
        return plain[:1]
    enums = [shape for shape in shapes if shape.values is not None]
    limited = [shape for shape in shapes if shape.values is None]
    if len(enums) > 1:
        merged: dict[str, Place] = {}
        for shape in enums:
            merged |= shape.values or {}
        enums = [dataclasses.replace(enums[0], origin=place, name="", values=merged, limits={})]
    if enums and enums[0].kind == "boolean" and len(enums[0].values or ()) == 2:
        enums = [dataclasses.replace(enums[0], values=None)]
    return [*enums, *limited]
