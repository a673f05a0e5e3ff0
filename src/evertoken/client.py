"""`ManagementClient` and `AsyncManagementClient`: the whole API, typed, with a token that renews itself."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from typing import TYPE_CHECKING, Final, TypeVar, cast

import anyio.lowlevel
import httpx

from evertoken import paging, transport
from evertoken._version import __version__
from evertoken.auth import BearerAuth, ManagementAuth
from evertoken.clock import SYSTEM_CLOCK
from evertoken.codec import Codec
from evertoken.errors import ArgumentError
from evertoken.flow import StepAuth, Steps
from evertoken.options import check_timeout
from evertoken.origin import parse_base_url, parse_domain
from evertoken.retry import RetryPolicy
from evertoken.secret import GivenSecret, hide
from evertoken.token import Secret
from evertoken_api._client import AsyncGroupsOfClient, GroupsOfClient

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType
    from typing import Self

    from evertoken.grant import Grant
    from evertoken.operation import ListOperation, Operation, RequestOptions
    from evertoken.renewal import TokenSource
    from evertoken.secret import GivenSecret
    from evertoken.store import TokenStore
from evertoken.token import AccessToken

T = TypeVar("T")
ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds to connect, to send, and to wait for each piece of an answer."""

DEFAULT_MAX_RETRIES: Final = 3

# httpcore 1.0.9 loses connections when threads outnumber the pool: not smaller than httpx's own default.
_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20)

_abandoned: Final[list[object]] = []
"""httpx clients that fork carried into a child.

Kept from the garbage collector: closing them there would end the parent's connections.
"""


class ManagementClient(GroupsOfClient):
    """The Management API of one tenant, synchronously. Safe to share between threads.

    `domain` is `tenant.eu.auth0.com`, `host:port`, or an https URL of one (http on loopback only). Give
    one way to a token:

    - `client_id` and `client_secret` of an application that is granted the Management API; the secret is a
      string, or where to find it (see `ClientSecretPost`),
    - `credentials`, another grant, such as `PrivateKeyJWT`,
    - `token`, a string, or a callable that is asked for every request.

    `audience` is needed only where `domain` is a custom domain: `https://{canonical domain}/api/v2/`.
    `organization` is sent with the token request. `token_store` keeps tokens beyond this client.
    `base_url` is the API's root where that is not `https://{domain}/api/v2`. `headers` go with every call.
    `custom_domain` is sent as Auth0-Custom-Domain where the API honours it. `client_info` replaces what
    Auth0-Client tells the tenant's logs (`name`, `version`, `env`). `timeout` is in seconds (30, or that of
    `httpx_client`). `max_retries` counts attempts after the first. `strict` makes an answer that does not
    fit the spec a DecodeError instead of a warning. `httpx_client` sends everything, token requests too;
    it stays open when this client is closed.

    Raises ArgumentError for arguments that cannot be right; nothing is sent before the first call.
    """

    def __init__(
        self,
        *,
        domain: str,
        client_id: str | None = None,
        client_secret: GivenSecret | None = None,
        credentials: Grant | None = None,
        token: str | Secret | Callable[[], str] | None = None,
        audience: str | None = None,
        organization: str | None = None,
        token_store: TokenStore | None = None,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        custom_domain: str | None = None,
        client_info: Mapping[str, object] | None = None,
        timeout: float | None = None,
        max_retries: int = DEFAULT_MAX_RETRIES,
        strict: bool = False,
        httpx_client: httpx.Client | None = None,
    ) -> None:
        # Rebound before anything can raise: a traceback's locals show no secret.
        client_secret = hide(client_secret)
        token = token if callable(token) else Secret.wrap(token)
        super().__init__(self)
        self._auth = _auth(
            domain=domain,
            client_id=client_id,
            client_secret=client_secret,
            credentials=credentials,
            token=token,
            audience=audience,
            organization=organization,
            token_store=token_store,
            base_url=base_url,
        )
        self._calls = _Calls(
            domain=domain,
            base_url=base_url,
            headers=headers,
            custom_domain=custom_domain,
            client_info=client_info,
            timeout=timeout,
            max_retries=max_retries,
            strict=strict,
        )
        _check_httpx_client(httpx_client, httpx.Client)
        self._given = httpx_client
        self._own: tuple[int, httpx.Client] | None = None if httpx_client else self._new_http()

    @classmethod
    def from_env(
        cls,
        *,
        token_store: TokenStore | None = None,
        timeout: float | None = None,
        max_retries: int = DEFAULT_MAX_RETRIES,
        httpx_client: httpx.Client | None = None,
    ) -> Self:
        """Return a client made from AUTH0_DOMAIN, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET, AUTH0_AUDIENCE.

        The last one is needed only where the domain is a custom domain.
        """
        return cls(
            domain=_env("AUTH0_DOMAIN"),
            client_id=_env("AUTH0_CLIENT_ID"),
            client_secret=Secret(_env("AUTH0_CLIENT_SECRET")),
            audience=os.environ.get("AUTH0_AUDIENCE") or None,
            token_store=token_store,
            timeout=timeout,
            max_retries=max_retries,
            httpx_client=httpx_client,
        )

    @property
    def token_source(self) -> TokenSource:
        """The token's life: `status()` tells age, expiry and failures, without the token."""
        return _token_source(self._auth)

    def access_token(self) -> AccessToken:
        """Return a token that is good now, for a request that something else sends.

        Ask again for the next request: the token held is returned, or its successor once it is time.
        Raises TokenError where none can be had, ArgumentError where this client was given its `token`.
        """
        http = self._http()
        request = self._calls.lend_timeout(http)
        auth = _TokenAuth(self._auth)
        with contextlib.closing(auth.sync_auth_flow(request)) as flow:
            outgoing = next(flow)
            while outgoing is not request:
                sent = transport._send_once(http, outgoing)  # noqa: SLF001 - as an attempt does
                outgoing = flow.send(sent) if isinstance(sent, httpx.Response) else flow.throw(sent)
        return auth.token

    def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        """Carry out an operation and return the decoded answer."""
        http = self._http()
        request = self._calls.codec.encode(http, operation, request_options or {})
        response = transport.send(
            http,
            self._auth,
            request,
            policy=self._calls.policy(request_options),
            clock=SYSTEM_CLOCK,
        )
        return self._calls.codec.decode(operation, response)

    def send_list(
        self,
        operation: ListOperation[ItemT, PageT],
        request_options: RequestOptions | None = None,
        /,
    ) -> paging.SyncPager[ItemT, PageT]:
        """Return the first page of a list, which fetches the others."""
        return paging.first_page(self, operation, request_options)

    def close(self) -> None:
        """Close the connections, unless the httpx client was given."""
        if self._own is not None:
            self._own[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ManagementClient(auth={getattr(self, '_auth', None)!r})"

    def _http(self) -> httpx.Client:
        if self._own is None:
            return cast("httpx.Client", self._given)
        pid, http = self._own
        if pid != os.getpid():
            _abandoned.append(http)
            self._own = self._new_http()
            http = self._own[1]
        return http

    def _new_http(self) -> tuple[int, httpx.Client]:
        return os.getpid(), httpx.Client(
            headers=_HEADERS, timeout=self._calls.own_timeout, limits=_LIMITS, verify=_ssl_context()
        )


class AsyncManagementClient(AsyncGroupsOfClient):
    """The Management API of one tenant, asynchronously: for asyncio and trio.

    Safe to share between tasks, and between event loops: each has its own connections, all share the
    token. Arguments and errors are those of `ManagementClient`, but `token` may be an async callable and
    `httpx_client` is an `httpx.AsyncClient`, which belongs to one event loop.
    """

    def __init__(
        self,
        *,
        domain: str,
        client_id: str | None = None,
        client_secret: GivenSecret | None = None,
        credentials: Grant | None = None,
        token: str | Secret | Callable[[], str] | Callable[[], Awaitable[str]] | None = None,
        audience: str | None = None,
        organization: str | None = None,
        token_store: TokenStore | None = None,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        custom_domain: str | None = None,
        client_info: Mapping[str, object] | None = None,
        timeout: float | None = None,
        max_retries: int = DEFAULT_MAX_RETRIES,
        strict: bool = False,
        httpx_client: httpx.AsyncClient | None = None,
    ) -> None:
        client_secret = hide(client_secret)
        token = token if callable(token) else Secret.wrap(token)
        super().__init__(self)
        self._auth = _auth(
            domain=domain,
            client_id=client_id,
            client_secret=client_secret,
            credentials=credentials,
            token=token,
            audience=audience,
            organization=organization,
            token_store=token_store,
            base_url=base_url,
        )
        self._calls = _Calls(
            domain=domain,
            base_url=base_url,
            headers=headers,
            custom_domain=custom_domain,
            client_info=client_info,
            timeout=timeout,
            max_retries=max_retries,
            strict=strict,
        )
        _check_httpx_client(httpx_client, httpx.AsyncClient)
        self._given = httpx_client
        # A connection belongs to the event loop that opened it.
        self._own: anyio.lowlevel.RunVar[tuple[int, httpx.AsyncClient]] = anyio.lowlevel.RunVar(
            f"evertoken.{id(self)}"
        )

    @classmethod
    def from_env(
        cls,
        *,
        token_store: TokenStore | None = None,
        timeout: float | None = None,
        max_retries: int = DEFAULT_MAX_RETRIES,
        httpx_client: httpx.AsyncClient | None = None,
    ) -> Self:
        """Return a client made from AUTH0_DOMAIN, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET, AUTH0_AUDIENCE.

        The last one is needed only where the domain is a custom domain.
        """
        return cls(
            domain=_env("AUTH0_DOMAIN"),
            client_id=_env("AUTH0_CLIENT_ID"),
            client_secret=Secret(_env("AUTH0_CLIENT_SECRET")),
            audience=os.environ.get("AUTH0_AUDIENCE") or None,
            token_store=token_store,
            timeout=timeout,
            max_retries=max_retries,
            httpx_client=httpx_client,
        )

    @property
    def token_source(self) -> TokenSource:
        """The token's life: `status()` tells age, expiry and failures, without the token."""
        return _token_source(self._auth)

    async def access_token(self) -> AccessToken:
        """Return a token that is good now, for a request that something else sends.

        Ask again for the next request: the token held is returned, or its successor once it is time.
        Raises TokenError where none can be had, ArgumentError where this client was given its `token`.
        """
        http = self._http()
        request = self._calls.lend_timeout(http)
        auth = _TokenAuth(self._auth)
        async with contextlib.aclosing(auth.async_auth_flow(request)) as flow:
            outgoing = await anext(flow)
            while outgoing is not request:
                sent = await transport._send_once_async(http, outgoing)  # noqa: SLF001 - as above
                outgoing = await (flow.asend(sent) if isinstance(sent, httpx.Response) else flow.athrow(sent))
        return auth.token

    async def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        """Carry out an operation and return the decoded answer."""
        http = self._http()
        request = self._calls.codec.encode(http, operation, request_options or {})
        response = await transport.send_async(
            http,
            self._auth,
            request,
            policy=self._calls.policy(request_options),
            clock=SYSTEM_CLOCK,
        )
        return self._calls.codec.decode(operation, response)

    def send_list(
        self,
        operation: ListOperation[ItemT, PageT],
        request_options: RequestOptions | None = None,
        /,
    ) -> paging.AsyncListCall[ItemT, PageT]:
        """Return the call of a list: await it for the first page, or iterate over it for every row."""
        return paging.AsyncListCall(self, operation, request_options)

    async def aclose(self) -> None:
        """Close the connections of the current event loop, unless the httpx client was given."""
        own = self._own.get(None)
        if own is not None:
            await own[1].aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncManagementClient(auth={getattr(self, '_auth', None)!r})"

    def _http(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        own = self._own.get(None)
        if own is not None and own[0] != os.getpid():
            _abandoned.append(own[1])
            own = None
        if own is None:
            own = (
                os.getpid(),
                httpx.AsyncClient(
                    headers=_HEADERS, timeout=self._calls.own_timeout, limits=_LIMITS, verify=_ssl_context()
                ),
            )
            self._own.set(own)
        return own[1]


_HEADERS: Final = {"User-Agent": f"evertoken/{__version__}"}


class _TokenAuth(StepAuth):
    """The part of a flow that gets a token: `token` is there when the flow yields its own request."""

    token: AccessToken

    def __init__(self, auth: ManagementAuth | BearerAuth) -> None:
        if isinstance(auth, BearerAuth):
            raise ArgumentError("token", "was given to this client; ask whoever made it")
        super().__init__(SYSTEM_CLOCK)
        self._auth = auth

    def steps(self, request: httpx.Request) -> Steps[None]:
        self.token = yield from self._auth._token(request)  # noqa: SLF001 - one mechanism, entered halfway
        yield request


class _Calls:
    """How both clients encode, decode and repeat."""

    def __init__(
        self,
        *,
        domain: str,
        base_url: str | None,
        headers: Mapping[str, str] | None,
        custom_domain: str | None,
        client_info: Mapping[str, object] | None,
        timeout: float | None,
        max_retries: int,
        strict: bool,
    ) -> None:
        if timeout is not None:
            check_timeout("timeout", timeout)
        self.own_timeout = DEFAULT_TIMEOUT if timeout is None else timeout
        self._timeout = timeout
        self._policy = RetryPolicy(max_retries=_check_retries(max_retries))
        root, path = (parse_domain(domain), "/api/v2") if base_url is None else parse_base_url(base_url)
        self.codec = Codec(
            base_url=f"{root}{path}",
            headers=headers,
            custom_domain=None
            if custom_domain is None
            else parse_domain(custom_domain, "custom_domain").host,
            client_info=client_info,
            timeout=timeout,
            strict=strict,
        )

    def lend_timeout(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Return a request that is never sent: a token request takes its timeout."""
        return http.build_request(
            "GET", "/", timeout=httpx.USE_CLIENT_DEFAULT if self._timeout is None else self._timeout
        )

    def policy(self, request_options: RequestOptions | None) -> RetryPolicy:
        if request_options is None or "max_retries" not in request_options:
            return self._policy
        return dataclasses.replace(self._policy, max_retries=_check_retries(request_options["max_retries"]))


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    # Loading the certificate authorities is half the cost of a new client: once for the process.
    return httpx.create_ssl_context()


def _auth(
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
) -> ManagementAuth | BearerAuth:
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
        )
    for name, value in (
        ("client_id", client_id),
        ("client_secret", client_secret),
        ("credentials", credentials),
        ("token_store", token_store),
    ):
        if value is not None:
            raise ArgumentError(name, "given together with token; give either token or credentials")
    return BearerAuth(domain=domain, token=token, base_url=base_url)


def _token_source(auth: ManagementAuth | BearerAuth) -> TokenSource:
    if isinstance(auth, BearerAuth):
        raise ArgumentError("token", "was given, so this client renews none; whoever made it knows its state")
    return auth.token_source


def _check_httpx_client(client: object, kind: type) -> None:
    if client is not None and not isinstance(client, kind):
        raise ArgumentError("httpx_client", f"is no httpx.{kind.__name__}, which this client needs")


def _check_retries(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ArgumentError("max_retries", f"{value!r} is no whole number from 0")
    return value


def _env(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ArgumentError(
            name, "not set in the environment; set it, or construct the client with arguments"
        )
    return value
