"""Every operation of the API, called by its method over a socket, for threads and for tasks.

What is sent is held against the documents by a judge that the SDK and the local tenant have no part in.
"""

from __future__ import annotations

import inspect
import json
import operator
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

import evertoken_spec
from evertoken import AsyncManagementClient, ManagementClient
from evertoken_tenant import Clock, Tenant
from evertoken_tenant.server import Server, serve
from samples import Json, operation, problems, resolve, sample
from test_tenant_operations import (
    BEFORE,
    BODIES,
    IMPOSSIBLE,
    QUERIES,
    Stage,
    arranged,
    renamed,
    settle,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evertoken import Drift

ENTRIES = evertoken_spec.index()
each_operation = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A tenant behind a socket."""
    tenant = Tenant(clients=2, clock=Clock(), rate_limit=1e6, rate_burst=10**6)
    tenant.follow_events = False
    with serve(tenant) as server:
        yield server


@pytest.fixture(scope="module")
def stage(server: Server) -> Stage:
    """The same tenant, where calls find what they need."""
    headers = {"authorization": f"Bearer {server.tenant.issue_token()}"}
    http = httpx.Client(
        transport=httpx.MockTransport(server.tenant),
        base_url=f"{server.tenant.origin}/api/v2",
        headers=headers,
    )
    return Stage(server.tenant, http)


class Seen:
    """What was sent, and what of the answers did not fit."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.drift: list[Drift] = []

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


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen()


@pytest.fixture(scope="module")
def client(server: Server, seen: Seen) -> Iterator[ManagementClient]:
    with ManagementClient(
        domain=server.url, token=server.tenant.issue_token(), on_drift=seen.drift.append
    ) as client:
        yield client


@pytest.fixture(scope="module")
def tasks() -> Iterator[BlockingPortal]:
    """An event loop for all calls."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def async_client(server: Server, seen: Seen, tasks: BlockingPortal) -> Iterator[AsyncManagementClient]:
    client = AsyncManagementClient(
        domain=server.url, token=server.tenant.issue_token(), on_drift=seen.drift.append
    )
    with tasks.wrap_async_context_manager(client) as client:
        yield client


def arguments(
    stage: Stage, entry: evertoken_spec.Entry, method: Callable[..., object]
) -> tuple[list[str], Json]:
    """Return what to call a method with, after making what the call needs."""
    described, ids = operation(entry), arranged(stage, entry.key)
    settle(stage, entry.key, ids)
    if entry.key in BEFORE:
        BEFORE[entry.key](stage, ids)
    parameters = [resolve(one) for one in described.get("parameters", ())]
    given: Json = QUERIES.get(entry.key) or {
        one["name"]: sample(one["schema"])
        for one in parameters
        if one["in"] == "query" and one.get("required")
    }
    names = {plain(name): name for name in inspect.signature(method).parameters}
    body = resolve(described.get("requestBody", {}))
    media = next(iter(body.get("content", ())), "")
    if media == "multipart/form-data":
        given = {"users": b"[]", "connection_id": stage.tenant.rows("connections")[0]["id"]}
    elif media:
        schema = body["content"][media]["schema"]
        sent = BODIES[entry.key](stage, ids) if entry.key in BODIES else renamed(sample(schema))
        given = {**given, "request": sent} if "request" in names else {**given, **sent}
    path = [ids[name] for name in re.findall(r"\{([^{}]+)\}", entry.path)]
    return path, {names[plain(wire)]: value for wire, value in given.items()}


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
    client: ManagementClient, stage: Stage, seen: Seen, entry: evertoken_spec.Entry
) -> None:
    """Sent as documented; the answer is decoded, and fits."""
    method = operator.attrgetter(entry.key)(client)
    path, given = arguments(stage, entry, method)
    result = method(*path, **given, request_options={"on_response": seen.note})
    if entry.key == "events.subscribe":
        with result as events:
            next(events, None)
    seen.check(entry)


@each_operation
def test_every_operation_is_called_by_a_task(
    async_client: AsyncManagementClient,
    tasks: BlockingPortal,
    stage: Stage,
    seen: Seen,
    entry: evertoken_spec.Entry,
) -> None:
    """As by a thread."""
    method = operator.attrgetter(entry.key)(async_client)
    path, given = arguments(stage, entry, method)

    async def call() -> None:
        result = method(*path, **given, request_options={"on_response": seen.note})
        if entry.key == "events.subscribe":
            async with result as events:
                await anext(events, None)
        else:
            await result

    tasks.call(call)
    seen.check(entry)
