"""Renewals off the callers' path: in a daemon thread, or in a task on the caller's event loop.

Each is at most one for a token source, sends through the client of the call that noticed, and ends within
the time that a renewal has. Nothing here waits for the next one: an idle program asks for nothing.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Final, Protocol, cast

import anyio
import anyio.lowlevel

from evertoken.pump import pump, pump_async

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import httpx

    from evertoken.flow import Aside, StepAuth, Steps
    from evertoken.watch import Watch

_GRACE: Final = 0.25
"""Seconds: httpcore does not close a connection whose handshake is cancelled."""

_log = logging.getLogger("evertoken.token")


def run(
    client: httpx.Client,
    auth: StepAuth,
    steps: Steps[None],
    request: httpx.Request | None = None,
    watch: Watch | None = None,
) -> httpx.Response | None:
    """Carry steps out to their end, but for those that go aside; return the last response.

    `request` is the one they are for, `watch` sees what is sent. A network error is thrown into the steps.
    Raises what they raise.
    """
    return pump(client, auth.drive(steps, request, functools.partial(in_thread, client, auth)), watch)


async def run_async(
    client: httpx.AsyncClient,
    auth: StepAuth,
    steps: Steps[None],
    request: httpx.Request | None = None,
    watch: Watch | None = None,
) -> httpx.Response | None:
    """Carry steps out as `run` does."""
    return await pump_async(
        client, auth.drive_async(steps, request, functools.partial(as_task, client, auth)), watch
    )


def in_thread(client: httpx.Client, auth: StepAuth, step: Aside) -> bool:
    """Carry steps out in a thread that does not keep the program alive; tell whether it began."""

    def work() -> None:
        try:
            pump(client, auth.drive(step.steps))
        except Exception as error:  # noqa: BLE001 - told by the renewal; nobody waits here
            _note(error)
        finally:
            step.over()

    thread = threading.Thread(target=work, name="evertoken-renewal", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return False  # no more threads, or the interpreter is ending
    except BaseException:
        if thread.ident is None:
            step.over()  # interrupted before it began
        raise
    return True


class _Running:
    """A task under way: who closes its client ends it first."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()


_running: weakref.WeakKeyDictionary[httpx.AsyncClient, set[_Running]] = weakref.WeakKeyDictionary()
_tasks: set[object] = set()
"""Event loops hold their tasks weakly."""


def as_task(client: httpx.AsyncClient, auth: StepAuth, step: Aside) -> bool:
    """Carry steps out in a task of the current event loop, asyncio's or trio's; tell whether it began."""
    running = _Running()

    async def work() -> None:
        try:
            with running.scope:
                await pump_async(client, auth.drive_async(step.steps))
        except Exception as error:  # noqa: BLE001 - as in a thread; trio would end its whole run
            _note(error)
        finally:
            over()

    def over(_: object = None) -> None:
        step.over()
        running.ended.set()
        _running.get(client, set[_Running]()).discard(running)

    _running.setdefault(client, set()).add(running)
    _spawn(work, over)
    return True


async def end_tasks(client: httpx.AsyncClient) -> None:
    """Let what is under way through a client end, cancel it if it takes long, and wait until it has ended."""
    for running in list(_running.pop(client, ())):
        with anyio.move_on_after(_GRACE):
            await running.ended.wait()
        running.scope.cancel()
        await running.ended.wait()


class _Loop(Protocol):
    def create_task(self, coroutine: Coroutine[object, object, None]) -> _Task: ...


class _Task(Protocol):
    def add_done_callback(self, callback: Callable[[object], object]) -> object: ...


def _spawn(work: Callable[[], Coroutine[object, object, None]], over: Callable[[object], None]) -> None:
    loop: object = anyio.lowlevel.current_token().native_token
    if not hasattr(loop, "create_task"):
        # A system task ends with the run, without keeping it from ending.
        sys.modules["trio"].lowlevel.spawn_system_task(work)
        return
    task = cast("_Loop", loop).create_task(work())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    # A task that is cancelled before its first step runs none of its code.
    task.add_done_callback(over)


def _note(error: Exception) -> None:
    _log.debug("a renewal in the background ended with %s", type(error).__name__)
