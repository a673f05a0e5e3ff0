"""An authentication flow as steps, with a driver for each colour.

One generator tells the story. It yields steps (a request to send, a response to read, a pause, a future to
wait for, a call that may block), and two short drivers carry them out, one blocking, one awaiting. Driven
by httpx, a flow can only yield requests; driven by `evertoken.transport`, it is also told of network errors
and can try again.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

import anyio
import httpx

from evertoken.awaiting import call_in_thread, until_done
from evertoken.body import LONGEST_BODY, read, read_async
from evertoken.errors import ArgumentError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from evertoken.clock import Clock
    from evertoken.token import AccessToken

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """Read the response's body, which gives its connection back; DecodeError beyond 64 MB.

    In `seconds`, where a task awaits it; a thread cannot be interrupted.
    """

    response: httpx.Response
    seconds: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Sleep:
    """Pause."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Wait until someone else's renewal is settled, or the time is over."""

    outcome: Future[AccessToken | None]
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """Call a function that may block.

    Where a task awaits it, the task may be cancelled meanwhile: `undo` is then called with the result.
    """

    function: Callable[[], object]
    undo: Callable[[object], object] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Aside:
    """Carry out `steps` without keeping this flow waiting. Answered with whether the driver does so.

    If it does, it calls `over` when it is done with them, however that came about. If it does not, it has
    not begun.
    """

    steps: Generator[Step, object, None]
    over: Callable[[], None]


Step: TypeAlias = httpx.Request | Read | Sleep | Wait | Call | Aside
Steps: TypeAlias = Generator[Step, object, T]


class FlowClosedError(Exception):
    """httpx ends the flow because the network failed: nothing more can be sent through it."""


class StepAuth(httpx.Auth):
    """An authentication flow written once, as steps, and driven in both colours."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def steps(self, request: httpx.Request) -> Steps[None]:
        """Yield what is to be done for one request; sent back is what came of each step."""
        raise NotImplementedError

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Drive the steps of a request, blocking."""
        return self.drive(self.steps(request), request)

    def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Drive the steps of a request, awaiting."""
        return self.drive_async(self.steps(request), request)

    def drive(
        self,
        steps: Steps[None],
        request: httpx.Request | None = None,
        take_aside: Callable[[Aside], bool] | None = None,
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Carry steps out, blocking; yield the requests among them. `request` is the one they are for.

        `take_aside` begins what need not be waited for; it returns whether it did, and raises nothing.
        """
        with contextlib.closing(steps):
            resume: Callable[[], Step] = functools.partial(next, steps)
            while (step := _advance(resume)) is not None:
                failure: Exception | None = None
                result: object = None
                closed = False
                try:
                    if isinstance(step, httpx.Request):
                        result = yield step
                    elif isinstance(step, Aside):
                        result = take_aside is not None and take_aside(step)
                    else:
                        result = self._perform(step)
                except GeneratorExit:
                    closed = True
                except Exception as error:  # noqa: BLE001 - handed to the steps, which decide
                    failure = error
                # Thrown outside the except block: an error raised there would carry httpx's as context,
                # whose frames hold the request that was sent.
                if closed and (failure := _why_closed(step, request)) is None:
                    return
                resume = _resume(steps, result, failure)

    async def drive_async(
        self,
        steps: Steps[None],
        request: httpx.Request | None = None,
        take_aside: Callable[[Aside], bool] | None = None,
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Carry steps out, awaiting; the rest is as in `drive`."""
        with contextlib.closing(steps):
            resume: Callable[[], Step] = functools.partial(next, steps)
            while (step := _advance(resume)) is not None:
                failure: Exception | None = None
                result: object = None
                closed = False
                try:
                    if isinstance(step, httpx.Request):
                        result = yield step
                    elif isinstance(step, Aside):
                        result = take_aside is not None and take_aside(step)
                    else:
                        result = await self._perform_async(step)
                except GeneratorExit:
                    closed = True
                except Exception as error:  # noqa: BLE001 - as in drive
                    failure = error
                if closed and (failure := _why_closed(step, request)) is None:
                    return
                resume = _resume(steps, result, failure)

    def _perform(self, step: Read | Sleep | Wait | Call) -> object:
        match step:
            case Read():
                try:
                    read(step.response, LONGEST_BODY)
                except httpx.RequestError:
                    _empty(step.response)
                    raise
                return None
            case Sleep():
                self._clock.sleep(step.seconds)
                return None
            case Wait():
                return concurrent.futures.wait([step.outcome], step.seconds)
            case Call():
                result = step.function()
                if inspect.isawaitable(result):
                    # Else Python would warn that it was never awaited.
                    getattr(result, "close", lambda: None)()
                    raise ArgumentError(
                        "token or secret", "an async callable is for AsyncManagementClient only"
                    )
                return result

    async def _perform_async(self, step: Read | Sleep | Wait | Call) -> object:
        match step:
            case Read():
                try:
                    with anyio.move_on_after(step.seconds) as scope:
                        await read_async(step.response, LONGEST_BODY)
                    if scope.cancelled_caught:
                        raise httpx.ReadTimeout("the answer did not end in time")
                except httpx.RequestError:
                    _empty(step.response)
                    raise
                return None
            case Sleep():
                await self._clock.sleep_async(step.seconds)
                return None
            case Wait():
                await until_done(step.outcome, step.seconds)
                return None
            case Call():
                result = await call_in_thread(step.function, step.undo)
                return await cast("Awaitable[object]", result) if inspect.isawaitable(result) else result


def _empty(response: httpx.Response) -> None:
    # httpx reads the response before it sends a flow's next request: what broke off would break that, too.
    response.stream = httpx.ByteStream(b"")
    response.is_stream_consumed = response.is_closed = False
    response.headers.pop("Content-Encoding", None)


def _advance(resume: Callable[[], Step]) -> Step | None:
    try:
        return resume()
    except StopIteration:
        return None


def _resume(steps: Steps[None], result: object, failure: Exception | None) -> Callable[[], Step]:
    if failure is None:
        return functools.partial(steps.send, result)
    return functools.partial(steps.throw, failure)


def _why_closed(step: Step, request: httpx.Request | None) -> FlowClosedError | None:
    """Return the network error that ended a token request, None where that is not why the flow ends.

    httpx closes a flow without a word, for an error as for a cancelled task. But it does so while the
    error is being handled, so that outside our own except block it is the current exception.
    """
    error = sys.exception()
    if step is request or not isinstance(error, httpx.RequestError):
        return None
    return FlowClosedError(type(error).__name__)
