"""Sending one request until it is answered: the auth flow within each attempt, retries around it.

The two colours differ by `await`. Network errors are returned from the frames that saw them and raised
outside: a traceback through httpx and httpcore shows the bytes that were sent, the token among them.
"""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Final, cast

import httpx

from evertoken.background import run, run_async
from evertoken.codec import shown_path
from evertoken.errors import TransportError
from evertoken.retry import SAFE, RetryPolicy, server_delay

if TYPE_CHECKING:
    from evertoken.clock import Clock
    from evertoken.flow import StepAuth

_log = logging.getLogger("evertoken.transport")

_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
"""Errors that come before the first byte of the request."""


def send(
    client: httpx.Client, auth: StepAuth, request: httpx.Request, *, policy: RetryPolicy, clock: Clock
) -> httpx.Response:
    """Return the read response, of whatever status.

    Raises TransportError where none came, and what the auth flow raises.
    """
    waited = 0.0
    for attempt in itertools.count(1):
        outcome = _attempt(client, auth, request)
        delay = _delay(policy, clock, request, outcome, attempt=attempt, waited=waited)
        if delay is None:
            return _result(request, outcome, attempt)
        _log_retry(request, outcome, attempt, delay)
        clock.sleep(delay)
        waited += delay
    raise AssertionError  # count() does not end


async def send_async(
    client: httpx.AsyncClient, auth: StepAuth, request: httpx.Request, *, policy: RetryPolicy, clock: Clock
) -> httpx.Response:
    """Return the read response, as `send` does."""
    waited = 0.0
    for attempt in itertools.count(1):
        outcome = await _attempt_async(client, auth, request)
        delay = _delay(policy, clock, request, outcome, attempt=attempt, waited=waited)
        if delay is None:
            return _result(request, outcome, attempt)
        _log_retry(request, outcome, attempt, delay)
        await clock.sleep_async(delay)
        waited += delay
    raise AssertionError  # count() does not end


class _Failure:
    """A network error, with the status where the answer had begun."""

    __slots__ = ("maybe_carried_out", "reason", "status_code")

    def __init__(self, error: httpx.RequestError, status_code: int | None = None) -> None:
        self.reason = type(error).__name__
        self.status_code = status_code
        self.maybe_carried_out = not isinstance(error, _NEVER_SENT)


def _attempt(client: httpx.Client, auth: StepAuth, request: httpx.Request) -> httpx.Response | _Failure:
    response: httpx.Response | None = None
    try:
        # The flow yields the request itself at least: there is a response, or an error was raised.
        response = cast("httpx.Response", run(client, auth, auth.steps(request), request))
        response.read()
    except httpx.RequestError as error:
        return _Failure(error, None if response is None else response.status_code)
    return response


async def _attempt_async(
    client: httpx.AsyncClient, auth: StepAuth, request: httpx.Request
) -> httpx.Response | _Failure:
    response: httpx.Response | None = None
    try:
        response = cast("httpx.Response", await run_async(client, auth, auth.steps(request), request))
        await response.aread()
    except httpx.RequestError as error:
        return _Failure(error, None if response is None else response.status_code)
    return response


def _delay(
    policy: RetryPolicy,
    clock: Clock,
    request: httpx.Request,
    outcome: httpx.Response | _Failure,
    *,
    attempt: int,
    waited: float,
) -> float | None:
    if isinstance(outcome, _Failure):
        if outcome.reason == httpx.LocalProtocolError.__name__:
            return None  # the request itself cannot be sent
        return policy.delay_after_failure(
            attempt=attempt, method=request.method, maybe_carried_out=outcome.maybe_carried_out, waited=waited
        )
    return policy.delay_after_answer(
        attempt=attempt,
        method=request.method,
        status_code=outcome.status_code,
        asked=server_delay(outcome.headers, clock.wall()),
        waited=waited,
    )


def _result(request: httpx.Request, outcome: httpx.Response | _Failure, attempt: int) -> httpx.Response:
    if isinstance(outcome, _Failure):
        raise TransportError(
            method=request.method,
            path=shown_path(request),
            reason=outcome.reason,
            status_code=outcome.status_code,
            attempts=attempt,
            maybe_carried_out=outcome.maybe_carried_out and request.method not in SAFE,
        )
    return outcome


def _log_retry(
    request: httpx.Request, outcome: httpx.Response | _Failure, attempt: int, delay: float
) -> None:
    what = outcome.reason if isinstance(outcome, _Failure) else outcome.status_code
    _log.info(
        "%s %s: %s at attempt %d; again in %.1f s", request.method, shown_path(request), what, attempt, delay
    )
