"""The simulated world of a fleet: its time, what is counted in it, and the token endpoint."""

from __future__ import annotations

import collections
import dataclasses
import heapq
import json
import random
from typing import TYPE_CHECKING, Final

import httpx

from evertoken.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH: Final = 1_800_000_000.0
"""Unix time at which every simulation begins."""

LATENCY: Final = (0.1, 0.4)
"""Seconds in which the token endpoint answers, evenly spread; when it is down it answers 503 as fast."""

ASKED_WAIT: Final = 1
"""Seconds of Retry-After in a 429."""


class Time:
    """The one time of a simulation, in seconds since it began, and what is to happen in it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._queue: list[tuple[float, int, Callable[[int], None], int]] = []
        self._events = 0

    def after(self, seconds: float, do: Callable[[int], None], argument: int = 0) -> None:
        """Do something later, with a number that tells it what for."""
        # The count keeps events of one moment in order, and functions from being compared.
        self._events += 1
        heapq.heappush(self._queue, (self.now + max(0.0, seconds), self._events, do, argument))

    def run_until(self, end: float) -> None:
        """Let time pass."""
        queue = self._queue
        while queue and queue[0][0] <= end:
            self.now, _, do, argument = heapq.heappop(queue)
            do(argument)
        self.now = max(self.now, end)

    def run_out(self) -> None:
        """Let time pass until nothing is left to happen."""
        while self._queue:
            self.run_until(self._queue[0][0])

    def clock(self, skew: float, uptime: float) -> Clock:
        """Return the clock of a process whose host's wall clock is off by `skew` seconds."""
        return Clock(wall=lambda: EPOCH + skew + self.now, monotonic=lambda: uptime + self.now, sleep=_refuse)


def _refuse(seconds: float) -> None:
    raise AssertionError(seconds)  # pauses are steps of the flow


@dataclasses.dataclass
class Stats:
    """What was counted in a stretch of time, by its seconds where that matters.

    A request or an operation of a sampled fleet counts by its weight, a call as one.
    """

    began: float
    ended: float = 0.0
    requests: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter[int])
    refused: int = 0
    operations: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter[int])
    store_failures: int = 0
    waits: list[float] = dataclasses.field(default_factory=list[float])
    failures: int = 0
    failed_at: float = 0.0
    expired: int = 0


class World:
    """What the processes of a fleet share. Each simulated host stands for `weight` hosts."""

    def __init__(self, *, lifetime: float, limit: float, weight: int) -> None:
        self.time = Time()
        self.weight = weight
        self.stats = Stats(0.0)
        self.endpoint = TokenEndpoint(self, lifetime=lifetime, limit=limit)

    def measure(self) -> Stats:
        """Begin a stretch of time; return what will be counted in it."""
        self.stats.ended = self.time.now
        self.stats = Stats(self.time.now, ended=self.time.now)
        return self.stats

    def count_operation(self) -> None:
        """Count one operation of a store."""
        self.stats.operations[int(self.time.now)] += self.weight


class TokenEndpoint:
    """Issues tokens; may be down, and refuses with 429 what goes beyond its limit, a token bucket."""

    def __init__(self, world: World, *, lifetime: float, limit: float) -> None:
        self._world = world
        self._lifetime = lifetime
        self._limit = limit
        # One request of a sample stands for many: a smaller bucket would let none of them pass.
        self._bucket = max(limit, world.weight)
        self._level = float(self._bucket)
        self._filled_at = 0.0
        self._expires: list[float] = []
        self.limited = False
        self.down = False

    def answer(self, request: httpx.Request, weight: int) -> tuple[httpx.Response, float]:
        """Return the answer to one request, and the seconds that it takes."""
        now, stats = self._world.time.now, self._world.stats
        stats.requests[int(now)] += weight
        seconds = random.uniform(*LATENCY)  # noqa: S311 - a simulation
        if self.down:
            return httpx.Response(503, request=request), seconds
        if self.limited and not self._take(weight):
            stats.refused += weight
            return httpx.Response(429, headers={"Retry-After": str(ASKED_WAIT)}, request=request), seconds
        value = str(len(self._expires))
        self._expires.append(now + self._lifetime)
        fields = {"access_token": value, "token_type": "Bearer", "expires_in": self._lifetime}
        return httpx.Response(200, content=json.dumps(fields).encode(), request=request), seconds

    def expires_at(self, value: str) -> float:
        """Return when a token really expires, whatever the clocks of the hosts say."""
        return self._expires[int(value)]

    def _take(self, weight: int) -> bool:
        now = self._world.time.now
        self._level = min(self._bucket, self._level + (now - self._filled_at) * self._limit)
        self._filled_at = now
        if self._level < weight:
            return False
        self._level -= weight
        return True
