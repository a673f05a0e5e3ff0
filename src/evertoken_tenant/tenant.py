"""The tenant: calls in, answers out."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, Final

import httpx

import evertoken_spec
from evertoken_tenant import seeding
from evertoken_tenant.api import Api
from evertoken_tenant.applications import Applications
from evertoken_tenant.call import Call
from evertoken_tenant.cimd import Cimd
from evertoken_tenant.client_credentials import ClientCredentials
from evertoken_tenant.clients import Clients
from evertoken_tenant.connections import ClientConnections
from evertoken_tenant.credentials import Keeper
from evertoken_tenant.faults import Drop, FaultBody, Kind, fault_answer
from evertoken_tenant.feed import Feed
from evertoken_tenant.journal import Journal
from evertoken_tenant.limits import TokenBucket
from evertoken_tenant.paging import Cursors
from evertoken_tenant.pipeline import Pipeline, Reply
from evertoken_tenant.refusal import api_error, token_error
from evertoken_tenant.routes import operations
from evertoken_tenant.site import Site
from evertoken_tenant.special.grants import connections_of
from evertoken_tenant.state import State
from evertoken_tenant.streaming import FeedBody
from evertoken_tenant.token_endpoint import access_claims
from evertoken_tenant.tokens import Tokens
from evertoken_tenant.work import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from evertoken_tenant.observed import Record

_TOKEN_CODES: Final = {
    400: "invalid_request",
    401: "access_denied",
    403: "access_denied",
    429: "too_many_requests",
    503: "temporarily_unavailable",
}


class Tenant:
    """A local Auth0 tenant: `httpx.Client(transport=httpx.MockTransport(tenant))`, or see `serve`.

    `clients` applications are there at the start, the same for the same `seed`; the tenant's own, which
    has `client_id` and `client_secret`, can be read and changed but is in no list. `scopes` is what it is
    granted (default: all there are for applications). Tokens live `token_lifetime` seconds. The API takes
    `rate_limit` requests per second and `rate_burst` at once (default: what comes in 10 s); the token
    endpoint has no limit unless `token_rate_limit` is set. `clock` returns Unix time, `sleep` carries out
    `delay` in process. `custom_domains` are answered as well as `domain`. Safe to share between threads.
    """

    def __init__(
        self,
        *,
        clients: int = 300,
        token_lifetime: int = 86_400,
        rate_limit: float = 1_000,
        rate_burst: int | None = None,
        token_rate_limit: float | None = None,
        token_rate_burst: int | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        domain: str = "tenant.localhost",
        custom_domains: Iterable[str] = (),
        scopes: Iterable[str] | None = None,
        seed: int = 0,
    ) -> None:
        if clients < 0:
            raise ValueError(f"clients: {clients} is negative")
        self._sleep = sleep
        applications = Applications(seed=seed, count=clients)
        own = applications.get(applications.own_id)
        self._last_secret = "" if own is None else str(own.row["client_secret"])
        tokens, cursors, keeper = Tokens(), Cursors(clock), Keeper(clock)
        world = World(
            state=State(seed),
            applications=applications,
            cursors=cursors,
            journal=Journal(),
            feed=Feed(),
            tokens=tokens,
            clock=clock,
            site=lambda: self._inside.site,
        )
        seeding.begin(world)
        own_operations = operations(
            Clients(applications, cursors, keeper),
            ClientCredentials(applications, keeper),
            ClientConnections(applications, cursors, lambda client_id: connections_of(world, client_id)),
            Cimd(applications),
        )
        every = {scope for entry in evertoken_spec.index() for scope in entry.scopes}
        buckets: dict[Kind, TokenBucket] = {"api": TokenBucket(rate=rate_limit, burst=rate_burst)}
        if token_rate_limit is not None:
            buckets["token"] = TokenBucket(rate=token_rate_limit, burst=token_rate_burst)
        self._inside = Pipeline(
            site=Site(f"https://{domain}", custom_domains=frozenset(custom_domains)),
            clock=clock,
            applications=applications,
            api=Api(world, own_operations),
            scopes=sorted(every) if scopes is None else list(scopes),
            lifetime=_checked_lifetime(token_lifetime),
            buckets=buckets,
            tokens=tokens,
        )

    def __repr__(self) -> str:
        return f"Tenant(origin={self.origin!r}, client_id={self.client_id!r})"

    @property
    def origin(self) -> str:
        """Scheme and domain, such as https://tenant.localhost."""
        return self._inside.site.origin

    @property
    def domain(self) -> str:
        """Host, and port where it is not the scheme's own."""
        return self._inside.site.domain

    @property
    def audience(self) -> str:
        """The Management API's identifier, for token requests."""
        return self._inside.site.audience

    @property
    def scopes(self) -> Sequence[str]:
        """What the application is granted. New tokens have what it is set to, issued ones do not."""
        return self._inside.scopes

    @scopes.setter
    def scopes(self, scopes: Iterable[str]) -> None:
        self._inside.scopes = list(scopes)

    @property
    def token_lifetime(self) -> int:
        """Seconds that new tokens are good for."""
        return self._inside.lifetime

    @token_lifetime.setter
    def token_lifetime(self, seconds: int) -> None:
        self._inside.lifetime = _checked_lifetime(seconds)

    @property
    def client_id(self) -> str:
        """The id of the application that may ask for tokens."""
        return self._inside.applications.own_id

    @property
    def client_secret(self) -> str:
        """Its secret, made at random; as it is now, should it have been rotated."""
        own = self._inside.applications.get(self.client_id)
        if own is not None:
            self._last_secret = str(own.row["client_secret"])
        return self._last_secret

    @property
    def token_requests(self) -> int:
        """How many requests came to the token endpoint, whatever became of them."""
        return self._inside.observed.counts["token"]

    @property
    def api_requests(self) -> int:
        """How many requests came to the Management API, whatever became of them."""
        return self._inside.observed.counts["api"]

    @property
    def requests(self) -> tuple[Record, ...]:
        """The last 10,000 requests."""
        return tuple(self._inside.observed.records)

    def reset_counts(self) -> None:
        """Forget the requests seen so far."""
        self._inside.observed.reset()

    def fail_token_requests(
        self,
        count: int,
        status: int = 503,
        *,
        body: FaultBody = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next `count` token requests this way. A str or bytes body is sent as it is."""
        default = token_error(status, _TOKEN_CODES.get(status, "server_error"), "A scripted fault")
        self._inside.faults.add("token", count, fault_answer(default, body, headers))

    def fail_api_requests(
        self,
        count: int,
        status: int = 503,
        *,
        body: FaultBody = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next `count` API requests this way. A str or bytes body is sent as it is."""
        code = "too_many_requests" if status == 429 else None
        default = api_error(status, "A scripted fault", code)
        self._inside.faults.add("api", count, fault_answer(default, body, headers))

    def drop_token_requests(self, count: int) -> None:
        """Close the connection without an answer for the next `count` token requests."""
        self._inside.faults.add("token", count, Drop())

    def drop_api_requests(self, count: int) -> None:
        """Close the connection without an answer for the next `count` API requests."""
        self._inside.faults.add("api", count, Drop())

    def delay(self, *, token: float | None = None, api: float | None = None) -> None:
        """Hold back every answer, by kind, for so many seconds from now on. None: as it was."""
        delays = self._inside.faults.delays
        if token is not None:
            delays["token"] = _checked_delay("token", token)
        if api is not None:
            delays["api"] = _checked_delay("api", api)

    def clear_faults(self) -> None:
        """Let everything go well again, without delay."""
        self._inside.faults.clear()

    def seed(self, collection: str, rows: Iterable[Mapping[str, object]]) -> list[str]:
        """Put rows into the list of a path, such as users or organizations/org_1/members. Returns their ids.

        Ids, times and what else a row must have are made where they are not given; nothing is checked and
        nothing is logged. Users are of the connection Username-Password-Authentication unless they name
        another. Raises ValueError for a path that has no list.
        """
        return seeding.seed(self._world, collection, rows)

    def set(self, path: str, value: Mapping[str, object]) -> None:
        """Set what has no list, such as tenants/settings, to a value as it is read."""
        seeding.put(self._world, path, value)

    def rows(self, collection: str) -> list[dict[str, Any]]:
        """Return copies of what the tenant holds in the list of a path, secrets included."""
        return seeding.held(self._world, collection)

    @property
    def follow_events(self) -> bool:
        """Whether /events stays open for what comes; if not, streams end after what is there."""
        return self._world.feed.follow

    @follow_events.setter
    def follow_events(self, follow: bool) -> None:
        self._world.feed.follow = follow
        self._world.feed.wake()

    @property
    def _world(self) -> World:
        return self._inside.api.world

    def issue_token(self, *, scopes: Iterable[str] | None = None) -> str:
        """Return an access token without a token request, of all scopes granted or of any others."""
        inside = self._inside
        claims = access_claims(
            inside.site,
            self.domain,
            client_id=self.client_id,
            scope=" ".join(self.scopes if scopes is None else scopes),
            now=inside.clock(),
            lifetime=self.token_lifetime,
        )
        return inside.tokens.issue(claims)

    def revoke_tokens(self) -> None:
        """Refuse, with 401, every token issued so far."""
        self._inside.tokens.revoke()

    def rotate_signing_key(self, *, revoke_previous: bool = False) -> None:
        """Sign with a fresh key. Tokens of the previous keys stay good unless those are revoked."""
        self._inside.tokens.rotate(revoke_previous=revoke_previous)

    def move_to(self, origin: str, aliases: Iterable[str] = ()) -> None:
        """Live at another origin from now on; `aliases` are other names of the same address."""
        site = self._inside.site
        self._inside.site = dataclasses.replace(site, origin=origin, aliases=frozenset(aliases))

    def prepare(self) -> None:
        """Do now what the first token request would have to wait for: make the signing key."""
        self._inside.tokens.accepted()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request. Raises httpx.RemoteProtocolError where the connection is to be dropped."""
        headers: dict[str, str] = {}
        for key, value in request.headers.multi_items():
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        host = headers.get("host", "").lower()
        reply = self.respond(Call(request.method, host, path, query, headers, request.content))
        if reply.delay:
            self._sleep(reply.delay)
        if reply.answer is None:
            raise httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            )
        status, fields = reply.answer.status, dict(reply.answer.headers)
        if reply.answer.stream is not None:
            return httpx.Response(status, headers=fields, stream=FeedBody(reply.answer.stream))
        return httpx.Response(status, headers=fields, content=reply.answer.body)

    def respond(self, call: Call) -> Reply:
        """Return what comes back, without waiting for the delay. The call counts from here on."""
        return self._inside.respond(call)


def _checked_delay(kind: str, seconds: float) -> float:
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{kind}: {seconds} is no number of seconds to wait")
    return seconds


def _checked_lifetime(seconds: int) -> int:
    if seconds < 1:
        raise ValueError(f"token_lifetime: {seconds} is less than one second")
    return seconds
