"""What is promised of a token's life within one process, over TLS: promises 12 to 16 and 18."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import functools
import gc
import itertools
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, TypeVar

import anyio
import anyio.to_thread
import httpx
import pytest

from callers import AUTHS, CLIENTS, READ, Kind, Options, calling, for_all, for_auths, for_clients, make_auth
from evertoken import (
    AsyncManagementClient,
    Clock,
    FileTokenStore,
    ManagementAuth,
    ManagementClient,
    MemoryTokenStore,
    TokenError,
)
from scripted_server import (
    ScriptedServer,
    drop,
    hang,
    json_reply,
    raw,
    reply,
    token_error,
    token_reply,
)

if TYPE_CHECKING:
    import pathlib
    from collections.abc import AsyncGenerator, Callable, Generator

    from evertoken import AccessToken, Lease, SecretSource, TokenSource
    from scripted_server import Answer, Exchange

SLACK: Final = 3.0
"""Seconds that a busy machine may add to a deadline. A renewal has 15."""

DAY: Final = 86_400.0

Test = TypeVar("Test", bound="Callable[..., object]")


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def garbage() -> Generator[None]:
    yield
    gc.collect()


def cancels_handshakes(test: Test) -> Test:
    """Allow for httpcore: a connection that is cancelled halfway is left to the garbage collector."""
    allowed = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
    marked: Test = pytest.mark.usefixtures("garbage")(allowed(test))
    return marked


@contextlib.contextmanager
def client_of(server: ScriptedServer, **options: Any) -> Generator[ManagementClient]:
    given: dict[str, Any] = {**server.credentials(), **options}
    with (
        httpx.Client(verify=server.ssl_context()) as http,
        ManagementClient(**given, httpx_client=http) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def async_client_of(server: ScriptedServer, **options: Any) -> AsyncGenerator[AsyncManagementClient]:
    given: dict[str, Any] = {**server.credentials(), **options}
    async with (
        httpx.AsyncClient(verify=server.ssl_context()) as http,
        AsyncManagementClient(**given, httpx_client=http) as client,
    ):
        yield client


def source_of(server: ScriptedServer) -> TokenSource:
    """Return what all callers of a server share."""
    return make_auth(server).token_source


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - any condition
            await anyio.sleep(0.005)


def after(seconds: float, answer: Answer) -> Answer:
    """Answer late."""

    def late(exchange: Exchange) -> None:
        exchange.server.closing.wait(seconds)
        answer(exchange)

    return late


# 12. 50 threads, 50 asyncio tasks, 20 trio tasks, or all together on one token source, starting cold: one
# token request.


def test_promise_12_fifty_threads_that_start_cold_ask_once(server: ScriptedServer) -> None:
    """Each with a client and a connection of its own; the token endpoint takes its time."""
    server.token_default = after(0.3, token_reply())
    start = threading.Barrier(50)

    def call() -> None:
        with client_of(server) as client:
            start.wait(20)
            client.clients.list()

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        calls = [pool.submit(call) for _ in range(50)]
        assert [call.exception() for call in calls] == [None] * 50
    assert len(server.token_requests) == 1
    assert {request.bearer for request in server.api_requests} == set(server.issued)


@pytest.mark.parametrize(
    ("kind", "count"), [("sync", 50), ("httpx", 50), ("asyncio", 50), ("httpx-asyncio", 50), ("trio", 20)]
)
def test_promise_12_callers_of_one_colour_that_start_cold_ask_once(
    server: ScriptedServer, kind: Kind, count: int
) -> None:
    """With one client, or one auth in a plain httpx client."""
    server.token_default = after(0.3, token_reply())
    with calling(kind, server) as caller:
        assert caller.send_many(count) == [200] * count
    assert len(server.token_requests) == 1


def test_promise_12_callers_of_all_colours_that_start_cold_at_once_ask_once(server: ScriptedServer) -> None:
    """Threads, an asyncio loop in one thread and a trio run in another, and plain httpx of all three."""
    server.token_default = after(0.5, token_reply())
    with contextlib.ExitStack() as stack:
        counts: dict[Kind, int] = {"sync": 50, "asyncio": 50, "trio": 20, **dict.fromkeys(AUTHS, 5)}
        callers = {kind: stack.enter_context(calling(kind, server)) for kind in counts}
        calls = [callers[kind].start(READ) for kind, count in counts.items() for _ in range(count)]
        assert [call.result() for call in calls] == [200] * 135
    assert len(server.token_requests) == 1


@pytest.mark.anyio
async def test_promise_12_worker_threads_wait_for_the_task_that_renews(server: ScriptedServer) -> None:
    """As many as the event loop has: they leave the task what it needs to try again and to end."""
    server.token_script = [after(0.3, reply(500))]
    began = time.monotonic()
    with client_of(server) as client:
        async with async_client_of(server) as other, anyio.create_task_group() as tasks:

            async def call_in_worker() -> None:
                await anyio.to_thread.run_sync(client.access_token)

            tasks.start_soon(other.access_token)
            await until(lambda: server.token_requests)
            for _ in range(60):
                tasks.start_soon(call_in_worker)
    assert len(server.token_requests) == 2
    assert time.monotonic() - began < 0.8 + SLACK


# 13. A slow token request never stops an event loop, nor outlives a caller's own deadline.


class Gate:
    """Something that blocks whoever comes to it until the server's `release()`."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self.reached = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        # Not for ever: a test that fails should end.
        self._server.released.wait(8)

    def hold(self, exchange: Exchange) -> None:
        """Answer the token endpoint late."""
        self.wait()
        token_reply()(exchange)


class GatedStore(MemoryTokenStore):
    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def get(self, key: str) -> AccessToken | None:
        self._gate.wait()
        return super().get(key)


class Given(TypedDict, total=False):
    client_secret: SecretSource
    token_store: GatedStore


def slow_part(server: ScriptedServer, what: str) -> tuple[Gate, Given]:
    """Make one part of a renewal slow; return its gate, and the options for a client."""
    gate = Gate(server)
    match what:
        case "secret":

            def secret() -> str:
                gate.wait()
                return server.client_secret

            return gate, {"client_secret": secret}
        case "store":
            return gate, {"token_store": GatedStore(gate)}
        case _:
            server.token_default = gate.hold
            return gate, {}


for_slow_parts: Final = pytest.mark.parametrize("what", ["endpoint", "secret", "store"])


@pytest.mark.anyio
@for_slow_parts
async def test_promise_13_a_slow_token_request_never_stops_an_event_loop(
    server: ScriptedServer, what: str
) -> None:
    """It ends only when another task has ticked fifty times, beside one that renews and four that wait."""
    gate, options = slow_part(server, what)
    async with async_client_of(server, **options) as client, anyio.create_task_group() as tasks:

        async def call() -> None:
            await client.clients.list()

        for _ in range(5):
            tasks.start_soon(call)
        await until(gate.reached.is_set)
        began = time.monotonic()
        for _ in range(50):
            await anyio.sleep(0.005)
        assert time.monotonic() - began < SLACK
        assert not server.api_requests
        server.release()
    assert len(server.token_requests) == 1
    assert len(server.api_requests) == 5


@cancels_handshakes
@pytest.mark.anyio
@for_slow_parts
async def test_promise_13_no_task_waits_beyond_its_own_deadline(server: ScriptedServer, what: str) -> None:
    """Whether it renews or waits for the one that does; what is slow goes on for longer."""
    gate, options = slow_part(server, what)
    ended: list[tuple[bool, float]] = []
    async with async_client_of(server, **options) as client, anyio.create_task_group() as tasks:

        async def call() -> None:
            began = time.monotonic()
            with anyio.move_on_after(0.3) as scope:
                await client.clients.list()
            ended.append((scope.cancelled_caught, time.monotonic() - began))

        tasks.start_soon(call)
        await until(gate.reached.is_set)
        for _ in range(4):
            tasks.start_soon(call)
        with anyio.move_on_after(0.3 + 2 * SLACK):
            await until(lambda: len(ended) == 5)
        server.release()
    assert [late for late, _ in ended] == [True] * 5
    assert max(seconds for _, seconds in ended) < 0.3 + SLACK


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@for_slow_parts
async def test_promise_13_asyncios_own_deadlines_are_kept(server: ScriptedServer, what: str) -> None:
    """`asyncio.timeout` and `asyncio.wait_for` raise in time."""
    gate, options = slow_part(server, what)
    async with async_client_of(server, **options) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.access_token)
        await until(gate.reached.is_set)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.clients.list()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.access_token(), 0.3)
        assert time.monotonic() - began < 0.6 + SLACK
        server.release()
        await client.clients.list()


@for_all
def test_promise_13_the_clients_own_timeout_is_kept(server: ScriptedServer, kind: Kind) -> None:
    """By the call that renews, and by those that wait for it: our own error, each in time."""
    server.token_default = hang()
    with calling(kind, server, Options(timeout=0.5)) as caller:
        first = caller.start(READ)
        server.wait_until(lambda server: bool(server.token_requests))
        began = time.monotonic()
        others = caller.send_many(5)
        assert time.monotonic() - began < 0.5 + SLACK
        assert [type(outcome) for outcome in [first.exception(), *others]] == [TokenError] * 6
        assert not server.api_requests
        server.token_default = token_reply()
        assert caller.send() == 200


@for_clients
def test_promise_13_one_callers_deadline_is_no_other_callers_failure(
    server: ScriptedServer, kind: Kind
) -> None:
    """A patient caller has its token though the one that renews has less time than the endpoint takes."""
    server.token_script = [hang()]
    with calling(kind, server, Options(timeout=0.5)) as hasty, calling(kind, server) as patient:
        first = hasty.start(READ)
        server.wait_until(lambda server: len(server.token_requests) == 1)
        second = patient.start(READ)
        assert isinstance(first.exception(), TokenError)
        assert second.result() == 200
        assert hasty.send() == 200
    assert len(server.token_requests) == 2


# 14. Early renewal is off the callers' path; while the token is still valid, a failing token endpoint
# disturbs nobody and is asked at most once a minute.


def make_due(source: TokenSource) -> None:
    """Let the advisory window of the token held begin now, and last for a day."""
    held = source._held
    assert held is not None
    held.advisory = 2 * DAY


@for_clients
def test_promise_14_an_early_renewal_keeps_no_call_waiting(server: ScriptedServer, kind: Kind) -> None:
    """The token endpoint answers only after forty calls have gone on with the old token."""
    source = source_of(server)
    with calling(kind, server) as caller:
        caller.send()
        make_due(source)
        server.token_default = hang(then=token_reply())
        began = time.monotonic()
        assert caller.send_many(20) == [200] * 20
        server.wait_until(lambda server: len(server.token_requests) == 2)
        assert caller.send_many(20) == [200] * 20
        assert time.monotonic() - began < SLACK
        assert {request.bearer for request in server.api_requests} == {server.issued[0]}
        server.release()
        server.wait_until(lambda _: source.status().renewals == 2)
        assert caller.send() == 200
    assert server.api_requests[-1].bearer == server.issued[1]
    assert len(server.token_requests) == 2


@for_auths
def test_promise_14_in_plain_httpx_clients_one_call_renews_and_no_other_waits(
    server: ScriptedServer, kind: Kind
) -> None:
    """A flow has nothing to send with but the call that it belongs to."""
    source = source_of(server)
    with calling(kind, server) as caller:
        caller.send()
        make_due(source)
        server.token_default = hang(then=token_reply())
        renewing = caller.start(READ)
        server.wait_until(lambda server: len(server.token_requests) == 2)
        assert caller.send_many(20) == [200] * 20
        assert not renewing.done()
        server.release()
        assert renewing.result() == 200
    assert [request.bearer for request in server.api_requests].count(server.issued[0]) == 21
    assert len(server.token_requests) == 2


FAILURES: Final[dict[str, Answer]] = {
    "500": reply(500, b"<h1>sorry</h1>"),
    "503 with Retry-After": reply(503, headers={"Retry-After": "1"}),
    "429": token_error(429, "too_many_requests", headers={"Retry-After": "1"}),
    "refused": token_error(401, "access_denied"),
    "another shape": json_reply(["no", "token"]),
    "not HTTP": raw(b"\x00" * 64),
    "dropped": drop(),
}

IN_ANSWERS: Final = [name for name in FAILURES if name not in {"not HTTP", "dropped"}]


def check_that_failures_disturb_nobody(server: ScriptedServer, kind: Kind, failure: str) -> None:
    source = source_of(server)
    with calling(kind, server) as caller:
        caller.send()
        make_due(source)
        server.token_default = FAILURES[failure]
        assert caller.send_many(10) == [200] * 10
        server.wait_until(lambda _: source.status().failures == 1)
        assert caller.send_many(10) == [200] * 10
    assert not source.status().renewing
    assert len(server.token_requests) == 2
    assert {request.bearer for request in server.api_requests} == set(server.issued)


@for_clients
@pytest.mark.parametrize("failure", FAILURES)
def test_promise_14_a_failing_token_endpoint_disturbs_nobody_while_the_token_is_valid(
    server: ScriptedServer, kind: Kind, failure: str
) -> None:
    """However it fails; twenty calls ask it once."""
    check_that_failures_disturb_nobody(server, kind, failure)


@for_auths
@pytest.mark.parametrize("failure", IN_ANSWERS)
def test_promise_14_a_failing_token_endpoint_disturbs_no_plain_httpx_client(
    server: ScriptedServer, kind: Kind, failure: str
) -> None:
    """However it answers; a connection that fails ends the one flow that renews, as httpx has it."""
    check_that_failures_disturb_nobody(server, kind, failure)


@for_clients
def test_promise_14_nobody_fails_for_want_of_time_while_the_token_is_valid(
    server: ScriptedServer, kind: Kind
) -> None:
    """Not in its last minute either, when calls wait for the renewal: the old token is better than none."""
    source = source_of(server)
    with calling(kind, server) as patient, calling(kind, server, Options(timeout=0.5)) as hasty:
        patient.send()
        make_due(source)
        assert source._held is not None
        source._held.mandatory = 2 * DAY
        server.token_default = hang(then=reply(500))
        renewing = patient.start(READ)
        server.wait_until(lambda server: len(server.token_requests) == 2)
        assert hasty.send_many(5) == [200] * 5
        server.release()
        assert renewing.result() == 200
    assert len(server.token_requests) == 2


@dataclasses.dataclass
class Shifted:
    """The machine's two clocks, moved. What sleeps moves them both, and takes no time."""

    wall: float = 0.0
    monotonic: float = 0.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    async def pass_async(self, seconds: float) -> None:
        self.pass_(seconds)

    def now(self) -> float:
        return time.time() + self.wall

    def clock(self) -> Clock:
        return Clock(
            wall=self.now,
            monotonic=lambda: time.monotonic() + self.monotonic,
            sleep=self.pass_,
            sleep_async=self.pass_async,
        )


Colour: TypeAlias = Literal["threads", "asyncio", "trio"]

for_colours: Final = pytest.mark.parametrize("colour", ["threads", "asyncio", "trio"])


def get(server: ScriptedServer, auth: ManagementAuth, colour: Colour, count: int = 1) -> list[int]:
    """Send some requests one after the other through a new httpx client; return the statuses."""
    url = f"{server.origin}/api/v2/clients"
    if colour == "threads":
        with httpx.Client(auth=auth, verify=server.ssl_context()) as http:
            return [http.get(url).status_code for _ in range(count)]

    async def main() -> list[int]:
        async with httpx.AsyncClient(auth=auth, verify=server.ssl_context()) as http:
            return [(await http.get(url)).status_code for _ in range(count)]

    return anyio.run(main, backend=colour)


@for_colours
@pytest.mark.parametrize("failure", ["500", "refused"])
def test_promise_14_a_failing_token_endpoint_is_asked_once_a_minute(
    server: ScriptedServer, colour: Colour, failure: str
) -> None:
    """From the first failure until the token ends, with a call every five seconds, none of which fails."""
    time_ = Shifted()
    auth = ManagementAuth(**server.credentials(), clock=time_.clock())
    server.token_lifetime = 1000
    assert get(server, auth, colour) == [200]
    server.token_default = FAILURES[failure]
    time_.pass_(810)
    asked: list[float] = []
    while (left := auth.token_source.status().expires_in) is not None and left > 6:
        before = len(server.token_requests)
        assert get(server, auth, colour) == [200]
        asked += [time_.monotonic] * (len(server.token_requests) - before)
        time_.pass_(5)
    assert 2 <= len(asked) <= 4
    assert min(later - earlier for earlier, later in itertools.pairwise(asked)) >= 59


# 15. A short-lived token (5 s) is reused; no request ever goes out with an expired token.


class Judge:
    """Notes the age of every token on its arrival, as a JWT has it: in whole seconds of the wall clock."""

    def __init__(
        self, server: ScriptedServer, lifetime: float, wall: Callable[[], float] = time.time
    ) -> None:
        self._lifetime = lifetime
        self._wall = wall
        self._ends: dict[str, float] = {}
        self.expired: list[float] = []
        server.token_default = self.issue
        server.api_default = self.judge

    def issue(self, exchange: Exchange) -> None:
        value = exchange.server.issue()
        self._ends[value] = math.floor(self._wall()) + self._lifetime
        token_reply(access_token=value, expires_in=self._lifetime)(exchange)

    def judge(self, exchange: Exchange) -> None:
        late = self._wall() - self._ends[exchange.request.bearer or ""]
        if late >= 0:
            self.expired.append(late)
            reply(401)(exchange)
        else:
            json_reply([])(exchange)


@for_all
def test_promise_15_a_token_of_five_seconds_is_reused(server: ScriptedServer, kind: Kind) -> None:
    """Its windows are in proportion to its life."""
    judge = Judge(server, 5)
    with calling(kind, server) as caller:
        began = time.monotonic()
        assert [caller.send() for _ in range(20)] == [200] * 20
        took = time.monotonic() - began
    assert len(server.token_requests) <= 1 + took // 3
    assert not judge.expired


def call_on(
    server: ScriptedServer, seconds: float, kinds: tuple[Kind, ...], timeout: float | None = None
) -> list[BaseException]:
    """Call without a pause, in two lines of each kind; return what was raised."""
    end = time.monotonic() + seconds
    failures: list[BaseException] = []
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(calling(kind, server, Options(timeout=timeout))) for kind in kinds] * 2
        calls = {caller.start(READ): caller for caller in callers}
        while calls:
            done, _ = concurrent.futures.wait(calls, return_when=concurrent.futures.FIRST_COMPLETED)
            for call in done:
                caller = calls.pop(call)
                error = call.exception()
                failures += [] if error is None else [error]
                if time.monotonic() < end:
                    time.sleep(0.002)
                    calls[caller.start(READ)] = caller
    return failures


def test_promise_15_no_request_carries_an_expired_token(server: ScriptedServer) -> None:
    """Threads, tasks and plain httpx clients over several lives of three seconds; no call fails either."""
    judge = Judge(server, 3)
    server.token_default = after(0.1, judge.issue)
    assert call_on(server, 6.5, (*CLIENTS, *AUTHS)) == []
    assert judge.expired == []
    assert 3 <= len(server.token_requests) <= 8
    assert len(server.api_requests) > 100


def test_promise_15_no_request_carries_an_expired_token_where_none_can_be_had(server: ScriptedServer) -> None:
    """The token endpoint fails until the token has ended: then calls fail, rather than ask the API."""
    judge = Judge(server, 3)
    server.token_script = [judge.issue]
    server.token_default = reply(500)
    failures = call_on(server, 3.5, CLIENTS, timeout=0.5)
    assert judge.expired == []
    assert {type(failure) for failure in failures} == {TokenError}
    server.token_default = judge.issue
    assert call_on(server, 0, ("httpx",)) == []


# 16. Cancelling whoever renews, or all who wait, leaves no lock behind and hurts nobody else.

ASYNC: Final[tuple[Kind, ...]] = ("asyncio", "trio", "httpx-asyncio", "httpx-trio")

for_async: Final = pytest.mark.parametrize("kind", ASYNC)


def is_cancelled(call: concurrent.futures.Future[int]) -> bool:
    concurrent.futures.wait([call], 20)
    return call.cancelled()


@for_async
def test_promise_16_cancelling_the_task_that_renews_hurts_no_other(
    server: ScriptedServer, kind: Kind
) -> None:
    """One of those who wait takes over: all of them succeed."""
    server.token_script = [hang()]
    with calling(kind, server) as caller, calling("sync", server) as other:
        renewing = caller.start(READ)
        server.wait_until(lambda server: len(server.token_requests) == 1)
        waiting = [one.start(READ) for one in (caller, caller, caller, other, other)]
        assert renewing.cancel()
        assert is_cancelled(renewing)
        assert [call.result() for call in waiting] == [200] * 5
    assert len(server.token_requests) == 2


@for_async
def test_promise_16_cancelling_all_tasks_that_wait_hurts_no_other(server: ScriptedServer, kind: Kind) -> None:
    """Neither the one that renews nor those that come later."""
    server.token_script = [hang(then=token_reply())]
    with calling(kind, server) as caller, calling("sync", server) as other:
        renewing = other.start(READ)
        server.wait_until(lambda server: len(server.token_requests) == 1)
        waiting = [caller.start(READ) for _ in range(5)]
        time.sleep(0.05)
        assert all(call.cancel() for call in waiting)
        assert all(is_cancelled(call) for call in waiting)
        later = caller.start(READ)
        server.release()
        assert (renewing.result(), later.result(), caller.send()) == (200, 200, 200)
    assert len(server.token_requests) == 1


@cancels_handshakes
@for_async
def test_promise_16_cancelling_every_task_leaves_no_lock_behind(server: ScriptedServer, kind: Kind) -> None:
    """The one that renews with those that wait; the next call, of any kind, starts afresh."""
    server.token_script = [hang()]
    with calling(kind, server) as caller, calling("sync", server) as other:
        calls = [caller.start(READ)]
        server.wait_until(lambda server: len(server.token_requests) == 1)
        calls += [caller.start(READ) for _ in range(5)]
        assert all(call.cancel() for call in calls)
        assert all(is_cancelled(call) for call in calls)
        assert not source_of(server).status().renewing
        assert (caller.send(), other.send()) == (200, 200)
    assert len(server.token_requests) == 2


@cancels_handshakes
@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_promise_16_cancelling_at_any_moment_leaves_no_lock_behind(
    server: ScriptedServer, kind: Kind
) -> None:
    """Cold calls, each cancelled a little later than the one before."""
    cancelled = 0
    for number in range(24):
        server.client_id = f"app{number}"  # another token
        with calling(kind, server) as caller:
            call = caller.start(READ)
            time.sleep(number * 0.001)
            call.cancel()
            cancelled += is_cancelled(call)
            assert call.cancelled() or call.result() == 200
            assert not source_of(server).status().renewing
            assert caller.send() == 200
    assert cancelled


@pytest.mark.parametrize("kind", ["sync", "httpx"])
def test_promise_16_a_thread_that_gives_up_leaves_no_lock_behind(server: ScriptedServer, kind: Kind) -> None:
    """The one that renews by its own timeout; one that is more patient takes over."""
    server.token_script = [hang()]
    with calling(kind, server, Options(timeout=0.3)) as hasty, calling("sync", server) as patient:
        renewing = hasty.start(READ)
        server.wait_until(lambda server: len(server.token_requests) == 1)
        waiting = [patient.start(READ) for _ in range(5)]
        assert isinstance(renewing.exception(), TokenError)
        assert [call.result() for call in waiting] == [200] * 5
        assert hasty.send() == 200
    assert len(server.token_requests) == 2


class GatedLease:
    def __init__(self, lease: Lease, gate: Callable[[], None]) -> None:
        self._lease = lease
        self._gate = gate

    def release(self) -> None:
        self._gate()
        self._lease.release()


class GatedFileStore(FileTokenStore):
    """Files that are slow at one moment of a renewal."""

    def __init__(self, folder: pathlib.Path, moment: str, gate: Gate) -> None:
        super().__init__(folder)
        self._moment = moment
        self._gate = gate

    def _pass(self, moment: str) -> None:
        if moment == self._moment:
            self._gate.wait()

    def get(self, key: str) -> AccessToken | None:
        self._pass("get")
        return super().get(key)

    def put(self, key: str, token: AccessToken) -> None:
        self._pass("put")
        super().put(key, token)

    def acquire(self, key: str) -> Lease | None:
        lease = super().acquire(key)
        self._pass("acquire")
        return None if lease is None else GatedLease(lease, functools.partial(self._pass, "release"))


@pytest.mark.anyio
@pytest.mark.parametrize("moment", ["get", "acquire", "request", "put", "release"])
async def test_promise_16_a_cancelled_task_gives_its_lease_back(
    server: ScriptedServer, tmp_path: pathlib.Path, moment: str
) -> None:
    """At whatever moment: another program on the same files has a token without waiting for the lease."""
    gate = Gate(server)
    if moment == "request":
        server.token_script = [gate.hold]
    store = GatedFileStore(tmp_path / "tokens", moment, gate)
    async with async_client_of(server, token_store=store) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.access_token)
        await until(gate.reached.is_set)
        tasks.cancel_scope.cancel()
        server.release()
    began = time.monotonic()
    files = FileTokenStore(tmp_path / "tokens")
    async with async_client_of(server, token_store=files, share_token=False) as other:
        await other.clients.list()
    assert time.monotonic() - began < SLACK  # a lease that is held is waited for ten seconds
    assert len(server.token_requests) <= 2


# 18. Wall clock a day ahead or back, a suspended machine: calls work, at most 2 token requests.

CHANGES: Final[dict[str, list[tuple[float, float]]]] = {
    "a day ahead": [(DAY, 0)],
    "a day back": [(-DAY, 0)],
    "ahead and right again": [(DAY, 0), (-DAY, 0)],
    "back and right again": [(-DAY, 0), (DAY, 0)],
    "a year back": [(-365 * DAY, 0)],
    "suspended": [(DAY, 0)],
    "suspended, and both clocks went on": [(DAY, DAY)],
    "suspended for an hour": [(3600, 0)],
    "suspended, with the clock set back": [(-3600, DAY)],
}
"""Seconds by which the wall clock and the monotonic clock move, one step after the other."""


@for_colours
@pytest.mark.parametrize("change", CHANGES)
def test_promise_18_a_clock_that_moves_costs_one_token_at_most(
    server: ScriptedServer, colour: Colour, change: str
) -> None:
    """With a token in use: before and after each step every call works."""
    moved = Shifted()
    judge = Judge(server, DAY, moved.now if change.startswith("suspended") else time.time)
    auth = ManagementAuth(**server.credentials(), clock=moved.clock())
    assert get(server, auth, colour, 3) == [200] * 3
    for wall, monotonic in CHANGES[change]:
        moved.wall += wall
        moved.monotonic += monotonic
        assert get(server, auth, colour, 3) == [200] * 3
    assert len(server.token_requests) <= 2
    assert judge.expired == []


@for_colours
def test_promise_18_a_clock_that_was_set_back_lets_no_token_live_longer(
    server: ScriptedServer, colour: Colour
) -> None:
    """By the wall clock the token is new when its day is over."""
    moved = Shifted()
    judge = Judge(server, DAY, lambda: time.time() + moved.monotonic)
    auth = ManagementAuth(**server.credentials(), clock=moved.clock())
    assert get(server, auth, colour) == [200]
    moved.wall -= DAY
    assert get(server, auth, colour) == [200]
    moved.pass_(DAY)
    assert get(server, auth, colour, 3) == [200] * 3
    assert len(server.token_requests) == 2
    assert judge.expired == []


@for_colours
@pytest.mark.parametrize("change", CHANGES)
def test_promise_18_a_clock_that_moves_while_a_token_is_asked_for_costs_one_more(
    server: ScriptedServer, colour: Colour, change: str
) -> None:
    """As a laptop that is shut at the wrong moment."""
    moved = Shifted()

    def move_and_answer(exchange: Exchange) -> None:
        for wall, monotonic in CHANGES[change]:
            moved.wall += wall
            moved.monotonic += monotonic
        token_reply()(exchange)

    server.token_script = [move_and_answer]
    auth = ManagementAuth(**server.credentials(), clock=moved.clock())
    assert get(server, auth, colour, 5) == [200] * 5
    assert len(server.token_requests) <= 2


@for_colours
@pytest.mark.parametrize("wall", [DAY, -DAY, -365 * DAY], ids=["day ahead", "day back", "year back"])
def test_promise_18_a_wrong_clock_is_as_good_as_a_right_one(
    server: ScriptedServer, tmp_path: pathlib.Path, colour: Colour, wall: float
) -> None:
    """Wrong from the start, on a host that shares its token with others, whose clocks are right."""
    here, there = Shifted(wall), Shifted()
    for clock in (here, there, here):
        store = FileTokenStore(tmp_path / "tokens", clock=clock.clock())
        auth = ManagementAuth(**server.credentials(), token_store=store, clock=clock.clock())
        assert get(server, auth, colour, 3) == [200] * 3
    assert len(server.token_requests) <= 3
