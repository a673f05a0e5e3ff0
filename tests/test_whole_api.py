"""Every operation of the API, called by its method over a socket, for threads and for tasks.

What is sent is held against the documents by a judge that the SDK and the local tenant have no part in.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import keyword
import operator
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from evertoken import AsyncManagementClient, ManagementClient
from evertoken_tenant import Clock, Tenant
from evertoken_tenant.server import Server, serve
from samples import Json, operation, problems, resolve
from tenant_stage import ENTRIES, Stage, prepared
from test_tenant_operations import IMPOSSIBLE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import evertoken_spec
    from evertoken import Drift

each_operation = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)


@dataclasses.dataclass
class Place:
    """A tenant behind a socket, how calls find there what they need, and what was seen of them."""

    server: Server
    stage: Stage
    requests: list[httpx.Request] = dataclasses.field(default_factory=list[httpx.Request])
    drift: list[Drift] = dataclasses.field(default_factory=list["Drift"])

    def note(self, response: httpx.Response) -> None:
        self.requests.append(response.request)

    def check(self, entry: evertoken_spec.Entry) -> None:
        """Hold what was sent against the operation's document, and forget it."""
        requests, drift = self.requests[:], self.drift[:]
        self.requests.clear()
        self.drift.clear()
        assert len(requests) == 1
        check(entry, requests[0])
        assert entry.key in IMPOSSIBLE or drift == []


@contextlib.contextmanager
def place() -> Generator[Place]:
    tenant = Tenant(clients=2, clock=Clock(), rate_limit=1e6, rate_burst=10**6)
    tenant.follow_events = False
    with serve(tenant) as server:
        # Whose address is known from now on.
        http = httpx.Client(
            transport=httpx.MockTransport(tenant),
            base_url=f"{tenant.origin}/api/v2",
            headers={"authorization": f"Bearer {tenant.issue_token()}"},
        )
        with http:
            yield Place(server, Stage(tenant, http))


@pytest.fixture(scope="module")
def threads() -> Iterator[tuple[Place, ManagementClient]]:
    with (
        place() as there,
        ManagementClient(
            domain=there.server.url, token=there.server.tenant.issue_token(), on_drift=there.drift.append
        ) as client,
    ):
        yield there, client


@pytest.fixture(scope="module")
def tasks() -> Iterator[tuple[Place, AsyncManagementClient, BlockingPortal]]:
    with place() as there, start_blocking_portal() as portal:
        client = AsyncManagementClient(
            domain=there.server.url, token=there.server.tenant.issue_token(), on_drift=there.drift.append
        )
        with portal.wrap_async_context_manager(client):
            yield there, client, portal


def arguments(
    stage: Stage, entry: evertoken_spec.Entry, method: Callable[..., object]
) -> tuple[list[str], Json]:
    """Return what to call a method with, after making what the call needs."""
    wanted = prepared(stage, entry.key)
    names = {plain(name): name for name in inspect.signature(method).parameters}
    given: Json = {**wanted.query, **wanted.parts}
    if wanted.has_body:
        given |= {"request": wanted.body} if "request" in names else wanted.body
    path = [wanted.path[name] for name in re.findall(r"\{([^{}]+)\}", entry.path)]
    return path, {names[plain(wire)]: value for wire, value in given.items()}


def method_of(client: object, entry: evertoken_spec.Entry) -> Any:
    """Return the method; one that is called as a word of Python is has an underscore."""
    words = [f"{word}_" if keyword.iskeyword(word) else word for word in entry.key.split(".")]
    return operator.attrgetter(".".join(words))(client)


def plain(name: str) -> str:
    """Return a name without what differs between the wire and a keyword."""
    return re.sub(r"[^0-9a-z]", "", name.lower())


def check(entry: evertoken_spec.Entry, request: httpx.Request) -> None:
    """Hold what was sent against the operation's document."""
    described = operation(entry)
    path = request.url.raw_path.decode().partition("?")[0].removeprefix("/api/v2")
    assert request.method == entry.method
    assert re.fullmatch(re.sub(r"\\\{[^{}]+\\\}", "[^/]+", re.escape(entry.path)), path)
    known = {
        one["name"]: one for one in map(resolve, described.get("parameters", ())) if one["in"] == "query"
    }
    for name, value in parse_qsl(request.url.query.decode()):
        kinds = resolve(known[name]["schema"]).get("type", "string")
        told = json.loads(value) if kinds in ("integer", "number", "boolean") else value
        assert problems(known[name]["schema"], told) == []
    assert {name for name, one in known.items() if one.get("required")} <= set(request.url.params)
    content = resolve(described.get("requestBody", {})).get("content", {})
    media = request.headers.get("content-type", "").partition(";")[0]
    assert media in content or not (media or request.content)
    if media == "application/json":
        assert problems(content[media]["schema"], json.loads(request.content)) == []


@each_operation
def test_every_operation_is_called_by_a_thread(
    threads: tuple[Place, ManagementClient], entry: evertoken_spec.Entry
) -> None:
    """Sent as documented; the answer is decoded, and fits."""
    there, client = threads
    method = method_of(client, entry)
    path, given = arguments(there.stage, entry, method)
    result = method(*path, **given, request_options={"on_response": there.note})
    if entry.key == "events.subscribe":
        with result:
            pass  # subscribed
    there.check(entry)


@each_operation
def test_every_operation_is_called_by_a_task(
    tasks: tuple[Place, AsyncManagementClient, BlockingPortal], entry: evertoken_spec.Entry
) -> None:
    """As by a thread."""
    there, client, portal = tasks
    method = method_of(client, entry)
    path, given = arguments(there.stage, entry, method)

    async def call() -> None:
        result = method(*path, **given, request_options={"on_response": there.note})
        if entry.key == "events.subscribe":
            async with result:
                pass  # subscribed
        else:
            await result

    portal.call(call)
    there.check(entry)
