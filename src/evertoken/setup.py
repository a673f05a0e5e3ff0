"""What both clients make of their arguments."""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import TYPE_CHECKING, Final, Literal

import httpx

from evertoken._version import __version__
from evertoken.auth import ManagementAuth
from evertoken.bearer import BearerAuth
from evertoken.clock import SYSTEM_CLOCK
from evertoken.codec import Codec
from evertoken.errors import ArgumentError
from evertoken.options import check_priority, check_timeout
from evertoken.origin import parse_base_url, parse_domain
from evertoken.retry import RetryPolicy
from evertoken.transport import Call, Transport

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from evertoken.drift import Listener as DriftListener
    from evertoken.flow import StepAuth
    from evertoken.grant import Grant
    from evertoken.operation import Operation, Priority, RequestOptions
    from evertoken.secret import GivenSecret
    from evertoken.store import TokenStore
    from evertoken.throttle import Throttle
    from evertoken.token import Secret

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds to connect, to send, and to wait for each piece of an answer."""

DEFAULT_MAX_RETRIES: Final = 3

DEFAULT_MAX_WAIT: Final = 60.0
"""Seconds that the waits between the attempts of a call may take."""

# httpcore 1.0.9 loses connections when threads outnumber the pool: not smaller than httpx's own default.
LIMITS: Final[httpx.Limits] = httpx.Limits(max_connections=100, max_keepalive_connections=20)

abandoned: Final[list[object]] = []
"""httpx clients that fork carried into a child.

Kept from the garbage collector: closing them there would end the parent's connections.
"""

HEADERS: Final[dict[str, str]] = {"User-Agent": f"evertoken/{__version__}"}


class Calls:
    """How both clients encode, decode and repeat."""

    def __init__(
        self,
        *,
        domain: str,
        base_url: str | None,
        headers: Mapping[str, str] | None,
        custom_domain: str | None,
        client_info: Mapping[str, object] | Literal[False] | None,
        timeout: float | None,
        max_retries: int,
        max_wait: float,
        deadline: float | None,
        priority: Priority,
        strict: bool,
        on_drift: DriftListener | None,
    ) -> None:
        for name, seconds in (("timeout", timeout), ("deadline", deadline)):
            if seconds is not None:
                check_timeout(name, seconds)
        self._priority: Priority = check_priority(priority)
        self.own_timeout: float = DEFAULT_TIMEOUT if timeout is None else timeout
        self._timeout = timeout
        self._policy = RetryPolicy(
            max_retries=_check_retries(max_retries),
            max_wait=_check_wait("max_wait", max_wait),
            deadline=deadline,
        )
        root, path = (parse_domain(domain), "/api/v2") if base_url is None else parse_base_url(base_url)
        self.codec: Codec = Codec(
            base_url=f"{root}{path}",
            headers=headers,
            custom_domain=None
            if custom_domain is None
            else parse_domain(custom_domain, "custom_domain").host,
            client_info=client_info,
            timeout=timeout,
            strict=strict,
            on_drift=on_drift,
        )

    def lend_timeout(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Return a request that is never sent: a token request takes its timeout."""
        return http.build_request(
            "GET", "/", timeout=httpx.USE_CLIENT_DEFAULT if self._timeout is None else self._timeout
        )

    def call(
        self,
        http: httpx.Client | httpx.AsyncClient,
        operation: Operation[object],
        options: RequestOptions,
        *,
        stream: bool = False,
    ) -> Call:
        """Return what is sent, and what it is allowed: as the call asks for, or as the client does.

        Raises ArgumentError or PaginationLimitError for what the API could only refuse.
        """
        request = self.codec.encode(http, operation, options)
        if not options:
            return Call(self.codec.base_url, operation, request, self._policy, self._priority, stream)
        policy = self._policy
        if "max_retries" in options:
            policy = dataclasses.replace(policy, max_retries=_check_retries(options["max_retries"]))
        if "max_wait_in_seconds" in options:
            seconds = _check_wait("max_wait_in_seconds", options["max_wait_in_seconds"])
            policy = dataclasses.replace(policy, max_wait=seconds)
        if "deadline_in_seconds" in options:
            seconds = check_timeout("deadline_in_seconds", options["deadline_in_seconds"])
            policy = dataclasses.replace(policy, deadline=seconds)
        priority = check_priority(options.get("priority", self._priority))
        return Call(self.codec.base_url, operation, request, policy, priority, stream)


@functools.cache
def ssl_context() -> ssl.SSLContext:
    """Return the one context of the process."""
    # Loading the certificate authorities is half the cost of a new client: once for the process.
    return httpx.create_ssl_context()


def make_transport(auth: StepAuth, throttle: Throttle | None, max_body: int) -> Transport:
    """Return what sends the calls of a client; raise ArgumentError where it cannot."""
    _check_bytes("max_body", max_body)
    return Transport(auth=auth, clock=SYSTEM_CLOCK, throttle=throttle, longest_body=max_body)


def make_auth(
    *,
    domain: str,
    client_id: str | None,
    client_secret: GivenSecret | None,
    credentials: Grant | None,
    token: Secret | Callable[[], str] | Callable[[], Awaitable[str]] | None,
    audience: str | None,
    organization: str | None,
    token_store: TokenStore | None,
    base_url: str | None,
    share_token: bool,
) -> ManagementAuth | BearerAuth:
    """Return the auth that the arguments make; raise ArgumentError where they make none, or two."""
    if token is None:
        return ManagementAuth(
            domain=domain,
            client_id=client_id,
            client_secret=client_secret,
            credentials=credentials,
            audience=audience,
            organization=organization,
            token_store=token_store,
            base_url=base_url,
            share_token=share_token,
        )
    for name, value in (
        ("client_id", client_id),
        ("client_secret", client_secret),
        ("credentials", credentials),
        ("organization", organization),
        ("token_store", token_store),
    ):
        if value is not None:
            raise ArgumentError(name, "given together with token; give either token or credentials")
    return BearerAuth(domain=domain, token=token, base_url=base_url)


def management_auth(auth: ManagementAuth | BearerAuth) -> ManagementAuth:
    """Return the auth that renews tokens; raise ArgumentError where the caller gave the token."""
    if isinstance(auth, BearerAuth):
        raise ArgumentError("token", "was given to this client; whoever made it knows its state")
    return auth


def check_httpx_client(client: object, kind: type) -> None:
    """Raise ArgumentError for an httpx client of the other colour, or for what is none."""
    if client is not None and not isinstance(client, kind):
        raise ArgumentError("httpx_client", f"is no httpx.{kind.__name__}, which this client needs")


def _check_retries(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ArgumentError("max_retries", f"{value!r} is no whole number from 0")
    return value


def _check_bytes(argument: str, count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(argument, f"{count!r} is no number of bytes from 1")


def _check_wait(argument: str, seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
        raise ArgumentError(argument, f"{seconds!r} is no number of seconds from 0")
    return float(seconds)


def env(name: str) -> str:
    """Return an environment variable; raise ArgumentError where it is not set."""
    value = os.environ.get(name)
    if not value:
        raise ArgumentError(
            name, "not set in the environment; set it, or construct the client with arguments"
        )
    return value
