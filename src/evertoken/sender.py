"""What carries out operations for both clients: the way to a token, the connections, and retries.

The clients and all groups of the API hold a sender, and it holds none of them: without a cycle, a client
that is dropped takes its connections and its share of the token with it at once.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, TypeVar, cast

import anyio.lowlevel
import httpx

from evertoken import background, paging
from evertoken.codec import check_status
from evertoken.setup import (
    HEADERS,
    LIMITS,
    Calls,
    abandoned,
    check_httpx_client,
    management_auth,
    ssl_context,
)
from evertoken.streams import AsyncOpening, opened
from evertoken.subscription import AsyncEventStream, EventStream, Subscription
from evertoken.token import AccessToken

if TYPE_CHECKING:
    from collections.abc import Generator

    from evertoken.auth import ManagementAuth
    from evertoken.bearer import BearerAuth
    from evertoken.operation import EventsOperation, ListOperation, Operation, RequestOptions
    from evertoken.transport import Transport

T = TypeVar("T")
ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")


class SyncSender:
    """Carries out operations, blocking. Its own connections are not shared with a forked child."""

    def __init__(
        self,
        auth: ManagementAuth | BearerAuth,
        calls: Calls,
        transport: Transport,
        given: httpx.Client | None,
    ) -> None:
        check_httpx_client(given, httpx.Client)
        self.auth: ManagementAuth | BearerAuth = auth
        self._calls = calls
        self.transport: Transport = transport
        self._given = given
        self._own: tuple[int, httpx.Client] | None = None if given else self._new_http()

    def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        """Carry out an operation and return the decoded answer."""
        http, options = self._http(), request_options or {}
        response = self.transport.send(http, self._calls.call(http, operation, options))
        _show(options, response)
        return self._calls.codec.decode(operation, response)

    def request(
        self, operation: Operation[object], request_options: RequestOptions | None = None, /
    ) -> httpx.Response:
        """Carry out an operation and return the answer, read. Raises an APIError for any status but 2xx."""
        http, options = self._http(), request_options or {}
        response = self.transport.send(http, self._calls.call(http, operation, options))
        _show(options, response)
        check_status(operation, response)
        return response

    @contextlib.contextmanager
    def stream(
        self, operation: Operation[object], request_options: RequestOptions | None = None, /
    ) -> Generator[httpx.Response]:
        """Yield the answer as it is, before it is read. Raises an APIError for any status but 2xx."""
        http, options = self._http(), request_options or {}
        call = self._calls.call(http, operation, options, stream=True)
        with opened(self.transport.send(http, call)) as response:
            _show(options, response)
            check_status(operation, response)
            yield response

    def stream_events(
        self, operation: EventsOperation[T], request_options: RequestOptions | None = None, /
    ) -> EventStream[T]:
        """Return the events of a stream that is not open yet."""
        subscription = Subscription(
            operation,
            request_options or {},
            codec=self._calls.codec,
            longest=self.transport.longest_body,
        )
        return EventStream(subscription, self.stream, self.transport.clock)

    def send_list(
        self, operation: ListOperation[ItemT, PageT], request_options: RequestOptions | None = None, /
    ) -> paging.SyncPager[ItemT, PageT]:
        """Return the first page of a list, which fetches the others."""
        return paging.first_page(self, operation, request_options)

    def access_token(self) -> AccessToken:
        """Return a token that is good now."""
        auth, tokens = management_auth(self.auth), list[AccessToken]()
        http = self._http()
        background.run(http, auth, auth.obtain(self._calls.lend_timeout(http), tokens.append))
        return tokens[0]

    def close(self) -> None:
        """Close the connections, unless the httpx client was given."""
        if self._own is not None:
            self._own[1].close()

    def _http(self) -> httpx.Client:
        if self._own is None:
            return cast("httpx.Client", self._given)
        pid, http = self._own
        if pid != os.getpid():
            abandoned.append(http)
            self._own = self._new_http()
            http = self._own[1]
        return http

    def _new_http(self) -> tuple[int, httpx.Client]:
        return os.getpid(), httpx.Client(
            headers=HEADERS, timeout=self._calls.own_timeout, limits=LIMITS, verify=ssl_context()
        )


class AsyncSender:
    """Carries out operations, awaiting. Its own connections belong to the event loop that opened them."""

    def __init__(
        self,
        auth: ManagementAuth | BearerAuth,
        calls: Calls,
        transport: Transport,
        given: httpx.AsyncClient | None,
    ) -> None:
        check_httpx_client(given, httpx.AsyncClient)
        self.auth: ManagementAuth | BearerAuth = auth
        self._calls = calls
        self.transport: Transport = transport
        self._given = given
        self._own: anyio.lowlevel.RunVar[tuple[int, httpx.AsyncClient]] = anyio.lowlevel.RunVar(
            f"evertoken.{id(self)}"
        )

    async def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        """Carry out an operation and return the decoded answer."""
        http, options = self._http(), request_options or {}
        response = await self.transport.send_async(http, self._calls.call(http, operation, options))
        _show(options, response)
        return self._calls.codec.decode(operation, response)

    async def request(
        self, operation: Operation[object], request_options: RequestOptions | None = None, /
    ) -> httpx.Response:
        """Carry out an operation and return the answer, read. Raises an APIError for any status but 2xx."""
        http, options = self._http(), request_options or {}
        response = await self.transport.send_async(http, self._calls.call(http, operation, options))
        _show(options, response)
        check_status(operation, response)
        return response

    def stream(
        self, operation: Operation[object], request_options: RequestOptions | None = None, /
    ) -> AsyncOpening:
        """Return the answer as it is, before it is read. Raises an APIError for any status but 2xx."""
        options = request_options or {}

        async def send() -> httpx.Response:
            http = self._http()
            call = self._calls.call(http, operation, options, stream=True)
            return await self.transport.send_async(http, call)

        def check(response: httpx.Response) -> None:
            _show(options, response)
            check_status(operation, response)

        return AsyncOpening(send, check)

    def stream_events(
        self, operation: EventsOperation[T], request_options: RequestOptions | None = None, /
    ) -> AsyncEventStream[T]:
        """Return the events of a stream that is not open yet."""
        subscription = Subscription(
            operation,
            request_options or {},
            codec=self._calls.codec,
            longest=self.transport.longest_body,
        )
        return AsyncEventStream(subscription, self.stream, self.transport.clock)

    def send_list(
        self, operation: ListOperation[ItemT, PageT], request_options: RequestOptions | None = None, /
    ) -> paging.AsyncListCall[ItemT, PageT]:
        """Return the call of a list: await it for the first page, or iterate over it for every row."""
        return paging.AsyncListCall(self, operation, request_options)

    async def access_token(self) -> AccessToken:
        """Return a token that is good now."""
        auth, tokens = management_auth(self.auth), list[AccessToken]()
        http = self._http()
        await background.run_async(http, auth, auth.obtain(self._calls.lend_timeout(http), tokens.append))
        return tokens[0]

    async def aclose(self) -> None:
        """Close the connections of the current event loop, unless the httpx client was given."""
        if self._given is not None:
            await background.end_tasks(self._given)
            return
        own = self._own.get(None)
        if own is not None:
            await background.end_tasks(own[1])
            await own[1].aclose()

    def _http(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        own = self._own.get(None)
        if own is not None and own[0] != os.getpid():
            abandoned.append(own[1])
            own = None
        if own is None:
            http = httpx.AsyncClient(
                headers=HEADERS, timeout=self._calls.own_timeout, limits=LIMITS, verify=ssl_context()
            )
            own = (os.getpid(), http)
            self._own.set(own)
        return own[1]


def _show(options: RequestOptions, response: httpx.Response) -> None:
    if "on_response" in options:
        options["on_response"](response)
