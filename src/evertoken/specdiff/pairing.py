"""Which alternative of a union is which in the other document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from evertoken.specdiff.shapes import Schemas, Shape

_DEPTH: Final = 4  # levels; it only decides which alternatives are compared
_ALIKE: Final = 0.5  # of the names of fields; fewer in common, and they are two objects


def paired(
    old: Sequence[Shape], new: Sequence[Shape], was: Schemas, now: Schemas
) -> tuple[list[tuple[Shape, Shape]], list[Shape], list[Shape]]:
    """Return pairs of alternatives of one type, those that went and those that came."""
    if len(old) == len(new) == 1:
        return [(old[0], new[0])], [], []
    ranked = sorted(
        (
            (likeness, -abs(i - j), -i, -j)
            for i, left in enumerate(old)
            for j, right in enumerate(new)
            if (likeness := _likeness(left, right, was, now)) is not None
        ),
        reverse=True,
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, i, j in ranked:
        if -i not in pairs and -j not in taken:
            pairs[-i] = -j
            taken.add(-j)
    return (
        [(old[i], new[j]) for i, j in sorted(pairs.items())],
        [shape for index, shape in enumerate(old) if index not in pairs],
        [shape for index, shape in enumerate(new) if index not in taken],
    )


def _likeness(old: Shape, new: Shape, was: Schemas, now: Schemas) -> tuple[bool, bool, bool, float] | None:
    """Return how alike two alternatives are, or None where they are two things."""
    same = was.print_of(old, _DEPTH) == now.print_of(new, _DEPTH)
    named = bool(old.name) and old.name == new.name
    if same:
        return True, True, named, 1.0
    tags = _tags_agree(old, new, was, now)
    if tags is False:
        return None
    share = _share(old, new, was, now)
    if not (tags or named or share >= _ALIKE):
        return None
    return False, bool(tags), named, share


def _tags_agree(old: Shape, new: Shape, was: Schemas, now: Schemas) -> bool | None:
    """Tell whether the enums of one value that tell objects apart are the same; None where there are none."""
    mine, theirs = tags_of(old, was), tags_of(new, now)
    common = mine.keys() & theirs.keys()
    if any(mine[name] != theirs[name] for name in common):
        return False
    return True if common else None


def tags_of(shape: Shape, schemas: Schemas) -> dict[str, str]:
    """Return the fields that have one value only, as JSON texts."""
    found: dict[str, str] = {}
    for name, node in shape.properties.items():
        alternatives = schemas.shapes(node)
        if len(alternatives) == 1 and len(alternatives[0].values or ()) == 1:
            found[name] = next(iter(alternatives[0].values or ()))
    return found


def _share(old: Shape, new: Shape, was: Schemas, now: Schemas) -> float:
    if old.kind == "array":
        return _jaccard(_items(old, was), _items(new, now))
    if old.kind != "object":
        # Alternatives of text differ in format or pattern.
        return _jaccard(
            {(keyword, fact[0]) for keyword, fact in old.limits.items()},
            {(keyword, fact[0]) for keyword, fact in new.limits.items()},
        )
    return _jaccard(
        {*old.properties, *(f"{name}!" for name in old.required)},
        {*new.properties, *(f"{name}!" for name in new.required)},
    )


def _items(shape: Shape, schemas: Schemas) -> set[str]:
    return {found.kind for found in schemas.shapes(shape.items)} if shape.items else {"any"}


def _jaccard(left: AbstractSet[object], right: AbstractSet[object]) -> float:
    either = {*left, *right}
    return len({*left} & {*right}) / len(either) if either else 1.0
