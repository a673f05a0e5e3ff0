"""Promises 21 to 25: what stores keep, and what becomes of calls when a store is not well."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import itertools
import json
import logging
import os
import pathlib
import shutil
import stat
import sys
import tempfile
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpx
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evertoken import (
    AccessToken,
    AsyncManagementClient,
    ClientSecretBasic,
    ClientSecretPost,
    Clock,
    EncryptedTokenStore,
    FileTokenStore,
    Grant,
    Lease,
    ManagementClient,
    MemoryTokenStore,
    MutualTLS,
    PrivateKeyJWT,
    RedisTokenStore,
    TokenStore,
)
from evertoken.store_redis import CIRCUIT_OPEN
from evertoken_tenant import Server, Tenant, serve
from promise_programs import Outcome, Program, Settings
from redis_server import RedisServer, connected, running_redis
from scripted_server import ScriptedServer, api_error, token_reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from scripted_server import Exchange

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and signals of POSIX")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "tokens"


@contextlib.contextmanager
def client_of(
    server: ScriptedServer, store: TokenStore | None, **options: Any
) -> Generator[ManagementClient]:
    # Each client stands for another program here.
    given: dict[str, Any] = {**server.credentials(), "token_store": store, **options}
    with (
        httpx.Client(verify=server.ssl_context()) as http,
        ManagementClient(**given, share_token=False, httpx_client=http) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def async_client_of(
    server: ScriptedServer, store: TokenStore | None
) -> AsyncGenerator[AsyncManagementClient]:
    async with (
        httpx.AsyncClient(verify=server.ssl_context()) as http,
        AsyncManagementClient(
            **server.credentials(), token_store=store, share_token=False, httpx_client=http
        ) as client,
    ):
        yield client


def call_once(server: ScriptedServer, store: TokenStore | None, **options: Any) -> str | None:
    """Make one call, as a program that then ends does; return the token that was sent."""
    with client_of(server, store, **options) as client:
        client.clients.list()
    return server.api_requests[-1].bearer


def token_file(folder: pathlib.Path) -> pathlib.Path:
    (found,) = folder.glob("*.json")
    return found


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def settings_of(server: Server, store: str | None, **options: Any) -> Settings:
    tenant = server.tenant
    return Settings(server.url, tenant.client_id, tenant.client_secret, store, **options)


def succeeded(outcomes: list[Outcome]) -> bool:
    return [(outcome.total, outcome.error) for outcome in outcomes] == [(3, None)] * len(outcomes)


# 21. File: 0600 whatever the umask; garbage, half-written, foreign or planted (symlink) content ignored and
# replaced; disk full, read-only folder: memory serves.


@posix_only
@pytest.mark.parametrize("mask", [0, 0o077], ids=["umask 000", "umask 077"])
def test_promise_21_a_token_is_for_its_owner_alone(folder: pathlib.Path, mask: int) -> None:
    """A program of any umask leaves files 0600 in a folder 0700."""
    with serve(Tenant(clients=3), tls=True) as server:
        settings = settings_of(server, str(folder / "deep" / "tokens"))
        with Program(settings, server.ca_file, umask=mask) as program:
            assert succeeded(program.call())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert token_file(folder / "deep" / "tokens") in files
    assert {mode(path) for path in files} == {0o600}
    assert {mode(path) for path in (folder, *folder.rglob("*")) if path.is_dir()} == {0o700}


def garbage(data: bytes) -> Callable[[pathlib.Path], None]:
    def plant(path: pathlib.Path) -> None:
        path.write_bytes(data)

    return plant


def half_written(path: pathlib.Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def of_another_key(path: pathlib.Path) -> None:
    form = json.loads(path.read_bytes())
    path.write_text(json.dumps({**form, "key": "0" * 64}))


def of_another_form(path: pathlib.Path) -> None:
    form = json.loads(path.read_bytes())
    path.write_text(json.dumps({**form, "v": 2}))


def with_a_line_end(path: pathlib.Path) -> None:
    form = json.loads(path.read_bytes())
    path.write_text(json.dumps({**form, "value": f"{form['value']}\r\nX-Planted: yes"}))


def without_end(path: pathlib.Path) -> None:
    form = json.loads(path.read_bytes())
    path.write_text(json.dumps({**form, "expires_at": 1e308}).replace("1e+308", "1e999"))


def of_another_user(path: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 65534, 65534)


def a_link_to_a_token(path: pathlib.Path) -> None:
    elsewhere = path.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def a_link_to_nothing(path: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to(path.parent.parent / "elsewhere")


def a_pipe(path: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path)


@posix_only
@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(garbage(b""), id="empty"),
        pytest.param(garbage(b"\xff\x00\xfe" * 100), id="bytes"),
        pytest.param(garbage(b"[" * 100_000), id="brackets"),
        pytest.param(garbage(b" " * 300_000), id="too long"),
        pytest.param(garbage(b'{"access_token":"planted"}'), id="other JSON"),
        half_written,
        of_another_key,
        of_another_form,
        of_another_user,
        with_a_line_end,
        without_end,
        a_link_to_a_token,
        a_link_to_nothing,
        a_pipe,
    ],
)
def test_promise_21_what_is_no_token_of_ours_is_ignored_and_replaced(
    server: ScriptedServer, folder: pathlib.Path, plant: Callable[[pathlib.Path], None]
) -> None:
    """One more token request; the next program takes the token that is kept instead."""
    call_once(server, FileTokenStore(folder))
    path = token_file(folder)
    plant(path)
    elsewhere = folder.parent / "elsewhere"
    before = elsewhere.read_bytes() if elsewhere.exists() else None
    assert call_once(server, FileTokenStore(folder)) == server.issued[1]
    assert call_once(server, FileTokenStore(folder)) == server.issued[1]
    assert len(server.token_requests) == 2
    assert stat.S_ISREG(path.lstat().st_mode)
    assert mode(path) == 0o600
    assert (elsewhere.read_bytes() if elsewhere.exists() else None) == before


def linked(path: pathlib.Path, target: pathlib.Path) -> None:
    target.write_text("of somebody else")
    path.symlink_to(target)


def piped(path: pathlib.Path, _: pathlib.Path) -> None:
    os.mkfifo(path)


def made_a_folder(path: pathlib.Path, _: pathlib.Path) -> None:
    path.mkdir()


@posix_only
@pytest.mark.parametrize("suffix", ["json", "tmp", "lock", "write.lock"])
@pytest.mark.parametrize("plant", [linked, piped, made_a_folder])
def test_promise_21_nothing_planted_stops_a_call_or_is_written_through(
    server: ScriptedServer,
    folder: pathlib.Path,
    suffix: str,
    plant: Callable[[pathlib.Path, pathlib.Path], None],
) -> None:
    """In place of any file of the store: calls go on, and what a link points to stays as it was."""
    call_once(server, FileTokenStore(folder))
    name = token_file(folder).name.removesuffix("json")
    for path in folder.iterdir():
        path.unlink()
    target = folder.parent / "target"
    plant(folder / f"{name}{suffix}", target)
    with client_of(server, FileTokenStore(folder)) as client:
        began = time.monotonic()
        for _ in range(3):
            client.clients.list()
        assert time.monotonic() - began < 5
    assert not target.exists() or target.read_text() == "of somebody else"
    if plant is not made_a_folder:
        # It is put away, or does no harm: the next program finds the token.
        call_once(server, FileTokenStore(folder))
    assert len(server.token_requests) == 2


def linked_folder(folder: pathlib.Path) -> pathlib.Path:
    real = folder / "real"
    real.mkdir(0o700, parents=True)
    (folder / "link").symlink_to(real)
    return folder / "link"


def open_folder(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@posix_only
@pytest.mark.parametrize("make", [linked_folder, open_folder])
def test_promise_21_a_folder_that_may_be_planted_is_not_used(
    server: ScriptedServer, folder: pathlib.Path, make: Callable[[pathlib.Path], pathlib.Path]
) -> None:
    """Nothing is written where a link leads, or where others may write; memory serves."""
    place = make(folder)
    with client_of(server, FileTokenStore(place)) as client:
        for _ in range(3):
            client.clients.list()
    assert len(server.token_requests) == 1
    assert not list(place.iterdir())


@posix_only
def test_promise_21_on_a_full_disk_memory_serves(folder: pathlib.Path) -> None:
    """A program that cannot write a token calls on, and leaves no half of one."""
    with serve(Tenant(clients=3), tls=True) as server:
        settings = settings_of(server, str(folder), largest_file=20)
        with Program(settings, server.ca_file) as program:
            assert succeeded(program.call())
            assert succeeded(program.call())
        assert server.tenant.token_requests == 1
    assert not [path for path in folder.iterdir() if path.stat().st_size]
    assert not [*folder.glob("*.json"), *folder.glob("*.tmp")]


@posix_only
def test_promise_21_a_full_disk_costs_no_token_that_was_kept(folder: pathlib.Path) -> None:
    """What was there stays whole when its successor cannot be written."""
    with serve(Tenant(clients=3), tls=True) as server:
        with Program(settings_of(server, str(folder)), server.ca_file) as program:
            assert succeeded(program.call())
        before = token_file(folder).read_bytes()
        server.tenant.revoke_tokens()
        settings = settings_of(server, str(folder), largest_file=20)
        with Program(settings, server.ca_file) as program:
            assert succeeded(program.call())
            assert succeeded(program.call())
        assert server.tenant.token_requests == 2
    assert token_file(folder).read_bytes() == before


def test_promise_21_below_what_is_no_folder_memory_serves(
    server: ScriptedServer, tmp_path: pathlib.Path
) -> None:
    """Where nothing can be made, not even by root."""
    (tmp_path / "file").write_text("no folder")
    with client_of(server, FileTokenStore(tmp_path / "file" / "tokens")) as client:
        for _ in range(3):
            client.clients.list()
    assert len(server.token_requests) == 1


@posix_only
def test_promise_21_in_a_read_only_folder_memory_serves() -> None:
    """A program whose folder was made read-only calls on; root, whom modes do not stop, becomes another."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="evertoken-"))
    user = 65534 if os.geteuid() == 0 else None
    try:
        if user is not None:
            os.chown(place, user, user)
        place.chmod(0o500)
        with serve(Tenant(clients=3), tls=True) as server:
            settings = settings_of(server, str(place), user=user)
            with Program(settings, server.ca_file) as program:
                program.wait_ready()
                server.tenant.reset_counts()
                assert succeeded(program.call())
                assert succeeded(program.call())
            assert server.tenant.token_requests == 1
        assert not list(place.iterdir())
    finally:
        place.chmod(0o700)
        shutil.rmtree(place)


# 22. 20 processes start cold on one file or one Redis: at most 2 token requests. After a 401 they take the
# newest token from the store: one request more, not one each.

FLEET = 20


@contextlib.contextmanager
def place_of(kind: str, tmp_path: pathlib.Path) -> Generator[str]:
    """Yield what a program is told of its store."""
    if kind == "file":
        yield str(tmp_path / "tokens")
        return
    with running_redis() as redis:
        yield redis.url


@posix_only
@pytest.mark.parametrize("kind", ["file", "redis"])
def test_promise_22_twenty_processes_share_one_token_and_its_successor(
    kind: str, tmp_path: pathlib.Path
) -> None:
    """Cold at most two token requests; when that token is revoked under all of them, one more."""
    with (
        place_of(kind, tmp_path) as place,
        serve(Tenant(clients=3), tls=True) as server,
        Program(settings_of(server, place, processes=FLEET), server.ca_file) as fleet,
    ):
        cold = fleet.call()
        assert succeeded(cold)
        assert len({outcome.pid for outcome in cold}) == FLEET
        assert 1 <= server.tenant.token_requests <= 2
        server.tenant.reset_counts()
        server.tenant.revoke_tokens()
        again = fleet.call()
        assert succeeded(again)
        assert server.tenant.token_requests == 1
        assert len({outcome.token for outcome in again}) == 1
        assert not {outcome.token for outcome in cold} & {outcome.token for outcome in again}
        # Each of them had the old one refused once.
        refused = [record for record in server.tenant.requests if record.status == 401]
        assert len(refused) <= FLEET


@posix_only
@pytest.mark.parametrize("kind", ["file", "redis"])
def test_promise_22_programs_started_one_by_one_share_one_token(kind: str, tmp_path: pathlib.Path) -> None:
    """Two interpreters that know nothing of each other: the later one asks for no token."""
    with place_of(kind, tmp_path) as place, serve(Tenant(clients=3), tls=True) as server:
        settings = settings_of(server, place)
        with Program(settings, server.ca_file) as one, Program(settings, server.ca_file) as two:
            first, second = one.call(), two.call()
        assert succeeded([*first, *second])
        assert first[0].token == second[0].token
        assert server.tenant.token_requests == 1


# 23. The lease holder killed or stopped in mid-renewal: the others have a token within 15 s (killed) or
# 20 s (stopped).


@dataclasses.dataclass(frozen=True, slots=True)
class Mishap:
    """What became of the others: how long after the mishap each of them had its answer."""

    outcomes: list[Outcome]
    happened: float
    token_requests: int

    @property
    def seconds(self) -> float:
        return max(outcome.ended for outcome in self.outcomes) - self.happened


def suffer(kind: str, how: str, tmp_path: pathlib.Path) -> Mishap:
    """Let one process begin to renew, three more wait for it, and the one be killed or stopped."""
    with (
        place_of(kind, tmp_path / how) as place,
        serve(Tenant(clients=3), tls=True) as server,
        Program(settings_of(server, place), server.ca_file) as holder,
        Program(settings_of(server, place, processes=3), server.ca_file) as others,
    ):
        holder.wait_ready()
        others.wait_ready()
        # Each request is held back by what stands here when it comes.
        server.tenant.delay(token=120)
        holder.begin_call()
        deadline = time.monotonic() + 20
        while not server.tenant.token_requests:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        server.tenant.delay(token=0)
        others.begin_call()
        time.sleep(0.5)
        (holder.kill if how == "killed" else holder.stop)()
        happened = time.monotonic()
        assert server.tenant.token_requests == 1
        outcomes = others.outcomes()
        holder.kill()
        return Mishap(outcomes, happened, server.tenant.token_requests)


@pytest.fixture(scope="module")
def mishaps(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str, str], Mishap]]:
    """Yield what tells of each mishap: all happen at the same time, since all there is to do is to wait."""
    path = tmp_path_factory.mktemp("mishaps")
    kinds = [(kind, how) for kind in ("file", "redis") for how in ("killed", "stopped")]
    with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
        started = {kind: pool.submit(suffer, *kind, path) for kind in kinds}
        yield lambda kind, how: started[kind, how].result()


@posix_only
@pytest.mark.parametrize("kind", ["file", "redis"])
def test_promise_23_a_killed_lease_holder_is_replaced_within_15_s(
    kind: str, mishaps: Callable[[str, str], Mishap]
) -> None:
    """Killed by a signal in the middle of its token request."""
    mishap = mishaps(kind, "killed")
    assert succeeded(mishap.outcomes)
    assert mishap.seconds < 15
    if kind == "file":
        # The operating system ends a lock with its process: one of the others renews, at once.
        assert mishap.seconds < 5
        assert mishap.token_requests <= 3


@posix_only
@pytest.mark.parametrize("kind", ["file", "redis"])
def test_promise_23_a_stopped_lease_holder_is_passed_within_20_s(
    kind: str, mishaps: Callable[[str, str], Mishap]
) -> None:
    """Stopped by a signal in the middle of its token request, with the lease in its hands."""
    mishap = mishaps(kind, "stopped")
    assert succeeded(mishap.outcomes)
    assert mishap.seconds < 20


# 24. Redis down at start, dying midway, hanging, restarting empty, holding garbage: calls go on.


class Watched(RedisTokenStore):
    """Notes which threads waited for Redis."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.threads: set[int] = set()

    def get(self, key: str) -> AccessToken | None:
        self.threads.add(threading.get_ident())
        return super().get(key)

    def put(self, key: str, token: AccessToken) -> None:
        self.threads.add(threading.get_ident())
        super().put(key, token)

    def acquire(self, key: str) -> Lease | None:
        self.threads.add(threading.get_ident())
        return super().acquire(key)


def names(redis: RedisServer) -> list[bytes]:
    with connected(redis) as client:
        return sorted(cast("list[bytes]", client.execute_command("KEYS", "*")))  # type: ignore[no-untyped-call]


def nothing(_: RedisServer) -> None:
    pass


def hold_other_types(redis: RedisServer) -> None:
    """Put a list in place of the token, and a hash in place of the lease."""
    (name,) = names(redis)
    redis.command("DEL", name.decode())
    redis.command("RPUSH", name.decode(), "planted")
    redis.command("HSET", name.decode().replace(":token:", ":lease:"), "planted", "yes")


def hold_other_bytes(redis: RedisServer) -> None:
    (name,) = names(redis)
    with connected(redis) as client:
        client.set(name, b"\xff\x00\xfe" * 10)
        client.set(name.replace(b":token:", b":lease:"), b"\xff")


def hold_half_a_token(redis: RedisServer) -> None:
    (name,) = names(redis)
    with connected(redis) as client:
        client.set(name, cast("bytes", client.get(name))[:40])


# Before the first call; after it; and whether Redis is well then.
TROUBLES = [
    pytest.param(RedisServer.stop, nothing, False, id="down at start"),
    pytest.param(nothing, RedisServer.stop, False, id="dying midway"),
    pytest.param(nothing, RedisServer.freeze, False, id="hanging"),
    pytest.param(RedisServer.freeze, nothing, False, id="hanging at start"),
    pytest.param(nothing, RedisServer.restart, True, id="restarting empty"),
    pytest.param(nothing, hold_other_types, True, id="other types"),
    pytest.param(nothing, hold_other_bytes, True, id="other bytes"),
    pytest.param(nothing, hold_half_a_token, True, id="half a token"),
]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis() as redis:
        yield redis


def check_tokens(server: ScriptedServer, redis: RedisServer, *, is_well: bool) -> None:
    """Check that one renewal followed on the refusal, and that a Redis that is well has its token."""
    first, second = server.issued
    assert [request.bearer for request in server.api_requests] == [first, first, second, second, second]
    if is_well:
        assert call_once(server, RedisTokenStore(redis.url)) == second


@pytest.mark.parametrize(("before", "midway", "is_well"), TROUBLES)
def test_promise_24_calls_go_on_whatever_redis_does(
    server: ScriptedServer,
    redis: RedisServer,
    before: Callable[[RedisServer], None],
    midway: Callable[[RedisServer], None],
    is_well: bool,
) -> None:
    """A token is had, and after a 401 another one, in little more than a second each."""
    before(redis)
    with client_of(server, RedisTokenStore(redis.url)) as client:
        began = time.monotonic()
        client.clients.list()
        midway(redis)
        server.api_script.append(api_error(401))
        for _ in range(3):
            client.clients.list()
        assert time.monotonic() - began < 8
    check_tokens(server, redis, is_well=is_well)


@pytest.mark.anyio
@pytest.mark.parametrize(("before", "midway", "is_well"), TROUBLES)
async def test_promise_24_no_event_loop_stops_whatever_redis_does(
    before: Callable[[RedisServer], None],
    midway: Callable[[RedisServer], None],
    is_well: bool,
) -> None:
    """The same under asyncio and trio, while another task runs on."""
    # What is loaded late is loaded now: no store is to blame for that.
    with ScriptedServer() as server:
        async with async_client_of(server, None) as client:
            await client.clients.list()
    # A busy machine may hold up a loop, too, but hardly each time.
    standstills: list[float] = []
    while not standstills or (standstills[-1] >= 0.05 and len(standstills) < 3):
        with ScriptedServer() as server, running_redis() as redis:
            before(redis)
            standstills.append(await standstill_of_calls(server, redis, midway))
            check_tokens(server, redis, is_well=is_well)
    assert min(standstills) < 0.05


async def standstill_of_calls(
    server: ScriptedServer, redis: RedisServer, midway: Callable[[RedisServer], None]
) -> float:
    """Return the longest time, in seconds, for which calls stopped the event loop."""
    store = Watched(redis.url)
    async with async_client_of(server, store) as client:
        async with ticking() as first:
            await client.clients.list()
        midway(redis)
        server.api_script.append(api_error(401))
        async with ticking() as second:
            for _ in range(3):
                await client.clients.list()
    assert store.threads
    assert threading.get_ident() not in store.threads
    return max(first.standstill, second.standstill)


TICK = 0.005  # seconds


class Ticks:
    """The ticks of a task, and those of a thread beside it."""

    def __init__(self) -> None:
        self.task: list[float] = []
        self.thread: list[float] = []

    @property
    def standstill(self) -> float:
        """The seconds for which the task's event loop stood still while the machine did not.

        Where the thread, which waits for nobody, was held up too, the machine was busy elsewhere.
        """
        return max(self._standstill(*pair) for pair in itertools.pairwise(self.task))

    def _standstill(self, begin: float, end: float) -> float:
        beside = [begin, *(tick for tick in self.thread if begin < tick < end), end]
        return end - begin - max(b - a for a, b in itertools.pairwise(beside))


@contextlib.asynccontextmanager
async def ticking() -> AsyncGenerator[Ticks]:
    """Tick while the block runs."""
    ticks = Ticks()
    ended = threading.Event()

    def tick_aside() -> None:
        while not ended.wait(TICK):
            ticks.thread.append(time.monotonic())

    async def tick() -> None:
        while True:
            ticks.task.append(time.monotonic())
            await anyio.sleep(TICK)

    thread = threading.Thread(target=tick_aside, name="ticking")
    thread.start()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tick)
            await anyio.sleep(2 * TICK)
            yield ticks
            await anyio.sleep(2 * TICK)
            tasks.cancel_scope.cancel()
    finally:
        ended.set()
        thread.join()


@pytest.mark.anyio
async def test_a_standstill_is_noticed() -> None:
    """Whoever waits without awaiting stops the loop, and is seen to."""
    async with ticking() as ticks:
        time.sleep(0.2)  # noqa: ASYNC251 - the fault itself
    assert 0.1 < ticks.standstill < 5


@pytest.mark.parametrize("trouble", [RedisServer.stop, RedisServer.freeze, RedisServer.restart])
def test_promise_24_trouble_in_mid_renewal_costs_no_token(
    server: ScriptedServer, redis: RedisServer, trouble: Callable[[RedisServer], None]
) -> None:
    """It comes after the lease was had, and before the token can be kept."""

    def answer(exchange: Exchange) -> None:
        trouble(redis)
        token_reply()(exchange)

    server.token_script.append(answer)
    with client_of(server, RedisTokenStore(redis.url)) as client:
        began = time.monotonic()
        for _ in range(3):
            client.clients.list()
        assert time.monotonic() - began < 8
    assert len(server.token_requests) == 1


@pytest.mark.parametrize("trouble", [RedisServer.stop, RedisServer.freeze])
def test_promise_24_a_redis_that_is_well_again_is_used_again(
    server: ScriptedServer, redis: RedisServer, trouble: Callable[[RedisServer], None]
) -> None:
    """It gets the next token, some seconds after it came back, and others take it from there."""
    passed = 0.0
    clock = Clock(monotonic=lambda: time.monotonic() + passed)
    with client_of(server, RedisTokenStore(redis.url, clock=clock)) as client:
        client.clients.list()
        trouble(redis)
        server.api_script.append(api_error(401))
        client.clients.list()
        redis.restart()
        passed = CIRCUIT_OPEN
        server.api_script.append(api_error(401))
        client.clients.list()
    assert call_once(server, RedisTokenStore(redis.url)) == server.issued[-1]
    assert len(server.token_requests) == 3


def test_promise_24_trouble_is_reported_once(
    server: ScriptedServer, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Not for each renewal that goes on without Redis."""
    with client_of(server, RedisTokenStore(redis.url)) as client:
        redis.stop()
        client.clients.list()
        for _ in range(2):
            server.api_script.append(api_error(401))
            client.clients.list()
    assert len(server.token_requests) == 3
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in warnings] == ["evertoken.token"]
    assert "memory serves" in warnings[0].getMessage()


# 25. No store holds the client secret; another client's key never yields this client's token; entries live
# no longer than the token.


@functools.cache
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def make_grant(name: str, server: ScriptedServer) -> Grant:
    match name:
        case "client_secret_post":
            return ClientSecretPost(server.client_id, server.client_secret)
        case "client_secret_basic":
            return ClientSecretBasic(server.client_id, server.client_secret)
        case "private_key_jwt":
            return PrivateKeyJWT(server.client_id, private_key())
        case _:
            return MutualTLS(server.client_id)


GRANTS = ["client_secret_post", "client_secret_basic", "private_key_jwt", "tls_client_auth"]


def credentials_sent(server: ScriptedServer) -> set[bytes]:
    """Return everything that proves who the client is, as it was sent and as it was given."""
    secrets = {
        server.client_secret,
        urllib.parse.quote_plus(server.client_secret),
        *private_key().split()[4:8],
    }
    for request in server.token_requests:
        secrets |= {
            request.form[name] for name in ("client_secret", "client_assertion") if name in request.form
        }
        secrets |= {request.headers.get("authorization", "Basic none").partition(" ")[2]}
    return {secret.encode() for secret in secrets}


def everything_in(folder: pathlib.Path, redis: RedisServer, memory: MemoryTokenStore) -> bytes:
    """Return all that the stores hold, names too, as bytes."""
    with connected(redis) as client:
        held = [name + cast("bytes", client.get(name)) for name in names(redis)]
    held += [path.name.encode() + path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    held += [
        repr(dataclasses.astuple(token)).encode() + key.encode() for key, token in memory._tokens.items()
    ]
    return b"\n".join(held)


@pytest.mark.parametrize("name", GRANTS)
def test_promise_25_no_store_holds_a_credential(
    name: str, server: ScriptedServer, folder: pathlib.Path, redis: RedisServer
) -> None:
    """In no file, no key of Redis and no value, whatever the grant; not even below an encryption."""
    memory, sealed = MemoryTokenStore(), MemoryTokenStore()
    key = Fernet.generate_key()
    stores: list[TokenStore] = [
        FileTokenStore(folder),
        RedisTokenStore(redis.url),
        memory,
        EncryptedTokenStore(sealed, key),
    ]
    for store in stores:
        options = {"client_id": None, "client_secret": None, "credentials": make_grant(name, server)}
        assert call_once(server, store, **options) == server.issued[-1]
    assert len(server.issued) == len(stores)
    opened = b"".join(Fernet(key).decrypt(token.value) for token in sealed._tokens.values())
    held = everything_in(folder, redis, memory) + opened
    # Each has the token, and nothing that was shown for it.
    assert all(token.encode() in held for token in server.issued)
    assert not [secret for secret in credentials_sent(server) if secret in held]


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A place for tokens: opened anew by each program, and with all entries made to look alike."""

    store: Callable[[], TokenStore]
    swap: Callable[[], None]


def swap_files(folder: pathlib.Path) -> None:
    """Put the content of each file into the next one."""
    paths = sorted(folder.glob("*.json"))
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, [*contents[1:], contents[0]], strict=True):
        path.write_bytes(content)


def swap_values(redis: RedisServer) -> None:
    with connected(redis) as client:
        keys = [name for name in names(redis) if b":token:" in name]
        values = [cast("bytes", client.get(name)) for name in keys]
        for name, value in zip(keys, [*values[1:], values[0]], strict=True):
            client.set(name, value, keepttl=True)


@pytest.fixture(params=["file", "redis", "encrypted file"])
def kept(request: pytest.FixtureRequest, folder: pathlib.Path) -> Iterator[Kept]:
    key = Fernet.generate_key()
    match request.param:
        case "redis":
            with running_redis() as redis:
                yield Kept(lambda: RedisTokenStore(redis.url), lambda: swap_values(redis))
        case "file":
            yield Kept(lambda: FileTokenStore(folder), lambda: swap_files(folder))
        case _:
            yield Kept(lambda: EncryptedTokenStore(FileTokenStore(folder), key), lambda: swap_files(folder))


# Each differs from the first in one thing.
CLIENTS: list[dict[str, str]] = [
    {"client_id": "app"},
    {"client_id": "app2"},
    {"client_id": "app", "organization": "org_1"},
    {"client_id": "app", "organization": "org_2"},
    {"client_id": "app", "audience": "https://other.example.com/api/v2/"},
    {"client_id": "apphttps://other.example.com/api/v2/"},
    {"client_id": "APP"},
]


def test_promise_25_no_client_gets_the_token_of_another(server: ScriptedServer, kept: Kept) -> None:
    """On one store, client ids, audiences, organizations and tenants each have a token of their own."""
    assert [call_once(server, kept.store(), **options) for options in CLIENTS] == server.issued
    assert len(server.issued) == len(CLIENTS)
    assert [call_once(server, kept.store(), **options) for options in CLIENTS] == server.issued
    with ScriptedServer() as other:
        assert call_once(other, kept.store()) == other.issued[0]
    kept.swap()
    for options in CLIENTS:
        assert call_once(server, kept.store(), **options) == server.issued[-1]
    assert len(server.issued) == 2 * len(CLIENTS)


def test_promise_25_an_entry_of_redis_ends_with_its_token(server: ScriptedServer, redis: RedisServer) -> None:
    """Redis itself drops it, and leaves no lease without an end."""
    server.token_lifetime = 600
    call_once(server, RedisTokenStore(redis.url))
    with connected(redis) as client:
        (name,) = names(redis)
        assert 590_000 < client.pttl(name) <= 600_000
        client.delete(name)
        server.token_lifetime = 1
        call_once(server, RedisTokenStore(redis.url))
        deadline = time.monotonic() + 1.5
        while names(redis):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("lifetime", [5, 86400])
def test_promise_25_a_token_that_is_over_is_not_taken_from_a_file(
    server: ScriptedServer, folder: pathlib.Path, lifetime: float
) -> None:
    """A program started after its end asks for another, and keeps that one in its place."""
    server.token_lifetime = lifetime
    call_once(server, FileTokenStore(folder))
    path = token_file(folder)
    form = json.loads(path.read_bytes())
    past = {name: form[name] - lifetime for name in ("issued_at", "expires_at")}
    path.write_text(json.dumps({**form, **past}))
    assert FileTokenStore(folder).get(form["key"]) is None
    assert call_once(server, FileTokenStore(folder)) == server.issued[1]
    assert json.loads(path.read_bytes())["value"] == server.issued[1]
