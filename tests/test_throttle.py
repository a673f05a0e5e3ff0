"""Pacing calls: in simulated time against the tenant's own bucket, and in all colours."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import heapq
import itertools
import random
import time as real_time
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from evertoken import ArgumentError, AsyncManagementClient, Attempt, ManagementClient, RateLimit, Throttle
from evertoken.retry import rate_limit
from evertoken_tenant import Tenant, serve
from evertoken_tenant.limits import TokenBucket
from support import FakeTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from evertoken.operation import Priority


@dataclasses.dataclass
class Simulation:
    """Workers that call one after the other, with a travel time, against a bucket; others take some, too."""

    rate: float = 10
    burst: int = 100
    latency: float = 0.05
    others: float = 0.0
    reserve: float = 0.0
    processes: int = 1
    refused: int = 0
    done: int = 0
    least: int = 1_000_000

    def __post_init__(self) -> None:
        self.time = FakeTime()
        self.throttles = [
            Throttle(reserve=self.reserve, clock=self.time.clock()) for _ in range(self.processes)
        ]
        self.done_by = [0] * self.processes
        self.bucket = TokenBucket(rate=self.rate, burst=self.burst)
        self.random = random.Random(7)  # noqa: S311 - travel times
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = itertools.count()
        self.begun = self.time.monotonic

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.time.monotonic + seconds, next(self.numbers), event))

    def run(self, calls: int, workers: int) -> float:
        """Return the seconds that it took."""
        left = iter(range(calls))

        def begin(process: int) -> None:
            if next(left, None) is not None:
                self.call(process, lambda: begin(process))

        for number in range(workers):
            # One process after the other: the first one has the bucket for itself for a while.
            process = number % self.processes
            self.after(process, functools.partial(begin, process))
        if self.others:
            self.after(0, self.take)
        while self.done < calls:
            at, _, event = heapq.heappop(self.events)
            self.time.pass_(max(0.0, at - self.time.monotonic))
            event()
        return self.time.monotonic - self.begun

    def take(self) -> None:
        self.bucket.take(self.time.wall)
        self.after(self.random.expovariate(self.others), self.take)

    def call(self, process: int, then: Callable[[], None]) -> None:
        ticket = self.throttles[process].join("interactive")

        def ask() -> None:
            wait, number = self.throttles[process].ask(ticket)
            if number:
                self.after(self.way(), lambda: self.arrive(process, number, then))
            else:
                assert wait > 0
                self.after(wait, ask)

        ask()

    def way(self) -> float:
        return self.latency * self.random.uniform(0.3, 0.7)

    def arrive(self, process: int, number: int, then: Callable[[], None]) -> None:
        throttle = self.throttles[process]
        allowance = self.bucket.take(self.time.wall)
        self.least = (
            min(self.least, allowance.remaining) if self.time.monotonic > self.begun + 5 else self.least
        )
        more_in = max(0.0, allowance.reset - self.time.wall)

        def answer() -> None:
            known = rate_limit(allowance.headers())
            if allowance.allowed:
                throttle.answered(number, known, more_in=more_in)
                self.done += 1
                self.done_by[process] += 1
                then()
            else:
                self.refused += 1
                seconds = float(allowance.headers()["retry-after"])
                throttle.answered(number, known, more_in=more_in, refused_for=seconds)
                self.after(seconds, lambda: self.call(process, then))

        self.after(self.way(), answer)


@pytest.mark.parametrize(
    ("settings", "calls", "workers", "share"),
    [
        ({}, 2_000, 20, 0.95),
        ({"burst": 10}, 2_000, 20, 0.95),
        ({"rate": 2, "burst": 10}, 400, 20, 0.95),
        ({"rate": 50, "burst": 50, "latency": 0.1}, 2_000, 20, 0.95),
        ({"burst": 10}, 500, 1, 0.95),
        ({"burst": 10}, 3_000, 1_000, 0.95),
        ({"rate": 15, "burst": 1_000}, 3_000, 20, 0.95),
        ({"burst": 10, "latency": 1.0}, 1_000, 20, 0.90),
        ({"burst": 10, "reserve": 0.3}, 1_000, 20, 0.95),
        ({"burst": 100, "reserve": 0.3, "others": 3.0}, 1_000, 20, 0.95),
    ],
    ids=str,
)
def test_calls_go_at_the_allowed_rate_and_hardly_any_is_refused(
    settings: dict[str, float], calls: int, workers: int, share: float
) -> None:
    """At least `share` of what the bucket allowed is used, fewer than 1 % are answered 429."""
    simulation = Simulation(**settings)  # type: ignore[arg-type] # whole numbers among them
    seconds = simulation.run(calls, workers)
    allowed = simulation.burst * (1 - simulation.reserve) + (simulation.rate - simulation.others) * seconds
    assert simulation.refused < 0.01 * calls
    assert calls / allowed > share


def test_a_reserve_is_left_to_others() -> None:
    """Once the bucket is known, it never falls far below the reserve."""
    simulation = Simulation(burst=100, reserve=0.3)
    simulation.run(1_000, 20)
    assert 25 <= simulation.least <= 40


@pytest.mark.parametrize(
    "settings",
    [{"burst": 10}, {}, {"rate": 50, "burst": 50, "latency": 0.1}, {"processes": 4}, {"reserve": 0.3}],
    ids=str,
)
def test_processes_that_know_nothing_of_each_other_share_alike(settings: dict[str, float]) -> None:
    """Whoever came first does not keep the others waiting, and together they use what there is."""
    simulation = Simulation(**{"processes": 2, **settings})  # type: ignore[arg-type] # as above
    seconds = simulation.run(1_500, 20)
    allowed = simulation.burst * (1 - simulation.reserve) + simulation.rate * seconds
    assert simulation.refused < 15
    assert 1_500 / allowed > 0.95
    assert min(simulation.done_by) > 0.6 * max(simulation.done_by)


def told(left: int, limit: int = 10) -> RateLimit:
    return RateLimit(limit=limit, remaining=left, reset=0.0)


def test_before_the_first_answer_calls_go_one_by_one(time: FakeTime) -> None:
    """Nobody knows yet what the bucket holds."""
    throttle = Throttle(clock=time.clock())
    first, second = throttle.join("interactive"), throttle.join("interactive")
    assert throttle.ask(first) == (0.0, 1)
    wait, number = throttle.ask(second)
    assert (wait > 0, number) == (True, 0)
    throttle.answered(1, told(9))
    assert throttle.ask(second) == (0.0, 2)


def test_without_headers_nothing_is_held_back(time: FakeTime) -> None:
    """A tenant behind a proxy that drops them, or one without a limit."""
    throttle = Throttle(clock=time.clock())
    throttle.ask(throttle.join("interactive"))
    throttle.answered(1, None)
    assert all(throttle.ask(throttle.join("batch"))[1] for _ in range(1_000))
    assert throttle.rate is None


def test_interactive_calls_go_before_batch_calls(time: FakeTime) -> None:
    """Whoever came first waits if it can."""
    throttle = Throttle(clock=time.clock())
    throttle.ask(throttle.join("interactive"))
    throttle.answered(1, told(0))
    batch, interactive = throttle.join("batch"), throttle.join("interactive")
    throttle.answered(1, told(3))
    assert throttle.ask(batch)[1] == 0
    assert throttle.ask(interactive)[1] == 2


def test_a_refusal_holds_all_calls_as_long_as_it_asks(time: FakeTime) -> None:
    """Those that had not begun, too."""
    throttle = Throttle(clock=time.clock())
    throttle.ask(throttle.join("interactive"))
    throttle.answered(1, told(0), refused_for=7.0)
    ticket = throttle.join("interactive")
    assert throttle.ask(ticket)[0] > 0
    time.pass_(6.9)
    assert throttle.ask(ticket)[1] == 0
    time.pass_(0.2)
    assert throttle.ask(ticket)[1] == 2


def test_a_refusal_for_hours_is_looked_at_again(time: FakeTime) -> None:
    """After a minute one call finds out, and is told; nobody waits for ever for what a header says."""
    throttle = Throttle(clock=time.clock())
    throttle.ask(throttle.join("interactive"))
    throttle.answered(1, told(0), refused_for=1e9)
    assert 59 < go(throttle, time) < 62
    throttle.answered(2, told(0), refused_for=3600.0)
    assert 59 < go(throttle, time) < 62


@pytest.mark.parametrize(("limit", "reserve"), [(1, 0.0), (1, 0.5), (2, 0.6), (10, 0.99)])
def test_a_full_bucket_lets_one_go(limit: int, reserve: float, time: FakeTime) -> None:
    """However small it is, and however large the reserve; nobody looks again and again for it."""
    throttle = Throttle(reserve=reserve, clock=time.clock())
    looks = 0
    for number in range(1, 13):
        ticket, began = throttle.join("interactive"), time.monotonic
        while (asked := throttle.ask(ticket))[1] == 0:
            time.pass_(asked[0])
            looks += 1
        assert time.monotonic - began <= 2
        throttle.answered(
            number, RateLimit(limit, limit - 1, None), more_in=80_000.0 if number == 12 else 1.0
        )
        time.pass_(1.0)  # it gains one a second
    assert go(throttle, time) <= 2
    assert looks < 200


def test_who_leaves_and_who_fails_are_no_longer_waited_for(time: FakeTime) -> None:
    """A cancelled call takes no place, a request that broke off is not under way."""
    throttle = Throttle(clock=time.clock())
    first, second, third = (throttle.join("interactive") for _ in range(3))
    _, number = throttle.ask(first)
    throttle.leave(second)
    throttle.leave(second)
    throttle.failed(number)
    assert throttle.ask(third)[1] == 2


def go(throttle: Throttle, time: FakeTime) -> float:
    """Wait for a turn; return the seconds that it took."""
    ticket, began = throttle.join("interactive"), time.monotonic
    while (asked := throttle.ask(ticket))[1] == 0:
        time.pass_(asked[0])
    return time.monotonic - began


def test_a_bucket_that_stood_still_is_looked_at_again(time: FakeTime) -> None:
    """Others took everything for a while: nobody waits for ever for what was learned then."""
    throttle = Throttle(clock=time.clock())
    for number in range(1, 9):
        go(throttle, time)
        time.pass_(0.5)
        throttle.answered(number, told(0))
    assert throttle.rate is not None
    assert throttle.rate < 1
    assert 0 < go(throttle, time) <= 2


@pytest.mark.parametrize("reserve", [-0.1, 1, 1.5, float("nan"), True, "0.3"])
def test_a_reserve_is_a_share(reserve: float) -> None:
    """From 0 to below 1."""
    with pytest.raises(ArgumentError, match="reserve"):
        Throttle(reserve=reserve)


def test_a_turn_costs_next_to_nothing() -> None:
    """Two locked steps for a call: far below what a request costs. A bound against blunders, no measure."""
    throttle = Throttle()
    began = real_time.perf_counter()
    for number in range(1, 2_001):
        throttle.ask(throttle.join("interactive"))
        throttle.answered(number, told(900, 1_000))
    assert (real_time.perf_counter() - began) / 2_000 < 0.001


def test_twenty_threads_stay_within_the_limit_of_a_real_tenant() -> None:
    """500 calls over a socket: no error, fewer than 1 % refused, close to the allowed rate."""
    tenant = Tenant(clients=3, rate_limit=100, rate_burst=50)
    refused: list[Attempt] = []
    with (
        serve(tenant) as server,
        ManagementClient(
            domain=server.url,
            client_id=tenant.client_id,
            client_secret=tenant.client_secret,
            throttle=Throttle(),
        ) as client,
        concurrent.futures.ThreadPoolExecutor(20) as pool,
    ):
        client.add_listener(lambda one: refused.append(one) if one.status_code == 429 else None)
        began = real_time.monotonic()
        calls = [pool.submit(lambda: client.clients.list(page=0).total) for _ in range(500)]
        totals = [call.result() for call in calls]
        seconds = real_time.monotonic() - began
    assert totals == [3] * 500
    assert len(refused) < 5
    assert seconds >= (500 - 50) / 100 * 0.95


@pytest.mark.anyio
async def test_tasks_stay_within_the_limit(anyio_backend: str) -> None:
    """Under asyncio and trio, with both priorities."""
    tenant = Tenant(clients=1, rate_limit=50, rate_burst=10)
    refused: list[Attempt] = []
    http = httpx.AsyncClient(transport=httpx.MockTransport(tenant))
    async with (
        AsyncManagementClient(
            domain=tenant.domain,
            client_id=tenant.client_id,
            client_secret=tenant.client_secret,
            throttle=Throttle(),
            priority="batch",
            httpx_client=http,
        ) as client,
        http,
        anyio.create_task_group() as tasks,
    ):
        client.add_listener(lambda one: refused.append(one) if one.status_code == 429 else None)

        async def call(priority: Priority) -> None:
            await client.clients.list(page=0, request_options={"priority": priority})

        for number in range(60):
            tasks.start_soon(call, "interactive" if number % 3 else "batch")
    assert len(refused) <= 1
