"""A list of rows as the API pages it, and senders of both colours to it."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio.lowlevel

from evertoken import drift
from evertoken.model import Model
from evertoken.operation import ListOperation, Operation, Paging, QueryValue, RequestOptions
from evertoken.paging import AsyncListCall, SyncPager, check_query, first_page, page_type, resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

T = TypeVar("T")
ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")


class Row(Model):
    client_id: str | None = None
    name: str | None = None


class OffsetPage(Model):
    start: float | None = None
    limit: float | None = None
    total: float | None = None
    clients: list[Row] | None = None


class CheckpointPage(Model):
    next: str | None = None
    clients: list[Row] | None = None


Response = OffsetPage | CheckpointPage | list[Row]
RowList = ListOperation[Row, Response]

BOTH = Paging(
    items="clients",
    item=Row,
    key="client_id",
    offset=OffsetPage,
    checkpoint=CheckpointPage,
    bare=True,
)
OFFSET = dataclasses.replace(BOTH, checkpoint=None)
CHECKPOINT = dataclasses.replace(BOTH, offset=None, bare=False)
LIMITS: dict[str, tuple[int | None, int | None]] = {
    "page": (0, None),
    "per_page": (0, 100),
    "take": (1, 100),
}


def clients(paging: Paging = BOTH, /, **query: QueryValue) -> RowList:
    """Return the operation as generated code makes it, `from_` standing for `from`."""
    wire = {key.rstrip("_"): value for key, value in query.items()}
    sent, result = resolve(paging, wire)
    return ListOperation(
        name="clients.list",
        method="GET",
        path="/clients",
        query=sent,
        limits=LIMITS,
        result=result,
        paging=paging,
    )


def by_checkpoint(take: int) -> dict[str, QueryValue]:
    return {"take": take}


class Tenant:
    """Serves rows as the API does, cutting pages to `cap` rows.

    `on_request` is called with each query and may raise, or change the rows. `echo` tells whether an
    envelope says where it lies; `own_pages` whether a cut page is counted in the server's size or in the one
    asked for.
    """

    def __init__(
        self,
        rows: int | Sequence[Mapping[str, object]],
        *,
        cap: int = 100,
        echo: bool = True,
        own_pages: bool = True,
        on_request: Callable[[Mapping[str, QueryValue]], None] = lambda _: None,
    ) -> None:
        if isinstance(rows, int):
            rows = [{"client_id": f"c{number}", "name": "same"} for number in range(rows)]
        self.rows = list(rows)
        self.cap = cap
        self.echo = echo
        self.own_pages = own_pages
        self.on_request = on_request
        self.requests: list[dict[str, QueryValue]] = []
        self.options: list[RequestOptions | None] = []

    def carry_out(self, operation: Operation[T], options: RequestOptions | None) -> T:
        check_query(operation)
        query: dict[str, QueryValue] = {k: v for k, v in operation.query.items() if v is not None}
        self.requests.append(query)
        self.options.append(options)
        self.on_request(query)
        body = json.dumps(self.answer(query)).encode()
        assert isinstance(operation, ListOperation)
        rows = cast("RowList", operation)
        value, mismatches = drift.decode(page_type(rows, starts_with_array=body[:1] == b"["), body)
        assert not mismatches
        return cast("T", value)

    def answer(self, query: Mapping[str, QueryValue]) -> object:
        if "from" in query or "take" in query:
            assert not {"page", "per_page", "include_totals"} & query.keys()
            start, size = int(str(query.get("from", 0))), min(cast("int", query.get("take", 50)), self.cap)
            end = start + size
            following = {"next": str(end)} if end < len(self.rows) else {}
            return {"clients": self.rows[start:end], **following}
        page, asked = cast("int", query.get("page", 0)), cast("int", query.get("per_page", 50))
        assert (page + 1) * asked <= 1000, "the API would answer 400"
        size = min(asked, self.cap)
        start = page * (size if self.own_pages else asked)
        rows = self.rows[start : start + size]
        if not query.get("include_totals"):
            return rows
        where = {"start": start, "limit": size, "length": len(rows)} if self.echo else {}
        return {"total": len(self.rows), "clients": rows, **where}


@dataclasses.dataclass
class Sync:
    """A sender to a tenant."""

    tenant: Tenant

    def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        return self.tenant.carry_out(operation, request_options)

    def send_list(
        self,
        operation: ListOperation[ItemT, PageT],
        request_options: RequestOptions | None = None,
        /,
    ) -> SyncPager[ItemT, PageT]:
        return first_page(self, operation, request_options)

    def stream_events(self, operation: object, request_options: object = None, /) -> Any:
        raise NotImplementedError


@dataclasses.dataclass
class Async:
    """The same in the other colour."""

    tenant: Tenant

    async def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        await anyio.lowlevel.checkpoint()
        return self.tenant.carry_out(operation, request_options)

    def send_list(
        self,
        operation: ListOperation[ItemT, PageT],
        request_options: RequestOptions | None = None,
        /,
    ) -> AsyncListCall[ItemT, PageT]:
        return AsyncListCall(self, operation, request_options)

    def stream_events(self, operation: object, request_options: object = None, /) -> Any:
        raise NotImplementedError


async def collect(rows: AsyncIterator[Row], into: list[str | None]) -> None:
    async for row in rows:
        into.append(row.client_id)  # noqa: PERF401 - a comprehension would lose what came before an error


async def walk_async(call: AsyncListCall[Row, Response], concurrency: int) -> list[str | None]:
    return [row.client_id async for row in call.iter_items(concurrency=concurrency)]


def ids(rows: Iterable[Row]) -> list[str | None]:
    return [row.client_id for row in rows]


def numbered(*numbers: int) -> list[str | None]:
    return [f"c{number}" for number in numbers]


def all_ids(tenant: Tenant) -> list[str | None]:
    return [cast("str", row["client_id"]) for row in tenant.rows]
