"""`httpx.Auth` that adds the bearer token and renews it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import httpx

from evertoken.clock import SYSTEM_CLOCK, Clock
from evertoken.errors import ArgumentError, TokenError
from evertoken.exchange import TOKEN_ATTEMPTS, TOKEN_BUDGET, Exchange, budget
from evertoken.flow import Aside, Read, Sleep, StepAuth, Steps, Wait
from evertoken.grant import ClientSecretPost, Grant, check_text
from evertoken.kept import Kept, release_aside
from evertoken.origin import Origin, check_audience, origin_of, parse_base_url, parse_domain
from evertoken.renewal import Renewal, TokenSource
from evertoken.secret import GivenSecret, hide
from evertoken.shared import shared_source
from evertoken.store import TokenStore, store_key
from evertoken.token import AccessToken

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

TIME_TO_ASK: Final = 1.0
"""Seconds that a caller must have left after resting: what a token request takes, on a bad day."""

LEASE_BUSY_WAIT: Final = 5.0
"""Seconds after which the token that another process is renewing is looked for in the store."""


class ManagementAuth(StepAuth):
    """Adds an access token for the Management API to requests, and renews it before it expires.

    For any `httpx.Client` or `httpx.AsyncClient`, several at once too; safe to share between threads and
    tasks (asyncio and trio). The token request travels through the client that sends the request, with
    that request's timeout. Only requests to the tenant's own origin get the token.

    `domain` is `tenant.eu.auth0.com`, `host:port`, or an https URL of one (http on loopback only). Give
    `client_id` and `client_secret` (a string, or where to find it: see `ClientSecretPost`), or `credentials`,
    another grant. `audience` is needed only where `domain` is a custom domain:
    `https://{canonical tenant domain}/api/v2/`. `organization` is its id or name.
    `base_url` is the API's root where that is not `https://{domain}/api/v2`; its origin gets the token too.
    All auths and clients of a process with equal domain, credentials, audience and organization and the same
    `token_store` share one token; with `share_token=False` this one has its own.

    A flow raises TokenError when no token can be had. A request that the API answers with 401 is sent
    once more, with a new token. An error status of the token endpoint is tried again; a network error is
    not, since httpx ends the flow then: `ManagementClient` does better.
    """

    def __init__(
        self,
        *,
        domain: str,
        client_id: str | None = None,
        client_secret: GivenSecret | None = None,
        credentials: Grant | None = None,
        audience: str | None = None,
        organization: str | None = None,
        token_store: TokenStore | None = None,
        base_url: str | None = None,
        share_token: bool = True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        # Rebound before anything can raise: a traceback's locals show no secret.
        client_secret = hide(client_secret)
        super().__init__(clock)
        origin = parse_domain(domain)
        self._origins = allowed_origins(origin, base_url)
        audience = check_audience(f"{origin}/api/v2/" if audience is None else audience)
        if organization is not None:
            check_text("organization", organization)
        grant = choose_grant(client_id, client_secret, credentials)
        self._exchange = Exchange(
            endpoint=f"{origin}/oauth/token",
            grant=grant,
            audience=audience,
            organization=organization,
            clock=clock,
        )
        key = store_key(
            origin=str(origin),
            client_id=grant.client_id,
            audience=audience,
            organization=organization,
        )
        self.token_source: TokenSource = (
            shared_source(name=origin.host, key=key, grant=grant, store=token_store, clock=clock)
            if share_token
            else TokenSource(origin.host, store=token_store, clock=clock)
        )
        self._kept = Kept(token_store, key, self.token_source, clock)

    def __repr__(self) -> str:
        # An error tracker asks for it when the constructor has raised, too.
        exchange = getattr(self, "_exchange", None)
        return f"ManagementAuth({exchange!r})"

    def steps(self, request: httpx.Request) -> Steps[None]:
        """Yield the request with a token; after 401 renew the token and yield the request once more."""
        if not is_allowed(request, self._origins):
            yield request
            return
        token = yield from self._token(request)
        response = yield from self._send(request, token)
        if not (yield from self._is_worth_repeating(request, response, token)):
            return
        token = yield from self._token(request)
        response = yield from self._send(request, token)
        if response.status_code != 401:
            self.token_source.accept(token)

    def _send(self, request: httpx.Request, token: AccessToken) -> Steps[httpx.Response]:
        request.headers["Authorization"] = f"Bearer {token.value}"
        response = cast("httpx.Response", (yield request))
        # httpx keeps what a flow sent in the history of the response: the client secret with it.
        response.history = _without_exchange(response, self._exchange)
        return response

    def _is_worth_repeating(
        self, request: httpx.Request, response: httpx.Response, token: AccessToken
    ) -> Steps[bool]:
        if _origin(response.url) not in self._origins:
            return False  # a redirect led elsewhere, where the token was not sent
        if response.status_code == 401:
            repeat = self.token_source.reject(token)
        elif response.status_code == 403 and "json" in response.headers.get("Content-Type", ""):
            yield Read(response)
            repeat = b"insufficient_scope" in response.content and self.token_source.reject_scope(token)
        else:
            self.token_source.accept(token)
            return False
        if not repeat or not isinstance(request.stream, httpx.ByteStream):
            return False  # a body that was streamed is gone
        # Holding an unread response while waiting for a renewal would starve a full connection pool.
        yield Read(response)
        return True

    def obtain(self, request: httpx.Request, take: Callable[[AccessToken], object]) -> Steps[None]:
        """Hand a token that is good now to `take`. `request` lends its timeout and is not sent."""
        take((yield from self._token(request)))

    def _token(self, request: httpx.Request) -> Steps[AccessToken]:
        patience = budget(request)
        deadline = self._clock.monotonic() + patience
        while True:
            claimed = self.token_source.claim()
            if isinstance(claimed, AccessToken):
                return claimed
            if isinstance(claimed, Renewal):
                if claimed.spare is not None and claimed.aside:
                    steps = self._renew_aside(claimed, request)
                    if (yield Aside(steps, claimed.abandon)):
                        return claimed.spare
                with claimed:
                    token = yield from self._renew(claimed, request, deadline)
                if token is not None:
                    return token
                if self._clock.monotonic() < deadline:
                    continue
                raise self._too_late(patience)
            token = yield from self._wait(claimed, patience, deadline)
            if token is not None:
                return token

    def _wait(
        self, renewed: Future[AccessToken | None], patience: float, deadline: float
    ) -> Steps[AccessToken | None]:
        """Return the token that somebody else's renewal brings, None where it was given up."""
        yield Wait(renewed, max(0.0, deadline - self._clock.monotonic()))
        if not renewed.done():
            token = self.token_source.still_good()
            if token is None:
                raise self._too_late(patience)
            return token
        error = renewed.exception()
        if isinstance(error, TokenError):
            raise error.replica()
        return renewed.result()

    def _too_late(self, patience: float) -> TokenError:
        return TokenError(
            f"POST {self._exchange.endpoint}: no token within {patience:g} s; allow more time", transient=True
        )

    def _renew_aside(self, renewal: Renewal, request: httpx.Request) -> Steps[None]:
        with renewal:
            yield from self._renew(renewal, request, self._clock.monotonic() + TOKEN_BUDGET)

    def _renew(self, renewal: Renewal, request: httpx.Request, deadline: float) -> Steps[AccessToken | None]:
        """Return the new token; None where somebody else renews and this caller has to claim again."""
        if renewal.failure is not None and renewal.delay > 0:
            # Before the lease: it is not for those who fail in a moment, nor for those who sleep.
            found = yield from self._kept.look(renewal.is_useless)
            if found.token is not None:
                return renewal.succeed(found.token, found=True)
            yield from self._let_rest(renewal, renewal.failure, deadline)
        # While the old token is good, nobody waits for another process.
        patience = 0.0 if renewal.advisory else deadline - self._clock.monotonic()
        found = yield from self._kept.find(renewal.is_useless, patience)
        if found.due is not None:
            renewal.adopt(found.due)
        if found.busy and renewal.advisory:
            return renewal.postpone(LEASE_BUSY_WAIT)
        used_once = False
        try:
            if found.token is not None:
                token = renewal.succeed(found.token, found=True)
            else:
                token = yield from self._ask(renewal, request, deadline)
                # One that lives no longer than its answer took is used once.
                used_once = self.token_source.still_good() is not token
                yield from self._kept.put(token)
        except Exception:
            yield from self._kept.release(found.lease)
            raise
        except BaseException:
            release_aside(found.lease)
            raise
        yield from self._kept.release(found.lease)
        # The store may have taken longer than it lives, and the API may have refused it meanwhile.
        return token if used_once or self.token_source.still_good() is token else None

    def _let_rest(self, renewal: Renewal, failure: TokenError, deadline: float) -> Steps[None]:
        """Wait as long as earlier failures tell to, or raise the last of them."""
        # A refusal will be the same in a second; an outage may be over, if the caller can wait and has
        # time to ask then: one after the other that has none would be a storm.
        if not failure.transient or renewal.delay + TIME_TO_ASK > deadline - self._clock.monotonic():
            error = failure.replica()
            error.retry_after = max(renewal.delay, error.retry_after or 0.0)
            raise error
        yield Sleep(renewal.delay)

    def _ask(self, renewal: Renewal, request: httpx.Request, deadline: float) -> Steps[AccessToken]:
        attempts = TOKEN_ATTEMPTS if self.token_source.still_good() is None else 1
        outcome, closed = yield from self._exchange.ask(request, deadline, attempts, renewal.attempts)
        if isinstance(outcome, TokenError):
            # Who waits may have more time than this caller: its timeout is not their failure, unless the
            # endpoint failed by itself before. Else each of them would find it down anew.
            timeouts = [(attempt.reason or "").endswith("Timeout") for attempt in renewal.attempts]
            mine = outcome.timed_out and all(timeouts) and budget(request) < TOKEN_BUDGET
            token = renewal.fail(outcome, shared=not mine)
            if closed:
                # The old token is good for everyone else, but through this flow nothing more can be sent.
                raise outcome
            return token
        return renewal.succeed(outcome)


def allowed_origins(origin: Origin, base_url: str | None) -> frozenset[Origin]:
    """Return the origins whose requests get the token."""
    return frozenset({origin} if base_url is None else {origin, parse_base_url(base_url)[0]})


def is_allowed(request: httpx.Request, origins: frozenset[Origin]) -> bool:
    """Tell whether a request may carry the token: scheme, host and port are compared."""
    return _origin(request.url) in origins


def _origin(url: httpx.URL) -> Origin | None:
    # The raw host: httpx shows an internationalised name decoded.
    return origin_of(url.scheme, url.raw_host.decode("ascii"), url.port)


def choose_grant(
    client_id: str | None, client_secret: GivenSecret | None, credentials: Grant | None
) -> Grant:
    """Return the grant that the arguments make; raise ArgumentError where they make none, or two."""
    if credentials is not None:
        if not hasattr(credentials, "request") or not hasattr(credentials, "client_id"):
            raise ArgumentError("credentials", "is no grant, such as ClientSecretPost or ClientSecretBasic")
        if client_id is not None or client_secret is not None:
            raise ArgumentError("credentials", "given together with client_id or client_secret; give one")
        return credentials
    if client_id is None and client_secret is None:
        raise ArgumentError("client_id", "missing; give client_id and client_secret, or credentials")
    if client_id is None:
        raise ArgumentError(
            "client_id", "missing beside client_secret; it stands in the application's settings"
        )
    if client_secret is None:
        raise ArgumentError(
            "client_secret", "missing beside client_id; give it, or credentials instead of both"
        )
    return ClientSecretPost(client_id, client_secret)


def _without_exchange(response: httpx.Response, exchange: Exchange) -> list[httpx.Response]:
    kept = [earlier for earlier in response.history if not exchange.is_own(earlier.request)]
    for earlier in kept:
        earlier.history = _without_exchange(earlier, exchange)
    return kept
