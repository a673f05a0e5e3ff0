"""Tokens in a real Redis, and what becomes of them when it is not well."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import pathlib
import select
import socket
import socketserver
import subprocess
import sys
import threading
import time as real_time
from typing import TYPE_CHECKING, cast

import pytest
import redis
import redis.asyncio
import trustme

from evertoken import AccessToken, ArgumentError, Secret
from evertoken.store import LeasingTokenStore, StoreError, dumps
from evertoken.store_redis import _ACQUIRE, CIRCUIT_OPEN, IDLE_LONGEST, RedisClient, RedisTokenStore
from evertoken.testing import check_token_store
from redis_server import RedisServer, connected, free_port, redis_program, running_redis
from support import locals_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import FakeTime

TOKEN = "not-a-secret"


@pytest.fixture(scope="module")
def lasting_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def server(lasting_server: RedisServer) -> RedisServer:
    """Return one that is empty."""
    with connected(lasting_server) as client:
        ask(client, "FLUSHDB")
    return lasting_server


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """Yield one of this test's own, to be mistreated."""
    with running_redis() as server:
        yield server


@pytest.fixture
def raw(server: RedisServer) -> Iterator[redis.Redis]:
    with connected(server) as client:
        yield client


@pytest.fixture
def store(server: RedisServer, time: FakeTime) -> RedisTokenStore:
    return RedisTokenStore(server.url, clock=time.clock())


def issue(time: FakeTime, value: str = TOKEN, age: float = 0, life: float = 3600) -> AccessToken:
    return AccessToken(value, issued_at=time.wall - age, expires_at=time.wall - age + life)


def ask(client: RedisClient, *command: object) -> object:
    return client.execute_command(*command)


def names(client: RedisClient) -> list[bytes]:
    return sorted(cast("list[bytes]", ask(client, "KEYS", "*")))


def elapsed_until_refused(store: RedisTokenStore) -> float:
    begin = real_time.monotonic()
    with pytest.raises(StoreError):
        store.get("key")
    return real_time.monotonic() - begin


def test_it_keeps_the_rules(server: RedisServer) -> None:
    """Each instance is another host: from a URL, also a wrapped one, and with ready clients."""
    check_token_store(lambda: RedisTokenStore(Secret(server.url)))
    with connected(server, decode_responses=True) as client:
        check_token_store(lambda: RedisTokenStore(client, prefix="other:"))
    assert isinstance(RedisTokenStore(server.url), LeasingTokenStore)


def test_another_prefix_is_another_store(server: RedisServer, raw: redis.Redis, time: FakeTime) -> None:
    """All keys begin with it."""
    one, two = (RedisTokenStore(server.url, prefix=p, clock=time.clock()) for p in ("one:", "two:"))
    one.put("key", issue(time))
    assert one.acquire("key") is not None
    assert two.get("key") is None
    assert two.acquire("key") is not None
    assert names(raw) == [b"one:lease:key", b"one:token:key", b"two:lease:key"]
    assert repr(one) == "RedisTokenStore(prefix='one:')"


def test_an_entry_lives_no_longer_than_its_token(
    store: RedisTokenStore, raw: redis.Redis, time: FakeTime
) -> None:
    """Redis drops it; a token that is over already is not written at all."""
    store.put("key", issue(time, age=100, life=160))
    left = raw.pttl("evertoken:token:key")
    assert 59_000 < left <= 60_000
    store.put("other", issue(time, life=0))
    store.put("other", issue(time, age=10, life=5))
    assert names(raw) == [b"evertoken:token:key"]
    assert raw.get("evertoken:token:key") == dumps("key", issue(time, age=100, life=160))


def test_a_lease_ends_by_itself(store: RedisTokenStore, raw: redis.Redis) -> None:
    """After 20 s; who comes too late to release it leaves that of the next holder alone."""
    first = store.acquire("key")
    assert first is not None
    assert 19_000 < raw.pttl("evertoken:lease:key") <= 20_000
    raw.delete("evertoken:lease:key")  # as after 20 s
    second = store.acquire("key")
    assert second is not None
    first.release()
    assert store.acquire("key") is None
    assert repr(second) == "<lease taken>"
    second.release()
    assert repr(second) == "<lease released>"
    assert not raw.exists("evertoken:lease:key")


def test_a_lost_answer_does_not_lose_the_lease(store: RedisTokenStore) -> None:
    """The same holder, asking again over a new connection, has it still; another has not."""
    asked = [store._run(_ACQUIRE, "lease:key", owner, 20_000) for owner in ("me", "me", "you")]
    assert asked == [1, 1, 0]


def test_garbage_is_a_miss_and_is_replaced(store: RedisTokenStore, raw: redis.Redis, time: FakeTime) -> None:
    """Bytes, half a token, another key's, one from the future, and values that are no strings."""
    name = "evertoken:token:key"
    whole = dumps("key", issue(time))
    contents = [
        b"",
        b"\xff\x00",
        whole[:50],
        dumps("other", issue(time)),
        dumps("key", issue(time, age=-999)),
    ]
    for content in contents:
        raw.set(name, content)
        assert store.get("key") is None
        store.put("key", issue(time))
        assert store.get("key") == issue(time)
    raw.delete(name)
    raw.rpush(name, "a", "list")
    assert store.get("key") is None
    store.put("key", issue(time))
    assert store.get("key") == issue(time)


def test_garbage_is_no_lease(store: RedisTokenStore, raw: redis.Redis) -> None:
    """What would never end keeps nobody from renewing: a value without an end, a list, one of a year."""
    name = "evertoken:lease:key"
    for plant in (
        lambda: raw.set(name, "x"),
        lambda: raw.rpush(name, "x"),
        lambda: raw.set(name, "x", px=31_536_000_000),
    ):
        raw.delete(name)
        plant()
        lease = store.acquire("key")
        assert lease is not None
        assert store.acquire("key") is None
        lease.release()


class Meddler:
    """Passes commands on, and lets somebody else put a token before the one that writes."""

    def __init__(self, client: RedisClient, other: RedisTokenStore, tokens: Iterator[AccessToken]) -> None:
        self.client = client
        self.other = other
        self.tokens = tokens

    def execute_command(self, *args: object, **options: object) -> object:
        if "'PX', ARGV[3]" in str(args[1]):
            token = next(self.tokens, None)
            if token is not None:
                self.other.put("key", token)
        return self.client.execute_command(*args, **options)


def test_a_newer_token_that_came_between_stays(
    server: RedisServer, store: RedisTokenStore, time: FakeTime
) -> None:
    """Looking and replacing are one step, or are done again."""
    with connected(server) as client:
        meddler = Meddler(client, store, iter([issue(time, "newer", age=1)]))
        RedisTokenStore(meddler, clock=time.clock()).put("key", issue(time, "older", age=2))
        assert store.get("key") == issue(time, "newer", age=1)
        meddler.tokens = iter([issue(time, "middle", age=0.5)])
        RedisTokenStore(meddler, clock=time.clock()).put("key", issue(time, "newest"))
        assert store.get("key") == issue(time, "newest")
        meddler.tokens = iter([issue(time, f"{n}", age=-n / 100) for n in range(1, 30)])
        with pytest.raises(StoreError, match="another token at every attempt"):
            RedisTokenStore(meddler, clock=time.clock()).put("key", issue(time, "last", age=-1))


def test_down_at_start_fails_at_once_and_rests(time: FakeTime) -> None:
    """Five seconds without a connection, then it is tried again."""
    server = RedisServer()
    store = RedisTokenStore(server.url, clock=time.clock())
    try:
        assert elapsed_until_refused(store) < 1
        server.start()
        time.pass_(CIRCUIT_OPEN - 0.1)
        for refused in (store.get, store.acquire):
            with pytest.raises(StoreError, match="asked again after that"):
                refused("key")
        time.pass_(0.2)
        store.put("key", issue(time))
        assert store.get("key") == issue(time)
    finally:
        server.close()


def test_dying_midway_and_restarting_empty(mortal: RedisServer, time: FakeTime) -> None:
    """A lease of it is released without an error; afterwards it is empty, and serves."""
    store = RedisTokenStore(mortal.url, clock=time.clock())
    store.put("key", issue(time))
    lease = store.acquire("key")
    assert lease is not None
    mortal.stop()
    with pytest.raises(StoreError, match=r"Redis failed \(ConnectionError\)"):
        store.put("key", issue(time, "newer"))
    lease.release()
    mortal.start()
    time.pass_(CIRCUIT_OPEN)
    assert store.get("key") is None
    assert store.acquire("key") is not None


def test_a_restart_between_two_renewals_goes_unnoticed(mortal: RedisServer, time: FakeTime) -> None:
    """The connection of the last renewal is dead; the command goes over another one."""
    store = RedisTokenStore(mortal.url, clock=time.clock())
    store.put("key", issue(time))
    mortal.restart()
    assert store.get("key") is None


class BreaksOnce(socketserver.BaseRequestHandler):
    """Passes on what a client and a server say, but hangs up at the first script it sees."""

    def handle(self) -> None:
        client = cast("socket.socket", self.request)
        proxy = cast("BreakingProxy", self.server)
        with socket.create_connection(("127.0.0.1", proxy.target)) as target:
            while True:
                for ready in select.select([client, target], [], [])[0]:
                    data = ready.recv(65536)
                    if not data or (b"EVAL" in data and proxy.breaks()):
                        return
                    (target if ready is client else client).sendall(data)


class BreakingProxy(socketserver.ThreadingTCPServer):
    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), BreaksOnce)
        self.target = target
        self.scripts = 0

    def breaks(self) -> bool:
        self.scripts += 1
        return self.scripts == 1


def test_a_connection_that_breaks_is_replaced_at_once(
    server: RedisServer, store: RedisTokenStore, time: FakeTime
) -> None:
    """A command whose connection is closed under it is sent once more, over another."""
    store.put("key", issue(time))
    with BreakingProxy(server.port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        through = RedisTokenStore(f"redis://127.0.0.1:{proxy.server_address[1]}", clock=time.clock())
        try:
            assert through.get("key") == issue(time)
        finally:
            # Handlers end with their connections.
            through._client._pool.disconnect()  # type: ignore[attr-defined]
            proxy.shutdown()
            thread.join()
    assert proxy.scripts == 2


def test_an_idle_connection_is_not_trusted(store: RedisTokenStore, raw: redis.Redis, time: FakeTime) -> None:
    """Between renewals something may have dropped it silently: the next one has a new connection."""

    def connections() -> object:
        return cast("dict[str, object]", ask(raw, "INFO", "stats"))["total_connections_received"]

    store.put("key", issue(time))
    before = connections()
    time.pass_(IDLE_LONGEST)
    store.get("key")
    assert connections() == before
    time.pass_(IDLE_LONGEST + 1)
    store.get("key")
    assert connections() == cast("int", before) + 1


def test_hanging_costs_few_seconds_once(mortal: RedisServer, time: FakeTime) -> None:
    """With a connection that stands, and with a new one."""
    store = RedisTokenStore(mortal.url, clock=time.clock())
    token = issue(time)
    store.put("key", token)
    mortal.freeze()
    assert elapsed_until_refused(store) < 2.5
    assert elapsed_until_refused(store) < 0.1
    new = RedisTokenStore(mortal.url, clock=time.clock())
    assert elapsed_until_refused(new) < 2.5
    mortal.thaw()
    time.pass_(CIRCUIT_OPEN)
    assert store.get("key") == token


def test_what_is_no_redis_fails(time: FakeTime) -> None:
    """A server that speaks another protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listener, concurrent.futures.ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            for _ in range(2):
                connection, _address = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        pool.submit(answer)
        port = listener.getsockname()[1]
        with pytest.raises(StoreError, match="Redis failed"):
            RedisTokenStore(f"redis://127.0.0.1:{port}", clock=time.clock()).get("key")
        for _ in range(2):
            socket.create_connection(("127.0.0.1", port)).close()


def test_a_password_is_used_and_shown_nowhere(time: FakeTime) -> None:
    """Right it serves, wrong it fails; neither error, nor repr, nor a frame shows it, or the token."""
    with running_redis("--requirepass", "the-password") as server:
        right, wrong = (
            f"redis://:{word}@127.0.0.1:{server.port}/0" for word in ("the-password", "a-wrong-one")
        )
        store = RedisTokenStore(right, clock=time.clock())
        store.put("key", issue(time))
        assert store.get("key") == issue(time)
        assert "the-password" not in repr(store)
        server.stop()
        with pytest.raises(StoreError) as caught:
            store.put("key", issue(time, "never-shown", age=-1))
        shown = locals_of(caught.value)
        assert "the-password" not in shown
        assert "never-shown" not in shown
        server.start()
        refused = RedisTokenStore(wrong, clock=time.clock())
        with pytest.raises(StoreError, match=r"Redis failed \(AuthenticationError\)") as caught:
            refused.get("key")
        assert "a-wrong-one" not in locals_of(caught.value)
        assert caught.value.__context__ is None


def test_what_was_kept_is_not_shown_when_replacing_fails(server: RedisServer, time: FakeTime) -> None:
    """The server dies between looking and writing."""

    class Dying(Meddler):
        def execute_command(self, *args: object, **options: object) -> object:
            if "'PX', ARGV[3]" in str(args[1]):
                raise redis.ConnectionError(f"lost {args}")
            return super().execute_command(*args, **options)

    RedisTokenStore(server.url, clock=time.clock()).put("key", issue(time, "kept-before", age=1))
    with connected(server) as client:
        store = RedisTokenStore(client, clock=time.clock())
        dying = RedisTokenStore(Dying(client, store, iter(())), clock=time.clock())
        with pytest.raises(StoreError) as caught:
            dying.put("key", issue(time, "never-shown"))
    assert "kept-before" not in locals_of(caught.value)
    assert "never-shown" not in locals_of(caught.value)


@pytest.mark.parametrize("url", ["", "http://:the-password@h", "h:6379", "redis://:the-password@h:port/0"])
def test_a_wrong_url_is_refused_and_not_shown(url: str) -> None:
    """Before anything is connected."""
    with pytest.raises(ArgumentError, match=r"^client_or_url: no URL of a Redis") as caught:
        RedisTokenStore(url)
    assert "the-password" not in locals_of(caught.value)


def test_an_asynchronous_client_is_refused() -> None:
    """Its commands would never be sent."""
    with pytest.raises(ArgumentError, match="an asynchronous client"):
        RedisTokenStore(redis.asyncio.Redis())


def test_tls_is_checked(tmp_path: pathlib.Path, time: FakeTime) -> None:
    """By rediss:// with the authority of the server; without it the store fails."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    options = (
        *("--tls-cert-file", str(tmp_path / "cert.pem")),
        *("--tls-key-file", str(tmp_path / "key.pem")),
        *("--tls-ca-cert-file", str(tmp_path / "ca.pem")),
        *("--tls-auth-clients", "no"),
    )
    with running_redis(*options, scheme="rediss") as server:
        store = RedisTokenStore(f"{server.url}?ssl_ca_certs={tmp_path / 'ca.pem'}", clock=time.clock())
        store.put("key", issue(time))
        assert store.get("key") == issue(time)
        with pytest.raises(StoreError):
            RedisTokenStore(server.url, clock=time.clock()).get("key")


def test_a_killed_holder_leaves_a_lease_that_ends(store: RedisTokenStore, server: RedisServer) -> None:
    """Until then nobody gets it; the others wait no longer than they are told to."""
    program = (
        "import os, sys; from evertoken.store_redis import RedisTokenStore;"
        "lease = RedisTokenStore(sys.argv[1]).acquire('key'); print(lease, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, server.url], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (-9, "<lease taken>\n")
    assert store.acquire("key") is None
    assert 0 < store.longest_wait < 15


def test_many_processes_take_one_lease(server: RedisServer) -> None:
    """Of four that ask at once, over connections of their own."""
    program = (
        "import sys; from evertoken.store_redis import RedisTokenStore; store = RedisTokenStore(sys.argv[1]);"
        "store.get('key'); print('ready', flush=True); input(); print(store.acquire('key'), flush=True)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, server.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    shown = [process.communicate("\n", timeout=20)[0] for process in processes]
    assert sorted(shown) == ["<lease taken>\n"] + ["None\n"] * 3


def nothing_found(name: str) -> None:
    return None


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a URL; a ready client brings its own."""
    monkeypatch.setattr(importlib.util, "find_spec", nothing_found)
    with pytest.raises(ModuleNotFoundError, match=r"evertoken\[redis\]"):
        RedisTokenStore(f"redis://127.0.0.1:{free_port()}")
    RedisTokenStore(redis.Redis())


def test_without_a_server_tests_are_skipped_unless_one_is_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """A contributor without Redis sees why; where CI requires one, its lack is a failure."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("EVERTOKEN_REQUIRE_REDIS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install redis-server"):
        redis_program()
    monkeypatch.setenv("EVERTOKEN_REQUIRE_REDIS", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install redis-server"):
        redis_program()
    (tmp_path / "valkey-server").touch(0o755)
    assert pathlib.Path(redis_program()).name == "valkey-server"
