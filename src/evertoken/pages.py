"""What follows a page: pure decisions, the same for both colours."""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import json
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

import pydantic

from evertoken.errors import EvertokenError, PaginationLimitError
from evertoken.operation import ListOperation, QueryValue
from evertoken.sent import wire_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evertoken.operation import Paging

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")

LAST_ROW: Final = 1_000
"""The API answers 400 to a page that could end beyond this row."""

USUAL_PAGE: Final = 50
"""Rows of a page when the request names no number, and what some servers cut longer pages to."""

LONGEST_PAGE: Final = 100
"""Rows of the longest page that the API has."""

DIGEST_SIZE: Final = 8
"""Bytes."""

OFFSET_KEYS: Final = frozenset({"page", "per_page", "include_totals"})
CHECKPOINT_KEYS: Final = frozenset({"from", "take"})
PAGE_KEYS: Final = OFFSET_KEYS | CHECKPOINT_KEYS


@dataclasses.dataclass(frozen=True, slots=True)
class Trail:
    """What a page has to know of the pages before it.

    `began` tells that there were pages; `from_top`, that they began with the first row; `uncut`, that one
    came as long as it was asked for. `size` is the rows of the longest. `mark` is the digest of a `from`
    met before, `steps` the pages of checkpoint mode so far: a list that leads back to the mark would never
    end. `seen` counts the rows handed out, by digest, kept only where the walk may have to begin again in
    checkpoint mode; `skip` counts those to leave out when they come again.
    """

    began: bool = False
    from_top: bool = False
    uncut: bool = False
    size: int = 0
    mark: bytes | None = None
    steps: int = 0
    seen: Mapping[bytes, int] = dataclasses.field(default_factory=dict[bytes, int])
    skip: Mapping[bytes, int] = dataclasses.field(default_factory=dict[bytes, int])


START: Final = Trail()


@dataclasses.dataclass(frozen=True, slots=True)
class Turn(Generic[ItemT, PageT]):
    """A page, read: the operation it answers, its rows, and what follows.

    `following` is the operation of the next page, None at the end, or the error that keeps from going on.
    `skipped` tells that rows were left out because an earlier page had them; `placed`, that it is known which
    rows of how many the page has, so that the pages to come are known too.
    """

    operation: ListOperation[ItemT, PageT]
    items: list[ItemT]
    total: int | None
    following: ListOperation[ItemT, PageT] | EvertokenError | None
    trail: Trail
    skipped: bool
    placed: bool

    @property
    def empty_handed(self) -> bool:
        """Whether it brings nothing new, but a following page may."""
        return not self.items and self.skipped and isinstance(self.following, ListOperation)

    def without_items(self) -> Turn[ItemT, PageT]:
        """Return what the next page needs of this one, so that its rows can be freed."""
        return dataclasses.replace(self, items=[])

    def known(self, most: int) -> list[ListOperation[ItemT, PageT]]:
        """Return the operations of the following page and of those after it, `most` in all.

        Beyond the first, pages are known where page numbers count them and the total tells the last one.
        """
        if not isinstance(self.following, ListOperation):
            return []
        found = [self.following]
        if not self.placed or self.total is None or is_checkpoint(found[0].paging, found[0].query):
            return found
        while len(found) < most:
            query = found[-1].query
            end = ((_asked(query, "page") or 0) + 1) * (_asked(query, "per_page") or USUAL_PAGE)
            place = None if end >= self.total else _place(end, self.trail.size)
            if place is None:
                break
            found.append(_at_place(found[-1], *place))
        return found


def turn(operation: ListOperation[ItemT, PageT], response: PageT, trail: Trail) -> Turn[ItemT, PageT]:
    """Return what the response to a list operation holds and what follows it."""
    paging = operation.paging
    rows = cast("list[ItemT]", _rows(response, paging.items))
    items, skip = _leave_out(rows, trail.skip, paging.key)
    trail = dataclasses.replace(trail, skip=skip)
    following: ListOperation[ItemT, PageT] | EvertokenError | None
    placed = False
    if is_checkpoint(paging, operation.query):
        following = _after_checkpoint(operation, response, rows, trail)
        trail = _checkpoint_trail(trail, following)
        if paging.from_key is not None and rows:
            # A server may begin with the row that `from` names.
            trail = dataclasses.replace(trail, skip=collections.Counter(_marks(rows[-1:], paging.key)))
    else:
        at = _Offset.read(operation.query, response, len(rows), cuts=not trail.uncut)
        trail = _offset_trail(trail, at, rows, paging)
        following, placed = _after_offset(operation, at, trail), at.sure
        if isinstance(following, ListOperation) and is_checkpoint(paging, following.query):
            trail = Trail(began=True, skip=trail.seen)
    skipped = len(items) < len(rows)
    return Turn(operation, items, total(response), following, trail, skipped=skipped, placed=placed)


def before(operation: ListOperation[ItemT, PageT], trail: Trail = START) -> Turn[ItemT, PageT]:
    """Return a turn without a page, which the operation follows."""
    return Turn(operation, [], None, operation, trail, skipped=False, placed=False)


def is_checkpoint(paging: Paging, query: Mapping[str, QueryValue]) -> bool:
    """Tell which mode a query asks for."""
    if any(query.get(key) is not None for key in CHECKPOINT_KEYS):
        return True
    return paging.offset is None and not paging.bare


def array_of(paging: Paging) -> object:
    """Return the type of a bare array of rows."""
    return types.GenericAlias(list, (paging.item,))


def total(response: object) -> int | None:
    """Return how many rows the list has, where an envelope tells."""
    return _count(response, "total")


def _after_checkpoint(
    operation: ListOperation[ItemT, PageT], response: PageT, rows: Sequence[object], trail: Trail
) -> ListOperation[ItemT, PageT] | EvertokenError | None:
    following = _next(operation, response, rows)
    if isinstance(following, EvertokenError):
        return following
    if not isinstance(following, str) or not following:
        return None
    if following != operation.query.get("from") and digest(following) != trail.mark:
        return dataclasses.replace(operation, query={**operation.query, "from": following})
    # The same pages for ever. Without rows that is an end; with rows, others would be missing.
    if not rows:
        return None
    return EvertokenError(
        f"{operation.name}: the pages lead back to one that was there before, so that the rest of the list "
        "cannot be reached; begin again without from_"
    )


def _next(operation: ListOperation[ItemT, PageT], response: PageT, rows: Sequence[object]) -> object:
    """Return the `from` of the next page: the envelope's `next`, or the key of the last row of an array."""
    key = operation.paging.from_key
    if key is None or not isinstance(response, list):
        return _property(response, "next")
    # The API has no longer page than 100 rows, whatever `take` is; 50 rows may be a cut.
    full = min(_asked(operation.query, "take") or USUAL_PAGE, LONGEST_PAGE)
    if not rows or (len(rows) < full and len(rows) != USUAL_PAGE):
        return None
    value = _property(rows[-1], key)
    if isinstance(value, str) and value:
        return value
    return EvertokenError(
        f"{operation.name}: the last row of a page has no {key}, without which the next page cannot be asked "
        "for; leave out fields=, or name it there"
    )


def _checkpoint_trail(trail: Trail, following: object) -> Trail:
    """Note a cursor after 1, 2, 4, 8 ... pages: a circle meets it, however long (Brent's algorithm)."""
    steps = trail.steps + 1
    if steps & (steps - 1) or not isinstance(following, ListOperation):
        return dataclasses.replace(trail, steps=steps)
    query = cast("ListOperation[object, object]", following).query
    return dataclasses.replace(trail, steps=steps, mark=digest(cast("str", query["from"])))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Offset:
    """Where a page of offset mode lies.

    `page` is the number asked for, `start` the row it begins with, `size` the rows of a full page, `length`
    the rows it has. `total` is None for a bare array. `whole` tells that it is as long as it was asked for.

    A server may cut a page and count pages in its own size, or in the one asked for. Where nothing tells,
    `sure` is false, and `start` such that the walk goes on with the row that was asked for.
    """

    page: int
    start: int
    size: int
    length: int
    total: int | None
    whole: bool
    sure: bool

    @classmethod
    def read(cls, query: Mapping[str, QueryValue], response: object, length: int, *, cuts: bool) -> _Offset:
        """Read a response; `cuts` tells that the server may cut pages without saying so."""
        page, asked = _asked(query, "page") or 0, _asked(query, "per_page")
        echoed = _count(response, "limit") or _count(response, "per_page")
        size = echoed or asked or (length if USUAL_PAGE < length <= LONGEST_PAGE else USUAL_PAGE)
        # Where it is no cut, the next page is empty. An echo is believed, unless on the first page, where
        # the doubt can do no harm.
        if cuts and length == USUAL_PAGE < size and (page == 0 or not echoed):
            size = USUAL_PAGE
        as_asked = asked is None or size == asked
        start = page * size if as_asked or page == 0 else _count(response, "start")
        return cls(
            page=page,
            start=page * (asked or size) - size if start is None else start,
            size=size,
            length=length,
            total=total(response),
            whole=asked is not None and length == asked,
            sure=start is not None,
        )

    @property
    def last(self) -> bool:
        if not self.sure:
            return self.length < self.size
        if self.total is not None:
            return not self.length or self.start + self.length >= self.total
        # A longer page than was asked for: the server does not page this list.
        return self.length != self.size

    @property
    def end(self) -> int:
        return self.start + self.size


def _place(start: int, size: int) -> tuple[int, int] | None:
    """Return page and per_page of the page that begins with a row, None beyond the wall.

    It is shorter than `size` where such a page would not begin there, or would end beyond the wall.
    """
    size = min(size, LAST_ROW - start)
    while size > 0 and start % size:
        size -= 1
    return (start // size, size) if size > 0 else None


def _at_place(
    operation: ListOperation[ItemT, PageT], page: int, per_page: int
) -> ListOperation[ItemT, PageT]:
    query = {**operation.query, "page": page, "per_page": per_page}
    return dataclasses.replace(operation, query=query)


def _offset_trail(trail: Trail, at: _Offset, rows: Sequence[object], paging: Paging) -> Trail:
    from_top = trail.from_top if trail.began else at.page == 0
    seen, skip = trail.seen, trail.skip
    if from_top and paging.checkpoint is not None and not at.last:
        seen = collections.Counter(seen) + collections.Counter(_marks(rows, paging.key))
    if not at.sure:
        # This page may come again.
        skip = collections.Counter(_marks(rows, paging.key))
    uncut = trail.uncut or (at.whole and at.length > USUAL_PAGE)
    size = max(trail.size, at.size) if at.sure else at.size
    return Trail(began=True, from_top=from_top, uncut=uncut, size=size, seen=seen, skip=skip)


def _after_offset(
    operation: ListOperation[ItemT, PageT], at: _Offset, trail: Trail
) -> ListOperation[ItemT, PageT] | EvertokenError | None:
    if at.last:
        return None
    following = _place(at.end, trail.size)
    beyond = following is None or (at.total is not None and at.total > LAST_ROW)
    if beyond and trail.from_top and operation.paging.checkpoint is not None:
        return _from_checkpoint(operation)
    if following is None:
        return PaginationLimitError(operation=operation.name, page=at.end // trail.size, per_page=trail.size)
    return _at_place(operation, *following)


def _from_checkpoint(operation: ListOperation[ItemT, PageT]) -> ListOperation[ItemT, PageT]:
    """Return the same list from its beginning in checkpoint mode, in as few pages as can be."""
    _, longest = operation.limits.get("take", (None, None))
    query = {key: value for key, value in operation.query.items() if key not in OFFSET_KEYS}
    query["take"] = LONGEST_PAGE if longest is None else min(longest, LONGEST_PAGE)
    return dataclasses.replace(operation, query=query, result=operation.paging.checkpoint)


def _leave_out(
    rows: list[ItemT], skip: Mapping[bytes, int], key: str | None
) -> tuple[list[ItemT], Mapping[bytes, int]]:
    """Return the rows that are not among those to skip, and what is left of these.

    Counted, because rows without a key may be equal and yet be two.
    """
    if not skip:
        return rows, skip
    left = collections.Counter(skip)
    items: list[ItemT] = []
    for row, mark in zip(rows, _marks(rows, key), strict=True):
        if left[mark] > 0:
            left[mark] -= 1
        else:
            items.append(row)
    return items, +left


def _marks(rows: Sequence[object], key: str | None) -> list[bytes]:
    """Return what tells each row from the others: a digest of its key, or of the whole where it has none."""
    return [_mark(row, key) for row in rows]


def _mark(row: object, key: str | None) -> bytes:
    value = None if key is None else _property(row, key)
    if isinstance(value, str | int):
        return digest(f"{type(value).__name__} {value}")
    whole = row.model_dump(warnings=False) if isinstance(row, pydantic.BaseModel) else row
    return digest(json.dumps(whole, sort_keys=True, default=str))


def digest(text: str) -> bytes:
    """Return 8 bytes that stand for a text.

    Cursors hold one for each row that may come again. Among a thousand of them and a million rows, two that
    are equal by chance have odds of 1 to 10**10.
    """
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_SIZE).digest()


def _rows(response: object, key: str) -> list[object]:
    rows = cast("object", response) if isinstance(response, list) else _property(response, key)
    return cast("list[object]", rows) if isinstance(rows, list) else []


def _count(response: object, key: str) -> int | None:
    value = _property(response, key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        return None
    return int(value)


def _asked(query: Mapping[str, QueryValue], key: str) -> int | None:
    value = query.get(key)
    return value if isinstance(value, int) else None


def _property(holder: object, key: str) -> object:
    """Return what stands under the API's name, in a model or in what drifted; None where nothing does."""
    if isinstance(holder, Mapping):
        return cast("Mapping[str, object]", holder).get(key)
    if isinstance(holder, pydantic.BaseModel):
        return cast("object", getattr(holder, _attributes(type(holder)).get(key, key), None))
    return None


@functools.lru_cache(maxsize=1_024)
def _attributes(model: type[pydantic.BaseModel]) -> dict[str, str]:
    return {wire_name(name, field): name for name, field in model.model_fields.items()}
