"""The stores of a simulated fleet: a host's files, and the Redis that all hosts reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from evertoken import MemoryTokenStore, store_file, store_redis

if TYPE_CHECKING:
    from _world import World

    from evertoken.clock import Clock
    from evertoken.store import Lease
    from evertoken.token import AccessToken

REDIS_ROUND_TRIP: Final = 0.0005
"""Seconds for the way to Redis and back."""

REDIS_CAPACITY: Final = 80_000.0
"""Operations a second: redis-benchmark's measure for the store's scripts, 50 connections, Redis 7.0."""

REDIS_CONNECTION: Final = 38_115
"""Bytes of Redis' memory for a connection just used: measured with 2,000 of redis-py's, Redis 7.0."""

REDIS_CONNECTION_IDLE: Final = 2_283
"""Bytes of the same some seconds later, when its buffers have shrunk."""


class HostFiles(MemoryTokenStore):
    """What `FileTokenStore` is to the processes of one host, without a disk: it takes no time.

    A lock ends with its process, and no simulated process dies.
    """

    longest_wait: float = store_file.LONGEST_WAIT

    def __init__(self, world: World, clock: Clock) -> None:
        super().__init__(clock=clock)
        self._world = world
        self._leased = False

    def get(self, key: str) -> AccessToken | None:
        """Return the token kept for a key."""
        self._world.count_operation()
        return super().get(key)

    def put(self, key: str, token: AccessToken) -> None:
        """Keep a token by the rule of all stores."""
        self._world.count_operation()
        super().put(key, token)

    def acquire(self, key: str) -> Lease | None:
        """Return the lease, None while another process of the host has it."""
        self._world.count_operation()
        if self._leased:
            return None
        self._leased = True
        return _HostLease(self)

    def free(self) -> None:
        """Let the next one have the lease."""
        self._leased = False


class _HostLease:
    def __init__(self, files: HostFiles) -> None:
        self._files: HostFiles | None = files

    def release(self) -> None:
        files, self._files = self._files, None
        if files is not None:
            files.free()


class RedisServer:
    """Carries out the scripts of `RedisTokenStore` one after the other, as fast as one core does."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._free_at = 0.0
        self._values: dict[str, tuple[bytes, float]] = {}

    def queue(self) -> float:
        """Take a place in the queue; return the seconds until the answer is there."""
        now = self.world.time.now
        # An operation of a sample stands for many.
        self._free_at = max(now, self._free_at) + self.world.weight / REDIS_CAPACITY
        # A sample's queue is as long as the fleet's, but its last place alone is as long as many.
        return REDIS_ROUND_TRIP + max(0.0, self._free_at - now - self.world.weight / REDIS_CAPACITY)

    def carry_out(self, script: str, name: str, arguments: list[bytes]) -> object:
        """Return what a script answers."""
        now = self.world.time.now
        kept, ends = self._values.get(name, (None, 0.0))
        kept = kept if ends > now else None
        match script:
            case store_redis._GET:  # noqa: SLF001 - the server has to know what it is told to do
                return kept
            case store_redis._ACQUIRE:  # noqa: SLF001
                if kept is not None and kept != arguments[0]:
                    return 0
                self._values[name] = (arguments[0], now + int(arguments[1]) / 1000)
            case store_redis._RELEASE:  # noqa: SLF001
                if kept != arguments[0]:
                    return 0
                del self._values[name]
            case store_redis._REPLACE:  # noqa: SLF001
                if (kept or b"") != arguments[0]:
                    return 0
                self._values[name] = (arguments[1], now + int(arguments[2]) / 1000)
            case _:
                raise AssertionError(script)
        return 1


class RedisConnection:
    """The client of one process; tells whether that process holds the lease."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self.leases = False

    def execute_command(self, *args: object, **options: object) -> object:
        """Send one command, and let its time pass."""
        _, script, _, name, *arguments = cast("tuple[str | bytes, ...]", args)
        world = self._server.world
        world.count_operation()
        seconds = self._server.queue()
        values = [value if isinstance(value, bytes) else str(value).encode() for value in arguments]
        late = seconds > store_redis.SOCKET_TIMEOUT
        world.time.now += store_redis.SOCKET_TIMEOUT if late else seconds
        # Redis carries out what it was sent, though nobody waits for the answer any more.
        answer = self._server.carry_out(str(script), str(name), values)
        if late:
            world.stats.store_failures += 1
            raise TimeoutError
        if script == store_redis._ACQUIRE:  # noqa: SLF001 - as in the server
            self.leases = answer == 1
        elif script == store_redis._RELEASE:  # noqa: SLF001
            self.leases = False
        return answer
