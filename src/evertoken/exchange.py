"""Asking the token endpoint, with its retries, as steps of a flow."""

from __future__ import annotations

import base64
import dataclasses
import functools
import itertools
import urllib.parse
from typing import TYPE_CHECKING, Final, cast

import httpx

from evertoken.attempt import Attempt
from evertoken.errors import DecodeError, TokenError
from evertoken.flow import Call, FlowClosedError, Read, Sleep, Steps
from evertoken.grant import MEDIA_TYPE, Grant, TokenRequest, parse_answer
from evertoken.grant_mtls import mtls_token_endpoint
from evertoken.pump import TOTAL
from evertoken.redact import without
from evertoken.retry import backoff
from evertoken.token import AccessToken
from evertoken.token_body import LONGEST_BODY, BoundedBody, OnceBody, redirected

if TYPE_CHECKING:
    from evertoken.clock import Clock

TOKEN_BUDGET: Final = 15.0
"""Seconds that one renewal may take in all, or the caller's own timeout if that is shorter."""

TOKEN_ATTEMPTS: Final = 3

_DISCOVERY: Final = ".well-known/openid-configuration"

REFUSALS: Final = frozenset({400, 401, 403})
"""Statuses with which the token endpoint refuses credentials."""

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
        self._mtls_endpoint: str | None = None

    def __repr__(self) -> str:
        return f"Exchange({self.endpoint!r}, {self.grant!r})"

    def ask(
        self, request: httpx.Request, deadline: float, attempts: int, sent: list[Attempt]
    ) -> Steps[tuple[AccessToken | TokenError, bool]]:
        """Yield token requests until one is answered.

        Returns the token, or the error to raise, and whether the flow was closed. `request` is the one
        that needs the token: it lends its timeout. `deadline` is in monotonic seconds. `sent` takes what was
        sent.
        """
        for attempt in itertools.count(1):
            try:
                outcome = yield from self._ask_once(request, deadline, sent)
            except FlowClosedError as error:
                return _no_answer(self.endpoint, str(error)), True
            if isinstance(outcome, AccessToken) or not outcome.transient or attempt >= attempts:
                return outcome, False
            asked = outcome.retry_after or 0.0
            wait = max(backoff(attempt), asked)
            if asked > LONGEST_ASKED_WAIT or self._clock.monotonic() + wait >= deadline:
                return outcome, False
            if sent:
                sent[-1] = dataclasses.replace(sent[-1], again_in=wait)
            yield Sleep(wait)
        raise AssertionError  # count() does not end

    def _ask_once(
        self, request: httpx.Request, deadline: float, sent: list[Attempt]
    ) -> Steps[AccessToken | TokenError]:
        """Ask once; return the token or the error.

        Returns errors instead of raising them: this frame, with the request, is in no traceback.
        """
        try:
            endpoint = yield from self._find_endpoint(request, deadline)
            if isinstance(endpoint, TokenError):
                return endpoint
            # Off the event loop: a secret may be read from a file, or by the caller's own function.
            form = yield Call(
                functools.partial(
                    self.grant.request,
                    issuer=self._issuer,
                    audience=self._audience,
                    organization=self._organization,
                )
            )
            while True:
                outcome = yield from self._send(endpoint, cast("TokenRequest", form), request, deadline, sent)
                again = cast("TokenRequest", form).again
                if again is None or isinstance(outcome, AccessToken) or outcome.status_code not in REFUSALS:
                    return outcome
                # The secret may have been rotated: its source is asked once more before giving up.
                form = yield Call(again)
                if form is None:
                    return outcome
        except TokenError as error:
            return error.replica()

    def _find_endpoint(self, request: httpx.Request, deadline: float) -> Steps[str | TokenError]:
        """Return where to ask: the tenant's token endpoint, or the one that its discovery names for mTLS."""
        if not getattr(self.grant, "endpoint_from_discovery", False):
            return self.endpoint
        if self._mtls_endpoint is None:
            url = self._issuer + _DISCOVERY
            left = max(0.001, deadline - self._clock.monotonic())
            discovery = httpx.Request("GET", url, extensions=_timeouts(request, left))
            try:
                response = cast("httpx.Response", (yield discovery))
                response.stream = BoundedBody(response.stream, deadline, self._clock)
                yield Read(response, left)
            except httpx.RequestError as error:
                return _no_answer(url, type(error).__name__)
            except DecodeError as error:
                return _unreadable("GET", url, error)
            if response.status_code != 200 or response.request is not discovery:
                return TokenError(
                    f"GET {url}: {response.status_code}, but mTLS needs the document there; check the domain"
                )
            self._mtls_endpoint = mtls_token_endpoint(response.content, self._issuer.removesuffix("/"))
        return self._mtls_endpoint

    def is_own(self, request: httpx.Request) -> bool:
        """Tell whether a request is one of those that get a token, not one that needs it."""
        return str(request.url) in {self.endpoint, self._mtls_endpoint, self._issuer + _DISCOVERY}

    def _send(
        self,
        endpoint: str,
        form: TokenRequest,
        request: httpx.Request,
        deadline: float,
        sent: list[Attempt],
    ) -> Steps[AccessToken | TokenError]:
        asked_at, began = self._clock.wall(), self._clock.monotonic()
        left = max(0.001, deadline - began)
        status_code = reason = None
        token_request = self._token_request(endpoint, form, request, left)
        try:
            response = cast("httpx.Response", (yield token_request))
            status_code = response.status_code
            response.stream = BoundedBody(response.stream, deadline, self._clock)
            yield Read(response, left)
        except httpx.RequestError as error:
            reason = type(error).__name__
            return _no_answer(endpoint, reason)
        except FlowClosedError as error:
            reason = str(error)
            raise
        except TokenError as error:
            return error
        except DecodeError as error:
            return _unreadable("POST", endpoint, error)
        finally:
            sent.append(
                Attempt(
                    operation="token",
                    method="POST",
                    url=endpoint,
                    path=urllib.parse.urlsplit(endpoint).path,
                    number=len(sent) + 1,
                    at=asked_at,
                    seconds=self._clock.monotonic() - began,
                    status_code=status_code,
                    reason=reason,
                    again_in=None,
                )
            )
        if response.request is not token_request:
            return redirected(endpoint)
        try:
            return parse_answer(
                endpoint=endpoint,
                status_code=response.status_code,
                headers=response.headers,
                # Once more: it may be compressed, though nobody asked for that.
                body=(
                    response.content if response.status_code == 200 else _scrubbed(response, token_request)
                )[:LONGEST_BODY],
                asked_at=asked_at,
            )
        except TokenError as error:
            return error.replica()

    def _token_request(
        self, endpoint: str, form: TokenRequest, request: httpx.Request, left: float
    ) -> httpx.Request:
        body = form.body()
        token_request = httpx.Request(
            "POST",
            endpoint,
            content=body,
            headers={
                "Content-Type": MEDIA_TYPE,
                "Accept": "application/json",
                # A token is not worth compressing, and a compressed answer cannot be bounded.
                "Accept-Encoding": "identity",
                **form.headers,
            },
            extensions=_timeouts(request, left),
        )
        token_request.stream = OnceBody(body, endpoint)
        return token_request


def _unreadable(method: str, url: str, error: DecodeError) -> TokenError:
    return TokenError(
        f"{method} {url}: {error.status_code}, but the body is too large; check that no proxy answers",
        status_code=error.status_code,
    )


def _scrubbed(response: httpx.Response, token_request: httpx.Request) -> bytes:
    """Return the body of a refusal without the credentials that it may echo."""
    sent = urllib.parse.parse_qs(token_request.content.decode("ascii"))
    secrets = {value for name in ("client_secret", "client_assertion") for value in sent.get(name, [])}
    scheme, _, credentials = token_request.headers.get("Authorization", "").partition(" ")
    if scheme == "Basic":
        pair = base64.b64decode(credentials).decode()
        secrets |= {credentials, pair, urllib.parse.unquote_plus(pair.partition(":")[2])}
    return without(response.content, secrets)


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
        },
        TOTAL: left,
    }


def _no_answer(endpoint: str, reason: str) -> TokenError:
    return TokenError(
        f"POST {endpoint}: no answer ({reason}); check the network, the domain and the timeout",
        transient=True,
        timed_out=reason.endswith("Timeout"),
    )
