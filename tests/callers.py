"""Callers of a server: clients of both colours, and plain httpx clients with the auth, all called alike.

The async ones live on an event loop of asyncio or trio, in a thread of its own for as long as a test needs
them. So a test tells its story once, and is run for every kind of caller.

    with ScriptedServer() as server, calling("trio", server, timeout=1) as caller:
        assert caller.send(READ) == 200
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from evertoken import AsyncManagementClient, ManagementAuth, ManagementClient
from evertoken.grant import ClientSecretPost
from evertoken.operation import UNSET
from evertoken_api.clients import operations
from scripted_server import json_reply, reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Generator

    from evertoken.grant import Grant
    from evertoken.operation import Operation
    from scripted_server import Exchange, ScriptedServer

HTTPX = TypeVar("HTTPX", httpx.Client, httpx.AsyncClient)

Kind: TypeAlias = Literal["sync", "asyncio", "trio", "httpx", "httpx-asyncio", "httpx-trio"]

CLIENTS: Final[tuple[Kind, ...]] = ("sync", "asyncio", "trio")
AUTHS: Final[tuple[Kind, ...]] = ("httpx", "httpx-asyncio", "httpx-trio")

for_clients: Final = pytest.mark.parametrize("kind", CLIENTS)
"""Runs a test for `ManagementClient`, and for `AsyncManagementClient` under asyncio and trio."""

for_auths: Final = pytest.mark.parametrize("kind", AUTHS)
"""Runs a test for `ManagementAuth` in plain httpx clients of both colours."""

for_all: Final = pytest.mark.parametrize("kind", [*CLIENTS, *AUTHS])

for_some: Final = pytest.mark.parametrize("kind", ["sync", "asyncio", "httpx-trio"])
"""Runs a test for each colour, event loop and way to use the auth: where the same code decides for all."""

READ: Final[Operation[object]] = operations.list()
CREATE: Final[Operation[object]] = operations.create(name="made by a test")
UPDATE: Final[Operation[object]] = operations.update("c1", name="changed by a test")
DELETE: Final[Operation[object]] = operations.delete("c1")

_THREADS: Final = 32


def well(exchange: Exchange) -> None:
    """Answer each of the operations above with what fits it."""
    answers = {
        "POST": json_reply({"client_id": "c1"}, 201),
        "PATCH": json_reply({"client_id": "c1"}),
        "DELETE": reply(204),
    }
    answers.get(exchange.request.method, json_reply([]))(exchange)


Outcome: TypeAlias = "concurrent.futures.Future[int]"


@dataclasses.dataclass(frozen=True)
class Options:
    """What a caller is made with beside its server. None is the default of httpx or evertoken.

    `seen` is filled by event hooks: the path of each request, the status of each response.
    """

    timeout: float | None = None
    credentials: Grant | None = None
    verify: ssl.SSLContext | None = None
    proxy: str | None = None
    follow_redirects: bool = False
    seen: list[str | int] | None = None


@dataclasses.dataclass(frozen=True)
class Caller:
    """Sends one call, or several at once. `start` returns before the call ends."""

    start: Callable[[Operation[object]], Outcome]

    def send(self, operation: Operation[object] = READ) -> int:
        """Return the status (200 for any success of a client), or raise what the client raises."""
        return self.start(operation).result()

    def send_many(self, count: int, operation: Operation[object] = READ) -> list[int | BaseException]:
        """Send it several times at once; return what came of each."""
        started = [self.start(operation) for _ in range(count)]
        concurrent.futures.wait(started)
        return [call.exception() or call.result() for call in started]


@contextlib.contextmanager
def calling(kind: Kind, server: ScriptedServer, options: Options = Options()) -> Generator[Caller]:
    """Make a caller for a server."""
    with _make_caller(kind, server, options) as caller:
        yield caller


def _make_caller(
    kind: Kind, server: ScriptedServer, options: Options
) -> contextlib.AbstractContextManager[Caller]:
    match kind:
        case "sync":
            return _client(server, options)
        case "asyncio" | "trio":
            return _async_client(kind, server, options)
        case "httpx":
            return _httpx(server, options)
        case "httpx-asyncio" | "httpx-trio":
            return _async_httpx(kind.removeprefix("httpx-"), server, options)


def make_auth(server: ScriptedServer, grant: Grant | None = None) -> ManagementAuth:
    """Return an auth for a server."""
    return ManagementAuth(domain=server.domain, credentials=grant or _grant(server))


@contextlib.contextmanager
def _client(server: ScriptedServer, options: Options) -> Generator[Caller]:
    grant = options.credentials or _grant(server)
    with (
        _make(httpx.Client, server, options) as http,
        ManagementClient(
            domain=server.domain, credentials=grant, timeout=options.timeout, httpx_client=http
        ) as client,
        concurrent.futures.ThreadPoolExecutor(_THREADS) as pool,
    ):

        def send(operation: Operation[object]) -> int:
            client.send(operation)
            return 200

        yield Caller(lambda operation: pool.submit(send, operation))


@contextlib.contextmanager
def _async_client(backend: str, server: ScriptedServer, options: Options) -> Generator[Caller]:
    grant = options.credentials or _grant(server)
    with (
        start_blocking_portal(backend) as portal,
        portal.wrap_async_context_manager(_make(httpx.AsyncClient, server, options)) as http,
        portal.wrap_async_context_manager(
            AsyncManagementClient(
                domain=server.domain, credentials=grant, timeout=options.timeout, httpx_client=http
            )
        ) as client,
    ):

        async def send(operation: Operation[object]) -> int:
            await client.send(operation)
            return 200

        yield Caller(lambda operation: portal.start_task_soon(send, operation))


@contextlib.contextmanager
def _httpx(server: ScriptedServer, options: Options) -> Generator[Caller]:
    with (
        _make(httpx.Client, server, options) as http,
        concurrent.futures.ThreadPoolExecutor(_THREADS) as pool,
    ):
        http.auth = make_auth(server, options.credentials)

        def send(operation: Operation[object]) -> int:
            return http.send(_request(http, server, operation)).status_code

        yield Caller(lambda operation: pool.submit(send, operation))


@contextlib.contextmanager
def _async_httpx(backend: str, server: ScriptedServer, options: Options) -> Generator[Caller]:
    with (
        start_blocking_portal(backend) as portal,
        portal.wrap_async_context_manager(_make(httpx.AsyncClient, server, options)) as http,
    ):
        http.auth = make_auth(server, options.credentials)

        async def send(operation: Operation[object]) -> int:
            return (await http.send(_request(http, server, operation))).status_code

        yield Caller(lambda operation: portal.start_task_soon(send, operation))


def _grant(server: ScriptedServer) -> Grant:
    return ClientSecretPost(server.client_id, server.client_secret)


def _make(kind: type[HTTPX], server: ScriptedServer, options: Options) -> HTTPX:
    client = kind(
        verify=options.verify or server.ssl_context(),
        timeout=30 if options.timeout is None else options.timeout,
        proxy=options.proxy,
        follow_redirects=options.follow_redirects,
        trust_env=False,
    )
    if options.seen is not None:
        client.event_hooks = _hooks(kind, options.seen)
    return client


def _hooks(kind: type, seen: list[str | int]) -> dict[str, list[Callable[..., object]]]:
    def sent(request: httpx.Request) -> None:
        seen.append(request.url.path)

    def answered(response: httpx.Response) -> None:
        seen.append(response.status_code)

    if kind is httpx.Client:
        return {"request": [sent], "response": [answered]}
    return {"request": [_awaited(sent)], "response": [_awaited(answered)]}


ArgumentT = TypeVar("ArgumentT")


def _awaited(function: Callable[[ArgumentT], None]) -> Callable[[ArgumentT], Awaitable[None]]:
    async def hook(argument: ArgumentT) -> None:
        function(argument)

    return hook


def _request(
    http: httpx.Client | httpx.AsyncClient, server: ScriptedServer, operation: Operation[object]
) -> httpx.Request:
    path = operation.path.format(**operation.path_params)
    body = None if operation.body is UNSET else {"name": "made by a test"}
    return http.build_request(operation.method, f"{server.origin}/api/v2{path}", json=body)
