"""Answers that are read as they come: closed at the end of a block, whatever was left unread of them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, cast

import httpx

from evertoken.body import bound_pieces, close_async, track
from evertoken.codec import shown_path
from evertoken.errors import TransportError
from evertoken.retry import SAFE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
    from types import TracebackType


@contextlib.contextmanager
def opened(response: httpx.Response) -> Generator[httpx.Response]:
    """Yield a response to be read piece by piece; close it at the end.

    Raises TransportError, also from within its iterators, where it breaks off.
    """
    _prepare(response)
    problem = ""
    try:
        yield response
    except httpx.DecodingError as error:
        problem = type(error).__name__
    finally:
        response.close()
    if problem:
        raise _broken_off(response, problem)


class AsyncOpening(contextlib.AbstractAsyncContextManager[httpx.Response, None]):
    """Does as `opened` does with the response that `send` gets and `check` lets pass.

    Its iterators may be left in the middle, too. It is no asynchronous generator: an event loop would close
    one that is left over at the same time as those of httpx within it.
    """

    def __init__(
        self, send: Callable[[], Awaitable[httpx.Response]], check: Callable[[httpx.Response], None]
    ) -> None:
        self._send = send
        self._check = check
        self._iterators: list[AsyncIterator[object]] = []
        self._response: httpx.Response | None = None

    async def __aenter__(self) -> httpx.Response:
        self._response = response = await self._send()
        _prepare(response)
        track(response, self._iterators)
        try:
            self._check(response)
        except BaseException:
            await close_async(response, self._iterators)
            raise
        return response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        response = cast("httpx.Response", self._response)  # the block was entered
        await close_async(response, self._iterators)
        if isinstance(error, httpx.DecodingError):
            raise _broken_off(response, type(error).__name__) from None


def _prepare(response: httpx.Response) -> None:
    if not response.is_closed:
        bound_pieces(response)
        response.stream = _Pieces(response)


class _Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Takes the place of a response's stream, and raises errors of ours where it breaks off."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._stream = response.stream

    def __iter__(self) -> Iterator[bytes]:
        problem = ""
        try:
            yield from cast("httpx.SyncByteStream", self._stream)
        except httpx.RequestError as error:
            problem = type(error).__name__
        # Outside the frames of httpx, which hold the token.
        if problem:
            raise _broken_off(self._response, problem)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        problem = ""
        try:
            async for piece in cast("httpx.AsyncByteStream", self._stream):
                yield piece
        except httpx.RequestError as error:
            problem = type(error).__name__
        if problem:
            raise _broken_off(self._response, problem)

    def close(self) -> None:
        cast("httpx.SyncByteStream", self._stream).close()

    async def aclose(self) -> None:
        await cast("httpx.AsyncByteStream", self._stream).aclose()


def _broken_off(response: httpx.Response, reason: str) -> TransportError:
    method = response.request.method
    return TransportError(
        method=method,
        path=shown_path(response.request),
        reason=reason,
        status_code=response.status_code,
        attempts=1,
        maybe_carried_out=method not in SAFE,
    )
