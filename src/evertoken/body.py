"""Reading an answer's body, bounded: a small body may be compressed from more than memory holds."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import httpx

from evertoken.codec import shown_path, view_of
from evertoken.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

LONGEST_BODY: Final = 64 * 1024 * 1024
"""Bytes, decompressed, unless a client is told otherwise."""

_PIECES: Final = {"gzip": 4_096, "deflate": 4_096}
_SMALL_PIECE: Final = 16
"""Bytes that are decompressed at once, since a decoder of httpx returns all that they expand to: about a
thousandfold for the two, without a known bound for others and for one within the other."""


def read(
    response: httpx.Response, longest: int, is_late: Callable[[], bool] = lambda: False
) -> httpx.Response:
    """Return the response with its body read.

    Raises DecodeError beyond `longest` bytes, decompressed, and httpx.ReadTimeout once it `is_late`: the sum
    of short waits may be long.
    """
    if not response.is_closed:
        body = _Bounded(response, longest, is_late)
        with _replaced(response, iter_bytes=functools.partial(body.decoded, response.iter_bytes)):
            try:
                response.read()
            except _TooLargeError:
                response.close()
            except httpx.DecodingError:
                response.close()
                if not body.is_too_long:
                    raise
            else:
                return response
    elif _fits(response, longest):
        return response
    raise _too_large(response, longest)


async def read_async(response: httpx.Response, longest: int) -> httpx.Response:
    """Return the response as `read` does."""
    if not response.is_closed:
        body = _Bounded(response, longest)
        aiter_bytes = functools.partial(body.decoded_async, response.aiter_bytes)
        # What cannot be decoded ends in the middle of what yields it.
        aiter_raw = functools.partial(_note, body.iterators, response.aiter_raw)
        with _replaced(response, aiter_bytes=aiter_bytes, aiter_raw=aiter_raw):
            try:
                await response.aread()
            except _TooLargeError:
                await close_async(response, body.iterators)
            except httpx.DecodingError:
                await close_async(response, body.iterators)
                if not body.is_too_long:
                    raise
            else:
                return response
    elif _fits(response, longest):
        return response
    raise _too_large(response, longest)


def _fits(response: httpx.Response, longest: int) -> bool:
    # Read already, by an authentication flow or by a transport without a network.
    return not response.is_stream_consumed or len(response.content) <= longest


@contextlib.contextmanager
def _replaced(response: httpx.Response, **methods: object) -> Generator[None]:
    """Let a response have other methods meanwhile: it keeps what it reads itself, through these."""
    for name, method in methods.items():
        setattr(response, name, method)
    try:
        yield
    finally:
        for name in methods:
            delattr(response, name)


def track(response: httpx.Response, iterators: list[AsyncIterator[object]]) -> None:
    """Note every iterator over the response that will be begun, the outermost first."""
    for name in ("aiter_raw", "aiter_bytes", "aiter_text", "aiter_lines"):
        setattr(response, name, functools.partial(_note, iterators, getattr(response, name)))


async def close_async(response: httpx.Response, iterators: list[AsyncIterator[object]]) -> None:
    """Close a response, and its iterators that were left in the middle.

    Closing an asynchronous generator would leave those within it to the event loop, which trio warns of.
    One that is cancelled while it waits for the network ends from the inside out.
    """
    try:
        for iterator in iterators:
            with anyio.CancelScope() as scope, contextlib.suppress(Exception):
                scope.cancel()
                for _ in range(_MOST_PULLS):
                    await anext(iterator)
    finally:
        await response.aclose()


def _note(
    iterators: list[AsyncIterator[object]],
    make: Callable[..., AsyncIterator[Any]],
    *args: object,
    **more: object,
) -> AsyncIterator[Any]:
    iterator = make(*args, **more)
    iterators.append(iterator)
    return iterator


_MOST_PULLS: Final = 1_000
"""Pieces that are fetched and dropped until an iterator notices that it is cancelled: those already there."""


def bound_pieces(response: httpx.Response) -> None:
    """Let an unread response be decompressed in small pieces, however long it is in all."""
    _Bounded(response, sys.maxsize)


class _TooLargeError(Exception):
    pass


class _Bounded(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Takes the place of a response's stream: small pieces, where they are compressed, up to the bound.

    What is too long is read to its end, if that is not far, and dropped: so the connection can be used again.
    """

    def __init__(
        self, response: httpx.Response, longest: int, is_late: Callable[[], bool] = lambda: False
    ) -> None:
        self._is_late = is_late
        encoding = response.headers.get("content-encoding", "").strip().lower()
        self._compressed = encoding not in {"", "identity"}
        self._size = _PIECES.get(encoding, _SMALL_PIECE)
        self._response = response
        self._stream = response.stream
        self._longest = longest
        self._read = 0
        self._decoded = 0
        self.iterators: list[AsyncIterator[object]] = []
        response.stream = self

    def __iter__(self) -> Iterator[bytes]:
        for chunk in cast("httpx.SyncByteStream", self._stream):
            if self._is_late():
                raise httpx.ReadTimeout("the body did not end in time")
            yield from self._pieces(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(cast("httpx.AsyncByteStream", self._stream))
        self.iterators.append(chunks)
        async for chunk in chunks:
            for piece in self._pieces(chunk):
                yield piece

    def close(self) -> None:
        cast("httpx.SyncByteStream", self._stream).close()

    async def aclose(self) -> None:
        await cast("httpx.AsyncByteStream", self._stream).aclose()

    def decoded(self, iter_bytes: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """Yield what the body is decompressed to, as far as it is within the bound."""
        for piece in iter_bytes():
            self._decoded += len(piece)
            if not self.is_too_long:
                yield piece
        self._check()

    async def decoded_async(self, aiter_bytes: Callable[[], AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
        """Yield as `decoded` does."""
        async for piece in aiter_bytes():
            self._decoded += len(piece)
            if not self.is_too_long:
                yield piece
        self._check()

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        self._read += len(chunk)
        size = self._size if self._compressed else len(chunk) or 1
        for start in range(0, len(chunk), size):
            if not self.is_too_long:
                yield chunk[start : start + size]
        if self._read > 2 * self._longest:
            raise _TooLargeError

    @property
    def is_too_long(self) -> bool:
        """Whether it was: what was left out then, some decoders take for broken."""
        return max(self._read, self._decoded) > self._longest

    def _check(self) -> None:
        if self.is_too_long:
            raise _TooLargeError


def _too_large(response: httpx.Response, longest: int) -> DecodeError:
    return DecodeError(
        method=response.request.method,
        path=shown_path(response.request),
        status_code=response.status_code,
        problem=f"its body is larger than {longest} bytes; ask for less, or give the client more max_body",
        request_id=response.headers.get("x-auth0-requestid"),
        response=view_of(response, b""),
    )
