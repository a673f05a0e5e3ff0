"""Reading an answer's body, bounded: a small body may be compressed from more than memory holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import httpx

from evertoken.codec import shown_path, view_of
from evertoken.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LONGEST_BODY: Final = 64 * 1024 * 1024
"""Bytes, decompressed, unless a client is told otherwise."""

_PIECES: Final = {"gzip": 4_096, "deflate": 4_096}
_SMALL_PIECE: Final = 16
"""Bytes that are decompressed at once, since a decoder of httpx returns all that they expand to: about a
thousandfold for the two, without a known bound for others and for one within the other."""


def read(response: httpx.Response, longest: int) -> httpx.Response:
    """Return the response with its body read. Raises DecodeError beyond `longest` bytes."""
    if response.is_closed:
        return response
    body = _Bounded(response, longest)
    try:
        if not body.compressed:
            response.read()
            body.check()
            return response
        for piece in response.iter_bytes():
            body.keep(piece)
        return body.decoded()
    except _TooLargeError:
        response.close()
    raise _too_large(response, longest)


async def read_async(response: httpx.Response, longest: int) -> httpx.Response:
    """Return the response as `read` does."""
    if response.is_closed:
        return response
    body = _Bounded(response, longest)
    try:
        if not body.compressed:
            await response.aread()
            body.check()
            return response
        async for piece in response.aiter_bytes():
            body.keep(piece)
        return body.decoded()
    except _TooLargeError:
        await response.aclose()
    raise _too_large(response, longest)


class _TooLargeError(Exception):
    pass


class _Bounded(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Takes the place of a response's stream: small pieces, where they are compressed, up to the bound.

    What is too long is read to its end, if that is not far, and dropped: iterators that are left in the
    middle would have to be closed by the event loop, and the connection with them.
    """

    def __init__(self, response: httpx.Response, longest: int) -> None:
        encoding = response.headers.get("content-encoding", "").strip().lower()
        self.compressed: bool = encoding not in {"", "identity"}
        self._size = _PIECES.get(encoding, _SMALL_PIECE)
        self._response = response
        self._stream = response.stream
        self._longest = longest
        self._read = 0
        self._kept = bytearray()
        response.stream = self

    def __iter__(self) -> Iterator[bytes]:
        for chunk in cast("httpx.SyncByteStream", self._stream):
            yield from self._pieces(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in cast("httpx.AsyncByteStream", self._stream):
            for piece in self._pieces(chunk):
                yield piece

    def close(self) -> None:
        cast("httpx.SyncByteStream", self._stream).close()

    async def aclose(self) -> None:
        await cast("httpx.AsyncByteStream", self._stream).aclose()

    def keep(self, piece: bytes) -> None:
        """Add what a piece was decompressed to, as far as it is within the bound."""
        self._kept += piece[: self._longest + 1 - len(self._kept)]

    def decoded(self) -> httpx.Response:
        """Return the response with what was kept as its body."""
        self.check()
        response = self._response
        headers = response.headers.copy()
        for name in ("content-encoding", "content-length", "transfer-encoding"):
            headers.pop(name, None)
        decoded = httpx.Response(
            response.status_code,
            headers=headers,
            content=bytes(self._kept),
            request=response.request,
            extensions=response.extensions,
            history=response.history,
        )
        decoded.elapsed = response.elapsed
        return decoded

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        self._read += len(chunk)
        size = self._size if self.compressed else len(chunk) or 1
        for start in range(0, len(chunk), size):
            if not self._is_too_long():
                yield chunk[start : start + size]
        if self._read > 2 * self._longest:
            raise _TooLargeError

    def _is_too_long(self) -> bool:
        return max(self._read, len(self._kept)) > self._longest

    def check(self) -> None:
        if self._is_too_long():
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
