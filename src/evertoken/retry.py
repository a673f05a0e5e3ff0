"""When to send a request again, and how long to wait before."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email.utils
import math
import random
import re
from typing import TYPE_CHECKING, Final

from evertoken.errors import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
"""Methods that may be repeated though the first request was carried out (RFC 9110, 9.2.2)."""

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""

_FIRST_WAIT: Final = 0.5
"""Seconds before the second attempt; doubled before each one after that."""

_LONGEST_WAIT: Final = 20.0
"""Seconds at which the doubling ends."""

_LONGEST_RESET: Final = 86_400.0
"""Seconds: a bucket that gains nothing for a day is none; such a header is in another unit, or wrong."""

_SECONDS: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,15})?")

_JITTER: Final = 0.2
"""The share by which a wait varies, so that clients which failed together do not return together."""


def server_delay(headers: Mapping[str, str], wall: float) -> float | None:
    """Return the seconds that an answer asks to wait, None where it does not say.

    Retry-After (RFC 9110, 10.2.3: seconds or a date) goes ahead of x-ratelimit-reset (a Unix second).
    Dates are compared with the answer's own Date, so that a wrong clock here does not matter. What makes no
    sense counts as not said.
    """
    now = _http_date(headers.get("date")) or wall
    value = headers.get("retry-after", "").strip()
    if value:
        seconds = float(value) if _SECONDS.fullmatch(value) else None
        if seconds is None and (when := _http_date(value)) is not None:
            seconds = when - now
        if seconds is not None:
            return max(0.0, seconds)
    limit = rate_limit(headers)
    return None if limit is None or (limit.remaining or 0) > 0 else reset_delay(headers, wall)


def reset_delay(headers: Mapping[str, str], wall: float) -> float | None:
    """Return the seconds until more is added to the bucket, None where an answer does not say."""
    limit = rate_limit(headers)
    if limit is None or limit.reset is None:
        return None
    seconds = limit.reset - (_http_date(headers.get("date")) or wall)
    return None if seconds > _LONGEST_RESET else max(0.0, seconds)


def rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """Return the token bucket that an answer tells of, None where it does not."""
    limit, remaining, reset = (
        _number(headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining", "reset")
    )
    if limit is None and remaining is None and reset is None:
        return None
    return RateLimit(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=reset,
    )


def backoff(attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait after the given failed attempt (from 1), varied by 20 %."""
    wait = min(_FIRST_WAIT * 2.0 ** (attempt - 1), _LONGEST_WAIT)
    return wait * (1 - _JITTER + 2 * _JITTER * jitter())


@dataclasses.dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long one call is tried.

    `max_retries` counts the attempts after the first. `max_wait` is the caller's patience: the seconds
    that all waits between attempts may take together. `deadline` is the number of seconds that the call may
    take in all, None where only timeouts bound it.
    """

    max_retries: int = 3
    max_wait: float = 60.0
    deadline: float | None = None
    jitter: Callable[[], float] = random.random

    def delay_after_answer(
        self,
        *,
        attempt: int,
        method: str,
        status_code: int,
        asked: float | None,
        waited: float,
        elapsed: float = 0.0,
    ) -> float | None:
        """Return the seconds to wait before the next attempt, or None to stop.

        `asked` is what `server_delay` read from the answer; the wait is never shorter. 429 is repeated
        for every method, since the API did nothing; the other statuses for idempotent methods only.
        """
        if status_code not in TRANSIENT or not (status_code == 429 or method in IDEMPOTENT):
            return None
        return self._delay(attempt, asked, waited, elapsed)

    def delay_after_failure(
        self, *, attempt: int, method: str, maybe_carried_out: bool, waited: float, elapsed: float = 0.0
    ) -> float | None:
        """Return the seconds to wait after a network error, or None to stop."""
        if maybe_carried_out and method not in IDEMPOTENT:
            return None
        return self._delay(attempt, None, waited, elapsed)

    def left(self, elapsed: float) -> float | None:
        """Return the seconds until the deadline, None where there is none."""
        return None if self.deadline is None else self.deadline - elapsed

    def _delay(self, attempt: int, asked: float | None, waited: float, elapsed: float) -> float | None:
        if attempt > self.max_retries:
            return None
        wait = backoff(attempt, self.jitter)
        if asked is not None:
            # Later than asked by a little, never earlier: all who were refused would return at once.
            wait = max(wait, min(asked + _FIRST_WAIT * self.jitter(), max(asked, self.max_wait - waited)))
        left = self.left(elapsed)
        return wait if waited + wait <= self.max_wait and (left is None or wait < left) else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _http_date(text: str | None) -> float | None:
    try:
        date = email.utils.parsedate_to_datetime(text or "")
        return (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
