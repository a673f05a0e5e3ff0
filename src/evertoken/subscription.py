"""Event streams that go on: where a connection ends, the next one begins after the last event."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import logging
import random
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

import httpx

from evertoken.codec import Codec, decode_error, shown_path
from evertoken.errors import DecodeError, EventStreamError, TransportError
from evertoken.options import check_options
from evertoken.retry import backoff
from evertoken.sse import Parser, ServerSentEvent, TooLongError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from typing import Self

    from evertoken.clock import Clock
    from evertoken.operation import EventsOperation, Operation, RequestOptions

T = TypeVar("T")

LONGEST_PAUSE: Final = 60.0
"""Seconds: a pause that a server asks for by mistake must not silence a program for hours."""

_JITTER: Final = 0.2
"""The share by which a pause is lengthened, so that programs which were dropped together part."""

_PASSING: Final = frozenset({"timeout", "connection_timeout"})
"""Codes of error events after which the same stream goes on."""

_log = logging.getLogger("evertoken.transport")


class Subscription(Generic[T]):
    """What is known of a stream from connection to connection. Decisions only."""

    def __init__(
        self, operation: EventsOperation[T], options: RequestOptions, *, codec: Codec, longest: int
    ) -> None:
        check_options(options)
        self._operation = operation
        self._options = options
        self._codec = codec
        self._longest = longest
        self._parser = Parser(longest)
        self._ready: collections.deque[ServerSentEvent] = collections.deque()
        self._retry: float | None = None
        self._barren = 0
        self._response: httpx.Response | None = None
        self.last_event_id: str = str(operation.query.get(operation.cursor or "") or "")
        self.is_over: bool = False

    @property
    def has_events(self) -> bool:
        """Whether some came that were not taken."""
        return bool(self._ready)

    def call(self) -> tuple[EventsOperation[T], RequestOptions]:
        """Return what is sent to begin, or to go on after the last event."""
        operation, last = self._operation, self._parser.last_event_id
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last and operation.cursor is not None:
            query = {name: value for name, value in operation.query.items() if name not in operation.start}
            operation = dataclasses.replace(operation, query={**query, operation.cursor: last})
        if last and (operation.cursor is None or (last.isascii() and last.isprintable())):
            headers["Last-Event-ID"] = last
        headers.update(self._options.get("additional_headers", {}))
        return operation, {**self._options, "additional_headers": headers}

    def begin(self, response: httpx.Response) -> None:
        """Take a new connection's response. Raises DecodeError where it is no event stream."""
        self._response = response
        self._parser = Parser(self._longest, self._parser.last_event_id)
        self._barren += 1
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code == 204:
            self.is_over = True  # the server's word for: do not come back
        elif media_type != "text/event-stream":
            raise self._refused(f"its body is no event stream but {media_type or 'of no type'}")

    def feed(self, chunk: bytes) -> None:
        """Take what came. Raises DecodeError for an event beyond the bound."""
        try:
            self._ready.extend(self._parser.feed(chunk))
        except TooLongError:
            pass
        else:
            if self._parser.retry is not None:
                self._retry = min(self._parser.retry / 1000, LONGEST_PAUSE)
            return
        raise self._refused(f"an event is larger than {self._longest} bytes; give the client more max_body")

    def pause(self) -> float:
        """Return the seconds until the next connection: as the server says, longer while nothing comes."""
        wait = backoff(1) if self._retry is None else self._retry * (1 + _JITTER * random.random())  # noqa: S311 - no secret
        wait = wait if self._barren < 2 else max(wait, backoff(self._barren))
        _log.info("%s: the stream broke off; again in %.1f s", self._operation.name, wait)
        return wait

    def take(self) -> tuple[T] | None:
        """Return the next event in a tuple, None for one that tells of the connection's end."""
        event = self._ready.popleft()
        if event.event == "error":
            error = _error_of(event)
            if error.get("code") in _PASSING:
                return None
            self.is_over = True
            raise self._failure(error)
        self._barren = 0
        self.last_event_id = event.id
        return (self._codec.decode_event(self._operation, self._current, event),)

    @property
    def _current(self) -> httpx.Response:
        return cast("httpx.Response", self._response)  # events come from one

    def _refused(self, problem: str) -> DecodeError:
        self.is_over = True
        return decode_error(self._current, problem)

    def _failure(self, error: dict[str, object]) -> EventStreamError:
        code, message, offset = (
            value if isinstance(value := error.get(name), str) else None
            for name in ("code", "message", "offset")
        )
        return EventStreamError(
            path=shown_path(self._current.request),
            code=code,
            message=message,
            offset=offset,
            last_event_id=self.last_event_id,
        )


def _error_of(event: ServerSentEvent) -> dict[str, object]:
    try:
        value: object = json.loads(event.data)
    except (ValueError, RecursionError):
        return {}
    error = cast("dict[str, object]", value).get("error") if isinstance(value, dict) else None
    return cast("dict[str, object]", error) if isinstance(error, dict) else {}


class EventStream(Generic[T]):
    """The events of a stream, for as long as you iterate: `client.events.subscribe` returns one.

    It is subscribed when a `with` block begins, or at the first event that is asked for; the block's end
    closes it, and so does the stream's. Where a loop is left without a block, call `close`.

    Where a connection ends, the next one goes on after the last event, after the pause that the server asks
    for. A connection that breaks off in the middle of an event brings it again; none is left out.

    Raises EventStreamError where the API ends the stream, an APIError where it refuses to go on, and
    TransportError where it cannot be reached within the retries of a call.
    """

    def __init__(
        self,
        subscription: Subscription[T],
        open_: Callable[[Operation[object], RequestOptions], AbstractContextManager[httpx.Response]],
        clock: Clock,
    ) -> None:
        self._subscription = subscription
        self._open = open_
        self._clock = clock
        self._connection = contextlib.ExitStack()
        self._chunks: Iterator[bytes] | None = None
        self._begun = False

    @property
    def last_event_id(self) -> str:
        """That of the last event that came, to go on after it another time; empty before the first."""
        return self._subscription.last_event_id

    def connect(self) -> None:
        """Begin, or go on, unless it is open."""
        if self._chunks is not None:
            return
        self._begun = True
        response = self._connection.enter_context(self._open(*self._subscription.call()))
        self._chunks = response.iter_bytes()
        try:
            self._subscription.begin(response)
        except DecodeError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._chunks = None
        self._connection.close()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        try:
            return self._following()
        finally:
            if self._subscription.is_over:
                self.close()

    def _following(self) -> T:
        while not self._subscription.is_over:
            if self._subscription.has_events:
                taken = self._subscription.take()
                if taken is not None:
                    return taken[0]
                self.close()
            elif self._chunks is None:
                if self._begun:
                    self._clock.sleep(self._subscription.pause())
                self.connect()
            elif (chunk := _next(self._chunks)) is None:
                self.close()
            else:
                self._subscription.feed(chunk)
        raise StopIteration


class AsyncEventStream(Generic[T]):
    """The events of a stream, as `EventStream` has them, by `async with` or at the first event.

    Where a loop is left without a block, await `aclose`.
    """

    def __init__(
        self,
        subscription: Subscription[T],
        open_: Callable[[Operation[object], RequestOptions], AbstractAsyncContextManager[httpx.Response]],
        clock: Clock,
    ) -> None:
        self._subscription = subscription
        self._open = open_
        self._clock = clock
        self._connection = contextlib.AsyncExitStack()
        self._chunks: AsyncIterator[bytes] | None = None
        self._begun = False

    @property
    def last_event_id(self) -> str:
        """That of the last event that came, to go on after it another time; empty before the first."""
        return self._subscription.last_event_id

    async def connect(self) -> None:
        """Begin, or go on, unless it is open."""
        if self._chunks is not None:
            return
        self._begun = True
        response = await self._connection.enter_async_context(self._open(*self._subscription.call()))
        self._chunks = response.aiter_bytes()
        try:
            self._subscription.begin(response)
        except DecodeError:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the connection."""
        self._chunks = None
        await self._connection.aclose()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self._following()
        finally:
            if self._subscription.is_over:
                await self.aclose()

    async def _following(self) -> T:
        while not self._subscription.is_over:
            if self._subscription.has_events:
                taken = self._subscription.take()
                if taken is not None:
                    return taken[0]
                await self.aclose()
            elif self._chunks is None:
                if self._begun:
                    await self._clock.sleep_async(self._subscription.pause())
                await self.connect()
            elif (chunk := await _anext(self._chunks)) is None:
                await self.aclose()
            else:
                self._subscription.feed(chunk)
        raise StopAsyncIteration


def _next(chunks: Iterator[bytes]) -> bytes | None:
    """Return the next chunk, None where the connection has ended, however."""
    try:
        return next(chunks, None)
    except (TransportError, httpx.RequestError):
        return None


async def _anext(chunks: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await anext(chunks, None)
    except (TransportError, httpx.RequestError):
        return None
