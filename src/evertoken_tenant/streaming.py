"""Event streams in process, for clients of threads and of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import httpx

from evertoken_tenant.feed import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from evertoken_tenant.feed import Stream

BEAT: Final = b": heartbeat\n\n"
_LOOK: Final = 0.02  # seconds between looks of a task, which no thread may wake


class FeedBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of an answer that goes on as things happen."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        """Give what there is, and wait for more."""
        while (chunk := self._stream.take()) is not None:
            if chunk:
                yield chunk
            elif not self._stream.wait(HEARTBEAT):
                yield BEAT

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give what there is, and wait for more."""
        waited = 0.0
        while (chunk := self._stream.take()) is not None:
            if chunk:
                waited = 0.0
                yield chunk
            elif waited < HEARTBEAT:
                waited += _LOOK
                await anyio.sleep(_LOOK)
            else:
                waited = 0.0
                yield BEAT
