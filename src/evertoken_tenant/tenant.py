"""The tenant: calls in, answers out."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import httpx

from evertoken_tenant.applications import Applications
from evertoken_tenant.call import Answer, Call
from evertoken_tenant.cimd import Cimd
from evertoken_tenant.client_credentials import ClientCredentials
from evertoken_tenant.clients import Clients
from evertoken_tenant.connections import ClientConnections
from evertoken_tenant.credentials import Keeper
from evertoken_tenant.discovery import discover
from evertoken_tenant.faults import Drop, Fault, FaultBody, Faults, Kind, fault_answer
from evertoken_tenant.limits import Allowance, TokenBucket
from evertoken_tenant.observed import Observed, Record
from evertoken_tenant.operation import find
from evertoken_tenant.paging import Cursors
from evertoken_tenant.refusal import RefusedError, api_error, refuse, token_error
from evertoken_tenant.routes import operations
from evertoken_tenant.site import API_PATH, Site
from evertoken_tenant.token_endpoint import exchange
from evertoken_tenant.tokens import Tokens

_CORRELATION_ID_MOST: Final = 64  # characters; a longer one is not accepted


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What comes back: an answer, None for a connection closed without one, after `delay` seconds."""

    answer: Answer | None
    delay: float


class Tenant:
    """A local Auth0 tenant: `httpx.Client(transport=httpx.MockTransport(tenant))`, or see `serve`.

    `clients` applications are there at the start, the same for the same `seed`; the tenant's own, which
    has `client_id` and `client_secret`, can be read and changed but is in no list. `scopes` is what it is
    granted (default: all there are for applications). Lifetime of tokens in seconds; `rate_limit` in
    requests per second above a bucket of `rate_burst`, for the API; the token endpoint has none unless
    `token_rate_limit` is set. `clock` returns Unix time, `sleep` carries out `delay` in process.
    `custom_domains` are answered as well as `domain`. Safe to share between threads.
    """

    def __init__(
        self,
        *,
        clients: int = 300,
        token_lifetime: int = 86_400,
        rate_limit: float = 1_000,
        rate_burst: int = 10_000,
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
        if token_lifetime < 1:
            raise ValueError(f"token_lifetime: {token_lifetime} is less than one second")
        self.token_lifetime = token_lifetime
        self._clock = clock
        self._sleep = sleep
        self.site = Site(f"https://{domain}", custom_domains=frozenset(custom_domains))
        self._applications = Applications(seed=seed, count=clients)
        own = self._applications.get(self._applications.own_id)
        self._last_secret = "" if own is None else str(own.row["client_secret"])
        self._tokens = Tokens()
        self._bucket = TokenBucket(rate=rate_limit, burst=rate_burst)
        self._token_bucket = (
            None
            if token_rate_limit is None
            else TokenBucket(rate=token_rate_limit, burst=token_rate_burst or max(1, int(token_rate_limit)))
        )
        self._faults = Faults()
        self._observed = Observed()
        self._operations = self._make_operations()
        every = {scope for operation in self._operations for scope in operation.scopes.split()}
        self.scopes: Sequence[str] = sorted(every) if scopes is None else list(scopes)

    def __repr__(self) -> str:
        return f"Tenant(origin={self.origin!r}, client_id={self.client_id!r})"

    def _make_operations(self) -> tuple[_Operation, ...]:
        cursors, keeper = Cursors(self._clock), Keeper(self._clock)
        return operations(
            Clients(self._applications, cursors, keeper),
            ClientCredentials(self._applications, keeper),
            ClientConnections(self._applications, cursors),
            Cimd(self._applications),
        )

    @property
    def origin(self) -> str:
        """Scheme and domain, such as https://tenant.localhost."""
        return self.site.origin

    @property
    def domain(self) -> str:
        """Host, and port where it is not the scheme's own."""
        return self.site.domain

    @property
    def audience(self) -> str:
        """The Management API's identifier, for token requests."""
        return self.site.audience

    @property
    def client_id(self) -> str:
        """The id of the application that may ask for tokens."""
        return self._applications.own_id

    @property
    def client_secret(self) -> str:
        """Its secret, made at random; as it is now, should it have been rotated."""
        own = self._applications.get(self.client_id)
        if own is not None:
            self._last_secret = str(own.row["client_secret"])
        return self._last_secret

    @property
    def token_requests(self) -> int:
        """How many requests came to the token endpoint, whatever became of them."""
        return self._observed.counts["token"]

    @property
    def api_requests(self) -> int:
        """How many requests came to the Management API, whatever became of them."""
        return self._observed.counts["api"]

    @property
    def requests(self) -> tuple[Record, ...]:
        """The last 10,000 requests."""
        return tuple(self._observed.records)

    def reset_counts(self) -> None:
        """Forget the requests seen so far."""
        self._observed.reset()

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
        self._faults.add("token", count, fault_answer(default, body, headers))

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
        self._faults.add("api", count, fault_answer(default, body, headers))

    def drop_token_requests(self, count: int) -> None:
        """Close the connection without an answer for the next `count` token requests."""
        self._faults.add("token", count, Drop())

    def drop_api_requests(self, count: int) -> None:
        """Close the connection without an answer for the next `count` API requests."""
        self._faults.add("api", count, Drop())

    def delay(self, *, token: float | None = None, api: float | None = None) -> None:
        """Hold back every answer, by kind, for so many seconds from now on. None: as it was."""
        if token is not None:
            self._faults.delays["token"] = token
        if api is not None:
            self._faults.delays["api"] = api

    def clear_faults(self) -> None:
        """Let everything go well again, without delay."""
        self._faults.clear()

    def revoke_tokens(self) -> None:
        """Refuse, with 401, every token issued so far."""
        self._tokens.revoke()

    def rotate_signing_key(self, *, revoke_previous: bool = False) -> None:
        """Sign with a fresh key. Tokens of the previous keys stay good unless those are revoked."""
        self._tokens.rotate(revoke_previous=revoke_previous)

    def prepare(self) -> None:
        """Do now what the first token request would have to wait for: make the signing key."""
        self._tokens.keys()

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
        return httpx.Response(
            reply.answer.status, headers=dict(reply.answer.headers), content=reply.answer.body
        )

    def respond(self, call: Call) -> Reply:
        """Return what comes back, without waiting for the delay. The call counts from here on."""
        now = self._clock()
        kind = _kind(call.path)
        answer = self._answer(call, kind, now)
        self._observed.add(
            kind, Record(now, call.method, call.path, call.query, 0 if answer is None else answer.status)
        )
        if answer is not None:
            answer = answer.adding(_request_ids(call))
        return Reply(answer, 0.0 if kind is None else self._faults.delays[kind])

    def _answer(self, call: Call, kind: Kind | None, now: float) -> Answer | None:
        name = self.site.name_of(call.host)
        if name is None:
            return api_error(421, f"Misdirected Request: this is {self.domain}, not {call.host}")
        allowance = self._take(kind, now)
        fault = None if kind is None else self._faults.next(kind)
        answer = self._judge(call, kind, name, now, allowance, fault)
        return answer if answer is None or allowance is None else answer.adding(allowance.headers())

    def _judge(
        self,
        call: Call,
        kind: Kind | None,
        name: str,
        now: float,
        allowance: Allowance | None,
        fault: Fault | None,
    ) -> Answer | None:
        match fault:
            case Drop():
                return None
            case Answer():
                return fault
            case None:
                pass
        if allowance is not None and not allowance.allowed:
            return _too_many(kind)
        try:
            match kind:
                case "token":
                    return self._exchange(call, name, now)
                case "api":
                    return self._carry_out(call, name, now)
                case None:
                    return discover(call, site=self.site, name=name, tokens=self._tokens)
        except RefusedError as refused:
            return refused.answer

    def _take(self, kind: Kind | None, now: float) -> Allowance | None:
        bucket = {"token": self._token_bucket, "api": self._bucket, None: None}[kind]
        return None if bucket is None else bucket.take(now)

    def _exchange(self, call: Call, name: str, now: float) -> Answer:
        return exchange(
            call,
            site=self.site,
            name=name,
            applications=self._applications,
            tokens=self._tokens,
            granted=tuple(self.scopes),
            lifetime=self.token_lifetime,
            now=now,
        )

    def _carry_out(self, call: Call, name: str, now: float) -> Answer:
        operation, values = find(self._operations, call.method, call.path.removeprefix(API_PATH))
        token = _bearer(call.headers.get("authorization"))
        site = self.site
        grant = self._tokens.verify(token, issuer=site.issuer(name), audience=site.audience, now=now)
        return operation.answer(call, values, grant)


_TOKEN_CODES: Final = {
    400: "invalid_request",
    401: "access_denied",
    403: "access_denied",
    429: "too_many_requests",
    503: "temporarily_unavailable",
}


def _kind(path: str) -> Kind | None:
    if path == "/oauth/token":
        return "token"
    return "api" if path == API_PATH or path.startswith(f"{API_PATH}/") else None


def _request_ids(call: Call) -> dict[str, str]:
    ids = {"x-auth0-requestid": secrets.token_hex(10)}
    correlation_id = call.headers.get("x-correlation-id", "")
    if 0 < len(correlation_id) <= _CORRELATION_ID_MOST:
        ids["x-correlation-id"] = correlation_id
    return ids


def _too_many(kind: Kind | None) -> Answer:
    if kind == "token":
        return token_error(429, "too_many_requests", "The limit of the token endpoint has been reached")
    return api_error(429, "Global limit has been reached", "too_many_requests")


def _bearer(header: str | None) -> str:
    """Return the token. Raises RefusedError: 401 without one, 400 where it cannot be a JWT."""
    parts = (header or "").split()
    if not parts or (len(parts) == 2 and parts[0].lower() != "bearer"):
        raise refuse(401, "Missing authentication")
    if len(parts) != 2 or parts[1].count(".") != 2:
        raise refuse(400, "Bad HTTP authentication header format", "Bearer")
    return parts[1]
