"""Rate limits: a token bucket, and the headers that tell of it."""

from __future__ import annotations

import dataclasses
import math
import threading


@dataclasses.dataclass(frozen=True, slots=True)
class Allowance:
    """What the bucket says to one request.

    `reset` is the Unix second when one more is added, `wait` the seconds until then.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int
    wait: float

    def headers(self) -> dict[str, str]:
        """Return the x-ratelimit headers, with Retry-After on a refusal."""
        headers = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset),
        }
        if not self.allowed:
            headers["retry-after"] = str(max(1, math.ceil(self.wait)))
        return headers


class TokenBucket:
    """Holds up to `burst` requests (default: what comes in 10 s), gains `rate` per second, starts full."""

    def __init__(self, *, rate: float, burst: int | None = None) -> None:
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(f"rate: {rate!r} is not a number of requests per second above 0")
        if burst is None:
            burst = max(1, int(rate * 10))
        if burst < 1:
            raise ValueError(f"burst: {burst!r} is less than one request")
        self._rate = rate
        self._burst = burst
        self._lock = threading.Lock()
        self._level = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> Allowance:
        """Take one request out at the Unix time `now`, if there is one."""
        with self._lock:
            # A clock that was set back adds nothing.
            gained = 0.0 if self._at is None else max(0.0, now - self._at) * self._rate
            # 1e-9: ten tenths of a request are one.
            self._level = min(float(self._burst), self._level + gained + 1e-9)
            self._at = now
            allowed = self._level >= 1
            if allowed:
                self._level -= 1
            level = self._level
        wait = (math.floor(level) + 1 - level) / self._rate
        return Allowance(allowed, self._burst, math.floor(level), math.ceil(now + wait), wait)
