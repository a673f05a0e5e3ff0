"""What a fleet goes through, and what is measured: its start, its everyday life, an outage."""

from __future__ import annotations

import dataclasses
import gc
import math
import random
from typing import TYPE_CHECKING, Final

from _fleet import Fleet
from _world import Stats, World

from evertoken.lifetime import ADVISORY_LONGEST, ADVISORY_SHARE

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

HOUR: Final = 3600.0

COLD_LONGEST: Final = 1800.0
"""Seconds for which a fleet's start is watched."""

COLD_CALM: Final = 60.0
"""Seconds that it is watched at least."""

LIVES: Final = {86_400: 1.5, 600: 3.0}
"""Lives of a token for which everyday life is watched, by lifetime; 3 for others."""

RECOVERY: Final = 300.0
"""Seconds for which a fleet is watched after an outage."""

EXHAUSTED: Final = 120.0
"""Seconds for which an outage is simulated after the last token has expired. The rest of it is taken to be
like the second half of these: pauses between attempts have reached their limit by then."""

FEW: Final = 10
"""Hosts of which an outage is simulated to its end."""

SAMPLE: Final = 100
"""Hosts that are simulated of a larger fleet where all of them would take hours."""


@dataclasses.dataclass(frozen=True)
class Assumptions:
    """What a simulation takes for given. Times are in seconds."""

    processes: int = 8
    starts_within: float = 10.0
    pause: float = 10.0
    skew: float = 30.0
    limit: float = 100.0
    seed: int = 1


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One of the matrix. `outage` is in seconds: 0 for everyday life, None for the start."""

    hosts: int
    store: str
    lifetime: int
    outage: int | None

    @property
    def window(self) -> float:
        """Seconds before expiry at which a token may be renewed at the earliest."""
        return min(ADVISORY_SHARE * self.lifetime, ADVISORY_LONGEST)

    @property
    def simulated_outage(self) -> float:
        """Seconds of the outage that are simulated."""
        # The calls of a few processes in a minute say little of an hour.
        watched = EXHAUSTED if self.hosts > FEW else math.inf
        return min(float(self.outage or 0), self.lifetime + watched)

    def sample(self, assumptions: Assumptions) -> tuple[int, int]:
        """Return how many hosts are simulated, and for how many of the fleet's each stands."""
        if self.hosts <= SAMPLE or self._is_light(assumptions):
            return self.hosts, 1
        weight = round(self.hosts / SAMPLE)
        return round(self.hosts / weight), weight

    def _is_light(self, assumptions: Assumptions) -> bool:
        asking = {"none": self.hosts * assumptions.processes, "file": self.hosts}.get(self.store, 1)
        if self.outage is None:
            return asking <= assumptions.limit * assumptions.starts_within
        return self.outage == 0 and asking <= assumptions.limit * (self.lifetime - self.window)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a scenario, for the whole fleet.

    Times are in seconds. `ready_after` the start all had a token, None if some never had; `failed_until` is
    the last failure's distance from the end of the outage, 0 where none came later.
    """

    scenario: Scenario
    processes: int
    weight: int
    requests: int
    requests_per_hour: float
    worst_second: int
    refused: int
    calls: int
    waited: int
    longest_wait: float
    p99_wait: float
    failed: int
    expired: int
    store_operations: int
    store_worst_second: int
    store_failures: int
    ready_after: float | None
    failed_until: float


def simulate(scenario: Scenario, assumptions: Assumptions) -> Outcome:
    """Return what comes of a scenario; the same for the same seed."""
    # The library draws from here as well.
    random.seed(f"{assumptions.seed} {scenario}")
    hosts, weight = scenario.sample(assumptions)
    world = World(lifetime=scenario.lifetime, limit=assumptions.limit, weight=weight)
    fleet = Fleet(
        world,
        hosts=hosts,
        processes=assumptions.processes,
        store=scenario.store,
        skew=assumptions.skew,
        pause=assumptions.pause,
    )
    fleet.start(assumptions.starts_within)
    # Nothing here is garbage before the end.
    gc.disable()
    try:
        stretches = _watch(world, fleet, scenario)
        fleet.stop()
    finally:
        gc.enable()
    return _outcome(scenario, fleet, stretches)


def _watch(world: World, fleet: Fleet, scenario: Scenario) -> list[tuple[Stats, float]]:
    """Return the stretches of time that count, and how often each."""
    if scenario.outage is None:
        return [(_cold(world, fleet), 1.0)]
    # Not limited, so that whatever is measured begins with a whole fleet.
    fleet_time, endpoint = world.time, world.endpoint
    fleet_time.run_until(COLD_CALM)
    endpoint.limited = True
    everyday = world.measure()
    if scenario.outage == 0:
        fleet_time.run_until(LIVES.get(scenario.lifetime, 3.0) * scenario.lifetime)
        world.measure()
        return [(everyday, 1.0)]
    # In the middle of the renewals: half of the processes have renewed.
    fleet_time.run_until(scenario.lifetime - 0.9 * scenario.window)
    endpoint.down = True
    down = world.measure()
    ends = fleet_time.now + scenario.simulated_outage
    last = EXHAUSTED / 2 if scenario.simulated_outage < scenario.outage else 0.0
    fleet_time.run_until(ends - last)
    exhausted = world.measure()
    fleet_time.run_until(ends)
    endpoint.down = False
    recovery = world.measure()
    fleet_time.run_until(ends + RECOVERY)
    world.measure()
    skipped = scenario.outage - scenario.simulated_outage
    return [(down, 1.0), (exhausted, 1.0 + skipped / last if last else 1.0), (recovery, 1.0)]


def _cold(world: World, fleet: Fleet) -> Stats:
    world.endpoint.limited = True
    stats = world.measure()
    while world.time.now < COLD_LONGEST and (fleet.ready_at is None or world.time.now < COLD_CALM):
        world.time.run_until(world.time.now + COLD_CALM)
    world.measure()
    return stats


def _outcome(scenario: Scenario, fleet: Fleet, stretches: list[tuple[Stats, float]]) -> Outcome:
    weight = fleet.world.weight
    last = stretches[-1][0]
    waits = sorted(wait for stats, _ in stretches for wait in stats.waits)
    seconds = sum((stats.ended - stats.began) * times for stats, times in stretches)

    def total(counts: Iterable[tuple[float, float]]) -> int:
        return round(sum(count * times for count, times in counts))

    groups = {"none": weight, "file": weight}.get(scenario.store, 1) * len(fleet.groups)
    return Outcome(
        scenario=scenario,
        processes=len(fleet.processes) // fleet.hosts,
        weight=weight,
        requests=total((stats.requests.total(), times) for stats, times in stretches),
        requests_per_hour=groups * fleet.groups.per_hour(),
        worst_second=_worst(stats.requests for stats, _ in stretches),
        refused=total((stats.refused, times) for stats, times in stretches),
        calls=round(weight * len(fleet.processes) * seconds / fleet.pause),
        waited=total((weight * len(stats.waits), times) for stats, times in stretches),
        longest_wait=waits[-1] if waits else 0.0,
        p99_wait=waits[int(0.99 * len(waits))] if waits else 0.0,
        failed=total((weight * stats.failures, times) for stats, times in stretches),
        expired=total((stats.expired, times) for stats, times in stretches),
        store_operations=total((stats.operations.total(), times) for stats, times in stretches),
        store_worst_second=_worst(stats.operations for stats, _ in stretches),
        store_failures=total((weight * stats.store_failures, times) for stats, times in stretches),
        ready_after=fleet.ready_at,
        failed_until=max(0.0, last.failed_at - last.began) if scenario.outage else 0.0,
    )


def _worst(counters: Iterable[Counter[int]]) -> int:
    return max((max(counter.values(), default=0) for counter in counters), default=0)
