"""Real processes for the tests: each has a client of its own and does what it is told, line by line.

Run as a program it is such a process. The settings, the secret among them, come in the first line of its
input. After "ready" it makes one call for each line that says "call", and tells the outcome.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import anyio

from evertoken import (
    AsyncManagementClient,
    EvertokenError,
    FileTokenStore,
    ManagementClient,
    RedisTokenStore,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Self

PATIENCE = 60.0
"""Seconds for an answer of a program: above all that a call may take, on a busy machine too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What a program is to be. `processes` share one interpreter's start, by fork; every other is async.

    `store` is the folder of a FileTokenStore or the URL of a Redis. `largest_file` limits what the
    program can write to a file, in bytes: a full disk to it. `user` is whose rights it takes after the
    first call, made without a store.
    """

    domain: str
    client_id: str
    client_secret: str = dataclasses.field(repr=False)
    store: str | None = None
    processes: int = 1
    largest_file: int | None = None
    user: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How one call of one process went. `token` is a digest, `ended` the monotonic clock of the machine."""

    total: int | None
    token: str | None
    error: str | None
    seconds: float
    ended: float
    pid: int


class Program:
    """A process, or several that one interpreter has forked."""

    def __init__(self, settings: Settings, ca_file: str | None, *, umask: int = -1) -> None:
        self._count = settings.processes
        self._read = b""
        self._started = False
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            umask=umask,
            env={**os.environ, **({} if ca_file is None else {"SSL_CERT_FILE": ca_file})},
        )
        self._tell(json.dumps(dataclasses.asdict(settings)))

    def wait_ready(self) -> None:
        """Return when all its processes wait for what to do."""
        if not self._started:
            assert self._lines(self._count) == ["ready"] * self._count
            self._started = True

    def begin_call(self) -> None:
        """Let all its processes make a call at once."""
        self.wait_ready()
        self._tell("call")

    def outcomes(self) -> list[Outcome]:
        """Return how the calls went that were begun last."""
        return [Outcome(**json.loads(line)) for line in self._lines(self._count)]

    def call(self) -> list[Outcome]:
        """Make a call in each of its processes."""
        self.begin_call()
        return self.outcomes()

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._process.kill()

    def stop(self) -> None:
        """Stop it where it is, as a debugger or a frozen container does."""
        self._process.send_signal(signal.SIGSTOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # At the end of their input the processes end, and those of a fork with the one that forked.
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(0 if error else 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _lines(self, count: int) -> list[str]:
        """Return the next lines of its output."""
        assert self._process.stdout is not None
        file = self._process.stdout.fileno()
        deadline = time.monotonic() + PATIENCE
        while self._read.count(b"\n") < count:
            ready, _, _ = select.select([file], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no answer of the program within {PATIENCE:g} s"
            data = os.read(file, 65536)
            assert data, "the program ended without an answer"
            self._read += data
        *lines, self._read = self._read.split(b"\n", count)
        return [line.decode() for line in lines]


def main() -> None:
    """Be such a process, until the end of the input."""
    settings = Settings(**json.loads(sys.stdin.readline()))
    # What is imported late would be imported by each process, or not at all by another user.
    for module in ("evertoken_api.clients", "filelock", "redis"):
        importlib.import_module(module)
    pipes: list[int] = []
    for number in range(1, settings.processes):
        reading, writing = os.pipe()
        if not os.fork():
            for file in (writing, *pipes):
                os.close(file)
            with os.fdopen(reading) as lines:
                _serve(settings, lines, asynchronous=number % 2 == 1)
            os._exit(0)
        os.close(reading)
        pipes.append(writing)
    _serve(settings, _handed_on(pipes), asynchronous=False)
    for file in pipes:
        os.close(file)
    for _ in pipes:
        os.wait()


def _handed_on(pipes: list[int]) -> Iterator[str]:
    for line in sys.stdin:
        for file in pipes:
            os.write(file, line.encode())
        yield line


def _serve(settings: Settings, lines: Iterable[str], *, asynchronous: bool) -> None:
    if settings.largest_file is not None:
        _limit_files(settings.largest_file)
    if settings.user is not None:
        _become(settings)
    call = _async_caller(settings) if asynchronous else _caller(settings)
    _say("ready")
    for _ in lines:
        began = time.monotonic()
        total = token = error = None
        try:
            total, token = call()
        except EvertokenError as problem:
            error = str(problem)
        ended = time.monotonic()
        outcome = Outcome(total, token, error, ended - began, ended, os.getpid())
        _say(json.dumps(dataclasses.asdict(outcome)))


def _say(line: str) -> None:
    # In one piece, so that the lines of several processes do not mix.
    os.write(1, f"{line}\n".encode())


def _caller(settings: Settings) -> Callable[[], tuple[int | None, str]]:
    client = ManagementClient(
        domain=settings.domain,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        token_store=_store_of(settings),
    )

    def call() -> tuple[int | None, str]:
        total = client.clients.list(per_page=1).total
        return total, digest(client.access_token().value)

    return call


def _async_caller(settings: Settings) -> Callable[[], tuple[int | None, str]]:
    client = AsyncManagementClient(
        domain=settings.domain,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        token_store=_store_of(settings),
    )

    async def call() -> tuple[int | None, str]:
        async with client:
            total = (await client.clients.list(per_page=1)).total
            return total, digest((await client.access_token()).value)

    return lambda: anyio.run(call)


def _store_of(settings: Settings) -> FileTokenStore | RedisTokenStore | None:
    if settings.store is None:
        return None
    return RedisTokenStore(settings.store) if "://" in settings.store else FileTokenStore(settings.store)


def digest(token: str) -> str:
    """Return what tells tokens apart and shows none."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def _limit_files(size: int) -> None:
    import resource  # noqa: PLC0415 - Windows has none

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _become(settings: Settings) -> None:
    """Take the rights of another user, once everything is loaded that is there for this one only."""
    assert settings.user is not None
    _caller(dataclasses.replace(settings, store=None))()
    os.setegid(settings.user)
    os.seteuid(settings.user)


if __name__ == "__main__":
    main()
