"""The event stream of the tenant: what happened, in order, for whoever follows it."""

from __future__ import annotations

import collections
import dataclasses
import threading
from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import Row, dump

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 10_000  # events; older ones are forgotten
HEARTBEAT: Final = 15.0  # seconds without an event, after which a comment is sent


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One event; `offset` is its place in the stream, `text` how it is sent."""

    offset: int
    kind: str
    time: float
    text: str


class Feed:
    """The last 10,000 events. `follow`: streams stay open for what comes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: collections.deque[Event] = collections.deque(maxlen=MOST)
        self._next = 1
        self._listeners: list[Callable[[], None]] = []
        self.follow = True

    def add(self, kind: str, time: float, event: Row) -> None:
        """Tell of an event."""
        with self._changed:
            offset = self._next
            self._next += 1
            body = dump({"type": kind, "offset": token(offset), "event": event})
            text = f"event: {kind}\nid: {token(offset)}\ndata: {body}\n\n"
            self._events.append(Event(offset, kind, time, text))
        self.wake()

    def wake(self) -> None:
        """Let all streams look again."""
        with self._changed:
            self._changed.notify_all()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call a function after each change."""
        with self._changed:
            self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """No longer call it."""
        with self._changed:
            self._listeners.remove(listener)

    @property
    def last(self) -> int:
        """The offset of the newest event, 0 before the first."""
        return self._next - 1

    @property
    def oldest(self) -> int:
        """The offset of the oldest event that is kept, or of the next one."""
        with self._changed:
            return self._events[0].offset if self._events else self._next

    def before(self, time: float) -> int:
        """Return the offset after which come the events from a time on (Unix time, seconds)."""
        with self._changed:
            return next((event.offset - 1 for event in self._events if event.time >= time), self.last)

    def after(self, offset: int) -> list[Event]:
        """Return the events behind an offset."""
        with self._changed:
            return [event for event in self._events if event.offset > offset]

    def wait(self, offset: int, seconds: float) -> bool:
        """Return whether an event came behind an offset, or the end of streams, before the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self._next - 1 > offset or not self.follow, seconds)


class Stream:
    """One reader's way through the feed: `take` returns what is to be sent now, None at the end."""

    def __init__(self, feed: Feed, offset: int, kinds: frozenset[str]) -> None:
        self.feed = feed
        self._offset = offset
        self._kinds = kinds

    def take(self) -> bytes | None:
        """Return the events since last time, empty where there are none; None where there will be none."""
        # Looked at first: an event before the end is sent.
        ends = not self.feed.follow
        parts: list[str] = []
        for event in self.feed.after(self._offset):
            self._offset = event.offset
            if not self._kinds or event.kind in self._kinds:
                parts.append(event.text)
            else:
                parts.append(
                    f"event: offset-only\nid: {token(event.offset)}\ndata: {_mark(event.offset)}\n\n"
                )
        return "".join(parts).encode() if parts or not ends else None

    def wait(self, seconds: float) -> bool:
        """Return whether `take` has something to tell before the time is over."""
        return self.feed.wait(self._offset, seconds)


def _mark(offset: int) -> str:
    return dump({"type": "offset-only", "offset": token(offset)})


def token(offset: int) -> str:
    """Return an offset as readers see it."""
    return f"{offset:016x}"


def offset_of(text: str) -> int | None:
    """Return the offset that a token stands for, None where it is none."""
    try:
        return int(text, 16) if len(text) == 16 else None
    except ValueError:
        return None
