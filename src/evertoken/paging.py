"""Lists that come in pages: check what is asked for, and walk from page to page in both colours."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

from evertoken.errors import ArgumentError, EvertokenError, PaginationLimitError
from evertoken.operation import ListOperation
from evertoken.pages import (
    CHECKPOINT_KEYS,
    LAST_ROW,
    LONGEST_PAGE,
    OFFSET_KEYS,
    START,
    USUAL_PAGE,
    Trail,
    Turn,
    array_of,
    is_checkpoint,
    turn,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator, Mapping

    from evertoken.operation import AsyncSender, Operation, Paging, QueryValue, RequestOptions, Sender

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")

PAGE_KEYS: Final = OFFSET_KEYS | CHECKPOINT_KEYS

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


class _Page(Generic[ItemT, PageT]):
    """What both colours of pager show of their page."""

    def __init__(
        self,
        operation: ListOperation[ItemT, PageT],
        response: PageT,
        request_options: RequestOptions | None,
        trail: Trail,
    ) -> None:
        self._turn: Turn[ItemT, PageT] = turn(operation, response, trail)
        self._response = response
        self._options = request_options

    @property
    def items(self) -> list[ItemT]:
        """The rows of this page, less those that an earlier page had."""
        return self._turn.items

    @property
    def response(self) -> PageT:
        """The page as the API sent it: an envelope, or a list of rows."""
        return self._response

    @property
    def has_next(self) -> bool:
        """Whether the list goes on after this page."""
        return self._turn.following is not None

    @property
    def total(self) -> int | None:
        """The number of rows of the whole list, None where the answer does not tell."""
        return self._turn.total

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.items)} items, has_next={self.has_next}>"

    def _following(self) -> ListOperation[ItemT, PageT] | None:
        following = self._turn.following
        if isinstance(following, EvertokenError):
            # Each caller gets an error with a traceback of its own.
            raise following.replica()
        return following


class SyncPager(_Page[ItemT, PageT]):
    """One page of a list. Iterate over it for the rows of this and all following pages.

    It holds this page alone. Rows beyond the first 1,000, which page numbers do not reach, come by
    checkpoint where the operation has that mode and the list is read from its first page.
    """

    def __init__(
        self,
        sender: Sender,
        operation: ListOperation[ItemT, PageT],
        response: PageT,
        request_options: RequestOptions | None = None,
        *,
        trail: Trail = START,
    ) -> None:
        super().__init__(operation, response, request_options, trail)
        self._sender = sender

    def next_page(self) -> SyncPager[ItemT, PageT] | None:
        """Return the next page, None after the last.

        Raises PaginationLimitError where neither mode reaches it.
        """
        following, trail = self._following(), self._turn.trail
        while following is not None:
            response = self._sender.send(following, self._options)
            pager: SyncPager[ItemT, PageT] = SyncPager(
                self._sender, following, response, self._options, trail=trail
            )
            if not pager._turn.empty_handed:
                return pager
            following, trail = pager._following(), pager._turn.trail
        return None

    def iter_pages(self) -> Iterator[SyncPager[ItemT, PageT]]:
        """Return this page, then all following ones, each fetched when it is asked for."""
        return _pages(self)

    def __iter__(self) -> Iterator[ItemT]:
        return _rows(self)


# Functions, not methods: a generator's `self` would hold the first page to the end.
def _pages(page: SyncPager[ItemT, PageT] | None) -> Iterator[SyncPager[ItemT, PageT]]:
    while page is not None:
        yield page
        page = page.next_page()


def _rows(page: SyncPager[ItemT, PageT] | None) -> Iterator[ItemT]:
    while page is not None:
        yield from page.items
        page = page.next_page()


def first_page(
    sender: Sender,
    operation: ListOperation[ItemT, PageT],
    request_options: RequestOptions | None = None,
) -> SyncPager[ItemT, PageT]:
    """Return the page that the operation asks for, which fetches the others."""
    return SyncPager(sender, operation, sender.send(operation, request_options), request_options)


class AsyncPager(_Page[ItemT, PageT]):
    """One page of a list. Iterate over it (`async for`) for the rows of this and all following pages.

    It holds this page alone. Rows beyond the first 1,000, which page numbers do not reach, come by
    checkpoint where the operation has that mode and the list is read from its first page.
    """

    def __init__(
        self,
        sender: AsyncSender,
        operation: ListOperation[ItemT, PageT],
        response: PageT,
        request_options: RequestOptions | None = None,
        *,
        trail: Trail = START,
    ) -> None:
        super().__init__(operation, response, request_options, trail)
        self._sender = sender

    async def next_page(self) -> AsyncPager[ItemT, PageT] | None:
        """Return the next page, None after the last.

        Raises PaginationLimitError where neither mode reaches it.
        """
        following, trail = self._following(), self._turn.trail
        while following is not None:
            response = await self._sender.send(following, self._options)
            pager: AsyncPager[ItemT, PageT] = AsyncPager(
                self._sender, following, response, self._options, trail=trail
            )
            if not pager._turn.empty_handed:
                return pager
            following, trail = pager._following(), pager._turn.trail
        return None

    def iter_pages(self) -> AsyncIterator[AsyncPager[ItemT, PageT]]:
        """Return this page, then all following ones, each fetched when it is asked for."""
        return _AsyncPages(self)

    def __aiter__(self) -> AsyncIterator[ItemT]:
        return _AsyncRows(_AsyncPages(self))


class AsyncListCall(Generic[ItemT, PageT]):
    """A list that was not asked for yet: await it for its first page, or `async for` over its rows.

    Each `await` and each loop makes the first request anew; one that is never awaited makes none.
    """

    def __init__(
        self,
        sender: AsyncSender,
        operation: ListOperation[ItemT, PageT],
        request_options: RequestOptions | None = None,
    ) -> None:
        self._sender = sender
        self._operation = operation
        self._options = request_options

    async def _first(self) -> AsyncPager[ItemT, PageT]:
        response = await self._sender.send(self._operation, self._options)
        return AsyncPager(self._sender, self._operation, response, self._options)

    def __await__(self) -> Generator[object, None, AsyncPager[ItemT, PageT]]:
        return self._first().__await__()

    def iter_pages(self) -> AsyncIterator[AsyncPager[ItemT, PageT]]:
        """Return all pages, each fetched when it is asked for."""
        return _AsyncPages(self)

    def __aiter__(self) -> AsyncIterator[ItemT]:
        return _AsyncRows(_AsyncPages(self))


# Classes, not async generators: a loop that is left early would leave one to the event loop to close,
# which trio warns of.
class _AsyncPages(Generic[ItemT, PageT]):
    def __init__(self, first: AsyncPager[ItemT, PageT] | AsyncListCall[ItemT, PageT]) -> None:
        self._first: AsyncPager[ItemT, PageT] | AsyncListCall[ItemT, PageT] | None = first
        self._page: AsyncPager[ItemT, PageT] | None = None

    def __aiter__(self) -> AsyncIterator[AsyncPager[ItemT, PageT]]:
        return self

    async def __anext__(self) -> AsyncPager[ItemT, PageT]:
        if isinstance(self._first, AsyncListCall):
            self._page = await self._first
        elif self._first is not None:
            self._page = self._first
        elif self._page is not None:
            self._page = await self._page.next_page()
        self._first = None
        if self._page is None:
            raise StopAsyncIteration
        return self._page


class _AsyncRows(Generic[ItemT, PageT]):
    def __init__(self, pages: _AsyncPages[ItemT, PageT]) -> None:
        self._pages = pages
        self._rows: Iterator[ItemT] = iter(())

    def __aiter__(self) -> AsyncIterator[ItemT]:
        return self

    async def __anext__(self) -> ItemT:
        while True:
            for row in self._rows:
                return row
            self._rows = iter((await self._pages.__anext__()).items)
