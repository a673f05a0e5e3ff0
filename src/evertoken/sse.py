"""Server-sent events: from the bytes of a `text/event-stream` to events (WHATWG HTML, 9.2.5 and 9.2.6)."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

SILENCE: Final = 90.0
"""Seconds without a byte after which a connection counts as lost: the API sends comments to keep it open."""

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LONGEST_RETRY: Final = 9
"""Digits: no server means a longer pause than eleven days."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerSentEvent:
    """One event of a stream.

    `event` is its name, `data` its text, `id` what a later stream goes on after (empty: the stream gave none
    so far), `retry` the pause before a reconnection, in milliseconds, where it came with this event.
    """

    event: str = "message"
    # The API's events hold what users are called and where they live: that is not for a log.
    data: str = dataclasses.field(default="", repr=False)
    id: str = ""
    retry: int | None = None


class TooLongError(Exception):
    """An event has more bytes than it may have."""


class Parser:
    """Reads one connection, in whatever chunks it comes. `longest` is the size of an event in bytes.

    `last_event_id` is that of the last event that was complete, `retry` the last pause that was given, in
    milliseconds.
    """

    def __init__(self, longest: int, last_event_id: str = "") -> None:
        self._longest = longest
        self._rest = bytearray()
        self._held = 0
        self._after_return = False
        self._is_first_line = True
        self._event = ""
        self._data: list[str] = []
        self._id = last_event_id
        self._retry: int | None = None
        self.last_event_id: str = last_event_id
        self.retry: int | None = None

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that a chunk completes. Raises TooLongError."""
        if self._after_return and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_return = False
        self._after_return = self._after_return or chunk.endswith(b"\r")
        *lines, rest = _LINE_END.split(chunk)
        events: list[ServerSentEvent] = []
        for line in lines:
            if self._rest:
                self._rest += line
                line, self._rest = bytes(self._rest), bytearray()  # noqa: PLW2901 - the whole of it
            event = self._take(line)
            if event is not None:
                events.append(event)
        self._rest += rest
        self._bound(len(self._rest))
        return events

    def _bound(self, more: int) -> None:
        if self._held + more > self._longest:
            raise TooLongError

    def _take(self, line: bytes) -> ServerSentEvent | None:
        if self._is_first_line:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._is_first_line = False
        if not line:
            return self._dispatch()
        self._bound(len(line))
        self._held += len(line)
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= _LONGEST_RETRY:
            self._retry = self.retry = int(value)
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        self.last_event_id = self._id
        event = None
        if self._data:
            event = ServerSentEvent(
                event=self._event or "message", data="\n".join(self._data), id=self._id, retry=self._retry
            )
        self._event, self._data, self._retry, self._held = "", [], None, 0
        return event
