"""Pacing calls so that the tenant's rate limit is not met. Decisions only: whoever sends does the waiting.

The API has a token bucket and tells of it with every answer: its size, what is left, and the second when
more is added. How fast it fills it does not tell: that is learned from how much is there after so many
requests and seconds. Whatever others take shows as a slower filling, so that pacing yields to them. So do
others that pace like this: who sends more leaves more in the bucket, until their shares are alike.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
import threading
from typing import TYPE_CHECKING, Final

from evertoken.clock import SYSTEM_CLOCK, Clock
from evertoken.errors import ArgumentError
from evertoken.fork import reset_in_child

if TYPE_CHECKING:
    from evertoken.errors import RateLimit
    from evertoken.operation import Priority

_RANKS: Final[dict[str, int]] = {"interactive": 0, "batch": 1}

_LEARN_FROM: Final = 1.0
"""Seconds from which the filling of the bucket is learned: it is counted in whole requests."""

_CAUTION: Final = 0.95
"""The share of the learned rate that is counted on. What it leaves is seen in the next answer, and used."""

_MARGIN: Final = 0.1
_MOST_MARGIN: Final = 2.0
"""The share of the bucket, and requests at most, that are left in it, as others take some unforeseen."""

_YIELD: Final = 0.3
_MOST_YIELD: Final = 0.15
"""Seconds of its own requests, and share of the bucket at most, that are left in it besides: another process
that has sent fewer goes on where this one waits."""

_PACE_OVER: Final = 5.0
"""Seconds over which its own requests are counted, fading."""

_PROBE_AFTER: Final = 2.0
"""Seconds after the last request when another one is sent to see whether the bucket fills faster by now."""

_LONGEST_BLOCK: Final = 60.0
"""Seconds that a header holds all calls at most: then one of them finds out, and is told."""

_SHORTEST_WAIT: Final = 0.002
_LOOK_AGAIN: Final = 1.0
_LONGEST_LOOK: Final = 5.0
"""Seconds until a call that waits looks again, a quarter of its wait between them: there may be more."""

_FIRST_ANSWER_WAIT: Final = 0.02
_UNKNOWN_RATE_WAIT: Final = 0.1
"""Seconds between looks while the first answer, or the rate, is not known."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Ticket:
    """A call that waits for its turn, by rank and order of coming."""

    rank: int
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """What an answer told: `left` requests in the bucket after request `number`, at the second `at`."""

    number: int
    at: float
    left: int


class Throttle:
    """Holds calls back as the API's rate limit asks for. Give it to all clients of one tenant in a process.

    `reserve` is the share of the bucket, 0 to below 1, that is left to others, such as the sign-ins of end
    users: with 0.3, calls wait while less than 30 % is left. Safe for threads, asyncio and trio at once.

    Throttles of several processes come to share the bucket alike, without knowing of each other.

    One answer has to come before it knows the bucket: until then calls go one by one. A tenant, or a proxy,
    that sends no x-ratelimit headers is not throttled.
    """

    def __init__(self, *, reserve: float = 0.0, clock: Clock = SYSTEM_CLOCK) -> None:
        self._reserve = _check_share(reserve)
        self._clock = clock
        self._limit: int | None = None
        self._unlimited = False
        self._level = 0.0
        self._level_at = 0.0
        self._rate: float | None = None
        self._more_at = 0.0
        self._way = 0.0
        self._blocked_until = 0.0
        self._anchor: _Known | None = None
        self._latest = 0
        self._sent = 0
        self._sent_at = 0.0
        self._pace = 0.0
        self._tickets = itertools.count(1)
        self.reset_after_fork()
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Begin anew in a child of fork: nobody waits, nothing is under way."""
        # Whoever waited or was under way in the parent does neither in the child.
        self._lock = threading.Lock()
        self._waiting: list[Ticket] = []
        self._under_way: dict[int, float] = {}

    def __repr__(self) -> str:
        return f"Throttle(reserve={self._reserve!r})"

    @property
    def rate(self) -> float | None:
        """Requests per second that the bucket gains beside what others take, None while not known."""
        return self._rate

    def join(self, priority: Priority) -> Ticket:
        """Begin to wait. Whoever joins asks until its turn comes, or leaves."""
        with self._lock:
            ticket = Ticket(_RANKS[priority], next(self._tickets))
            bisect.insort(self._waiting, ticket)
            return ticket

    def leave(self, ticket: Ticket) -> None:
        """Wait no longer. Nothing happens to one whose turn has come."""
        with self._lock:
            self._remove(ticket)

    def ask(self, ticket: Ticket) -> tuple[float, int]:
        """Return the seconds to wait before asking again, and 0 with the number of the request to send."""
        with self._lock:
            now = self._clock.monotonic()
            wait = self._wait(bisect.bisect_left(self._waiting, ticket), now)
            if wait > 0:
                look = min(max(_LOOK_AGAIN, wait / 4), _LONGEST_LOOK)
                return max(_SHORTEST_WAIT, min(wait, look)), 0
            self._remove(ticket)
            self._fill(now)
            self._level -= 1
            self._pace = self._own_pace(now) + 1 / _PACE_OVER
            self._sent += 1
            self._under_way[self._sent] = self._sent_at = now
            return 0.0, self._sent

    def answered(
        self,
        number: int,
        bucket: RateLimit | None,
        *,
        more_in: float | None = None,
        refused_for: float | None = None,
    ) -> None:
        """Take note of an answer. `more_in` is the number of seconds until the bucket's reset.

        `refused_for`: it was 429, and asked to wait so many seconds; a minute of them is kept.
        """
        with self._lock:
            now = self._clock.monotonic()
            sent_at = self._under_way.pop(number, now)
            if refused_for is not None:
                self._blocked_until = max(self._blocked_until, now + min(refused_for, _LONGEST_BLOCK))
            if bucket is None or bucket.limit is None or bucket.remaining is None:
                self._unlimited = self._limit is None and refused_for is None
                return
            self._unlimited = False
            self._limit = max(1, bucket.limit)
            self._more_at = now + min(more_in or 0.0, _LONGEST_BLOCK)
            self._way += ((now - sent_at) / 2 - self._way) / 8
            # The API counted it about half-way between.
            self._learn(_Known(number, (sent_at + now) / 2, bucket.remaining))

    def failed(self, number: int) -> None:
        """Take note that a request had no answer."""
        with self._lock:
            self._under_way.pop(number, None)

    def _remove(self, ticket: Ticket) -> None:
        place = bisect.bisect_left(self._waiting, ticket)
        if place < len(self._waiting) and self._waiting[place] == ticket:
            del self._waiting[place]

    def _wait(self, ahead: int, now: float) -> float:
        """Return the seconds until one with so many ahead of it may go, 0 for now."""
        if now < self._blocked_until:
            return self._blocked_until - now
        if self._unlimited:
            return 0.0
        if self._limit is None:
            return _FIRST_ANSWER_WAIT if self._under_way or ahead else 0.0
        # All ahead of it could go, too: it need not wait for those that sleep.
        missing = ahead + 1 + self._floor(now) - self._filled(now + self._on_the_way())
        if missing <= 0:
            return 0.0
        wait = missing / self._rate if self._rate else _UNKNOWN_RATE_WAIT
        if self._under_way or ahead:
            return wait
        return max(0.0, min(wait, max(self._more_at, self._sent_at + _PROBE_AFTER) - now))

    def _on_the_way(self) -> float:
        # The bucket fills while a request travels; far ahead the filling is a guess.
        return min(self._way, (self._limit or 0) / 2 / self._rate) if self._rate else 0.0

    def _floor(self, now: float) -> float:
        limit = self._limit or 0
        floor = max(self._reserve * limit, min(_MARGIN * limit, _MOST_MARGIN))
        floor += min(_YIELD * self._own_pace(now), _MOST_YIELD * max(0.0, limit - floor - 1))
        # A full bucket lets one go, however small it is.
        return min(floor, limit - 1.0)

    def _own_pace(self, now: float) -> float:
        """Return the requests per second that were sent of late."""
        return self._pace * math.exp((self._sent_at - now) / _PACE_OVER)

    def _filled(self, now: float) -> float:
        gained = (self._rate or 0.0) * _CAUTION * max(0.0, now - self._level_at)
        return min(float(self._limit or 0), self._level + gained)

    def _fill(self, now: float) -> None:
        self._level, self._level_at = self._filled(now), now

    def _learn(self, known: _Known) -> None:
        # Requests sent later are not counted in what the answer tells. Answers may overtake each other:
        # an older one can tell of less, never of more.
        level = known.left - sum(number > known.number for number in self._under_way)
        if known.number < self._latest:
            self._level = min(self._level, level)
            return
        self._latest = known.number
        self._level, self._level_at = level, known.at
        anchor, is_full = self._anchor, known.left >= (self._limit or 0) - 1
        if anchor is not None and known.at - anchor.at >= _LEARN_FROM:
            gained = known.left - anchor.left + known.number - anchor.number
            rate, before = max(0.0, gained / (known.at - anchor.at)), self._rate
            if before is None:
                self._rate = rate
            elif not is_full:
                self._rate = (before + rate) / 2
            elif rate > before:
                self._rate = rate  # at least: a full bucket gains nothing more
        elif anchor is not None and not is_full:
            return
        self._anchor = known


def _check_share(share: object) -> float:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise ArgumentError("reserve", f"{share!r} is no share of the bucket; give 0 to below 1")
    return float(share)
