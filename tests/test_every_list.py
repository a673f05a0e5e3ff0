"""Every list of the whole API, walked as the API pages it: each row once, in each of its modes."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpx
import pytest

import evertoken_api
from evertoken import AsyncManagementClient, ManagementClient
from evertoken.model import Model
from evertoken.operation import ListOperation
from support import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Call = ListOperation[Any, Any]


def every_list() -> dict[str, Callable[..., Call]]:
    """Return the functions that make lists, by the names of their operations."""
    found: dict[str, Callable[..., Call]] = {}
    for module in pkgutil.walk_packages(evertoken_api.__path__, "evertoken_api."):
        if module.name.endswith(".operations"):
            for function in vars(importlib.import_module(module.name)).values():
                if inspect.isfunction(function) and function.__module__ == module.name:
                    operation = call(function)
                    if isinstance(operation, ListOperation):
                        found[operation.name] = function
    assert len(found) > 60
    return found


def call(function: Callable[..., object], **query: object) -> object:
    needed = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    return function(**dict.fromkeys(needed, "x"), **query)


LISTS = every_list()
for_lists = pytest.mark.parametrize("name", LISTS)


class Server:
    """Serves rows by number, page or checkpoint, whichever a query asks for."""

    def __init__(self, operation: Call, count: int) -> None:
        self.operation = operation
        key = operation.paging.key or "id"
        self.key = key
        self.rows: list[dict[str, object]] = [{key: f"r{number:05}"} for number in range(count)]
        self.queries: list[Mapping[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        self.queries.append(query)
        # The API's own bounds; others are in the spec, and refused before anything is sent.
        assert not (query.keys() & {"page"} and query.keys() & {"from"})
        body = self.checkpoint(query) if query.keys() & {"from", "take"} else self.offset(query)
        return httpx.Response(200, content=json.dumps(body))

    async def in_task(self, request: httpx.Request) -> httpx.Response:
        return self(request)

    def checkpoint(self, query: Mapping[str, str]) -> object:
        paging, size = self.operation.paging, min(int(query.get("take", 50)), 100)
        if paging.checkpoint is None:
            ids = [row[self.key] for row in self.rows]
            start = ids.index(query["from"]) + 1 if "from" in query else 0
            return self.rows[start : start + size]
        start = int(query.get("from", 0))
        following = {"next": str(start + size)} if start + size < len(self.rows) else {}
        return {paging.items: self.rows[start : start + size], **following}

    def offset(self, query: Mapping[str, str]) -> object:
        page, size = int(query.get("page", 0)), int(query.get("per_page", 50))
        assert (page + 1) * size <= 1000
        rows = self.rows[page * size : (page + 1) * size]
        paging = self.operation.paging
        if paging.bare and query.get("include_totals") != "true":
            return rows
        where = {"start": page * size, "limit": size, "total": len(self.rows)}
        return {paging.items: rows, **where}


def walk(kind: str, operation: Call, server: Server) -> list[Any]:
    if kind == "sync":
        http = httpx.Client(transport=httpx.MockTransport(server))
        return list(ManagementClient(domain=DOMAIN, token="t", httpx_client=http).send_list(operation))

    async def asynchronous() -> list[Any]:
        http = httpx.AsyncClient(transport=httpx.MockTransport(server.in_task))
        client = AsyncManagementClient(domain=DOMAIN, token="t", httpx_client=http)
        return [row async for row in client.send_list(operation)]

    return anyio.run(asynchronous)


def check(name: str, count: int, kind: str = "sync", **query: object) -> Server:
    """Walk a list; its rows come once, in order, and decoded as what the list says."""
    operation = cast("Call", call(LISTS[name], **query))
    server = Server(operation, count)
    rows = walk(kind, operation, server)
    assert [row.model_extra.get(server.key) or getattr(row, server.key) for row in rows] == [
        row[server.key] for row in server.rows
    ]
    assert all(isinstance(row, Model) for row in rows)
    return server


pytestmark = pytest.mark.filterwarnings("ignore::evertoken.DriftWarning")  # rows have an id, and no more


@for_lists
@pytest.mark.parametrize("count", [0, 1, 50, 131])
def test_a_list_without_arguments_is_walked_to_its_end(name: str, count: int) -> None:
    """With the default page; no request too many."""
    server = check(name, count)
    size = int(server.queries[0].get("per_page") or server.queries[0].get("take") or 50)
    full = count // size
    assert len(server.queries) - full in {0, 1}


@for_lists
def test_tasks_walk_it_too(name: str) -> None:
    """The same requests."""
    assert check(name, 131, "async").queries == check(name, 131).queries


def of_two_modes() -> list[str]:
    found: list[str] = []
    for name, make in LISTS.items():
        paging = cast("Call", call(make)).paging
        if paging.checkpoint is not None and (paging.offset is not None or "page" in signature(make)):
            found.append(name)
    return found


def signature(make: Callable[..., Call]) -> set[str]:
    return set(inspect.signature(make).parameters)


@pytest.mark.parametrize("name", of_two_modes())
def test_a_list_of_two_modes_goes_on_beyond_the_wall(name: str) -> None:
    """By itself, with totals and without; a row that changes meanwhile comes once."""
    assert cast("Call", call(LISTS[name])).paging.key is not None
    assert len(check(name, 1_131).queries) < 40
    check(name, 1_131, include_totals=False)
    check(name, 131, take=50)
