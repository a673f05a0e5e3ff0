"""Tokens in Redis or Valkey, for all hosts that reach it."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import secrets
from typing import TYPE_CHECKING, Final, Protocol, cast

from evertoken.clock import SYSTEM_CLOCK, Clock
from evertoken.errors import ArgumentError
from evertoken.store import StoreError, dumps, loads, replaces
from evertoken.token import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from evertoken.store import Lease
    from evertoken.token import AccessToken

_log = logging.getLogger("evertoken.token")

LONGEST_WAIT: Final = 12.0
"""Seconds: three attempts of a token request that is answered slowly. The lease lasts longer."""

LEASE_LIFETIME: Final = 20.0
"""Seconds: above the 15 s that a token request may take with all its attempts."""

SOCKET_TIMEOUT: Final = 1.0
"""Seconds for connecting, and for each answer: a renewal waits no longer for a server that hangs."""

CIRCUIT_OPEN: Final = 5.0
"""Seconds after a failure in which the server is not asked again."""

IDLE_LONGEST: Final = 30.0
"""Seconds. Renewals are hours apart, and what stands between may have forgotten an idle connection without
telling: waiting for an answer on it would end in a timeout."""

_PUT_ATTEMPTS: Final = 20
"""An attempt fails only because another one succeeded meanwhile."""

# Each is one step for the server, whoever else is at it. Plain commands with one key each: for Redis,
# Valkey and their clusters alike.

_ACQUIRE: Final = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
-- Whatever ends not at all, or later than a lease would, is none.
local left = redis.call('PTTL', KEYS[1])
if left < 0 or left > tonumber(ARGV[2]) then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
end
-- A connection that broke may have lost the answer that it is ours.
if redis.pcall('GET', KEYS[1]) == ARGV[1] then return 1 end
return 0
"""

_RELEASE: Final = """
if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

_GET: Final = """
local kept = redis.pcall('GET', KEYS[1])
-- A table tells of an error: the key is of another type than a string, so no token.
if type(kept) == 'table' then return false end
return kept
"""

_REPLACE: Final = """
local kept = redis.pcall('GET', KEYS[1])
if type(kept) == 'table' then kept = false end
if (kept or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class RedisClient(Protocol):
    """What is needed of a client: that of redis-py (`redis.Redis`, `RedisCluster`) or of valkey-py."""

    def execute_command(self, *args: object, **options: object) -> object:
        """Send one command and return its answer."""
        ...


class RedisTokenStore:
    """Keeps tokens in Redis or Valkey, so that a fleet renews once; needs the extra `redis` for a URL.

    `client_or_url` is `redis://`, `rediss://` (TLS) or `unix://` with what redis-py understands in it, or
    a ready client, synchronous, whose timeouts are then its owner's choice. A client made from a URL waits
    `SOCKET_TIMEOUT` for an answer. `prefix` begins the name of every key that is used.

    What fails raises StoreError, without the URL; for `CIRCUIT_OPEN` seconds after that the server is left
    alone. An entry lives as long as its token, a lease `LEASE_LIFETIME`.
    """

    longest_wait: float = LONGEST_WAIT

    def __init__(
        self,
        client_or_url: RedisClient | str | Secret,
        *,
        prefix: str = "evertoken:",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        # Rebound before anything can raise: a traceback's locals show no password.
        given = Secret(client_or_url) if isinstance(client_or_url, str) else client_or_url
        client_or_url = given
        self._prefix = prefix
        self._clock = clock
        self._rest_until = float("-inf")  # monotonic
        self._client = _connect(given, clock) if isinstance(given, Secret) else given
        if inspect.iscoroutinefunction(getattr(self._client, "execute_command", None)):
            raise ArgumentError("client_or_url", "an asynchronous client; give a URL or a redis.Redis")

    # An exception keeps the locals of every frame it passes. What is written holds the token, so frames
    # that have it return errors, and only those that do not raise them.

    def get(self, key: str) -> AccessToken | None:
        """Return the token kept for a key if it is good now."""
        found = self._find(key)
        if isinstance(found, StoreError):
            raise found
        return found

    def put(self, key: str, token: AccessToken) -> None:
        """Keep a token, unless the one that is there was issued later or this one is over already."""
        for _ in range(_PUT_ATTEMPTS):
            done = self._replace(key, token)
            if isinstance(done, StoreError):
                raise done
            if done:
                return
        raise StoreError("Redis: another token at every attempt to replace it; see who writes these keys")

    def acquire(self, key: str) -> Lease | None:
        """Return the lease of a key, None while somebody else has it."""
        owner = secrets.token_hex(16)
        done = self._run(_ACQUIRE, f"lease:{key}", owner, int(LEASE_LIFETIME * 1000))
        if isinstance(done, StoreError):
            raise done
        return _RedisLease(self, key, owner) if done == 1 else None

    def _release(self, key: str, owner: str) -> None:
        done = self._run(_RELEASE, f"lease:{key}", owner)
        if isinstance(done, StoreError):
            _log.debug("the lease was not released (%s); it ends by itself", done)

    def _find(self, key: str) -> AccessToken | StoreError | None:
        kept = self._run(_GET, f"token:{key}")
        if isinstance(kept, StoreError):
            return kept
        return loads(key, kept, self._clock.wall()) if isinstance(kept, bytes) else None

    def _replace(self, key: str, token: AccessToken) -> bool | StoreError:
        """Keep a token if it is to be kept; False if another one came between looking and writing."""
        kept = self._run(_GET, f"token:{key}")
        if isinstance(kept, StoreError):
            return kept
        kept = kept if isinstance(kept, bytes) else b""
        now = self._clock.wall()
        left = int((token.expires_at - now) * 1000)
        if left < 1 or not replaces(token, loads(key, kept, now), now):
            return True
        done = self._run(_REPLACE, f"token:{key}", kept, dumps(key, token), left)
        return done if isinstance(done, StoreError) else done == 1

    def _run(self, script: str, name: str, *arguments: str | bytes | int) -> object:
        """Return what the server answers to a script about one key, or a StoreError."""
        if self._clock.monotonic() < self._rest_until:
            return StoreError(f"Redis failed less than {CIRCUIT_OPEN:g} s ago; it is asked again after that")
        try:
            # The bytes themselves, also of a client that decodes: what is there may be no text.
            return self._client.execute_command(
                "EVAL", script, 1, self._prefix + name, *arguments, NEVER_DECODE=True
            )
        except Exception as error:  # noqa: BLE001 - of redis, valkey or the network
            self._rest_until = self._clock.monotonic() + CIRCUIT_OPEN
            # The type only: the text may quote an address with a password.
            kind = type(error).__name__
        return StoreError(f"Redis failed ({kind}); check that the server runs, its address and password")

    def __repr__(self) -> str:
        return f"RedisTokenStore(prefix={getattr(self, '_prefix', None)!r})"


class _RedisLease:
    def __init__(self, store: RedisTokenStore, key: str, owner: str) -> None:
        self._store = store
        self._key = key
        self._owner: str | None = owner

    def release(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            self._store._release(self._key, owner)  # noqa: SLF001 - one mechanism in two classes

    def __repr__(self) -> str:
        return f"<lease {'released' if self._owner is None else 'taken'}>"


class _OwnClient:
    """A client of redis-py that leaves idle connections alone."""

    def __init__(self, client: redis.Redis, clock: Clock) -> None:
        self._client: RedisClient = client
        self._pool = client.connection_pool
        self._clock = clock
        self._last_used = clock.monotonic()

    def execute_command(self, *args: object, **options: object) -> object:
        idle = self._clock.monotonic() - self._last_used
        if idle > IDLE_LONGEST:
            self._pool.disconnect(inuse_connections=False)
        self._last_used = self._clock.monotonic()
        return self._client.execute_command(*args, **options)


def _connect(url: Secret, clock: Clock) -> RedisClient:
    if importlib.util.find_spec("redis") is None:
        raise ModuleNotFoundError(
            "RedisTokenStore needs the extra redis for a URL: pip install 'evertoken[redis]'", name="redis"
        )
    client = _client_of(url)
    if client is None:
        raise ArgumentError("client_or_url", "no URL of a Redis; write redis://, rediss:// (TLS) or unix://")
    return _OwnClient(client, clock)


def _client_of(url: Secret) -> redis.Redis | None:
    import redis  # noqa: PLC0415 - an extra
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    try:
        # redis-py does not type the options.
        from_url = cast("Callable[..., redis.Redis]", redis.Redis.from_url)  # pyright: ignore[reportUnknownMemberType]
        return from_url(
            url.reveal(),
            socket_connect_timeout=SOCKET_TIMEOUT,
            socket_timeout=SOCKET_TIMEOUT,
            # A connection that is found broken is replaced at once. What timed out is not repeated.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            retry_on_error=[redis.ConnectionError],  # redis-py 5 wants to be told again
        )
    except Exception:  # noqa: BLE001 - it quotes the URL
        return None
