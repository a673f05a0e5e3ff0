"""Programs that fork, run one event loop after the other, or end while a renewal hangs.

Run as a program this is one of them: its name is the first argument, further ones choose among its forms,
and the credentials are the first line of its input. `wait()` tells the test that something has happened and
waits for its word to go on.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import httpx

from evertoken import (
    AccessToken,
    AsyncManagementClient,
    Clock,
    ManagementAuth,
    ManagementClient,
    MemoryTokenStore,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from evertoken import TokenSource

PATIENCE = 60.0
"""Seconds for whatever a program is to do, on a busy machine too."""

HANGS = 30.0
"""Seconds that a function of the program's own hangs, where it does."""


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How a program ended. `seconds` is from its last line to its end."""

    status: int
    seconds: float
    errors: str


class LifeProgram:
    """One of the programs below, under way."""

    def __init__(self, name: str, *forms: str, credentials: Mapping[str, object], ca_file: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, name, *forms],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "SSL_CERT_FILE": ca_file},
        )
        # Whatever happens, nobody waits for a line for ever.
        self._timer = threading.Timer(PATIENCE, self._process.kill)
        self._timer.daemon = True
        self._timer.start()
        self.go(json.dumps(credentials))

    @property
    def pid(self) -> int:
        """The number of the process, for signals."""
        return self._process.pid

    def read(self) -> str:
        """Return its next line, empty at its end."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def go(self, line: str = "go") -> None:
        """Let it go on from `wait()`."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def end(self) -> End:
        """Wait for its end; its last line was just read."""
        began = time.monotonic()
        self._process.wait()
        seconds = time.monotonic() - began
        assert self._process.stderr is not None
        return End(self._process.returncode, seconds, self._process.stderr.read())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert file is not None
            with contextlib.suppress(BrokenPipeError):
                file.close()
        self._timer.join()


# What follows runs in the programs.


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def wait(line: str) -> None:
    say(line)
    assert sys.stdin.readline(), "the test has ended"


async def wait_async(line: str) -> None:
    await anyio.to_thread.run_sync(wait, line)


def fork(work: Callable[[], object]) -> int:
    """Do something in a child; return its number."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(20)  # nobody else ends a child that stands still
    try:
        work()
    except BaseException:  # noqa: BLE001 - shown to the test, whatever it is
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def join(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    say(f"child {os.waitstatus_to_exitcode(status)}")


def fork_after_warm_up(credentials: dict[str, Any]) -> None:
    """Fork children of both colours, and let a child fork, all with the clients of the parent."""
    client, other = ManagementClient(**credentials), AsyncManagementClient(**credentials)
    client.clients.list()

    def run() -> None:
        asyncio.run(list_once(other))

    run()
    for work in (client.clients.list, run, lambda: join(fork(client.clients.list))):
        children = [fork(work) for _ in range(2)]
        client.clients.list()
        run()
        for child in children:
            join(child)


def fork_during_renewal(credentials: dict[str, Any]) -> None:
    """Fork while a thread waits for the token endpoint; parent and child go on."""
    client = ManagementClient(**credentials)
    threads = [threading.Thread(target=client.clients.list) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait("asking")
    join(fork(client.clients.list))
    wait("forked")
    for thread in threads:
        thread.join()
    client.clients.list()


def fork_in_event_loop(credentials: dict[str, Any]) -> None:
    """Fork in an event loop while one of its tasks waits for the token endpoint."""
    client = AsyncManagementClient(**credentials)

    async def main() -> None:
        tasks = [asyncio.create_task(list_once(client)) for _ in range(3)]
        await wait_async("asking")
        join(fork(lambda: asyncio.run(list_once(client))))
        await wait_async("forked")
        await asyncio.gather(*tasks)
        await client.aclose()

    asyncio.run(main())


def fork_beside_early_renewal(credentials: dict[str, Any]) -> None:
    """Fork while a thread of the library's own renews ahead of time."""
    client = ManagementClient(**credentials)
    client.clients.list()
    make_due(client.token_source)
    client.clients.list()
    wait("asking")
    join(fork(client.clients.list))
    wait("forked")
    client.clients.list()


def fork_beside_store(credentials: dict[str, Any]) -> None:
    """Fork while a thread is in the middle of putting a token into a store in memory."""
    entered, leave, thread = threading.Event(), threading.Event(), threading.Thread()

    def wall() -> float:
        if threading.current_thread() is thread:
            entered.set()
            leave.wait(PATIENCE)
        return time.time()

    store = MemoryTokenStore(clock=Clock(wall=wall))
    client = ManagementClient(**credentials, token_store=store)
    # The store looks at the clock when a key has a token already.
    token = AccessToken("not-a-secret", issued_at=0, expires_at=1)
    store.put("another key", token)
    thread = threading.Thread(target=store.put, args=("another key", token))
    thread.start()
    assert entered.wait(PATIENCE)
    join(fork(client.clients.list))
    leave.set()
    thread.join()
    client.clients.list()


async def list_once(client: AsyncManagementClient) -> None:
    await client.clients.list()


def runs(credentials: dict[str, Any], *backends: str) -> None:
    """Use one async client in one event loop after the other, without closing it."""
    client = AsyncManagementClient(**credentials)
    for backend in backends:
        anyio.run(list_once, client, backend=backend)
    say("last")


def loops(credentials: dict[str, Any], *backends: str) -> None:
    """Use one async client in event loops that run at once, each in a thread."""
    client = AsyncManagementClient(**credentials)
    start = threading.Barrier(len(backends))

    async def main() -> None:
        start.wait(PATIENCE)
        async with client, anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(list_once, client)

    def work(backend: str) -> None:
        anyio.run(main, backend=backend)
        say("done")

    threads = [threading.Thread(target=work, args=(backend,)) for backend in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def make_due(source: TokenSource) -> None:
    """Let the advisory window of the token held begin now."""
    held = source._held
    assert held is not None
    held.advisory = 1e9


class HangingStore(MemoryTokenStore):
    """Hangs from its second use on."""

    def __init__(self) -> None:
        super().__init__()
        self._hang = hanging()

    def get(self, key: str) -> AccessToken | None:
        self._hang()
        return super().get(key)


def hanging(answer: str = "") -> Callable[[], str]:
    times: list[int] = []

    def ask() -> str:
        times.append(1)
        if len(times) > 1:
            say("hanging")
            time.sleep(HANGS)
        return answer

    return ask


def hung_options(credentials: dict[str, Any], what: str) -> dict[str, Any]:
    """Return options with which a renewal hangs from the second one on."""
    match what:
        case "secret":
            return {**credentials, "client_secret": hanging(credentials["client_secret"])}
        case "store":
            return {**credentials, "token_store": HangingStore()}
        case _:
            return credentials


def ends_sync(credentials: dict[str, Any], what: str, closing: str) -> None:
    """End with a renewal under way in a thread."""
    client = ManagementClient(**hung_options(credentials, what))
    client.clients.list()
    make_due(client.token_source)
    client.clients.list()
    wait("asking")
    client.clients.list()
    if closing == "closed":
        client.close()
    say("last")


def ends_async(credentials: dict[str, Any], what: str, closing: str, backend: str) -> None:
    """End with a renewal under way in a task."""
    client = AsyncManagementClient(**hung_options(credentials, what))

    async def main() -> None:
        await client.clients.list()
        make_due(client.token_source)
        await client.clients.list()
        await wait_async("asking")
        await client.clients.list()
        if closing == "closed":
            await client.aclose()
        say("last")

    if closing == "old style":
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
    else:
        anyio.run(main, backend=backend)


def ends_httpx(credentials: dict[str, Any]) -> None:
    """End with a renewal under way in a thread of the program's own."""
    auth = ManagementAuth(**credentials)
    url = f"https://{credentials['domain']}/api/v2/clients"
    with httpx.Client(auth=auth) as http:
        http.get(url)
        make_due(auth.token_source)
        threading.Thread(target=http.get, args=(url,), daemon=True).start()
        wait("asking")
        http.get(url)
        say("last")


def ends_httpx_async(credentials: dict[str, Any], backend: str) -> None:
    """End with a renewal under way in a task of the program's own."""
    auth = ManagementAuth(**credentials)
    url = f"https://{credentials['domain']}/api/v2/clients"

    async def main() -> None:
        async with httpx.AsyncClient(auth=auth) as http, anyio.create_task_group() as tasks:
            await http.get(url)
            make_due(auth.token_source)
            tasks.start_soon(http.get, url)
            await wait_async("asking")
            await http.get(url)
            say("last")
            tasks.cancel_scope.cancel()

    anyio.run(main, backend=backend)


def ends_in_atexit(credentials: dict[str, Any]) -> None:
    """Call while the interpreter ends, with a token that is due."""
    client = ManagementClient(**credentials)
    client.clients.list()
    make_due(client.token_source)

    def call() -> None:
        client.clients.list()
        wait("asking")
        client.clients.list()
        say("last")

    atexit.register(call)


def is_interrupted(credentials: dict[str, Any]) -> None:
    """Wait for a renewal that a thread carries out, until the test interrupts it; then go on."""
    client = ManagementClient(**credentials)
    thread = threading.Thread(target=client.clients.list)
    thread.start()
    wait("asking")
    try:
        say("waiting")
        client.clients.list()
    except KeyboardInterrupt:
        say("interrupted")
    client.clients.list()
    thread.join()
    say("last")


def is_interrupted_while_it_asks(credentials: dict[str, Any]) -> None:
    """Carry out a renewal until the test interrupts it; then go on."""
    client = ManagementClient(**credentials)
    try:
        say("asking")
        client.clients.list()
    except KeyboardInterrupt:
        say("interrupted")
    client.clients.list()
    say("last")


def is_interrupted_in_event_loop(credentials: dict[str, Any]) -> None:
    """Wait for a renewal on an event loop until the test interrupts it; then use another one."""
    client = AsyncManagementClient(**credentials)

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            say("asking")
            for _ in range(5):
                tasks.create_task(list_once(client))

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        say("interrupted")
    asyncio.run(list_once(client))
    say("last")


PROGRAMS: dict[str, Callable[..., None]] = {
    program.__name__: program
    for program in (
        fork_after_warm_up,
        fork_during_renewal,
        fork_in_event_loop,
        fork_beside_early_renewal,
        fork_beside_store,
        runs,
        loops,
        ends_sync,
        ends_async,
        ends_httpx,
        ends_httpx_async,
        ends_in_atexit,
        is_interrupted,
        is_interrupted_while_it_asks,
        is_interrupted_in_event_loop,
    )
}


def main() -> None:
    """Be the program that the arguments name."""
    # Python 3.12 warns of every fork beside threads, whatever they do.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    # Where the tests run in the background, interrupts may be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    PROGRAMS[sys.argv[1]](json.loads(sys.stdin.readline()), *sys.argv[2:])


if __name__ == "__main__":
    main()
