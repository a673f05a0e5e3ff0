"""How an operation pages, from its parameters and its answer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from evertoken.generate import names
from evertoken.generate.problem import SpecError, UnsupportedError

if TYPE_CHECKING:
    from evertoken.generate.document import JsonObject
    from evertoken.generate.library import Library
    from evertoken.generate.notes import Notes
    from evertoken.generate.operations import Operation, Parameter
    from evertoken.generate.overlay import PagingEntry
    from evertoken.generate.types import Types


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PagingView:
    """The paging of one operation as code: annotations and expressions."""

    constant: str
    alias: str
    page: str
    items: str
    item: str
    item_type: str
    key: str | None
    from_key: str | None
    offset: str
    checkpoint: str
    bare: bool
    by_offset: bool

    def returns(self, is_async: bool) -> str:  # noqa: FBT001  # a template calls it
        """Return the type that the method gives."""
        page = f"operations.{self.alias}" if self.alias else self.page
        return f"{'AsyncListCall' if is_async else 'SyncPager'}[{self.item_type}, {page}]"


@dataclasses.dataclass(frozen=True, slots=True)
class _Envelope:
    shape: JsonObject
    items: str
    item: JsonObject
    goes_on: bool
    counts: bool


def paging_of(
    library: Library,
    types: Types,
    operation: Operation,
    entry: PagingEntry | None,
    *,
    function: str,
    notes: Notes,
) -> PagingView | None:
    """Return how the operation pages, or None where it does not, or nobody can tell."""
    try:
        return _paging_of(library, types, operation, entry, function)
    except UnsupportedError as error:
        notes.tell(error.place, f"{error.reason}; it does not page")
        return None


def _paging_of(
    library: Library, types: Types, operation: Operation, entry: PagingEntry | None, function: str
) -> PagingView | None:
    asked = {parameter.name for parameter in operation.parameters if _pages(parameter)}
    by_offset, by_checkpoint = {"page", "per_page"} <= asked, {"from", "take"} <= asked
    if not (by_offset or by_checkpoint) or (entry is not None and not entry.pages):
        return None
    answers = [
        member for shape in operation.results if shape is not None for member in _alternatives(library, shape)
    ]
    arrays = [items for answer in answers if (items := _items(library, answer)) is not None]
    wanted = entry.items if entry else None
    envelopes = [found for answer in answers if (found := _envelope(library, operation, answer, wanted))]
    if not arrays and not envelopes:
        return None
    offset = [e for e in envelopes if by_offset and not (by_checkpoint and e.goes_on)]
    checkpoint = [e for e in envelopes if by_checkpoint and e not in offset]
    # One envelope may serve both modes, where it has `total` as well as `next`.
    offset = offset or [e for e in checkpoint if by_offset and e.counts]
    if len(offset) > 1 or len(checkpoint) > 1:
        raise UnsupportedError(operation.place, "the answer has two envelopes for the same kind of paging")
    if len({envelope.items for envelope in envelopes}) > 1:
        raise UnsupportedError(operation.place, "the answer's envelopes have the rows under different keys")
    item = arrays[0] if arrays else envelopes[0].item
    for key in (entry.key, entry.from_key) if entry else ():
        if key and key not in (library.properties(item) or ({}, set()))[0]:
            raise SpecError(operation.place, f"the overlay's paging key {key!r} is no property of the rows")
    if entry and entry.from_key and not (by_checkpoint and arrays and not checkpoint):
        raise SpecError(
            operation.place, "the overlay's from_key is for answers in arrays that `from` and `take` page"
        )
    pages = dict.fromkeys(
        [
            *(types.result(e.shape) for e in (*offset, *checkpoint)),
            *(f"builtins.list[{types.result(items)}]" for items in arrays[:1]),
        ]
    )
    return PagingView(
        constant=f"_{function.upper()}_PAGING",
        alias=f"{names.pascal(function)}Page" if len(pages) > 1 else "",
        page=" | ".join(pages),
        items=envelopes[0].items if envelopes else "",
        item=types.result(item),
        item_type=types.result(item),
        key=entry.key if entry else None,
        from_key=entry.from_key if entry else None,
        offset="".join(types.result(e.shape) for e in offset),
        checkpoint="".join(types.result(e.shape) for e in checkpoint),
        bare=bool(arrays),
        by_offset=by_offset,
    )


def _pages(parameter: Parameter) -> bool:
    """Tell whether it may be one of those by which lists page, of the type that those have."""
    if parameter.inside != "query":
        return False
    types = {member.get("type") for member in parameter.schema.get("anyOf", [parameter.schema])}
    return bool(types & {"integer", "number"}) or parameter.name not in {"page", "per_page", "take"}


def _alternatives(library: Library, shape: JsonObject) -> list[JsonObject]:
    """Return what an answer may be: the members of a union, of one with a name too."""
    if "anyOf" in shape:
        return [found for member in shape["anyOf"] for found in _alternatives(library, member)]
    named = library.schemas[shape["$ref"]].shape if "$ref" in shape else {}
    return _alternatives(library, named) if "anyOf" in named else [shape]


def _items(library: Library, shape: JsonObject) -> JsonObject | None:
    """Return what an array holds, or None for anything else."""
    if "$ref" in shape:
        return _items(library, library.schemas[shape["$ref"]].shape)
    if "anyOf" in shape:
        members = [member for member in shape["anyOf"] if member.get("type") != "null"]
        return _items(library, members[0]) if len(members) == 1 else None
    items: JsonObject | None = shape.get("items")
    return items


def _envelope(
    library: Library, operation: Operation, shape: JsonObject, wanted: str | None
) -> _Envelope | None:
    properties = (library.properties(shape) or ({}, set()))[0]
    arrays = {
        name: items for name, value in properties.items() if (items := _items(library, value)) is not None
    }
    if not arrays:
        return None
    last = operation.path.rstrip("/").rpartition("/")[2].replace("-", "_")
    name = wanted or (next(iter(arrays)) if len(arrays) == 1 else last)
    if name not in arrays:
        kind = SpecError if wanted else UnsupportedError
        raise kind(
            operation.place,
            f"which array holds the rows, {', '.join(sorted(arrays))}? Say so in the overlay (paging: items)",
        )
    return _Envelope(shape, name, arrays[name], "next" in properties, "total" in properties)
