"""A real Redis or Valkey for tests: on a loopback port of its own, with nothing on disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from typing import TYPE_CHECKING, cast

import pytest
import redis

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence


def redis_program() -> str:
    """Return the server's path; without one the test is skipped, but fails where one is required."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is not None:
        return program
    reason = "neither redis-server nor valkey-server is on the PATH (Debian: apt-get install redis-server)"
    if os.environ.get("EVERTOKEN_REQUIRE_REDIS"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """One server, which can be started again on its port after it was stopped: empty, then."""

    def __init__(self, *options: str, scheme: str = "redis") -> None:
        self._options = options
        self._scheme = scheme
        self._program = redis_program()
        self._process: subprocess.Popen[str] | None = None
        self._folder = tempfile.mkdtemp(prefix="evertoken-redis-")
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/0"

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def start(self, *, attempts: int = 1) -> None:
        """Start, and return when it takes connections; at another port each attempt."""
        log: list[str] = []
        for attempt in range(attempts):
            if attempt:
                self.port = free_port()
            self._process = subprocess.Popen(
                [self._program, *self._arguments()],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self._folder,
            )
            log = list(self._log_until_ready())
            if log and "Ready to accept connections" in log[-1]:
                return
            self.stop()
        raise AssertionError("the server did not start: " + "".join(log))

    def _arguments(self) -> Sequence[str]:
        ports = (
            ("--port", "0", "--tls-port", str(self.port))
            if self._scheme == "rediss"
            else ("--port", str(self.port))
        )
        return (*ports, "--save", "", "--appendonly", "no", "--bind", "127.0.0.1", *self._options)

    def _log_until_ready(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield line
            if "Ready to accept connections" in line:
                return

    def stop(self) -> None:
        """Kill it, stopped or not, as a crash does."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def command(self, *words: str) -> object:
        """Send one command as its administrator."""
        with connected(self) as client:
            return client.execute_command(*words)  # type: ignore[no-untyped-call]

    def freeze(self) -> None:
        """Stop it in its tracks: connections are taken by the kernel, and nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def running_redis(*options: str, scheme: str = "redis") -> Generator[RedisServer]:
    """Run a server for as long as the block lasts."""
    server = RedisServer(*options, scheme=scheme)
    try:
        server.start(attempts=5)
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def connected(server: RedisServer, **options: object) -> Generator[redis.Redis]:
    """Connect to a server with redis-py."""
    # It does not type the options.
    from_url = cast("Callable[..., redis.Redis]", redis.Redis.from_url)  # pyright: ignore[reportUnknownMemberType]
    with from_url(server.url, **options) as client:
        yield client
