"""How an application's code looks to a type checker. Checked by mypy and pyright, never run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import assert_type

import httpx

from evertoken import (
    AccessToken,
    APIError,
    AsyncEventStream,
    AsyncManagementClient,
    AsyncPager,
    Attempt,
    ClientSecretBasic,
    Content,
    Drift,
    EventStream,
    ManagementAuth,
    ManagementClient,
    MemoryTokenStore,
    RateLimit,
    ResponseView,
    ServerSentEvent,
    SyncPager,
    TokenEvent,
    TokenStatus,
)
from evertoken.otel import instrument
from evertoken_api._client import AsyncGroupsOfClient, GroupsOfClient
from evertoken_api.clients import (
    Client,
    ClientCredential,
    ConnectionForList,
    CreateClientResponseContent,
    GetClientResponseContent,
    ListClientConnectionsResponseContent,
    RotateClientSecretResponseContent,
)
from evertoken_api.clients import ListClientsOffsetPaginatedResponseContent as OffsetPage
from evertoken_api.clients import ListClientsPaginatedResponseContent as CheckpointPage
from evertoken_api.events import EventStreamSubscribeEventsResponseContent
from evertoken_api.events.operations import subscribe


def synchronous() -> None:
    """Every operation, with the type of what it returns."""
    with ManagementClient(domain="tenant.eu.auth0.com", client_id="id", client_secret="secret") as client:
        pager = client.clients.list(page=0, per_page=50, include_totals=True)
        assert_type(pager, SyncPager[Client, OffsetPage | CheckpointPage | list[Client]])
        assert_type(pager.total, int | None)
        assert_type(pager.cursor, str | None)
        for page in pager.iter_pages(concurrency=8):
            assert_type(page, SyncPager[Client, OffsetPage | CheckpointPage | list[Client]])
        for application in pager.iter_items(concurrency=8):
            assert_type(application, Client)
        if pager.cursor is not None:
            client.clients.list(request_options={"cursor": pager.cursor})
        for application in pager:
            assert_type(application, Client)
            assert_type(application.name, str | None)
            assert_type(application.callbacks, list[str] | None)
        created = client.clients.create(
            name="app", callbacks=["https://app.example/"], jwt_configuration={"alg": "RS256"}
        )
        assert_type(created, CreateClientResponseContent)
        got = client.clients.get("id", fields="name", include_fields=True)
        assert_type(got, GetClientResponseContent)
        takes_a_client(got)
        if got.jwt_configuration is not None:
            client.clients.update("id", jwt_configuration=got.jwt_configuration, par_request_expiry=None)
        # What reading gives is sent back, where an update has a schema of its own for it too.
        client.clients.update(
            "id",
            native_social_login=got.native_social_login,
            fedcm_login=got.fedcm_login,
            token_quota=got.token_quota,
            token_exchange=got.token_exchange,
            express_configuration=got.express_configuration,
            my_organization_configuration=got.my_organization_configuration,
            client_authentication_methods=got.client_authentication_methods,
        )
        client.clients.update("id", **got.model_dump(include={"name"}))
        assert_type(client.clients.rotate_secret("id"), RotateClientSecretResponseContent)
        client.clients.delete("id")
        assert_type(client.clients.credentials.list("id"), list[ClientCredential])
        client.clients.credentials.create("id", credential_type="public_key", pem="pem", alg="RS256")
        credential = client.clients.credentials.update("id", "c", expires_at=dt.datetime.now(dt.UTC))
        assert_type(credential.expires_at, dt.datetime | None)
        client.clients.credentials.get("id", "c")
        client.clients.credentials.delete("id", "c")
        connections = client.clients.connections.get("id", strategy=["auth0"], take=5)
        assert_type(connections, SyncPager[ConnectionForList, ListClientConnectionsResponseContent])
        preview = client.clients.preview_cimd_metadata(external_client_id="https://app.example/client")
        assert_type(preview.errors, list[str] | None)
        registered = client.clients.register_cimd_client(external_client_id="https://app.example/client")
        assert_type(registered.client_id, str)
        assert_type(client.token_source.status(), TokenStatus)
        client.token_source.add_listener(takes_an_event)
        client.add_listener(takes_an_attempt)
        assert_type(instrument(client), Callable[[], None])


def raw() -> None:
    """What has no method, and what comes as a stream."""
    with ManagementClient(domain="tenant.eu.auth0.com", token="token") as client:
        answer = client.request("POST", "/things", query={"dry": True}, body={"name": "n"})
        assert_type(answer, httpx.Response)
        client.request("POST", "/imports", body=Content(b"rows", "text/csv"))
        with client.stream("GET", "/exports/1") as response:
            assert_type(response, httpx.Response)
        with client.stream_events(query={"event_type": ["user.created"]}) as events:
            assert_type(events, EventStream[ServerSentEvent])
            for event in events:
                assert_type(event, ServerSentEvent)
                assert_type(event.retry, int | None)


async def asynchronous_raw() -> None:
    """The same, awaited."""
    async with AsyncManagementClient(domain="tenant.eu.auth0.com", token="token") as client:
        assert_type(await client.request("GET", "/things"), httpx.Response)
        async with client.stream("GET", "/exports/1") as response:
            assert_type(response, httpx.Response)
        async with client.stream_events() as events:
            assert_type(events, AsyncEventStream[ServerSentEvent])
            async for event in events:
                assert_type(event, ServerSentEvent)
            assert_type(events.last_event_id, str)


def another_package() -> None:
    """Groups that a generated package has beside the client's own work by the client."""
    with ManagementClient(domain="tenant.eu.auth0.com", token="token") as client:
        groups = GroupsOfClient(client)
        assert_type(groups.clients.get("id"), GetClientResponseContent)
        with client.stream_events(subscribe()) as events:
            assert_type(events, EventStream[EventStreamSubscribeEventsResponseContent])


async def asynchronous_other_package() -> None:
    """The same, awaited."""
    async with AsyncManagementClient(domain="tenant.eu.auth0.com", token="token") as client:
        groups = AsyncGroupsOfClient(client)
        assert_type(await groups.clients.get("id"), GetClientResponseContent)
        async with client.stream_events(subscribe()) as events:
            assert_type(events, AsyncEventStream[EventStreamSubscribeEventsResponseContent])


async def asynchronous() -> None:
    """The same, awaited; a list call is iterated with or without await."""
    async with AsyncManagementClient(domain="tenant.eu.auth0.com", token="token") as client:
        pager = await client.clients.list()
        assert_type(pager, AsyncPager[Client, OffsetPage | CheckpointPage | list[Client]])
        async for application in pager:
            assert_type(application, Client)
        async for application in client.clients.list(take=100):
            assert_type(application, Client)
        async for application in client.clients.list().iter_items(concurrency=8):
            assert_type(application, Client)
        async for page in pager.iter_pages(concurrency=8):
            assert_type(page, AsyncPager[Client, OffsetPage | CheckpointPage | list[Client]])
        assert_type(await client.clients.get("id"), GetClientResponseContent)
        assert_type(await client.clients.credentials.list("id"), list[ClientCredential])
        await client.clients.delete("id")


def takes_an_event(event: TokenEvent) -> None:
    """Metrics."""
    assert_type(event.seconds, float | None)


def takes_an_attempt(attempt: Attempt) -> None:
    """The same of a call."""
    assert_type(attempt.reason, str | None)


def takes_a_client(client: Client) -> None:
    """What the API answers to get, create and update is a Client."""
    assert_type(client.client_id, str | None)


def plain_httpx() -> None:
    """The auth alone, with a grant and a store."""
    auth = ManagementAuth(
        domain="tenant.eu.auth0.com",
        credentials=ClientSecretBasic("id", "secret"),
        token_store=MemoryTokenStore(),
    )
    with httpx.Client(auth=auth) as client:
        client.get("https://tenant.eu.auth0.com/api/v2/clients")
    httpx.AsyncClient(auth=auth)


def handle(error: APIError) -> None:
    """What an error tells has types too."""
    assert_type(error.required_scopes, tuple[str, ...])
    assert_type(error.rate_limit, RateLimit | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.response, ResponseView | None)
    if error.response is not None:
        assert_type(error.response.headers, Mapping[str, str])


def takes_drift(drift: Drift) -> None:
    """A metric."""
    assert_type(drift.pattern, str)


def told_of_drift() -> None:
    """Both clients take the function, and a list's append."""
    seen: list[Drift] = []
    ManagementClient(domain="d", token="t", on_drift=takes_drift)
    AsyncManagementClient(domain="d", token="t", on_drift=seen.append)


class DatabaseTokenStore:
    """A store of an application's own: two methods, no base class."""

    def get(self, key: str) -> AccessToken | None:
        """Return what is kept."""
        return None

    def put(self, key: str, token: AccessToken) -> None:
        """Keep it."""


ManagementClient(domain="d", client_id="i", client_secret="s", token_store=DatabaseTokenStore())
