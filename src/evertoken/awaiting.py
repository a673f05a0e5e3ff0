"""What a task may await beside the network: a function that blocks, and a future that any thread settles."""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import functools
import inspect
import math
import sys
import threading
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


async def call_in_thread(function: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """Call a function in a daemon thread of its own; wait no longer than the task is let to.

    `undo` is called with the result where the task was cancelled meanwhile.

    Not in a worker thread of the event loop: all of those may be waiting for this very renewal, a task
    cannot leave one before it is done, and asyncio's keep the program alive.
    """
    outcome: Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            outcome.set_exception(error)

    context = contextvars.copy_context()
    if "sniffio" in sys.modules:
        # Where it is installed, it tells anyio by a context variable that an event loop runs here.
        context.run(sys.modules["sniffio"].current_async_library_cvar.set, None)
    threading.Thread(target=context.run, args=(work,), name="evertoken-call", daemon=True).start()
    try:
        await until_done(outcome, math.inf)
    except BaseException:
        outcome.add_done_callback(functools.partial(_undo, undo))
        raise
    return outcome.result()


def _undo(undo: Callable[[T], object] | None, outcome: Future[T]) -> None:
    if outcome.exception() is not None:
        return
    result = outcome.result()
    if inspect.iscoroutine(result):
        result.close()
    elif undo is not None:
        undo(result)


class _EventLoop(Protocol):
    def call_soon_threadsafe(self, callback: Callable[[], object]) -> object: ...

    def run_sync_soon(self, callback: Callable[[], object]) -> object: ...


async def until_done(outcome: Future[T], seconds: float) -> None:
    """Wait for a future that any thread may settle, under asyncio and trio alike."""
    done = anyio.Event()
    # asyncio's event loop or trio's token: each has its own name for "from any thread".
    loop = cast("_EventLoop", anyio.lowlevel.current_token().native_token)
    schedule = loop.call_soon_threadsafe if hasattr(loop, "call_soon_threadsafe") else loop.run_sync_soon

    def wake(_: object) -> None:
        # The loop may have ended since: then nobody waits.
        with contextlib.suppress(RuntimeError):
            schedule(done.set)

    outcome.add_done_callback(wake)
    with anyio.move_on_after(seconds):
        await done.wait()
