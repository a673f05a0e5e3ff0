"""A fleet in simulated time: it drives the library's own steps, as its two real drivers do.

Nothing of the library's decisions is repeated here. `ManagementAuth.obtain` tells what to do, step by step;
a request is answered by the simulated endpoint, a pause ends later, a store is called in simulated time.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import httpx
from _simulated_stores import HostFiles, RedisConnection, RedisServer

from evertoken import ClientSecretPost, EvertokenError, ManagementAuth, RedisTokenStore
from evertoken.flow import Aside, Call, Read, Sleep, Wait

if TYPE_CHECKING:
    from concurrent.futures import Future

    from _world import World

    from evertoken.clock import Clock
    from evertoken.flow import Step
    from evertoken.store import TokenStore
    from evertoken.token import AccessToken

ORIGIN: Final = "https://tenant.example.com"

TIMEOUT: Final = 30.0
"""Seconds: what the clients have without an option."""

GRANT: Final = ClientSecretPost("app", "not-a-secret")

REQUEST: Final = httpx.Request(
    "GET",
    f"{ORIGIN}/api/v2/clients",
    extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT)},
)
"""Stands for every call. The API answers at once, so that one is under way at a time."""

OK: Final = httpx.Response(200, request=REQUEST)

NOTICED: Final = 0.01
"""Seconds from which on a call has waited: looks into Redis while the old token serves take less."""


class Process:
    """One process: its clock, its token source, its way to the store."""

    __slots__ = ("auth", "clock", "group", "ready_at", "redis")

    def __init__(
        self, clock: Clock, store: TokenStore | None, redis: RedisConnection | None, group: int
    ) -> None:
        self.clock = clock
        self.redis = redis
        self.group = group
        self.ready_at: float | None = None
        self.auth = ManagementAuth(
            domain=ORIGIN, credentials=GRANT, token_store=store, clock=clock, share_token=False
        )

    def seconds_served(self) -> float:
        """Return for how long every call will find a token in memory: none of them needs simulating."""
        source = self.auth.token_source
        held = source._held  # noqa: SLF001 - 80,000 processes make too many calls to try each
        if held is None or source._pending is not None:  # noqa: SLF001
            return 0.0
        left = held.left(self.clock)
        quiet = source._quiet_until - self.clock.monotonic()  # noqa: SLF001
        return max(0.0, min(left, max(left - held.advisory, quiet)))


class Groups:
    """Whoever shares a token: a process, a host, or the fleet. Tells how often they ask for one."""

    def __init__(self) -> None:
        self._asked: dict[int, tuple[float, float, int]] = {}

    def note(self, group: int, now: float) -> None:
        """Take note of a token request."""
        first, _, count = self._asked.get(group, (now, now, 0))
        self._asked[group] = (first, now, count + 1)

    def per_hour(self) -> float:
        """Return the token requests of one group in an hour, by the time between its first and its last."""
        seconds = sum(last - first for first, last, _ in self._asked.values())
        return 3600.0 * sum(count - 1 for _, _, count in self._asked.values()) / seconds if seconds else 0.0

    def __len__(self) -> int:
        return len(self._asked)


class Fleet:
    """Processes that call again and again."""

    def __init__(
        self, world: World, *, hosts: int, processes: int, store: str, skew: float, pause: float
    ) -> None:
        self.world = world
        self.hosts = hosts
        self.pause = pause
        self.groups = Groups()
        self._calling = True
        self.processes: list[Process] = []
        server = RedisServer(world)
        for host in range(hosts):
            wall = skew * (random.random() - 0.5)  # noqa: S311 - a simulation
            files = HostFiles(world, world.time.clock(wall, 0.0))
            for _ in range(processes):
                clock = world.time.clock(wall, random.uniform(0, 1e6))  # noqa: S311
                number = len(self.processes)
                match store:
                    case "none":
                        process = Process(clock, None, None, number)
                    case "file":
                        process = Process(clock, files, None, host)
                    case _:
                        redis = RedisConnection(server)
                        process = Process(clock, RedisTokenStore(redis, clock=clock), redis, 0)
                self.processes.append(process)

    def start(self, seconds: float) -> None:
        """Let every process make its first call within so many seconds."""
        for number in range(len(self.processes)):
            self.world.time.after(random.uniform(0, seconds), self._call, number)  # noqa: S311

    def stop(self) -> None:
        """Let what is under way end, and make no more calls. Nothing of it is counted."""
        self._calling = False
        self.world.endpoint.down = False
        self.world.measure()
        self.world.time.run_out()

    @property
    def ready_at(self) -> float | None:
        """When the last process had its first token, None while some have none."""
        times = [process.ready_at for process in self.processes if process.ready_at is not None]
        return max(times) if len(times) == len(self.processes) else None

    def _call(self, number: int) -> None:
        if not self._calling:
            return
        process = self.processes[number]
        Activity(self, process).begin()
        # Calls are a Poisson stream: the next one after a stretch comes as if it were the first.
        pause = random.expovariate(1 / self.pause)
        self.world.time.after(process.seconds_served() + pause, self._call, number)


class Activity:
    """Steps under way in a process: a call that needs a token, or a renewal aside."""

    __slots__ = ("_answer", "_aside", "_began", "_fleet", "_process", "_steps", "_turn")

    def __init__(self, fleet: Fleet, process: Process, aside: Aside | None = None) -> None:
        self._fleet = fleet
        self._process = process
        self._aside = aside
        self._began = fleet.world.time.now
        self._turn = 0
        self._answer: httpx.Response | None = OK
        self._steps = process.auth.steps(REQUEST) if aside is None else aside.steps

    def begin(self) -> None:
        """Go on until something takes time."""
        self._go_on(None, None)

    def _go_on(self, result: object, failure: Exception | None) -> None:
        while True:
            try:
                step = self._steps.send(result) if failure is None else self._steps.throw(failure)
            except StopIteration:
                self._end()
                return
            except EvertokenError:
                self._answer = None
                self._end()
                return
            done = self._carry_out(step)
            if done is None:
                return
            result, failure = done

    def _carry_out(self, step: Step) -> tuple[object, Exception | None] | None:
        """Return what came of a step: a result or a failure, None for what takes time."""
        match step:
            case httpx.Request() if step is REQUEST:
                self._answer = self._call_api(step)
                return self._answer, None
            case httpx.Request():
                self._ask(step)
            case Sleep():
                self._later(step.seconds, None, None)
            case Wait():
                self._wait(step.outcome, step.seconds)
            case Read():
                return step.response.read(), None
            case Aside():
                Activity(self._fleet, self._process, step).begin()
                return True, None
            case Call():
                result, failure, seconds = self._perform(step)
                if seconds == 0:
                    return result, failure
                self._later(seconds, result, failure)
        return None

    def _end(self) -> None:
        world = self._fleet.world
        waited = world.time.now - self._began
        if self._aside is not None:
            self._aside.over()
            return
        if self._answer is None or self._answer.status_code != 200:
            world.stats.failures += 1
            world.stats.failed_at = world.time.now
            return
        if self._process.ready_at is None:
            self._process.ready_at = world.time.now
        if waited > NOTICED:
            world.stats.waits.append(waited)

    def _call_api(self, request: httpx.Request) -> httpx.Response:
        """Answer a call: 401 if its token has really expired, whatever the clock of the host says."""
        world = self._fleet.world
        if world.time.now < world.endpoint.expires_at(
            request.headers["Authorization"].removeprefix("Bearer ")
        ):
            return OK
        world.stats.expired += 1
        return httpx.Response(401, request=request)

    def _ask(self, request: httpx.Request) -> None:
        world, process = self._fleet.world, self._process
        # The lease makes a request the fleet's, and not one of each process that the sample stands for.
        weight = 1 if process.redis is not None and process.redis.leases else world.weight
        self._fleet.groups.note(process.group, world.time.now)
        response, seconds = world.endpoint.answer(request, weight)
        self._later(seconds, response, None)

    def _perform(self, step: Call) -> tuple[object, Exception | None, float]:
        """Call a function in which simulated time may pass; return its result and the seconds."""
        time = self._fleet.world.time
        began = time.now
        try:
            return step.function(), None, time.now - began
        except Exception as error:  # noqa: BLE001 - handed to the steps, as a real driver does
            return None, error, time.now - began
        finally:
            time.now = began

    def _later(self, seconds: float, result: object, failure: Exception | None) -> None:
        self._fleet.world.time.after(seconds, lambda _: self._go_on(result, failure))

    def _wait(self, outcome: Future[AccessToken | None], seconds: float) -> None:
        self._turn += 1
        turn, time = self._turn, self._fleet.world.time
        # Never at once: it is settled in the middle of another one's step.
        outcome.add_done_callback(lambda _: time.after(0.0, self._wake, turn))
        time.after(seconds, self._wake, turn)

    def _wake(self, turn: int) -> None:
        # Settled and timed out: whichever is second comes too late.
        if turn == self._turn:
            self._turn += 1
            self._go_on(None, None)
