"""Calls a local tenant in trouble for a long time, and tells whether memory and descriptors stay flat."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Final, TypedDict

import anyio
from rich.console import Console

from evertoken import AsyncManagementClient, DriftWarning, EvertokenError, ManagementClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

THREADS: Final = 6
TASKS: Final = 20
PAUSE: Final = 0.05
"""Seconds between two calls of a thread or task."""

CLIENT_LIFE: Final = 20.0
"""Seconds until a client is closed and another one made."""

EVERY: Final = 1.0
"""Seconds between two looks at the process."""

GROWTH: Final = 1.05
"""How many times what the second quarter had the last one may have."""

OWN: Final = pathlib.Path("/proc/self")


class Credentials(TypedDict):
    """Where the tenant is, and what it takes there."""

    domain: str
    client_id: str
    client_secret: str


@dataclasses.dataclass(frozen=True)
class Look:
    """The process at one moment; memory in MiB."""

    memory: float
    descriptors: int
    threads: int


def look() -> Look:
    """Return what the process holds now."""
    pages = int((OWN / "statm").read_text("ascii").split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Look(memory, len(list((OWN / "fd").iterdir())), threading.active_count())


class Soak:
    """One run, and what it has seen."""

    def __init__(self, credentials: Credentials, seconds: float) -> None:
        self._credentials = credentials
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self.calls = 0
        self.failures = collections.Counter[str]()
        self.surprises: list[str] = []
        self.looks: list[Look] = []

    def goes_on(self) -> bool:
        """Tell whether there is time left."""
        return time.monotonic() < self._end

    def note(self, error: BaseException | None) -> None:
        """Count a call; an error that is none of the library's is a surprise."""
        with self._lock:
            self.calls += 1
            if isinstance(error, EvertokenError):
                self.failures[type(error).__name__] += 1
            elif error is not None:
                self.surprises.append(f"{type(error).__name__}: {error}")

    def in_threads(self) -> None:
        """Call from threads, with one client after the other."""
        while self.goes_on():
            until = time.monotonic() + CLIENT_LIFE
            with ManagementClient(**self._credentials, max_retries=1) as client:
                threads = [threading.Thread(target=self._calls, args=(client, until)) for _ in range(THREADS)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

    def _calls(self, client: ManagementClient, until: float) -> None:
        while self.goes_on() and time.monotonic() < until:
            try:
                for application in client.clients.list(per_page=50):
                    client.clients.get(application.client_id or "none")
                    self.note(None)
                    time.sleep(PAUSE)
                    if time.monotonic() > until:
                        break
            except Exception as error:  # noqa: BLE001  # what it is, is the question
                self.note(error)

    async def in_tasks(self) -> None:
        """Call from tasks, with one client after the other."""
        while self.goes_on():
            until = time.monotonic() + CLIENT_LIFE
            async with (
                AsyncManagementClient(**self._credentials, max_retries=1) as client,
                anyio.create_task_group() as tasks,
            ):
                for _ in range(TASKS):
                    tasks.start_soon(self._calls_async, client, until)

    async def _calls_async(self, client: AsyncManagementClient, until: float) -> None:
        while self.goes_on() and time.monotonic() < until:
            try:
                async for application in client.clients.list(per_page=50):
                    await client.clients.get(application.client_id or "none")
                    self.note(None)
                    await anyio.sleep(PAUSE)
                    if time.monotonic() > until:
                        break
            except Exception as error:  # noqa: BLE001  # what it is, is the question
                self.note(error)

    def watch(self) -> None:
        """Look at the process every now and then."""
        while self.goes_on():
            time.sleep(EVERY)
            self.looks.append(look())

    def run(self) -> None:
        """Do all of it at once, to the end."""
        others = [threading.Thread(target=self.in_threads), threading.Thread(target=self.watch)]
        for thread in others:
            thread.start()
        anyio.run(self.in_tasks)
        for thread in others:
            thread.join()


def verdicts(looks: Sequence[Look]) -> list[tuple[str, float, float, bool]]:
    """Return what is compared: name, value of the second quarter and of the last, whether it is flat."""
    quarter = len(looks) // 4
    second, last = looks[quarter : 2 * quarter], looks[-quarter:]

    def compared(
        name: str, of: Callable[[Look], float], summary: Callable[[Sequence[float]], float]
    ) -> tuple[str, float, float, bool]:
        before, after = summary([of(one) for one in second]), summary([of(one) for one in last])
        return name, before, after, after <= before * GROWTH

    return [
        compared("memory, MiB, median", lambda one: one.memory, statistics.median),
        compared("descriptors, most", lambda one: one.descriptors, max),
        compared("threads, most", lambda one: one.threads, max),
    ]


def report(soak: Soak) -> bool:
    """Print what was seen; return whether all is well."""
    failures = ", ".join(f"{count} {name}" for name, count in sorted(soak.failures.items()))
    console.print(f"{soak.calls} calls; failed as they should: {failures or 'none'}")
    for surprise in sorted(set(soak.surprises)):
        console.print(f"not an error of the library: {surprise}")
    good = not soak.surprises and soak.calls > 0
    for name, before, after, flat in verdicts(soak.looks):
        found = "flat" if flat else "GROWS"
        console.print(f"{name}: {before:.1f} in the second quarter, {after:.1f} in the last: {found}")
        good = good and flat
    return good


def main() -> int:
    """Return 0 where all is well."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    minutes: float = parser.parse_args().minutes
    if minutes * 60 < 8 * EVERY:
        parser.error(f"--minutes: {minutes} is too short to tell a second quarter from the last")
    if not OWN.exists():
        parser.error("needs a system with /proc, such as Linux")
    warnings.simplefilter("ignore", DriftWarning)
    program = [sys.executable, str(pathlib.Path(__file__).with_name("_soak_tenant.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tenant:  # noqa: S603  # our own
        try:
            line = tenant.stdout.readline() if tenant.stdout else ""
            credentials: Credentials = json.loads(line)
            soak = Soak(credentials, minutes * 60)
            soak.run()
        finally:
            tenant.terminate()
    return 0 if report(soak) else 1


console = Console(highlight=False, markup=False, soft_wrap=True)

if __name__ == "__main__":
    sys.exit(main())
