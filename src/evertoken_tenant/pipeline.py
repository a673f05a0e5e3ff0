"""What becomes of a call, in order: host, rate limit, fault, then the endpoint's own checks."""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import Answer
from evertoken_tenant.discovery import discover
from evertoken_tenant.faults import Drop, Faults, Kind
from evertoken_tenant.observed import Observed, Record
from evertoken_tenant.refusal import RefusedError, api_error, refuse, token_error
from evertoken_tenant.site import API_PATH, Site
from evertoken_tenant.special.grants import granted
from evertoken_tenant.special.jobs import EXPORTS, export
from evertoken_tenant.token_endpoint import client_of, exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evertoken_tenant.api import Api
    from evertoken_tenant.applications import Applications
    from evertoken_tenant.call import Call
    from evertoken_tenant.limits import TokenBucket
    from evertoken_tenant.tokens import Grant, Tokens

_CORRELATION_ID_MOST: Final = 64  # characters; a longer one is not accepted


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What comes back: an answer, None for a connection closed without one, after `delay` seconds."""

    answer: Answer | None
    delay: float


@dataclasses.dataclass(slots=True)
class Pipeline:
    """The tenant's parts, and the way of a call through them. `lifetime` of tokens in seconds."""

    site: Site
    clock: Callable[[], float]
    applications: Applications
    api: Api
    scopes: Sequence[str]
    lifetime: int
    buckets: dict[Kind, TokenBucket]
    tokens: Tokens
    faults: Faults = dataclasses.field(default_factory=Faults)
    observed: Observed = dataclasses.field(default_factory=Observed)

    def respond(self, call: Call) -> Reply:
        """Return what comes back, without waiting for the delay. The call counts from here on."""
        now = self.clock()
        kind = _kind(call.path)
        answer = self._answer(call, kind, now)
        status = 0 if answer is None else answer.status
        self.observed.add(kind, Record(now, call.method, call.path, call.query, status))
        if answer is not None:
            answer = answer.adding(_request_ids(call))
        return Reply(answer, 0.0 if kind is None else self.faults.delays[kind])

    def _answer(self, call: Call, kind: Kind | None, now: float) -> Answer | None:
        name = self.site.name_of(call.host)
        if name is None:
            return api_error(421, f"Misdirected Request: this is {self.site.domain}")
        if kind is not None:
            return self._limited(call, kind, name, now)
        try:
            if call.path.startswith(EXPORTS):
                return self._exported(call)
            return discover(call, site=self.site, name=name, tokens=self.tokens)
        except RefusedError as refused:
            return refused.answer

    def _exported(self, call: Call) -> Answer:
        with self.api.world.state.lock:
            content = export(self.api.world, call.path.removeprefix(EXPORTS))
        if content is None:
            raise refuse(404, "Not Found")
        return Answer(200, {"content-type": "application/gzip"}, content)

    def _limited(self, call: Call, kind: Kind, name: str, now: float) -> Answer | None:
        allowance = self.buckets[kind].take(now) if kind in self.buckets else None
        fault = self.faults.next(kind)
        if isinstance(fault, Drop):
            return None
        if fault is not None:
            answer = fault
        elif allowance is not None and not allowance.allowed:
            answer = _too_many(kind)
        else:
            answer = self._carry_out(call, kind, name, now)
        return answer if allowance is None else answer.adding(allowance.headers())

    def _carry_out(self, call: Call, kind: Kind, name: str, now: float) -> Answer:
        try:
            return self._exchange(call, name, now) if kind == "token" else self._operate(call, name, now)
        except RefusedError as refused:
            return refused.answer

    def _exchange(self, call: Call, name: str, now: float) -> Answer:
        world, client_id = self.api.world, client_of(call)
        try:
            answer = exchange(
                call,
                site=self.site,
                name=name,
                applications=self.applications,
                tokens=self.tokens,
                granted=self._granted,
                lifetime=self.lifetime,
                now=now,
            )
        except RefusedError:
            world.journal.add("feccft", world.moment(), "Failed exchange", client_id=client_id)
            raise
        description = "Client Credentials for Access Token"
        world.journal.add("seccft", world.moment(), description, client_id=client_id)
        return answer

    def _granted(self, client_id: str) -> Sequence[str] | None:
        """Return the scopes that an application may have for the API, None for one without a grant."""
        if client_id == self.applications.own_id:
            return self.scopes
        with self.api.world.state.lock:
            return granted(self.api.world, client_id, self.site.is_audience)

    def _operate(self, call: Call, name: str, now: float) -> Answer:
        def verify() -> Grant:
            token = _bearer(call.headers.get("authorization"))
            issuer = self.site.issuer(name)
            return self.tokens.verify(token, issuer=issuer, audience=self.site.audience, now=now)

        return self.api.answer(call, call.path.removeprefix(API_PATH), verify)


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


def _too_many(kind: Kind) -> Answer:
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
