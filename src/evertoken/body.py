"""Reading an answer's body, bounded: a small body may be compressed from more than memory holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import httpx

from evertoken.codec import shown_path
from evertoken.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LONGEST_BODY: Final = 64 * 1024 * 1024
"""Bytes, decompressed, unless a client is told otherwise."""

_PIECES: Final = {"gzip": 16_384, "deflate": 16_384}
_SMALL_PIECE: Final = 64
"""Bytes that are decompressed at once, since a decoder of httpx returns all that they expand to: about a
thousandfold for the two, without a known bound for others and for one within the other."""


def read(response: httpx.Response, longest: int) -> httpx.Response:
    """Return the response with its body read. Raises DecodeError beyond `longest` bytes."""
    if response.is_closed:
        return response
    pieces = _pieces(response, longest)
    if pieces is None:
        response.read()
        return response
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > longest:
            response.close()
            raise _too_large(response, longest)
    return _decoded(response, bytes(body))


async def read_async(response: httpx.Response, longest: int) -> httpx.Response:
    """Return the response as `read` does."""
    if response.is_closed:
        return response
    pieces = _pieces(response, longest)
    if pieces is None:
        await response.aread()
        return response
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > longest:
            await response.aclose()
            raise _too_large(response, longest)
    return _decoded(response, bytes(body))


class _Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in pieces of a size, None for those in which it comes; no longer than it may be."""

    def __init__(self, response: httpx.Response, size: int | None, longest: int) -> None:
        self._response = response
        self._stream = response.stream
        self._size = size
        self._longest = longest
        self._count = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in cast("httpx.SyncByteStream", self._stream):
            yield from self._cut(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in cast("httpx.AsyncByteStream", self._stream):
            for piece in self._cut(chunk):
                yield piece

    def close(self) -> None:
        cast("httpx.SyncByteStream", self._stream).close()

    async def aclose(self) -> None:
        await cast("httpx.AsyncByteStream", self._stream).aclose()

    def _cut(self, chunk: bytes) -> Iterator[bytes]:
        self._count += len(chunk)
        if self._count > self._longest:
            raise _too_large(self._response, self._longest)
        if self._size is None or len(chunk) <= self._size:
            return iter((chunk,))
        size = self._size
        return (chunk[start : start + size] for start in range(0, len(chunk), size))


def _pieces(response: httpx.Response, longest: int) -> int | None:
    """Wrap the body; return the size of the pieces in which it is to be decompressed, None where it is not."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    size = None if encoding in {"", "identity"} else _PIECES.get(encoding, _SMALL_PIECE)
    response.stream = _Pieces(response, size, longest)
    return size


def _decoded(response: httpx.Response, body: bytes) -> httpx.Response:
    framing = {"content-encoding", "content-length", "transfer-encoding"}
    decoded = httpx.Response(
        response.status_code,
        headers=[
            (name, value) for name, value in response.headers.raw if name.decode().lower() not in framing
        ],
        content=body,
        request=response.request,
        extensions=response.extensions,
        history=response.history,
    )
    decoded.elapsed = response.elapsed
    return decoded


def _too_large(response: httpx.Response, longest: int) -> DecodeError:
    return DecodeError(
        method=response.request.method,
        path=shown_path(response.request),
        status_code=response.status_code,
        problem=f"its body is larger than {longest} bytes; ask for less, or give the client a larger max_body",
        body="",
        request_id=response.headers.get("x-auth0-requestid"),
    )
