"""Lists that come in pages: walk from page to page in both colours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from evertoken import cursor
from evertoken.ahead import Ahead, check_concurrency
from evertoken.errors import EvertokenError
from evertoken.options import check_options
from evertoken.page_query import check_query, page_type, resolve
from evertoken.pages import PAGE_KEYS, START, Trail, Turn, before, turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from evertoken.operation import AsyncSender, ListOperation, RequestOptions, Sender

__all__ = [
    "AsyncListCall",
    "AsyncPager",
    "SyncPager",
    "check_query",
    "first_page",
    "page_type",
    "resolve",
]

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")


class _Page(Generic[ItemT, PageT]):
    """What both colours of pager show of their page."""

    def __init__(
        self, turn: Turn[ItemT, PageT], response: PageT, request_options: RequestOptions | None
    ) -> None:
        self._turn = turn
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

    @property
    def cursor(self) -> str | None:
        """Where the list goes on after this page, None at its end.

        A string that is safe in JSON and in URLs. `request_options={"cursor": ...}` makes the same call of
        the same list begin there, in another process too. After the last page that neither mode gets beyond,
        such a call raises PaginationLimitError.

        Raises EvertokenError where the API names no page to go on with.
        """
        return cursor.write(self._turn, self._options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.items)} items, has_next={self.has_next}>"


def _begin(
    operation: ListOperation[ItemT, PageT], options: RequestOptions | None
) -> tuple[ListOperation[ItemT, PageT], RequestOptions | None, Trail]:
    """Return the operation of the page to begin with, the options of every page, and what came before.

    Raises ArgumentError for a cursor that is none of this list.
    """
    if not isinstance(options, Mapping) or "cursor" not in options:
        return operation, options, START
    every = cast("RequestOptions", {key: value for key, value in options.items() if key != "cursor"})
    check_options(every)
    place, trail = cursor.read(options["cursor"], operation, every)
    query = {key: value for key, value in operation.query.items() if key not in PAGE_KEYS}
    query, result = resolve(operation.paging, {**query, **place})
    return dataclasses.replace(operation, query=query, result=result), every, trail


def _operation(turn: Turn[ItemT, PageT]) -> ListOperation[ItemT, PageT] | None:
    """Return the operation of the next page, or raise the error in its place."""
    if isinstance(turn.following, EvertokenError):
        # Each caller gets an error with a traceback of its own.
        raise turn.following.replica()
    return turn.following


class SyncPager(_Page[ItemT, PageT]):
    """One page of a list. Iterate over it for the rows of this and all following pages.

    It holds this page alone. Rows beyond the first 1,000, which page numbers do not reach, come by
    checkpoint where the operation has that mode and the list is read from its first page.
    """

    def __init__(
        self,
        sender: Sender,
        turn: Turn[ItemT, PageT],
        response: PageT,
        request_options: RequestOptions | None = None,
    ) -> None:
        super().__init__(turn, response, request_options)
        self._sender = sender

    def next_page(self) -> SyncPager[ItemT, PageT] | None:
        """Return the next page, None after the last.

        Raises PaginationLimitError where neither mode reaches it.
        """
        return self._walk(1).next_page()

    def iter_pages(self, *, concurrency: int = 1) -> Iterator[SyncPager[ItemT, PageT]]:
        """Return this page, then all following ones in order, each fetched when it is asked for.

        With `concurrency`, so many are fetched at the same time by threads, and held until it is their turn.
        That takes a list that is paged by number and whose total is known; it has no effect on others.
        """
        return _pages(self, self._walk(check_concurrency(concurrency)))

    def iter_items(self, *, concurrency: int = 1) -> Iterator[ItemT]:
        """Return the rows of this page and of all following ones; `concurrency` as for `iter_pages`."""
        return _rows(self.iter_pages(concurrency=concurrency))

    def __iter__(self) -> Iterator[ItemT]:
        return self.iter_items()

    def _walk(self, concurrency: int) -> _Walk[ItemT, PageT]:
        return _Walk(self._sender, self._options, self._turn, concurrency)


class _Walk(Generic[ItemT, PageT]):
    """The way from a page to those that follow. It holds no page that was handed out."""

    def __init__(
        self,
        sender: Sender,
        options: RequestOptions | None,
        turn: Turn[ItemT, PageT],
        concurrency: int,
    ) -> None:
        self._sender = sender
        self._options = options
        self._turn = turn.without_items()
        self._ahead: Ahead[ItemT, PageT] = Ahead(concurrency)

    def next_page(self) -> SyncPager[ItemT, PageT] | None:
        while (following := _operation(self._turn)) is not None:
            self._ahead.fill(self._turn, self._send)
            pager = self._received(following)
            if pager is not None:
                return pager
        return None

    def _received(self, operation: ListOperation[ItemT, PageT]) -> SyncPager[ItemT, PageT] | None:
        # A frame of its own: the traceback of an error that comes later shows no row.
        response = self._ahead.take()
        page = turn(operation, response, self._turn.trail)
        self._turn = page.without_items()
        if page.empty_handed:
            return None
        return SyncPager(self._sender, page, response, self._options)

    def _send(self, operation: ListOperation[ItemT, PageT]) -> PageT:
        return self._sender.send(operation, self._options)


# Functions, not methods: a generator's `self` would hold the first page to the end.
def _pages(
    page: SyncPager[ItemT, PageT] | None, walk: _Walk[ItemT, PageT]
) -> Iterator[SyncPager[ItemT, PageT]]:
    while page is not None:
        yield page
        del page  # freed before the next one comes
        page = walk.next_page()


def _rows(pages: Iterator[SyncPager[ItemT, PageT]]) -> Iterator[ItemT]:
    for page in pages:
        rows = iter(page.items)
        del page
        yield from rows


def first_page(
    sender: Sender,
    operation: ListOperation[ItemT, PageT],
    request_options: RequestOptions | None = None,
) -> SyncPager[ItemT, PageT]:
    """Return the page that the operation asks for, or the options' cursor, which fetches the others."""
    operation, options, trail = _begin(operation, request_options)
    page = _Walk(sender, options, before(operation, trail), 1).next_page()
    return cast("SyncPager[ItemT, PageT]", page)  # an operation has a page


class AsyncPager(_Page[ItemT, PageT]):
    """One page of a list. Iterate over it (`async for`) for the rows of this and all following pages.

    It holds this page alone. Rows beyond the first 1,000, which page numbers do not reach, come by
    checkpoint where the operation has that mode and the list is read from its first page.
    """

    def __init__(
        self,
        sender: AsyncSender,
        turn: Turn[ItemT, PageT],
        response: PageT,
        request_options: RequestOptions | None = None,
    ) -> None:
        super().__init__(turn, response, request_options)
        self._sender = sender

    async def next_page(self) -> AsyncPager[ItemT, PageT] | None:
        """Return the next page, None after the last.

        Raises PaginationLimitError where neither mode reaches it.
        """
        return await self._walk(1).next_page()

    def iter_pages(self, *, concurrency: int = 1) -> AsyncIterator[AsyncPager[ItemT, PageT]]:
        """Return this page, then all following ones in order, each fetched when it is asked for.

        With `concurrency`, so many are fetched at the same time by tasks, and held until it is their turn.
        That takes a list that is paged by number and whose total is known; it has no effect on others.
        """
        return _AsyncPages(self, self._walk(check_concurrency(concurrency)))

    def iter_items(self, *, concurrency: int = 1) -> AsyncIterator[ItemT]:
        """Return the rows of this page and of all following ones; `concurrency` as for `iter_pages`."""
        return _AsyncRows(self.iter_pages(concurrency=concurrency))

    def __aiter__(self) -> AsyncIterator[ItemT]:
        return self.iter_items()

    def _walk(self, concurrency: int) -> _AsyncWalk[ItemT, PageT]:
        return _AsyncWalk(self._sender, self._options, self._turn, concurrency)


class _AsyncWalk(Generic[ItemT, PageT]):
    """The way from a page to those that follow. It holds no page that was handed out."""

    def __init__(
        self,
        sender: AsyncSender,
        options: RequestOptions | None,
        turn: Turn[ItemT, PageT],
        concurrency: int,
    ) -> None:
        self._sender = sender
        self._options = options
        self._turn = turn.without_items()
        self._ahead: Ahead[ItemT, PageT] = Ahead(concurrency)

    async def next_page(self) -> AsyncPager[ItemT, PageT] | None:
        while (following := _operation(self._turn)) is not None:
            await self._ahead.fill_async(self._turn, self._send)
            pager = self._received(following)
            if pager is not None:
                return pager
        return None

    def _received(self, operation: ListOperation[ItemT, PageT]) -> AsyncPager[ItemT, PageT] | None:
        # A frame of its own: the traceback of an error that comes later shows no row.
        response = self._ahead.take()
        page = turn(operation, response, self._turn.trail)
        self._turn = page.without_items()
        if page.empty_handed:
            return None
        return AsyncPager(self._sender, page, response, self._options)

    async def _send(self, operation: ListOperation[ItemT, PageT]) -> PageT:
        return await self._sender.send(operation, self._options)


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
        self._operation, self._options, self._trail = _begin(operation, request_options)

    async def _first(self) -> AsyncPager[ItemT, PageT]:
        return cast("AsyncPager[ItemT, PageT]", await self._walk(1).next_page())  # an operation has a page

    def __await__(self) -> Generator[object, None, AsyncPager[ItemT, PageT]]:
        return self._first().__await__()

    def iter_pages(self, *, concurrency: int = 1) -> AsyncIterator[AsyncPager[ItemT, PageT]]:
        """Return all pages in order, each fetched when it is asked for.

        With `concurrency`, so many after the first are fetched at the same time: see `AsyncPager.iter_pages`.
        """
        return _AsyncPages(None, self._walk(check_concurrency(concurrency)))

    def iter_items(self, *, concurrency: int = 1) -> AsyncIterator[ItemT]:
        """Return the rows of all pages; `concurrency` as for `iter_pages`."""
        return _AsyncRows(self.iter_pages(concurrency=concurrency))

    def __aiter__(self) -> AsyncIterator[ItemT]:
        return self.iter_items()

    def _walk(self, concurrency: int) -> _AsyncWalk[ItemT, PageT]:
        return _AsyncWalk(self._sender, self._options, before(self._operation, self._trail), concurrency)


# Classes, not async generators: a loop that is left early would leave one to the event loop to close,
# which trio warns of.
class _AsyncPages(Generic[ItemT, PageT]):
    def __init__(self, first: AsyncPager[ItemT, PageT] | None, walk: _AsyncWalk[ItemT, PageT]) -> None:
        self._first = first
        self._walk = walk

    def __aiter__(self) -> AsyncIterator[AsyncPager[ItemT, PageT]]:
        return self

    async def __anext__(self) -> AsyncPager[ItemT, PageT]:
        page, self._first = self._first, None
        page = page or await self._walk.next_page()
        if page is None:
            raise StopAsyncIteration
        return page


class _AsyncRows(Generic[ItemT, PageT]):
    def __init__(self, pages: AsyncIterator[AsyncPager[ItemT, PageT]]) -> None:
        self._pages = pages
        self._rows: Iterator[ItemT] = iter(())

    def __aiter__(self) -> AsyncIterator[ItemT]:
        return self

    async def __anext__(self) -> ItemT:
        while True:
            for row in self._rows:
                return row
            self._rows = iter(())  # freed before the next ones come
            self._rows = iter((await self._pages.__anext__()).items)
