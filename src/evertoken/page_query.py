"""What a list may be asked for: the query of each mode, and the type of its answer."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Final, TypeVar, cast

from evertoken.errors import ArgumentError, PaginationLimitError
from evertoken.operation import ListOperation
from evertoken.pages import (
    CHECKPOINT_KEYS,
    LAST_ROW,
    LONGEST_PAGE,
    OFFSET_KEYS,
    USUAL_PAGE,
    array_of,
    is_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.operation import Operation, Paging, QueryValue

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")

_PAGE_LIMITS: Final[dict[str, tuple[int, int | None]]] = {
    "page": (0, 2**31),
    "per_page": (1, LONGEST_PAGE),
    "take": (1, None),
}
"""What holds for every list. The spec allows `per_page=0` to some, which would never get on."""


def resolve(paging: Paging, query: Mapping[str, QueryValue]) -> tuple[dict[str, QueryValue], object]:
    """Return the query of the mode that is asked for, and the type of its answer.

    `from` or `take` mean checkpoint mode, in which the arguments of offset mode have no place: their
    defaults are dropped, a page number raises ArgumentError.
    """
    if not is_checkpoint(paging, query):
        totals = query.get("include_totals", not paging.bare)
        result = paging.offset if totals and paging.offset is not None else array_of(paging)
        return {key: value for key, value in query.items() if key not in CHECKPOINT_KEYS}, result
    if paging.from_key is not None and paging.offset is not None and query.get("from") is None:
        raise ArgumentError(
            "take",
            f"goes with from_, the {paging.from_key} of the row to begin after; "
            "to begin at the first use per_page",
        )
    if query.get("page"):
        other = "from_" if query.get("from") is not None else "take"
        raise ArgumentError("page", f"cannot go with {other}; use page and per_page, or from_ and take")
    result = array_of(paging) if paging.checkpoint is None else paging.checkpoint
    return {key: value for key, value in query.items() if key not in OFFSET_KEYS}, result


def page_type(operation: ListOperation[ItemT, PageT], *, starts_with_array: bool) -> object:
    """Return the type of the answer that came: rows alone, or the envelope of the mode asked for."""
    paging = operation.paging
    rows = array_of(paging)
    if starts_with_array:
        return rows
    if operation.result != rows:
        return operation.result
    envelope = paging.checkpoint if is_checkpoint(paging, operation.query) else paging.offset
    return rows if envelope is None else envelope


def check_query(operation: Operation[object]) -> None:
    """Raise ArgumentError or PaginationLimitError for a query that the API could only refuse."""
    for key, (least, most) in operation.limits.items():
        _check_number(key, operation.query.get(key), least, most)
    if isinstance(operation, ListOperation):
        _check_page(cast("ListOperation[object, object]", operation))


def _check_page(operation: ListOperation[ItemT, PageT]) -> None:
    query = operation.query
    for key, (least, most) in _PAGE_LIMITS.items():
        _check_number(key, query.get(key), least, most)
    if not isinstance(query.get("include_totals"), bool | None):
        raise ArgumentError("include_totals", "must be True or False")
    start = query.get("from")
    if start is not None and (not isinstance(start, str) or not start):
        raise ArgumentError("from_", "must be the `next` of an earlier page; leave it out for the first")
    if not is_checkpoint(operation.paging, query):
        # Both are int or None, or the check above had raised.
        page, size = cast("int", query.get("page") or 0), cast("int", query.get("per_page") or USUAL_PAGE)
        if page > LAST_ROW or (page + 1) * size > LAST_ROW:
            raise PaginationLimitError(operation=operation.name, page=page, per_page=size)


def _check_number(key: str, value: QueryValue, least: int | None, most: int | None) -> None:
    if value is None:
        return
    argument = f"{key}_" if keyword.iskeyword(key) else key
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentError(argument, f"{type(value).__name__} is no int; give {_range(least, most)}")
    if (least is not None and value < least) or (most is not None and value > most):
        shown = f"{value} is" if value.bit_length() < 64 else "a huge number is"
        raise ArgumentError(argument, f"{shown} out of range; give {_range(least, most)}")


def _range(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f"an int from {least} to {most}"
    if least is not None:
        return f"an int of {least} or more"
    return "an int" if most is None else f"an int of {most} or less"
