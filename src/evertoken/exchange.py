"""Asking the token endpoint, with its retries, as steps of a flow."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, cast

import httpx

from evertoken.errors import TokenError
from evertoken.flow import FlowClosedError, Read, Sleep, Steps
from evertoken.grant import MEDIA_TYPE, Grant, parse_answer
from evertoken.retry import backoff
from evertoken.token import AccessToken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from evertoken.clock import Clock

TOKEN_BUDGET: Final = 15.0
"""Seconds that one renewal may take in all, or the caller's own timeout if that is shorter."""

TOKEN_ATTEMPTS: Final = 3

LONGEST_ASKED_WAIT: Final = 10.0
"""Seconds of Retry-After that a renewal waits out; beyond it the caller is told."""


class Exchange:
    """Turns a grant into an access token. The request travels through whatever drives the flow."""

    def __init__(
        self, *, endpoint: str, grant: Grant, audience: str, organization: str | None, clock: Clock
    ) -> None:
        self.endpoint = endpoint
        self.grant = grant
        self._audience = audience
        self._organization = organization
        self._issuer = endpoint.removesuffix("oauth/token")
        self._clock = clock

    def __repr__(self) -> str:
        return f"Exchange({self.endpoint!r}, {self.grant!r})"

    def ask(self, request: httpx.Request, deadline: float, attempts: int) -> Steps[AccessToken | TokenError]:
        """Yield token requests until one is answered; return the token, or the error to raise.

        `request` is the one that needs the token: it lends its timeout. `deadline` is in monotonic seconds.
        """
        for attempt in itertools.count(1):
            outcome, repeatable = yield from self._ask_once(request, deadline)
            if isinstance(outcome, AccessToken) or not repeatable or attempt >= attempts:
                return outcome
            asked = outcome.retry_after or 0.0
            wait = max(backoff(attempt), asked)
            if asked > LONGEST_ASKED_WAIT or self._clock.monotonic() + wait >= deadline:
                return outcome
            yield Sleep(wait)
        raise AssertionError  # count() does not end

    def _ask_once(
        self, request: httpx.Request, deadline: float
    ) -> Steps[tuple[AccessToken | TokenError, bool]]:
        """Ask once; return the token or the error, and whether asking again makes sense.

        Returns errors instead of raising them: this frame, with the request, is in no traceback.
        """
        asked_at = self._clock.wall()
        left = max(0.001, deadline - self._clock.monotonic())
        token_request = self._token_request(request, left)
        try:
            response = cast("httpx.Response", (yield token_request))
            yield Read(response)
        except (httpx.RequestError, FlowClosedError) as error:
            closed = isinstance(error, FlowClosedError)
            return _no_answer(self.endpoint, str(error) if closed else type(error).__name__), not closed
        except TokenError as error:
            return error, False
        if response.request is not token_request:
            return _redirected(self.endpoint), False
        try:
            return parse_answer(
                endpoint=self.endpoint,
                status_code=response.status_code,
                headers=response.headers,
                body=response.content,
                asked_at=asked_at,
            ), False
        except TokenError as error:
            return error.replica(), error.transient

    def _token_request(self, request: httpx.Request, left: float) -> httpx.Request:
        grant_request = self.grant.request(
            issuer=self._issuer, audience=self._audience, organization=self._organization
        )
        body = grant_request.body()
        token_request = httpx.Request(
            "POST",
            self.endpoint,
            content=body,
            headers={"Content-Type": MEDIA_TYPE, "Accept": "application/json", **grant_request.headers},
            extensions=_timeouts(request, left),
        )
        token_request.stream = _OnceBody(body, self.endpoint)
        return token_request


class _OnceBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that is sent once: a client that follows redirects would send it again, elsewhere."""

    def __init__(self, body: bytes, endpoint: str) -> None:
        self._body = body
        self._endpoint = endpoint
        self._sent = False

    def __iter__(self) -> Iterator[bytes]:
        yield self._take()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._take()

    def _take(self) -> bytes:
        if self._sent:
            raise _redirected(self._endpoint)
        self._sent = True
        return self._body


def _redirected(endpoint: str) -> TokenError:
    return TokenError(
        f"POST {endpoint}: redirected, and credentials are not sent elsewhere; check the domain"
    )


def budget(request: httpx.Request) -> float:
    """Return the seconds that the sender of a request can wait for a token."""
    timeout = cast("dict[str, float | None]", request.extensions.get("timeout", {}))
    given = [seconds for name in ("connect", "read") if (seconds := timeout.get(name)) is not None]
    return min([TOKEN_BUDGET, max(given)]) if given else TOKEN_BUDGET


def _timeouts(request: httpx.Request, left: float) -> dict[str, object]:
    # A request that a flow yields has no timeout of its own: it takes that of the request it is for.
    timeout = cast("dict[str, float | None]", request.extensions.get("timeout", {}))
    names = ("connect", "read", "write", "pool")
    return {
        "timeout": {
            name: left if (seconds := timeout.get(name)) is None else min(seconds, left) for name in names
        }
    }


def _no_answer(endpoint: str, reason: str) -> TokenError:
    return TokenError(
        f"POST {endpoint}: no answer ({reason}); check the network, the domain and the timeout",
        transient=True,
    )
