"""Lists in pages: every row once and in order, and no request too many."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, cast

from evertoken import drift
from evertoken.model import Model
from evertoken.operation import ListOperation, Operation, Paging, QueryValue, RequestOptions
from evertoken.paging import (
    SyncPager,
    check_query,
    first_page,
    page_type,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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


def clients(paging: Paging = BOTH, **query: QueryValue) -> RowList:
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


class Tenant:
    """Serves rows as API.md says, cutting pages to `cap` rows.

    `echo` tells whether an envelope says where it lies; `own_pages` whether a cut page is counted in the
    server's size or in the one asked for.
    """

    def __init__(
        self,
        rows: int | Sequence[Mapping[str, object]],
        *,
        cap: int = 100,
        echo: bool = True,
        own_pages: bool = True,
    ) -> None:
        if isinstance(rows, int):
            rows = [{"client_id": f"c{number}", "name": "same"} for number in range(rows)]
        self.rows = list(rows)
        self.cap = cap
        self.echo = echo
        self.own_pages = own_pages
        self.requests: list[dict[str, QueryValue]] = []
        self.options: list[RequestOptions | None] = []

    def send(self, operation: Operation[object], request_options: RequestOptions | None = None, /) -> object:
        check_query(operation)
        query = {key: value for key, value in operation.query.items() if value is not None}
        self.requests.append(query)
        self.options.append(request_options)
        body = json.dumps(self._answer(query)).encode()
        rows = cast("RowList", operation)
        value, mismatches = drift.decode(page_type(rows, starts_with_array=body[:1] == b"["), body)
        assert not mismatches
        return value

    def _answer(self, query: Mapping[str, QueryValue]) -> object:
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


class Sync:
    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    def send(self, operation: Operation[object], request_options: RequestOptions | None = None, /) -> object:
        return self.tenant.send(operation, request_options)


class Async(Sync):
    async def send(  # type: ignore[override]  # the other colour of the same server
        self, operation: Operation[object], request_options: RequestOptions | None = None, /
    ) -> object:
        return self.tenant.send(operation, request_options)


def walk(
    tenant: Tenant, operation: RowList, options: RequestOptions | None = None
) -> SyncPager[Row, Response]:
    return first_page(tenant, operation, options)  # type: ignore[arg-type]  # serves rows alone


def ids(rows: Sequence[Row]) -> list[str | None]:
    return [row.client_id for row in rows]
