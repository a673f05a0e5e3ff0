"""The library against the local tenant over real sockets, token after token."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evertoken import (
    AsyncManagementClient,
    ClientSecretBasic,
    ForbiddenError,
    ManagementAuth,
    ManagementClient,
    NotFoundError,
    PaginationLimitError,
    RateLimitError,
    TokenError,
    UnauthorizedError,
)
from evertoken_tenant import Tenant, serve

Calls = Generator[tuple[str, Callable[[], Any]], Any, None]


@dataclasses.dataclass
class Live:
    """A tenant on a socket, and clients for it."""

    tenant: Tenant
    domain: str
    verify: Any

    def options(self) -> dict[str, Any]:
        return {
            "domain": self.domain,
            "client_id": self.tenant.client_id,
            "client_secret": self.tenant.client_secret,
        }

    @contextlib.contextmanager
    def client(self, **options: Any) -> Generator[ManagementClient]:
        with (
            httpx.Client(verify=self.verify) as http,
            ManagementClient(**{**self.options(), **options}, httpx_client=http) as client,
        ):
            yield client

    @contextlib.asynccontextmanager
    async def async_client(self, **options: Any) -> AsyncGenerator[AsyncManagementClient]:
        async with (
            httpx.AsyncClient(verify=self.verify) as http,
            AsyncManagementClient(**{**self.options(), **options}, httpx_client=http) as client,
        ):
            yield client


@contextlib.contextmanager
def live(**settings: Any) -> Generator[Live]:
    with serve(Tenant(**settings), tls=True) as server:
        yield Live(server.tenant, server.domain, server.ssl_context())


def total(client: ManagementClient) -> int | None:
    return client.clients.list(per_page=1).total


@pytest.fixture
def server() -> Iterator[Live]:
    with live(clients=120) as server:
        yield server


def test_a_client_without_a_client_of_its_own_works_over_plain_http_on_loopback() -> None:
    """The connections that evertoken opens itself, and the default of everything."""
    with serve(Tenant(clients=3)) as server:
        options: dict[str, Any] = {
            "client_id": server.tenant.client_id,
            "client_secret": server.tenant.client_secret,
        }
        with ManagementClient(domain=server.url, **options) as client:
            assert len(list(client.clients.list())) == 3

        async def main() -> int:
            async with AsyncManagementClient(domain=server.url, **options) as client:
                return len([row async for row in client.clients.list()])

        assert anyio.run(main) == 3


def test_fifty_threads_start_cold_with_one_token_request(server: Live) -> None:
    """Over TLS, with one client."""
    with server.client() as client, concurrent.futures.ThreadPoolExecutor(50) as pool:
        totals = [call.result() for call in [pool.submit(total, client) for _ in range(50)]]
    assert totals == [120] * 50
    assert server.tenant.token_requests == 1


@pytest.mark.anyio
async def test_fifty_tasks_start_cold_with_one_token_request(server: Live) -> None:
    """Under asyncio and trio."""
    totals: list[int | None] = []
    async with server.async_client() as client, anyio.create_task_group() as tasks:

        async def call() -> None:
            totals.append((await client.clients.list(per_page=1)).total)

        for _ in range(50):
            tasks.start_soon(call)
    assert totals == [120] * 50
    assert server.tenant.token_requests == 1


@pytest.mark.anyio
async def test_one_auth_serves_threads_and_tasks_at_once(server: Live) -> None:
    """Plain httpx clients of both colours share it: one token request."""
    auth = ManagementAuth(**server.options())
    url = f"https://{server.domain}/api/v2/clients"
    statuses: list[int] = []

    def in_thread() -> None:
        with httpx.Client(auth=auth, verify=server.verify) as client:
            statuses.append(client.get(url).status_code)

    async with (
        httpx.AsyncClient(auth=auth, verify=server.verify) as client,
        anyio.create_task_group() as tasks,
    ):

        async def in_task() -> None:
            statuses.append((await client.get(url)).status_code)

        for _ in range(15):
            tasks.start_soon(anyio.to_thread.run_sync, in_thread)
            tasks.start_soon(in_task)
    assert statuses == [200] * 30
    assert server.tenant.token_requests == 1


def test_calls_go_on_token_after_token() -> None:
    """Four threads call without a pause on three-second tokens: no call fails, no token is refused."""
    with live(clients=5, token_lifetime=3) as server, server.client() as client:
        end = time.monotonic() + 6.5

        def work(_: int) -> int:
            calls = 0
            while time.monotonic() < end:
                assert client.clients.list().total == 5
                calls += 1
            return calls

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            calls = sum(pool.map(work, range(4)))
        assert calls > 50
        assert 4 <= server.tenant.token_requests <= 7
        # A busy machine may hold a request up on its way until its token has expired.
        assert len([record for record in server.tenant.requests if record.status != 200]) <= 2


@pytest.mark.anyio
async def test_async_calls_go_on_token_after_token() -> None:
    """Eight tasks, asyncio and trio."""
    with live(clients=5, token_lifetime=3) as server:
        async with server.async_client() as client, anyio.create_task_group() as tasks:
            end = time.monotonic() + 6.5

            async def work() -> None:
                while time.monotonic() < end:
                    assert (await client.clients.list()).total == 5

            for _ in range(8):
                tasks.start_soon(work)
        assert 4 <= server.tenant.token_requests <= 7
        # A busy machine may hold a request up on its way until its token has expired.
        assert len([record for record in server.tenant.requests if record.status != 200]) <= 2


def test_twenty_threads_meet_a_revoked_token_with_one_renewal(server: Live) -> None:
    """Every call succeeds, at the price of one token request or two."""
    with server.client() as client:
        client.clients.list()
        server.tenant.revoke_tokens()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            totals = [call.result() for call in [pool.submit(total, client) for _ in range(20)]]
    assert totals == [120] * 20
    assert server.tenant.token_requests <= 3


def test_a_failing_token_endpoint_is_survived(server: Live) -> None:
    """Two failures are retried; the caller sees none."""
    server.tenant.fail_token_requests(2, status=503)
    with server.client() as client:
        assert client.clients.list().total == 120
    assert server.tenant.token_requests == 3


def test_a_token_refused_for_ever_is_an_error(server: Live) -> None:
    """401 after renewal: our own error, two API requests, two tokens."""
    server.tenant.fail_api_requests(10, status=401)
    with server.client() as client, pytest.raises(UnauthorizedError):
        client.clients.list()
    assert (server.tenant.token_requests, server.tenant.api_requests) == (2, 2)


def test_a_wrong_secret_is_an_error_at_once(server: Live) -> None:
    """One request; the OAuth error by name."""
    with server.client(client_secret="wrong") as client, pytest.raises(TokenError, match="access_denied"):
        client.clients.list()
    assert server.tenant.token_requests == 1


def test_the_basic_grant_is_taken(server: Live) -> None:
    """client_secret_basic, for an application that is set to it."""
    grant = ClientSecretBasic(server.tenant.client_id, server.tenant.client_secret)
    with server.client(client_id=None, client_secret=None, credentials=grant) as client:
        assert client.clients.list().total == 120


def test_a_missing_scope_is_told() -> None:
    """By the tenant's own message."""
    with live(clients=1, scopes=["read:clients"]) as server, server.client() as client:
        with pytest.raises(ForbiddenError, match="lacks create:clients"):
            client.clients.create(name="x")
        assert client.clients.list().items[0].client_secret is None


def test_a_rate_limit_is_waited_out() -> None:
    """A small bucket: calls wait as the headers say, and all succeed."""
    with live(clients=1, rate_limit=20, rate_burst=3) as server, server.client() as client:
        assert [client.clients.list().total for _ in range(8)] == [1] * 8
        assert any(record.status == 429 for record in server.tenant.requests)
        calls = (client.clients.list(request_options={"max_retries": 0}) for _ in range(50))
        with pytest.raises(RateLimitError) as caught:
            collections.deque(calls, maxlen=0)
        assert caught.value.rate_limit is not None
        assert caught.value.rate_limit.limit == 3


def test_a_hung_token_endpoint_is_bounded_by_the_timeout(server: Live) -> None:
    """Retries included."""
    server.tenant.delay(token=5)
    began = time.monotonic()
    with server.client(timeout=0.5) as client, pytest.raises(TokenError, match="ReadTimeout"):
        client.clients.list()
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("arguments", "requests"),
    [
        ({}, 3),
        ({"per_page": 40}, 3),
        ({"per_page": 100}, 2),
        ({"take": 40}, 3),
        ({"take": 50}, 3),
        ({"include_totals": False, "per_page": 50}, 3),
    ],
)
def test_iterating_fetches_no_page_too_many(server: Live, arguments: dict[str, Any], requests: int) -> None:
    """120 applications in both modes: each once, in as few requests as there are pages."""
    with server.client() as client:
        ids = [row.client_id for row in client.clients.list(**arguments)]
    assert len(ids) == len(set(ids)) == 120
    assert server.tenant.api_requests == requests


@pytest.mark.anyio
async def test_async_iteration_with_and_without_await(server: Live) -> None:
    """Over items and over pages."""
    async with server.async_client() as client:
        assert len([row async for row in client.clients.list()]) == 120
        assert len([row async for row in await client.clients.list(take=50)]) == 120
        pages = [page async for page in (await client.clients.list(take=50)).iter_pages()]
        assert [len(page.items) for page in pages] == [50, 50, 20]


def test_more_than_a_thousand_rows_are_all_listed() -> None:
    """Where page numbers end, checkpoint mode goes on; from the middle it cannot."""
    with live(clients=1203) as server, server.client() as client:
        ids = [row.client_id for row in client.clients.list(per_page=100)]
        assert len(ids) == len(set(ids)) == 1203
        with pytest.raises(PaginationLimitError, match="take="):
            client.clients.list(page=20, per_page=50)


def every_operation(client: Any) -> Calls:
    """Yield the 14 operations as calls; what one returns is sent back, for the next ones to use."""
    clients = client.clients
    created = yield "create", functools.partial(clients.create, name="Übung", app_type="non_interactive")
    id_ = created.client_id
    got = yield "get", functools.partial(clients.get, id_)
    assert got.name == "Übung"
    updated = yield (
        "update",
        functools.partial(clients.update, id_, description="new", callbacks=["https://a.example/"]),
    )
    assert (updated.description, updated.callbacks) == ("new", ["https://a.example/"])
    rotated = yield "rotate", functools.partial(clients.rotate_secret, id_)
    assert rotated.client_secret
    assert rotated.client_secret != created.client_secret
    page = yield "list", functools.partial(clients.list, q="name:Übung")
    assert page.items is not None
    credential = yield (
        "credentials.create",
        functools.partial(
            clients.credentials.create, id_, credential_type="public_key", pem=public_key(), name="key"
        ),
    )
    rows = yield "credentials.list", functools.partial(clients.credentials.list, id_)
    assert [row.id for row in rows] == [credential.id]
    one = yield "credentials.get", functools.partial(clients.credentials.get, id_, credential.id)
    assert one.name == "key"
    yield (
        "credentials.update",
        functools.partial(clients.credentials.update, id_, credential.id, expires_at="2030-01-01T00:00:00Z"),
    )
    yield "credentials.delete", functools.partial(clients.credentials.delete, id_, credential.id)
    connections = yield "connections", functools.partial(clients.connections.get, id_)
    assert connections.items is not None
    url = "https://app.example/client.json"
    preview = yield "preview", functools.partial(clients.preview_cimd_metadata, external_client_id=url)
    assert preview.validation is not None
    registered = yield "register", functools.partial(clients.register_cimd_client, external_client_id=url)
    assert registered.client_id
    yield "delete", functools.partial(clients.delete, id_)


@functools.cache
def public_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_every_operation_works(server: Live) -> None:
    """All 14, each with the state that the one before it left."""
    names: list[str] = []
    with server.client() as client:
        calls = every_operation(client)
        result: Any = None
        with contextlib.suppress(StopIteration):
            while True:
                name, call = calls.send(result)
                names.append(name)
                result = call()
        with pytest.raises(NotFoundError):
            client.clients.get("gone")
    assert len(names) == 14


@pytest.mark.anyio
async def test_every_operation_works_asynchronously(server: Live) -> None:
    """The same, awaited."""
    names: list[str] = []
    async with server.async_client() as client:
        calls = every_operation(client)
        result: Any = None
        with contextlib.suppress(StopIteration):
            while True:
                name, call = calls.send(result)
                names.append(name)
                pending = call()
                assert inspect.isawaitable(pending)
                result = await pending
    assert len(names) == 14
