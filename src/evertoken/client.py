"""`ManagementClient` and `AsyncManagementClient`: the whole API, typed, with a token that renews itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from evertoken.body import LONGEST_BODY
from evertoken.operation import UNSET
from evertoken.raw import bearing, events_for, operation_for
from evertoken.secret import GivenSecret, hide
from evertoken.sender import AsyncSender, SyncSender
from evertoken.setup import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_MAX_WAIT,
    Calls,
    env,
    make_auth,
    make_transport,
    management_auth,
)
from evertoken.token import AccessToken, Secret
from evertoken_api._client import AsyncGroupsOfClient, GroupsOfClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from types import TracebackType
    from typing import Self

    import httpx

    from evertoken.attempt import Attempt
    from evertoken.drift import Drift
    from evertoken.grant import Grant
    from evertoken.operation import (
        EventsOperation,
        ListOperation,
        Operation,
        Priority,
        QueryValue,
        RequestOptions,
    )
    from evertoken.paging import AsyncListCall, SyncPager
    from evertoken.renewal import TokenSource
    from evertoken.sse import ServerSentEvent
    from evertoken.store import TokenStore
    from evertoken.subscription import AsyncEventStream, EventStream
    from evertoken.throttle import Throttle

T = TypeVar("T")
ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")


class ManagementClient(GroupsOfClient):
    """The Management API of one tenant, synchronously. Safe to share between threads.

    `domain` is `tenant.eu.auth0.com`, `host:port`, or an https URL of one (http on loopback only). Give
    one way to a token:

    - `client_id` and `client_secret` of an application that is granted the Management API; the secret is a
      string, or where to find it (see `ClientSecretPost`),
    - `credentials`, another grant, such as `PrivateKeyJWT`,
    - `token`, a string, or a callable that is asked for every request.

    `audience` is needed only where `domain` is a custom domain: `https://{canonical domain}/api/v2/`.
    `organization` is sent with the token request. `token_store` keeps tokens beyond this process. Clients
    with equal domain, credentials, audience and organization and the same `token_store` share one token, of
    whatever colour; with `share_token=False` this one has its own. `base_url` is the API's root where that is
    not `https://{domain}/api/v2`. `headers` go with every call. `custom_domain` is sent as
    Auth0-Custom-Domain where the API honours it. `client_info` replaces what Auth0-Client tells the tenant's
    logs (`name`, `version`, `env`); False leaves it out. `timeout` is in seconds (30, or that of
    `httpx_client`). `max_retries` counts attempts after the first, `max_wait` is the seconds that the waits
    between them may take, `deadline` those of a call in all. A `throttle`, one for all clients of a tenant,
    keeps calls within the rate limit; `priority` tells it who goes first.
    An answer may have `max_body` bytes, decompressed. `strict` makes an answer that does not fit the spec a
    DecodeError instead of a warning; `on_drift` is called with each such place once. `httpx_client` sends
    everything, token requests too; it stays open when this client is closed.

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
        share_token: bool = True,
        headers: Mapping[str, str] | None = None,
        custom_domain: str | None = None,
        client_info: Mapping[str, object] | Literal[False] | None = None,
        timeout: float | None = None,
        max_retries: int = DEFAULT_MAX_RETRIES,
        max_wait: float = DEFAULT_MAX_WAIT,
        deadline: float | None = None,
        throttle: Throttle | None = None,
        priority: Priority = "interactive",
        max_body: int = LONGEST_BODY,
        strict: bool = False,
        on_drift: Callable[[Drift], object] | None = None,
        httpx_client: httpx.Client | None = None,
    ) -> None:
        # Rebound before anything can raise: a traceback's locals show no secret.
        client_secret = hide(client_secret)
        token = token if callable(token) else Secret.wrap(token)
        auth = make_auth(
            domain=domain,
            client_id=client_id,
            client_secret=client_secret,
            credentials=credentials,
            token=token,
            audience=audience,
            organization=organization,
            token_store=token_store,
            base_url=base_url,
            share_token=share_token,
        )
        calls = Calls(
            domain=domain,
            base_url=base_url,
            headers=headers,
            custom_domain=custom_domain,
            client_info=client_info,
            timeout=timeout,
            max_retries=max_retries,
            max_wait=max_wait,
            deadline=deadline,
            priority=priority,
            strict=strict,
            on_drift=on_drift,
        )
        transport = make_transport(auth, throttle, max_body)
        self._sending = SyncSender(auth, calls, transport, httpx_client)
        super().__init__(self._sending)

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
            domain=env("AUTH0_DOMAIN"),
            client_id=env("AUTH0_CLIENT_ID"),
            client_secret=Secret(env("AUTH0_CLIENT_SECRET")),
            audience=os.environ.get("AUTH0_AUDIENCE") or None,
            token_store=token_store,
            timeout=timeout,
            max_retries=max_retries,
            httpx_client=httpx_client,
        )

    @property
    def token_source(self) -> TokenSource:
        """The token's life: `status()` tells age, expiry and failures, without the token."""
        return management_auth(self._sending.auth).token_source

    def access_token(self) -> AccessToken:
        """Return a token that is good now, for a request that something else sends.

        Ask again for the next request: the token held is returned, or its successor once it is time.
        Raises TokenError where none can be had, ArgumentError where this client was given its `token`.
        """
        return self._sending.access_token()

    def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        """Carry out an operation and return the decoded answer."""
        return self._sending.send(operation, request_options)

    def send_list(
        self,
        operation: ListOperation[ItemT, PageT],
        request_options: RequestOptions | None = None,
        /,
    ) -> SyncPager[ItemT, PageT]:
        """Return the first page of a list, which fetches the others."""
        return self._sending.send_list(operation, request_options)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        body: object = UNSET,
        request_options: RequestOptions | None = None,
    ) -> httpx.Response:
        """Send what no method has yet, and return the answer, read: with token, retries and errors as always.

        `path` is below the API's root, such as `/clients/abc`. `body` is sent as JSON, or is a `Content`.
        Raises ArgumentError for a path that would lead elsewhere, and an APIError for any status but 2xx.
        """
        bare = bearing(body)
        del body  # a traceback's locals show no secret
        operation = operation_for(method, path, query, bare)
        return self._sending.request(operation, request_options)

    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        body: object = UNSET,
        request_options: RequestOptions | None = None,
    ) -> AbstractContextManager[httpx.Response]:
        """Send as `request` does, for an answer that is read piece by piece, and closed with the block.

        `max_body` does not bound it. A TransportError tells that it broke off.
        """
        bare = bearing(body)
        del body  # a traceback's locals show no secret
        operation = operation_for(method, path, query, bare)
        return self._sending.stream(operation, request_options)

    @overload
    def stream_events(
        self, operation: EventsOperation[T], request_options: RequestOptions | None = None, /
    ) -> EventStream[T]: ...

    @overload
    def stream_events(
        self,
        path: str = "/events",
        *,
        query: Mapping[str, QueryValue] | None = None,
        request_options: RequestOptions | None = None,
    ) -> EventStream[ServerSentEvent]: ...

    def stream_events(
        self,
        path: EventsOperation[T] | str = "/events",
        request_options: RequestOptions | None = None,
        *,
        query: Mapping[str, QueryValue] | None = None,
    ) -> EventStream[T] | EventStream[ServerSentEvent]:
        """Subscribe to an event stream, by its path or as a value: iterate over it in the block.

        It goes on where a connection ends. To go on from an earlier subscription, give `{"from": id}` as
        `query`, the id of the last event that came.
        """
        if isinstance(path, str):
            return self._sending.stream_events(events_for(path, query), request_options)
        return self._sending.stream_events(path, request_options)

    def add_listener(self, listener: Callable[[Attempt], object]) -> None:
        """Call `listener` with every `Attempt` from now on, in the caller's thread: for metrics."""
        self._sending.transport.listeners.add(listener)

    def remove_listener(self, listener: Callable[[Attempt], object]) -> None:
        """Call it no longer."""
        self._sending.transport.listeners.remove(listener)

    def close(self) -> None:
        """Close the connections, unless the httpx client was given."""
        self._sending.close()

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
        sending = getattr(self, "_sending", None)
        return f"ManagementClient(auth={getattr(sending, 'auth', None)!r})"


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
        share_token: bool = True,
        headers: Mapping[str, str] | None = None,
        custom_domain: str | None = None,
        client_info: Mapping[str, object] | Literal[False] | None = None,
        timeout: float | None = None,
        max_retries: int = DEFAULT_MAX_RETRIES,
        max_wait: float = DEFAULT_MAX_WAIT,
        deadline: float | None = None,
        throttle: Throttle | None = None,
        priority: Priority = "interactive",
        max_body: int = LONGEST_BODY,
        strict: bool = False,
        on_drift: Callable[[Drift], object] | None = None,
        httpx_client: httpx.AsyncClient | None = None,
    ) -> None:
        client_secret = hide(client_secret)
        token = token if callable(token) else Secret.wrap(token)
        auth = make_auth(
            domain=domain,
            client_id=client_id,
            client_secret=client_secret,
            credentials=credentials,
            token=token,
            audience=audience,
            organization=organization,
            token_store=token_store,
            base_url=base_url,
            share_token=share_token,
        )
        calls = Calls(
            domain=domain,
            base_url=base_url,
            headers=headers,
            custom_domain=custom_domain,
            client_info=client_info,
            timeout=timeout,
            max_retries=max_retries,
            max_wait=max_wait,
            deadline=deadline,
            priority=priority,
            strict=strict,
            on_drift=on_drift,
        )
        transport = make_transport(auth, throttle, max_body)
        self._sending = AsyncSender(auth, calls, transport, httpx_client)
        super().__init__(self._sending)

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
            domain=env("AUTH0_DOMAIN"),
            client_id=env("AUTH0_CLIENT_ID"),
            client_secret=Secret(env("AUTH0_CLIENT_SECRET")),
            audience=os.environ.get("AUTH0_AUDIENCE") or None,
            token_store=token_store,
            timeout=timeout,
            max_retries=max_retries,
            httpx_client=httpx_client,
        )

    @property
    def token_source(self) -> TokenSource:
        """The token's life: `status()` tells age, expiry and failures, without the token."""
        return management_auth(self._sending.auth).token_source

    async def access_token(self) -> AccessToken:
        """Return a token that is good now, for a request that something else sends.

        Ask again for the next request: the token held is returned, or its successor once it is time.
        Raises TokenError where none can be had, ArgumentError where this client was given its `token`.
        """
        return await self._sending.access_token()

    async def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        """Carry out an operation and return the decoded answer."""
        return await self._sending.send(operation, request_options)

    def send_list(
        self,
        operation: ListOperation[ItemT, PageT],
        request_options: RequestOptions | None = None,
        /,
    ) -> AsyncListCall[ItemT, PageT]:
        """Return the call of a list: await it for the first page, or iterate over it for every row."""
        return self._sending.send_list(operation, request_options)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        body: object = UNSET,
        request_options: RequestOptions | None = None,
    ) -> httpx.Response:
        """Send what no method has yet, and return the answer, read: with token, retries and errors as always.

        `path` is below the API's root, such as `/clients/abc`. `body` is sent as JSON, or is a `Content`.
        Raises ArgumentError for a path that would lead elsewhere, and an APIError for any status but 2xx.
        """
        bare = bearing(body)
        del body  # a traceback's locals show no secret
        operation = operation_for(method, path, query, bare)
        return await self._sending.request(operation, request_options)

    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        body: object = UNSET,
        request_options: RequestOptions | None = None,
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """Send as `request` does, for an answer that is read piece by piece, and closed with the block.

        `max_body` does not bound it. A TransportError tells that it broke off.
        """
        bare = bearing(body)
        del body  # a traceback's locals show no secret
        operation = operation_for(method, path, query, bare)
        return self._sending.stream(operation, request_options)

    @overload
    def stream_events(
        self, operation: EventsOperation[T], request_options: RequestOptions | None = None, /
    ) -> AsyncEventStream[T]: ...

    @overload
    def stream_events(
        self,
        path: str = "/events",
        *,
        query: Mapping[str, QueryValue] | None = None,
        request_options: RequestOptions | None = None,
    ) -> AsyncEventStream[ServerSentEvent]: ...

    def stream_events(
        self,
        path: EventsOperation[T] | str = "/events",
        request_options: RequestOptions | None = None,
        *,
        query: Mapping[str, QueryValue] | None = None,
    ) -> AsyncEventStream[T] | AsyncEventStream[ServerSentEvent]:
        """Subscribe to an event stream, by its path or as a value: iterate over it in the block.

        It goes on where a connection ends. To go on from an earlier subscription, give `{"from": id}` as
        `query`, the id of the last event that came.
        """
        if isinstance(path, str):
            return self._sending.stream_events(events_for(path, query), request_options)
        return self._sending.stream_events(path, request_options)

    def add_listener(self, listener: Callable[[Attempt], object]) -> None:
        """Call `listener` with every `Attempt` from now on, in the caller's task: for metrics."""
        self._sending.transport.listeners.add(listener)

    def remove_listener(self, listener: Callable[[Attempt], object]) -> None:
        """Call it no longer."""
        self._sending.transport.listeners.remove(listener)

    async def aclose(self) -> None:
        """Close the connections of the current event loop, unless the httpx client was given."""
        await self._sending.aclose()

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
        sending = getattr(self, "_sending", None)
        return f"AsyncManagementClient(auth={getattr(sending, 'auth', None)!r})"
