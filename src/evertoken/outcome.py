"""What came of one attempt: a response, or what kept it from coming."""

from __future__ import annotations

import dataclasses
from typing import Final, TypeAlias

import httpx

from evertoken.codec import shown_path
from evertoken.errors import TransportError
from evertoken.retry import SAFE

_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
"""Errors that come before the first byte of the request."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """No answer: the name of the network error, and the status where the answer had begun."""

    reason: str
    status_code: int | None
    maybe_carried_out: bool


Outcome: TypeAlias = httpx.Response | Failure


def failure_of(error: httpx.RequestError, response: httpx.Response | None) -> Failure:
    """Return the failure that a network error is."""
    return Failure(
        type(error).__name__,
        None if response is None else response.status_code,
        maybe_carried_out=not isinstance(error, _NEVER_SENT),
    )


def no_answer(request: httpx.Request, failure: Failure, attempts: int) -> TransportError:
    """Return the error for a call that got no answer."""
    return TransportError(
        method=request.method,
        path=shown_path(request),
        reason=failure.reason,
        status_code=failure.status_code,
        attempts=attempts,
        maybe_carried_out=failure.maybe_carried_out and request.method not in SAFE,
    )
