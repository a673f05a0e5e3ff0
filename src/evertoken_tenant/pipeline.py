"""What becomes of a call, in order: host, rate limit, fault, then the endpoint's own checks."""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING, Final

from evertoken_tenant.discovery import discover
from evertoken_tenant.faults import Drop, Faults, Kind
from evertoken_tenant.observed import Observed, Record
from evertoken_tenant.operation import Operation, find
from evertoken_tenant.refusal import RefusedError, api_error, refuse, token_error
from evertoken_tenant.site import API_PATH, Site
from evertoken_tenant.token_endpoint import exchange
from evertoken_tenant.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evertoken_tenant.applications import Applications
    from evertoken_tenant.call import Answer, Call
    from evertoken_tenant.limits import TokenBucket

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
    operations: Sequence[Operation]
    scopes: Sequence[str]
    lifetime: int
    buckets: dict[Kind, TokenBucket]
    tokens: Tokens = dataclasses.field(default_factory=Tokens)
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
            return discover(call, site=self.site, name=name, tokens=self.tokens)
        except RefusedError as refused:
            return refused.answer

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
        return exchange(
            call,
            site=self.site,
            name=name,
            applications=self.applications,
            tokens=self.tokens,
            granted=tuple(self.scopes),
            lifetime=self.lifetime,
            now=now,
        )

    def _operate(self, call: Call, name: str, now: float) -> Answer:
        operation, values = find(self.operations, call.method, call.path.removeprefix(API_PATH))
        token = _bearer(call.headers.get("authorization"))
        issuer = self.site.issuer(name)
        grant = self.tokens.verify(token, issuer=issuer, audience=self.site.audience, now=now)
        return operation.answer(call, values, grant)


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
