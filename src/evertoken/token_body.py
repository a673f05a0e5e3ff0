"""The bodies of a token request and of its answer: one is sent once, the other is bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, cast

import httpx

from evertoken.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evertoken.clock import Clock

LONGEST_BODY: Final = 65_536
"""Bytes of an answer, as they come. A token with every permission there is has a tenth of that."""


class OnceBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that is sent once: a client that follows redirects would send it again, elsewhere."""

    def __init__(self, body: bytes, endpoint: str) -> None:
        self._body = body
        self._endpoint = endpoint
        self._sent = False

    def __iter__(self) -> Iterator[bytes]:
        yield self._take()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _OnceIterator(self._take)

    def _take(self) -> bytes:
        if self._sent:
            raise redirected(self._endpoint)
        self._sent = True
        return self._body


class _OnceIterator(AsyncIterator[bytes]):
    """No generator: one that is left while its piece is being sent would be left to the event loop."""

    def __init__(self, take: Callable[[], bytes]) -> None:
        self._take: Callable[[], bytes] | None = take

    async def __anext__(self) -> bytes:
        take, self._take = self._take, None
        if take is None:
            raise StopAsyncIteration
        return take()


class BoundedBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a token endpoint's answer: what is too long is dropped, what is too late is an error.

    httpx bounds each wait for data, not their sum. Where a task awaits, `Read` bounds the time.
    """

    def __init__(
        self, stream: httpx.SyncByteStream | httpx.AsyncByteStream, deadline: float, clock: Clock
    ) -> None:
        self._stream = stream
        self._deadline = deadline
        self._clock = clock
        self._left = LONGEST_BODY

    def __iter__(self) -> Iterator[bytes]:
        late = False
        for chunk in cast("httpx.SyncByteStream", self._stream):
            # One more: the machine may have been suspended, and then this is the rest of the answer.
            if late:
                raise httpx.ReadTimeout("the answer did not end in time")
            late = self._clock.monotonic() > self._deadline
            yield self._cut(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # To the end: a stream that is left in the middle would have to be closed by the event loop.
        async for chunk in cast("httpx.AsyncByteStream", self._stream):
            yield self._cut(chunk)

    def close(self) -> None:
        """Give the connection back."""
        cast("httpx.SyncByteStream", self._stream).close()

    async def aclose(self) -> None:
        """Give the connection back."""
        await cast("httpx.AsyncByteStream", self._stream).aclose()

    def _cut(self, chunk: bytes) -> bytes:
        kept = chunk[: self._left]
        self._left -= len(kept)
        return kept


def redirected(endpoint: str) -> TokenError:
    """Return the error for a token endpoint that leads elsewhere."""
    return TokenError(
        f"POST {endpoint}: redirected, and credentials are not sent elsewhere; check the domain"
    )
