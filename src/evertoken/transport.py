"""Sending one request until it is answered: the auth flow within each attempt, retries around it.

One generator tells the story of a call; what it yields, a pause or an attempt, is carried out by two
drivers, which differ by `await`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import math
from typing import TYPE_CHECKING, Final, cast

import anyio
import httpx

from evertoken.background import run, run_async
from evertoken.body import read, read_async
from evertoken.codec import shown_path
from evertoken.listeners import Listeners
from evertoken.outcome import Failure, Outcome, failure_of, no_answer
from evertoken.retry import RetryPolicy, rate_limit, reset_delay, server_delay
from evertoken.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Generator

    from evertoken.attempt import Attempt
    from evertoken.clock import Clock
    from evertoken.flow import StepAuth
    from evertoken.operation import Operation, Priority
    from evertoken.throttle import Throttle

_log = logging.getLogger("evertoken.transport")

_REFUSED_WAIT: Final = 1.0
"""Seconds for which a throttle holds all calls after a 429 that does not say."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One request with what its sender allows it.

    `base_url` is the API's root. The answer is not read where it is a `stream`.
    """

    base_url: str
    operation: Operation[object]
    request: httpx.Request
    policy: RetryPolicy
    priority: Priority
    stream: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Go:
    """Make an attempt, in so many seconds; who watches it, if anybody listens."""

    seconds: float | None
    watch: Watch | None


class Transport:
    """Sends the calls of one client. `longest_body` is in bytes, decompressed."""

    def __init__(self, *, auth: StepAuth, clock: Clock, throttle: Throttle | None, longest_body: int) -> None:
        self._auth = auth
        self.clock: Clock = clock
        self._throttle = throttle
        self.longest_body: int = longest_body
        self.listeners: Listeners[Attempt] = Listeners()

    def send(self, client: httpx.Client, call: Call) -> httpx.Response:
        """Return the response, of whatever status: read, but for a stream's success.

        Raises TransportError where none came, and what the auth flow raises.
        """
        with contextlib.closing(self._story(call)) as story:
            result: Outcome | None = None
            while True:
                try:
                    step = next(story) if result is None else story.send(result)
                except StopIteration as stop:
                    return cast("httpx.Response", stop.value)
                if isinstance(step, _Go):
                    result = self._attempt(client, call, step)
                else:
                    self.clock.sleep(step)
                    result = None

    async def send_async(self, client: httpx.AsyncClient, call: Call) -> httpx.Response:
        """Return the response, as `send` does."""
        with contextlib.closing(self._story(call)) as story:
            result: Outcome | None = None
            while True:
                try:
                    step = next(story) if result is None else story.send(result)
                except StopIteration as stop:
                    return cast("httpx.Response", stop.value)
                if isinstance(step, _Go):
                    result = await self._attempt_async(client, call, step)
                else:
                    await self.clock.sleep_async(step)
                    result = None

    def _story(self, call: Call) -> Generator[_Go | float, Outcome, httpx.Response]:
        policy, began, waited = call.policy, self.clock.monotonic(), 0.0
        timeouts = cast("dict[str, float | None]", call.request.extensions.get("timeout", {}))
        watch = self._watch(call)
        outcome: Outcome | None = None
        for number in itertools.count(1):
            joined = self.clock.monotonic()
            turn = yield from self._take_turn(call, began)
            if turn is None:
                refused = Failure("Throttled", None, maybe_carried_out=False)
                return _result(call.request, refused if outcome is None else outcome, number - 1)
            started = self.clock.monotonic()
            if watch is not None:
                watch.begin(started - joined)
            left = policy.left(started - began)
            call.request.extensions["timeout"] = _within(timeouts, left)
            try:
                outcome = yield _Go(left, watch)
            except BaseException:
                self._end_turn(turn, None)
                if watch is not None:
                    watch.broken_off()
                raise
            self._end_turn(turn, outcome)
            # The deadline is the call's: each piece of a stream has the whole of its own timeout.
            call.request.extensions["timeout"] = timeouts
            elapsed = self.clock.monotonic() - began
            delay = self._delay(call, outcome, attempt=number, waited=waited, elapsed=elapsed)
            _tell(call, outcome, watch, number=number, delay=delay)
            if delay is None:
                return _result(call.request, outcome, number)
            yield delay
            waited += delay
        raise AssertionError  # count() does not end

    def _watch(self, call: Call) -> Watch | None:
        if not self.listeners:
            return None
        return Watch(
            call.operation,
            call.request,
            base_url=call.base_url,
            clock=self.clock,
            listeners=self.listeners,
        )

    def _take_turn(self, call: Call, began: float) -> Generator[float, object, int | None]:
        """Return the number of the turn, None where it does not come before the deadline."""
        if self._throttle is None:
            return 0
        ticket = self._throttle.join(call.priority)
        try:
            while True:
                wait, turn = self._throttle.ask(ticket)
                if turn:
                    return turn
                left = call.policy.left(self.clock.monotonic() - began)
                if left is not None and wait >= left:
                    return None
                yield wait
        finally:
            self._throttle.leave(ticket)

    def _end_turn(self, turn: int, outcome: Outcome | None) -> None:
        if self._throttle is None:
            return
        if not isinstance(outcome, httpx.Response):
            self._throttle.failed(turn)
            return
        wall = self.clock.wall()
        refused = outcome.status_code == 429
        self._throttle.answered(
            turn,
            rate_limit(outcome.headers),
            more_in=reset_delay(outcome.headers, wall),
            refused_for=(server_delay(outcome.headers, wall) or _REFUSED_WAIT) if refused else None,
        )

    def _attempt(self, client: httpx.Client, call: Call, go: _Go) -> Outcome:
        response: httpx.Response | None = None
        request = call.request
        ends = math.inf if go.seconds is None else self.clock.monotonic() + go.seconds
        try:
            # The flow yields the request itself at least: there is a response, or an error was raised.
            steps = self._auth.steps(request)
            response = cast("httpx.Response", run(client, self._auth, steps, request, go.watch))
            if call.stream and response.is_success:
                return response
            return read(response, self.longest_body, lambda: self.clock.monotonic() > ends)
        except httpx.RequestError as error:
            return failure_of(error, response)

    async def _attempt_async(self, client: httpx.AsyncClient, call: Call, go: _Go) -> Outcome:
        response: httpx.Response | None = None
        request = call.request
        with anyio.move_on_after(go.seconds):
            try:
                steps = self._auth.steps(request)
                response = cast(
                    "httpx.Response", await run_async(client, self._auth, steps, request, go.watch)
                )
                if call.stream and response.is_success:
                    return response
                return await read_async(response, self.longest_body)
            except httpx.RequestError as error:
                return failure_of(error, response)
        return Failure("Deadline", None if response is None else response.status_code, maybe_carried_out=True)

    def _delay(
        self, call: Call, outcome: Outcome, *, attempt: int, waited: float, elapsed: float
    ) -> float | None:
        method = call.request.method
        maybe_sent = not isinstance(outcome, Failure) or outcome.maybe_carried_out
        if maybe_sent and not isinstance(call.request.stream, httpx.ByteStream):
            return None  # a body that was streamed is gone
        if isinstance(outcome, Failure):
            if outcome.reason == httpx.LocalProtocolError.__name__:
                return None  # the request itself cannot be sent
            return call.policy.delay_after_failure(
                attempt=attempt,
                method=method,
                maybe_carried_out=outcome.maybe_carried_out,
                waited=waited,
                elapsed=elapsed,
            )
        return call.policy.delay_after_answer(
            attempt=attempt,
            method=method,
            status_code=outcome.status_code,
            asked=server_delay(outcome.headers, self.clock.wall()),
            waited=waited,
            elapsed=elapsed,
        )


def _tell(call: Call, outcome: Outcome, watch: Watch | None, *, number: int, delay: float | None) -> None:
    reason = outcome.reason if isinstance(outcome, Failure) else None
    if delay is not None:
        _log.info(
            "%s %s: %s at attempt %d; again in %.1f s",
            call.request.method,
            shown_path(call.request),
            reason or outcome.status_code,
            number,
            delay,
        )
    if watch is not None:
        headers = outcome.headers if isinstance(outcome, httpx.Response) else None
        watch.ended(outcome.status_code, reason, headers, delay)


def _within(timeouts: dict[str, float | None], left: float | None) -> dict[str, float | None]:
    if left is None:
        return timeouts
    left = max(left, 0.001)
    return {
        name: left if (seconds := timeouts.get(name)) is None else min(seconds, left)
        for name in ("connect", "read", "write", "pool")
    }


def _result(request: httpx.Request, outcome: Outcome, attempts: int) -> httpx.Response:
    if isinstance(outcome, Failure):
        raise no_answer(request, outcome, attempts)
    return outcome
