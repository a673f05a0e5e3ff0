"""Random histories of a token's life: of `TokenSource` alone, and of the whole flow over a fake network.

Each machine holds a model of what the documentation promises and compares after every step. In the ordinary
run the histories are the same each time; `scripts/fuzz` tries new ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, Literal, cast

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from evertoken import AccessToken, ManagementAuth, TokenError, TokenEvent, TokenSource
from evertoken.events import TokenEventKind, TokenStatus
from evertoken.flow import Aside, Call, FlowClosedError, Read, Sleep, Step, Steps, Wait
from evertoken.renewal import Renewal
from evertoken.store import replaces
from evertoken.token import Secret
from fuzzing import tried
from support import CLIENTS_URL, DOMAIN, SECRET, FakeTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY: Final = 86400.0
NEVER: Final = -math.inf

# What the documentation says, not what the library's constants are.
OVERDUE: Final = 20.0
QUIET: Final = 60.0
FORCED: Final = 3
YOUNG: Final = 300.0
ATTEMPTS: Final = 3

LIFETIMES: Final = st.sampled_from([0.0, 1.0, 5.0, 60.0, 600.0, DAY, 30 * DAY])
SECONDS: Final = st.sampled_from([0.25, 1.0, 2.0, 4.0, 7.0, 15.0, 20.0, 30.0, 60.0, 300.0, 3600.0, DAY])
"""Binary fractions, so that sums of them are exact and a comparison means what it says."""

OFFSETS: Final = st.sampled_from([-0.25, 0.0, 0.25])

WAITS: Final = [0.0, 0.0, 2.0, 4.0, 8.0, 16.0, 30.0]
"""Seconds that a renewal waits after so many failures in a row, counted from the last; then the longest."""

RARELY: Final = st.sampled_from([False, False, False, True])

WHICH: Final = st.integers(0, 5)


def reserve(lifetime: float) -> float:
    return min(1.5, 0.5 * lifetime)


def mandatory_window(lifetime: float) -> float:
    return max(min(0.10 * lifetime, 60.0), reserve(lifetime))


def advisory_window(lifetime: float, jitter: float) -> float:
    return max(min(0.25 * lifetime, 7200.0) * (1 - 0.2 * jitter), 1.2 * mandatory_window(lifetime))


def run(machine: type[RuleBasedStateMachine], *, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            tried(examples),
            stateful_step_count=steps,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
            report_multiple_bugs=False,
        ),
    )


@dataclasses.dataclass
class Life:
    """A token in use, as the model sees it: `born` in monotonic seconds."""

    token: AccessToken
    born: float

    @property
    def lifetime(self) -> float:
        return self.token.expires_at - self.token.issued_at

    def age(self, time: FakeTime) -> float:
        return max(time.wall - self.token.issued_at, time.monotonic - self.born)

    def left(self, time: FakeTime) -> float:
        return self.lifetime - self.age(time)

    def is_good(self, time: FakeTime) -> bool:
        """Tell whether a request may be sent with it: it could arrive expired otherwise."""
        return self.left(time) > reserve(self.lifetime)


@dataclasses.dataclass(eq=False)
class Duty:
    """A renewal that somebody carries out. `outcome` is what its waiters are to get, once `settled`.

    `ended` tells that its holder is done with it: a renewal that was taken over is settled before.
    """

    renewal: Renewal
    began: float
    advisory: bool
    outcome: AccessToken | TokenError | None = None
    settled: bool = False
    ended: bool = False

    def settle(self, outcome: AccessToken | TokenError | None) -> None:
        if not self.settled:
            self.settled, self.outcome = True, outcome


class SourceMachine(RuleBasedStateMachine):
    """`TokenSource` against a model of its rules."""

    def __init__(self) -> None:
        super().__init__()
        self.time = FakeTime()
        self.jitter = 0.0
        self.source = TokenSource(clock=self.time.clock(), jitter=lambda: self.jitter)
        self.told: list[TokenEvent] = []
        self.source.add_listener(self.told.append)
        self.to_be_told: list[TokenEvent] = []
        self.issued: list[AccessToken] = []
        self.duties: list[Duty] = []
        self.waiting: list[tuple[Future[AccessToken | None], Duty]] = []
        # The model.
        self.held: Life | None = None
        self.pending: Duty | None = None
        self.rejected: str | None = None
        self.forced = 0
        self.last_forced = NEVER
        self.failure: TokenError | None = None
        self.failures_in_a_row = 0
        self.last_failed = NEVER
        self.quiet_until = NEVER
        self.cut_off = False
        self.store_works = True
        self.counts: dict[str, int] = {"renewed": 0, "found": 0, "failed": 0}
        self.at: dict[str, float | None] = {"renewed": None, "failed": None}

    @initialize(jitter=st.sampled_from([0.0, 0.5, 1.0]), lifetime=LIFETIMES, warm=st.booleans())
    def begin(self, jitter: float, lifetime: float, *, warm: bool) -> None:
        self.jitter = jitter
        if warm:
            self.a_caller_renews(lifetime)

    # Callers.

    @rule(callers=st.integers(1, 3))
    def callers_come(self, callers: int) -> None:
        for _ in range(callers):
            self._claim()

    @rule(lifetime=LIFETIMES, age=st.sampled_from([0.0, 4.0]), refusals=st.integers(0, 5))
    def a_caller_renews(self, lifetime: float, age: float = 0.0, refusals: int = 0) -> None:
        """If it is its turn; and again each time that the API refuses the token."""
        for _ in range(1 + refusals):
            self._claim()
            if self.pending is not None:
                self._succeed(self.pending, lifetime, age, found=False)
            if refusals and self.held is not None:
                self._reject(self.held.token)

    def _claim(self) -> None:
        now, left, pending = self.time.monotonic, self._left(), self.pending
        spare = self.held is not None and left > mandatory_window(self.held.lifetime)
        overdue = pending is not None and now >= pending.began + OVERDUE
        in_window = self.held is None or left <= advisory_window(self.held.lifetime, self.jitter)
        claimed = self.source.claim()
        if (
            not in_window
            or (self._is_good() and now < self.quiet_until)
            or (spare and pending and not overdue)
        ):
            assert isinstance(claimed, AccessToken)
            self._check_good(claimed)
        elif pending is not None and not overdue:
            assert isinstance(claimed, Future)
            self.waiting.append((claimed, pending))
        else:
            assert isinstance(claimed, Renewal)
            if pending is not None:
                pending.settle(None)
            self._begin(claimed, advisory=spare)

    def _begin(self, renewal: Renewal, *, advisory: bool) -> None:
        now = self.time.monotonic
        self.pending = Duty(renewal, now, advisory)
        self.duties.append(self.pending)
        wait = WAITS[min(self.failures_in_a_row, 6)]
        assert renewal.delay == (max(0.0, self.last_failed + wait - now) if self.failure else 0.0)
        assert renewal.failure is self.failure
        assert renewal.rejected == Secret.wrap(self.rejected)
        assert renewal.advisory == advisory
        assert renewal.aside == (advisory and not self.cut_off)
        if renewal.spare is not None:
            self._check_good(renewal.spare)

    def _check_good(self, token: AccessToken) -> None:
        assert self.held is not None
        assert token is self.held.token
        assert token.value != self.rejected
        assert self._is_good()

    def _left(self) -> float:
        return 0.0 if self.held is None else self.held.left(self.time)

    def _is_good(self) -> bool:
        return self.held is not None and self.held.is_good(self.time)

    # Whoever renews.

    def _under_way(self, *, advisory: bool = False) -> list[Duty]:
        return [duty for duty in self.duties if not duty.ended and duty.advisory >= advisory]

    def _pick(self, which: int, *, advisory: bool = False) -> Duty:
        duties = self._under_way(advisory=advisory)
        return duties[which % len(duties)]

    @precondition(lambda self: self._under_way())
    @rule(
        which=WHICH,
        lifetime=LIFETIMES,
        age=st.sampled_from([0.0, 0.25, 4.0, 500.0, -30.0]),
        found=st.booleans(),
    )
    def succeed(self, which: int, lifetime: float, age: float, *, found: bool) -> None:
        self._succeed(self._pick(which), lifetime, age, found=found)

    def _succeed(self, duty: Duty, lifetime: float, age: float, *, found: bool) -> None:
        issued_at = self.time.wall - age
        token = AccessToken(
            f"token-{len(self.issued)}",
            issued_at=issued_at,
            expires_at=issued_at + lifetime,
            scope="read:clients" if found else None,
        )
        self.issued.append(token)
        assert duty.renewal.succeed(token, found=found) is token
        self.held = Life(token, self.time.monotonic - max(0.0, age))
        self.failure, self.failures_in_a_row = None, 0
        self.quiet_until, self.cut_off = NEVER, False
        kind: TokenEventKind = "found" if found else "renewed"
        self.counts[kind] += 1
        self.at["renewed"] = self.time.wall
        self._end(duty, token)
        self._expect(kind, duty, expires_in=self._left())

    @precondition(lambda self: self._under_way())
    @rule(which=WHICH, shared=st.booleans(), transient=st.booleans())
    def fail(self, which: int, *, shared: bool, transient: bool) -> None:
        self._fail(self._pick(which), shared=shared, transient=transient)

    @rule(times=st.integers(2, 8), pause=st.sampled_from([0.0, 1.0, 3.0, 16.0, QUIET]))
    def the_token_endpoint_is_down(self, times: int, pause: float) -> None:
        for _ in range(times):
            self._claim()
            if self.pending is not None:
                self._fail(self.pending, shared=True, transient=True)
            self.time.pass_(pause)

    def _fail(self, duty: Duty, *, shared: bool, transient: bool) -> None:
        error = TokenError(f"failure {self.counts['failed']}", transient=transient)
        held = self.held
        if held is not None and self._is_good():
            assert duty.renewal.fail(error, shared=shared) is held.token
            self._end(duty, held.token)
        else:
            with pytest.raises(TokenError) as caught:
                duty.renewal.fail(error, shared=shared)
            assert caught.value is error
            self._end(duty, error if shared else None)
        self.counts["failed"] += 1
        self.at["failed"] = self.time.wall
        if shared or self._is_good():
            self.failure, self.last_failed = error, self.time.monotonic
            self.failures_in_a_row += 1
            self.quiet_until = self.time.monotonic + QUIET
        self._expect("failed", duty, problem=str(error))

    @rule(
        which=WHICH,
        lifetime=LIFETIMES,
        seconds=st.sampled_from([1.0, 5.0]),
        meanwhile=st.sampled_from(
            ["nothing", "some time passes", "the token expires", "the token is rejected"]
        ),
    )
    def postpone(self, which: int, lifetime: float, seconds: float, meanwhile: str) -> None:
        """Another process renews, as is known after a while."""
        if not self._under_way(advisory=True):
            self.the_token_ages(lifetime, "advisory", 0.0, 1)
        if not self._under_way(advisory=True):
            return
        duty = self._pick(which, advisory=True)
        if meanwhile == "some time passes":
            self.time.pass_(2.0)
        elif meanwhile == "the token expires":
            self.time.pass_(max(0.0, self._left()))
        elif meanwhile == "the token is rejected" and self.held is not None:
            self._reject(self.held.token)
        token = self.held.token if self.held is not None and self._is_good() else None
        assert duty.renewal.postpone(seconds) is token
        self.quiet_until = self.time.monotonic + seconds
        self._end(duty, token)

    @precondition(lambda self: self._under_way())
    @rule(
        which=WHICH, lifetime=LIFETIMES, age=st.sampled_from([0.0, 4.0, 500.0, DAY]), rejected=st.booleans()
    )
    def adopt(self, which: int, lifetime: float, age: float, *, rejected: bool) -> None:
        """Hold what a store kept until the renewal ends: never in place of a good one."""
        issued_at = self.time.wall - age
        token = AccessToken(
            self.rejected if rejected and self.rejected else f"kept-{len(self.issued)}",
            issued_at=issued_at,
            expires_at=issued_at + lifetime,
        )
        life = Life(token, self.time.monotonic - age)
        good = token.value != self.rejected and life.left(self.time) > mandatory_window(lifetime)
        adopted = not self._is_good() and good
        duty = self._pick(which)
        duty.renewal.adopt(token)
        if adopted:
            # It is as if it had been held all the time.
            duty.advisory = True
            self.issued.append(token)
            self.held = life

    @precondition(lambda self: self.duties)
    @rule(which=WHICH, cancelled=st.booleans())
    def leave(self, which: int, *, cancelled: bool) -> None:
        """Leave the `with` block, or let whoever carried it out aside tell that it is over."""
        duty = self.duties[-1 - which % len(self.duties)]
        if cancelled:
            with pytest.raises(KeyboardInterrupt), duty.renewal:
                raise KeyboardInterrupt
        else:
            duty.renewal.abandon()
        if not duty.settled:
            self.cut_off = True
            self._end(duty, None)
        duty.ended = True

    def _end(self, duty: Duty, outcome: AccessToken | TokenError | None) -> None:
        duty.settle(outcome)
        duty.ended = True
        if self.pending is duty:
            self.pending = None

    # The API.

    @precondition(lambda self: self.issued)
    @rule(age=st.integers(0, 2))
    def reject(self, age: int) -> None:
        """Mostly the token that is held: the last one that came."""
        self._reject(self.issued[-1 - age % len(self.issued)])

    def _reject(self, token: AccessToken) -> None:
        now = self.time.monotonic
        if self.held is None or self.held.token is not token:
            assert self.source.reject(token)
        elif self.forced >= FORCED and now < self.last_forced + QUIET:
            assert not self.source.reject(token)
        else:
            assert self.source.reject(token)
            self.forced += 1
            self.last_forced = now
            self._drop(token)

    @precondition(lambda self: self.issued)
    @rule(age=st.integers(0, 2))
    def reject_scope(self, age: int) -> None:
        token = self.issued[-1 - age % len(self.issued)]
        if self.held is None or self.held.token is not token:
            assert self.source.reject_scope(token)
        elif self.held.age(self.time) < YOUNG:
            assert not self.source.reject_scope(token)
        else:
            assert self.source.reject_scope(token)
            self._drop(token)

    def _drop(self, token: AccessToken) -> None:
        self.rejected, self.held = token.value, None
        self._expect("rejected")

    @precondition(lambda self: self.issued)
    @rule(age=st.integers(0, 2))
    def accept(self, age: int) -> None:
        token = self.issued[-1 - age % len(self.issued)]
        self.source.accept(token)
        if token.value != self.rejected:
            self.forced = 0

    # The world.

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.time.pass_(seconds)

    @rule(
        lifetime=LIFETIMES,
        window=st.sampled_from(["advisory", "advisory", "mandatory", "end"]),
        offset=OFFSETS,
        callers=st.integers(1, 3),
    )
    def the_token_ages(self, lifetime: float, window: str, offset: float, callers: int) -> None:
        """Into one of its windows, or to its end: by both clocks."""
        if self._left() <= 0:
            self.a_caller_renews(lifetime)
        held = self.held
        if held is None:
            return
        reached = {
            "advisory": advisory_window(held.lifetime, self.jitter),
            "mandatory": mandatory_window(held.lifetime),
        }
        self._wait_until(self.time.monotonic + self._left() - reached.get(window, 0.0), offset)
        self.callers_come(callers)

    @rule(which=st.sampled_from(["forced", "quiet", "overdue", "delay"]), offset=OFFSETS)
    def time_reaches_a_moment(self, which: str, offset: float) -> None:
        """Where something changes, just before or just after it."""
        moments = {
            "forced": self.last_forced + QUIET,
            "quiet": self.quiet_until,
            "overdue": NEVER if self.pending is None else self.pending.began + OVERDUE,
            "delay": self.last_failed + 2.0,
        }
        self._wait_until(moments[which], offset)

    def _wait_until(self, monotonic: float, offset: float) -> None:
        seconds = monotonic - self.time.monotonic
        if seconds > 0:
            self.time.pass_(max(0.0, math.ceil(4 * seconds) / 4 + offset))

    @rule(seconds=SECONDS, back=st.booleans())
    def the_wall_clock_is_set(self, seconds: float, *, back: bool) -> None:
        """Ahead is what a suspended machine sees, too."""
        self.time.wall += -seconds if back else seconds

    @rule()
    def fork(self) -> None:
        """Go on as the child: the parent's renewal is none of its business, though a copy of it may end."""
        self.source.reset_after_fork()
        self.pending = None

    @rule(works=st.booleans())
    def the_store_answers(self, *, works: bool) -> None:
        self.source.store_answered(None if works else "OSError")
        if works != self.store_works:
            self.store_works = works
            self._expect("store_works" if works else "store_failed", problem=None if works else "OSError")

    # What always holds.

    def _expect(
        self,
        kind: TokenEventKind,
        duty: Duty | None = None,
        *,
        expires_in: float | None = None,
        problem: str | None = None,
    ) -> None:
        self.to_be_told.append(
            TokenEvent(
                kind=kind,
                at=self.time.wall,
                seconds=None if duty is None else self.time.monotonic - duty.began,
                expires_in=expires_in,
                advisory=duty is not None and duty.advisory,
                problem=problem,
            )
        )

    @invariant()
    def whoever_renews_knows_what_serves_meanwhile(self) -> None:
        for duty in self.duties:
            assert duty.renewal.advisory == duty.advisory

    @invariant()
    def listeners_are_told_what_happened(self) -> None:
        assert self.told == self.to_be_told

    @invariant()
    def no_waiter_is_forgotten(self) -> None:
        for future, duty in self.waiting:
            assert future.done() == duty.settled
            if not duty.settled:
                assert not future.cancel()
            elif isinstance(duty.outcome, TokenError):
                assert future.exception(0) is duty.outcome
            else:
                assert future.result(0) is duty.outcome

    @invariant()
    def the_status_tells_it(self) -> None:
        held = self.held
        assert self.source.status() == TokenStatus(
            expires_at=None if held is None else self.time.wall + self._left(),
            expires_in=None if held is None else self._left(),
            age=None if held is None else held.age(self.time),
            scope=None if held is None else held.token.scope,
            renewing=self.pending is not None,
            renewals=self.counts["renewed"],
            found=self.counts["found"],
            failures=self.counts["failed"],
            renewed_at=self.at["renewed"],
            failed_at=self.at["failed"],
            last_failure=None if self.failure is None else str(self.failure),
            store=None,
            store_works=self.store_works,
        )

    def teardown(self) -> None:
        """However it went, everyone who waits is told in the end, and somebody has a token."""
        for duty in self._under_way():
            duty.renewal.abandon()
            duty.settle(None)
        self.no_waiter_is_forgotten()
        claimed = self.source.claim()
        assert not isinstance(claimed, Future)


@pytest.fixture(autouse=True)
def no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Keep thousands of lines out of a failure's report."""
    caplog.set_level("CRITICAL", "evertoken.token")


def test_a_token_source_does_what_the_documentation_says() -> None:
    """Whatever is claimed, settled, left, rejected and forgotten, in whatever order, as time goes by."""
    run(SourceMachine, examples=200, steps=50)


@dataclasses.dataclass(frozen=True)
class World:
    """How the others behave at the moment. `lifetime` is that of the next token, in seconds."""

    endpoint: Literal["ok", "refused", "broken", "unreachable", "late", "closed", "cut", "garbage"] = "ok"
    lifetime: float = DAY
    api: Literal["200", "401", "403", "500", "unreachable"] = "200"
    store: Literal["works", "raises", "busy"] = "works"


WORLDS: Final = st.builds(
    World,
    endpoint=st.sampled_from(
        ["ok", "ok", "ok", "ok", "broken", "refused", "unreachable", "late", "closed", "cut", "garbage"]
    ),
    lifetime=st.sampled_from([DAY, DAY, 600.0, 5.0, 0.0]),
    api=st.sampled_from(["200", "200", "401", "401", "403", "500", "unreachable"]),
    store=st.sampled_from(["works", "works", "works", "raises", "busy"]),
)


STEPS: Final = st.sampled_from([40, 1, 2, 3, 4, 5, 6, 7, 8, 9])
"""How far somebody goes without the others: forty are as far as possible."""


class Lent:
    """A lease, which ends by itself after `OVERDUE` seconds."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.released = False

    def release(self) -> None:
        self.released = True


class Store:
    """A leasing store that other processes use, too; `content` may be anything."""

    longest_wait = 0.5

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.world = World()
        self.content: object = None
        self.looks: list[object] = []
        self.leases: list[Lent] = []

    def get(self, key: str) -> AccessToken | None:
        self._work()
        self.looks.append(self.content)
        return cast("AccessToken | None", self.content)

    def put(self, key: str, token: AccessToken) -> None:
        self._work()
        kept = self.content if isinstance(self.content, AccessToken) else None
        if replaces(token, kept, self._time.wall):
            self.content = token

    def acquire(self, key: str) -> Lent | None:
        self._work()
        now = self._time.monotonic
        if self.world.store == "busy" or any(not one.released and now < one.until for one in self.leases):
            return None
        self.leases.append(Lent(now + OVERDUE))
        return self.leases[-1]

    def _work(self) -> None:
        if self.world.store == "raises":
            raise OSError("no such store")


@dataclasses.dataclass(eq=False)
class Turn:
    """Somebody's turn to renew: settled with `outcome`. Its requests: how many, and not before when."""

    outcome: Future[AccessToken | None]
    began: float
    not_before: float
    attempts: int
    asked: int = 0


@dataclasses.dataclass(eq=False)
class Actor:
    """Somebody who carries out a flow, one step at a time: a caller, or what went aside.

    `due` is when the pause or the wait of the current step is over, `issued` what the token endpoint just
    answered, `looks` what it saw in the store.
    """

    steps: Steps[None]
    timeout: float | None = None
    takes_aside: bool = False
    over: Callable[[], None] | None = None
    duty: Turn | None = None
    step: Step | None = None
    due: float = math.inf
    asked_at: float = 0.0
    bearer: str | None = None
    status: int | None = None
    issued: AccessToken | None = None
    looks: list[object] = dataclasses.field(default_factory=list[object])
    leases: list[Lent] = dataclasses.field(default_factory=list[Lent])
    timed_out: bool = False
    closed: bool = False

    @property
    def asks(self) -> bool:
        return isinstance(self.step, httpx.Request) and is_token_request(self.step)


def is_token_request(request: httpx.Request) -> bool:
    return request.url.path == "/oauth/token"


class FlowMachine(RuleBasedStateMachine):
    """`ManagementAuth.steps()` for several callers at once, interleaved at every step.

    Cancelling closes a generator, as the drivers do. A call that may block, such as one to the store, may
    be carried out nevertheless, since a thread goes on; then nobody learns of its result.
    """

    def __init__(self) -> None:
        super().__init__()
        self.time = FakeTime()
        self.store = Store(self.time)
        self.auth = ManagementAuth(
            domain=DOMAIN,
            client_id="app",
            client_secret=SECRET,
            token_store=self.store,
            share_token=False,
            clock=self.time.clock(),
        )
        self.source = self.auth.token_source
        self.told: list[TokenEvent] = []
        self.source.add_listener(self.told.append)
        self.world = World()
        self.actors: list[Actor] = []
        self.count = 0
        self.sound = True
        # The model.
        self.lives: dict[str, Life] = {}
        self.late: set[str] = set()
        self.revoked: set[str] = set()
        self.held: Life | None = None
        self.rejected: list[str] = []
        self.failures_in_a_row = 0
        self.last_failed = NEVER
        self.quiet_until = NEVER
        self.forced = 0
        self.last_forced = NEVER

    @initialize(
        warm=st.booleans(),
        lifetime=LIFETIMES,
        window=st.sampled_from(["fresh", "advisory", "mandatory", "end"]),
    )
    def begin(self, lifetime: float, window: str, *, warm: bool) -> None:
        if warm:
            self._warm_up(lifetime)
            self._age(window, 0.0)

    def _warm_up(self, lifetime: float) -> None:
        """Let there be a token that is good for a while, unless a renewal is under way."""
        if self._left() <= 0:
            self._change(World(lifetime=lifetime))
            self._go_on(self._call(None, takes_aside=False), 40)

    # Callers.

    @rule(
        world=WORLDS,
        window=st.sampled_from([None, None, "end", "end", "advisory", "mandatory"]),
        timeout=st.sampled_from([None, 2.0]),
        takes_aside=st.booleans(),
        steps=STEPS,
        callers=st.sampled_from([1, 2, 6]),
        fate=st.sampled_from(["goes on", "goes on", "cancelled", "cancelled too late"]),
    )
    def callers_come(
        self,
        *,
        world: World,
        window: str | None,
        timeout: float | None,
        takes_aside: bool,
        steps: int,
        callers: int,
        fate: str,
    ) -> None:
        if window is not None:
            self._warm_up(world.lifetime)
            self._age(window, 0.0)
        self._change(world)
        for _ in range(callers):
            actor = self._call(timeout, takes_aside=takes_aside)
            self._go_on(actor, steps)
            if fate != "goes on":
                self._cancel(actor, carried_out=fate == "cancelled too late")

    def _change(self, world: World) -> None:
        self.world = self.store.world = world

    def _call(self, timeout: float | None, *, takes_aside: bool) -> Actor:
        extensions = {} if timeout is None else {"timeout": {"connect": timeout, "read": timeout}}
        request = httpx.Request("GET", CLIENTS_URL, extensions=extensions)
        actor = Actor(self.auth.steps(request), timeout, takes_aside)
        self.actors.append(actor)
        self._perform(actor)
        return actor

    @precondition(lambda self: self.actors)
    @rule(world=WORLDS, which=WHICH, steps=STEPS)
    def a_caller_goes_on(self, world: World, which: int, steps: int) -> None:
        self._change(world)
        self._go_on(self._pick(which), steps)

    def _pick(self, which: int) -> Actor:
        """Whoever renews comes first."""
        actors = sorted(self.actors, key=lambda actor: actor.duty is None)
        return actors[which % len(actors)]

    def _go_on(self, actor: Actor, steps: int) -> None:
        """Carry out so many of its steps, unless it waits for somebody else."""
        for _ in range(steps):
            if isinstance(actor.step, Sleep):
                self._wake()
                self.time.pass_(max(0.0, actor.due - self.time.monotonic))
            if actor in self.actors and self._can_go_on(actor):
                self._perform(actor)

    @precondition(lambda self: self.actors)
    @rule(which=WHICH, steps=st.integers(0, 9), carried_out=st.booleans())
    def a_caller_is_cancelled(self, which: int, steps: int, *, carried_out: bool) -> None:
        actor = self._pick(which)
        self._go_on(actor, steps)
        self._cancel(actor, carried_out=carried_out)

    def _cancel(self, actor: Actor, *, carried_out: bool) -> None:
        if actor not in self.actors:
            return
        if isinstance(actor.step, Call) and carried_out:
            # Its thread goes on, and undoes what nobody gets to know of.
            with contextlib.suppress(OSError):
                result = self._carry_out(actor, actor.step)
                if actor.step.undo is not None:
                    actor.step.undo(result)
        actor.steps.close()
        self._end(actor)

    # The world.

    @rule()
    def all_tokens_are_revoked(self) -> None:
        self.revoked |= self.lives.keys()

    @rule(age=st.sampled_from([0.0, 1.0, 500.0, DAY, -30.0]), lifetime=LIFETIMES, garbage=RARELY)
    def another_process_puts(self, age: float, lifetime: float, *, garbage: bool) -> None:
        self.store.content = "garbage" if garbage else self._issue(self.time.wall - age, lifetime)

    @rule(seconds=SECONDS, clocks=st.sampled_from(["both", "both", "wall ahead", "wall back"]))
    def time_passes(self, seconds: float, clocks: str) -> None:
        """By both clocks, or by one: it is set, or the machine was suspended."""
        self._wake()
        if clocks == "both":
            self.time.pass_(seconds)
        else:
            self.time.wall += seconds if clocks == "wall ahead" else -seconds

    @precondition(lambda self: self.held is not None)
    @rule(window=st.sampled_from(["advisory", "mandatory", "end"]), offset=OFFSETS)
    def the_token_ages(self, window: str, offset: float) -> None:
        self._age(window, offset)

    def _age(self, window: str, offset: float) -> None:
        """Let time pass until the token is in one of its windows, or at its end."""
        self._wake()
        if self.held is None:
            return
        lifetime = self.held.lifetime
        reached = {
            "fresh": advisory_window(lifetime, 0.0) + 1,
            "advisory": advisory_window(lifetime, 1.0),
            "mandatory": mandatory_window(lifetime),
        }
        seconds = self.held.left(self.time) - reached.get(window, 0.0)
        self.time.pass_(max(0.0, math.ceil(4 * seconds) / 4 + offset))

    def _wake(self) -> None:
        """Let everyone go on whose renewal is settled: that takes no time."""
        for actor in list(self.actors):
            if isinstance(actor.step, Wait) and actor.step.outcome.done():
                self._perform(actor)

    # The driver: the third one, beside those of flow.py.

    def _can_go_on(self, actor: Actor) -> bool:
        match actor.step:
            case Wait(outcome=outcome):
                return outcome.done() or self.time.monotonic >= actor.due
            case Sleep():
                return self.time.monotonic >= actor.due
            case _:
                return True

    def _perform(self, actor: Actor) -> None:
        step = actor.step
        result: object = None
        failure: Exception | None = None
        try:
            match step:
                case httpx.Request():
                    result = self._answer(actor, step) if is_token_request(step) else self._serve(actor, step)
                case Read(response=response):
                    response.read()
                case Call():
                    result = self._carry_out(actor, step)
                case _:
                    pass
        except (httpx.RequestError, FlowClosedError, OSError) as error:
            failure = error
        if step is None:
            self._resume(actor, lambda: next(actor.steps))
        elif failure is not None:
            self._resume(actor, lambda: actor.steps.throw(failure))
        else:
            self._resume(actor, lambda: actor.steps.send(result))

    def _carry_out(self, actor: Actor, step: Call) -> object:
        leases, looks = len(self.store.leases), len(self.store.looks)
        try:
            return step.function()
        finally:
            actor.looks += self.store.looks[looks:]
            actor.leases += self.store.leases[leases:]

    def _resume(self, actor: Actor, go: Callable[[], Step | None]) -> None:
        self.sound = False
        before = self.source._pending
        try:
            step = go()
        except (StopIteration, TokenError, httpx.RequestError):
            step = None
        while self.told:
            self._note(actor, self.told.pop(0))
        self._note_adopted(actor)
        pending = self.source._pending
        if pending is not None and pending is not before:
            self._begin(actor, pending)
        if step is None:
            self._end(actor)
        elif not isinstance(step, Aside):
            self._take(actor, step)
        self.sound = True
        if not isinstance(step, Aside):
            return
        if actor.takes_aside:
            duty, actor.duty = actor.duty, None
            self.actors.append(Actor(step.steps, over=step.over, duty=duty))
        self._resume(actor, lambda: actor.steps.send(actor.takes_aside))

    def _take(self, actor: Actor, step: Step) -> None:
        actor.step = step
        match step:
            case httpx.Request():
                assert not actor.closed, "nothing more can be sent through a flow that is closed"
                if is_token_request(step):
                    self._check_token_request(actor)
                else:
                    self._check_api_request(actor, step)
            case Sleep(seconds=seconds) | Wait(seconds=seconds):
                actor.due = self.time.monotonic + seconds
            case _:
                pass

    def _end(self, actor: Actor) -> None:
        self.actors.remove(actor)
        if actor.over is not None:
            actor.over()
        for thread in threading.enumerate():
            if thread.name == "evertoken-release":
                thread.join(10)
        assert all(lent.released for lent in actor.leases), "a lease is left behind"
        assert actor.duty is None or actor.duty.outcome.done(), "a renewal is left behind"

    # The network.

    def _answer(self, actor: Actor, request: httpx.Request) -> httpx.Response:
        actor.timed_out = self.world.endpoint == "late"
        match self.world.endpoint:
            case "ok":
                actor.issued = self._issue(actor.asked_at, self.world.lifetime)
                body = {
                    "access_token": actor.issued.value,
                    "token_type": "Bearer",
                    "expires_in": self.world.lifetime,
                }
                return httpx.Response(200, json=body, request=request)
            case "refused":
                return httpx.Response(401, json={"error": "access_denied"}, request=request)
            case "broken":
                return httpx.Response(500, request=request)
            case "garbage":
                return httpx.Response(200, json={"expires_in": 86400}, request=request)
            case "cut":
                return httpx.Response(200, stream=Cut(), request=request)
            case "unreachable":
                raise httpx.ConnectError("no route")
            case "late":
                raise httpx.ReadTimeout("no answer")
            case "closed":
                actor.closed = True
                raise FlowClosedError("ConnectError")

    def _issue(self, issued_at: float, lifetime: float) -> AccessToken:
        self.count += 1
        return AccessToken(f"token-{self.count}", issued_at=issued_at, expires_at=issued_at + lifetime)

    def _serve(self, actor: Actor, request: httpx.Request) -> httpx.Response:
        self._wake()
        if self.world.api == "unreachable":
            raise httpx.ConnectError("no route")
        status = 401 if actor.bearer in self.revoked else int(self.world.api)
        if status != 401 and actor.bearer not in self.rejected[-1:]:
            self.forced = 0
        actor.status = status
        body = {"error": "insufficient_scope" if status == 403 else "Error"}
        return httpx.Response(status, json=body, request=request)

    # What is promised.

    def _begin(self, actor: Actor, outcome: Future[AccessToken | None]) -> None:
        """Somebody renews: there is a reason, and it is not too soon."""
        now, held = self.time.monotonic, self.held
        left = 0.0 if held is None else held.left(self.time)
        if held is not None and held.is_good(self.time):
            assert left <= advisory_window(held.lifetime, 0.0), "the token was good"
            assert now >= self.quiet_until, (
                "a failing endpoint is asked once a minute while the token is good"
            )
        actor.duty = Turn(
            outcome,
            began=now,
            not_before=self.last_failed + WAITS[min(self.failures_in_a_row, 6)],
            attempts=1 if self._is_good() else ATTEMPTS,
        )

    def _check_token_request(self, actor: Actor) -> None:
        now, duty = self.time.monotonic, actor.duty
        assert duty is not None, "asked without being the one who renews"
        actor.asked_at = self.time.wall
        duty.asked += 1
        if duty.asked == 1 and not self._is_good():
            # It was rejected meanwhile, say: now somebody waits.
            duty.attempts = ATTEMPTS
        assert duty.asked <= duty.attempts
        assert now >= duty.not_before
        if now < duty.began + OVERDUE:
            for other in self.actors:
                if other is not actor and other.asks and other.duty is not None:
                    assert now >= other.duty.began + OVERDUE, "two token requests at once"

    def _check_api_request(self, actor: Actor, request: httpx.Request) -> None:
        actor.bearer = request.headers["Authorization"].removeprefix("Bearer ")
        life = self.lives[actor.bearer]
        assert actor.bearer not in self.rejected, "a rejected token was handed out"
        assert life.left(self.time) > 0 or actor.bearer in self.late, "an expired token was handed out"

    def _note(self, actor: Actor, event: TokenEvent) -> None:
        match event.kind:
            case "renewed":
                token = cast("AccessToken", actor.issued)
                self._arrive(token)
                if not self._is_good():
                    # Its answer took longer than it lives: whoever waited for it uses it once.
                    self.late.add(token.value)
            case "found":
                token = cast("AccessToken", actor.looks[-1])
                self._arrive(token)
                assert token.value not in self.rejected, "the store's was rejected"
                assert self._left() > 0, "the store's was expired"
            case "rejected":
                self._drop(actor)
            case "failed":
                down = actor.duty is not None and actor.duty.asked > 1
                mine = actor.timed_out and actor.timeout is not None and not down
                if self._is_good() or not mine:
                    self.failures_in_a_row = max(self.failures_in_a_row + 1, 2 if down else 1)
                    self.last_failed = self.time.monotonic
                    self.quiet_until = self.last_failed + QUIET
            case _:
                pass

    def _note_adopted(self, actor: Actor) -> None:
        """A token of the store that is due serves until there is another: nothing tells of it."""
        held = self.source._held
        if held is None or (self.held is not None and held.token == self.held.token):
            return
        assert held.token == actor.looks[-1], "a token from nowhere"
        assert not self._is_good(), "a good token was replaced by one that is due"
        self._hold(held.token)
        if actor.duty is not None:
            actor.duty.attempts = 1
        assert held.token.value not in self.rejected, "the store's was rejected"
        assert self._left() > 0, "the store's was expired"

    def _arrive(self, token: AccessToken) -> None:
        self._hold(token)
        self.quiet_until = self.last_failed = NEVER
        self.failures_in_a_row = 0

    def _hold(self, token: AccessToken) -> None:
        born = self.time.monotonic - max(0.0, self.time.wall - token.issued_at)
        known = self.lives.get(token.value)
        self.held = Life(token, born if known is None else min(born, known.born))
        self.lives[token.value] = self.held

    def _drop(self, actor: Actor) -> None:
        assert self.held is not None
        assert actor.bearer == self.held.token.value, "not the token that was rejected"
        if actor.status == 401:
            now = self.time.monotonic
            assert self.forced < FORCED or now >= self.last_forced + QUIET, "too many renewals after 401"
            self.forced += 1
            self.last_forced = now
        else:
            assert self.held.age(self.time) >= YOUNG, "a young token has the scopes that there are"
        self.rejected.append(self.held.token.value)
        self.held = None

    def _left(self) -> float:
        return 0.0 if self.held is None else self.held.left(self.time)

    def _is_good(self) -> bool:
        return self.held is not None and self.held.is_good(self.time)

    def teardown(self) -> None:
        """Everything recovers: everyone ends soon, and the next caller is served."""
        self._change(World())
        try:
            if not self.sound:
                return
            self._drain()
            self.time.pass_(QUIET + 1)
            caller = self._call(None, takes_aside=False)
            self._drain()
            assert caller.status == 200
            assert not self.source.status().renewing
        finally:
            for actor in self.actors:
                actor.steps.close()

    def _drain(self) -> None:
        for _ in range(100 * (1 + len(self.actors))):
            able = [actor for actor in self.actors if self._can_go_on(actor)]
            if able:
                self._perform(able[0])
            elif self.actors:
                due = min(actor.due for actor in self.actors)
                self.time.pass_(max(0.001, due - self.time.monotonic))
        assert not self.actors, "somebody goes on for ever"


class Cut(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        raise httpx.ReadError("reset")


def test_the_flow_keeps_its_promises_however_callers_interleave() -> None:
    """With a network, a store and clocks that change at any moment, and callers who are cancelled."""
    run(FlowMachine, examples=300, steps=30)
