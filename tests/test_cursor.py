"""A list is left, and gone on with elsewhere: every row once, whatever fails in between."""

from __future__ import annotations

import base64
import copy
import dataclasses
import itertools
import json
import pickle
import re
from typing import TYPE_CHECKING, cast

import anyio
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evertoken import ManagementClient
from evertoken.errors import (
    ArgumentError,
    EvertokenError,
    ForbiddenError,
    PaginationLimitError,
    TransportError,
)
from evertoken_api.clients import operations
from evertoken_tenant import Tenant as LocalTenant
from fuzzing import tried
from lists import (
    BOTH,
    CHECKPOINT,
    OFFSET,
    Async,
    Row,
    Sync,
    Tenant,
    all_ids,
    by_checkpoint,
    clients,
    ids,
    numbered,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.operation import Paging, QueryValue, RequestOptions
    from evertoken.paging import AsyncPager, SyncPager
    from lists import Response, RowList

TOTALS: dict[str, QueryValue] = {"page": 0, "per_page": 50, "include_totals": True}
PAGED = st.fixed_dictionaries(
    {"per_page": st.integers(3, 100), "include_totals": st.booleans()},
    optional={"page": st.just(0)},
)
QUERIES = PAGED | st.builds(by_checkpoint, st.integers(1, 100))


def broken() -> TransportError:
    return TransportError(
        method="GET", path="/clients", reason="ReadError", attempts=1, maybe_carried_out=False
    )


class Process:
    """Reads a list page by page, and knows nothing of what others have read but a saved string."""

    def __init__(self, tenant: Tenant, operation: RowList, saved: str | None) -> None:
        self.tenant = tenant
        self.operation = operation
        self.options: RequestOptions | None = None if saved is None else {"cursor": json.loads(saved)}
        self.rows: list[str | None] = []
        self.saved = saved
        self.at_end = False

    def note(self, page: SyncPager[Row, Response] | AsyncPager[Row, Response]) -> None:
        self.rows += ids(page.items)
        self.at_end = page.cursor is None
        self.saved = json.dumps(page.cursor)

    def run(self, concurrency: int) -> None:
        pager = Sync(self.tenant).send_list(self.operation, self.options)
        for page in pager.iter_pages(concurrency=concurrency):
            self.note(page)

    async def run_async(self, concurrency: int) -> None:
        call = Async(self.tenant).send_list(self.operation, self.options)
        async for page in call.iter_pages(concurrency=concurrency):
            self.note(page)


def read_in_turns(tenant: Tenant, operation: RowList, concurrency: int, backend: str) -> list[str | None]:
    """Return the rows that processes have read one after the other, each to its end or its failure."""
    rows: list[str | None] = []
    saved: str | None = None
    while True:
        process = Process(tenant, operation, saved)
        try:
            if backend == "sync":
                process.run(concurrency)
            else:
                anyio.run(process.run_async, concurrency, backend=backend)
        except TransportError:
            pass
        else:
            assert process.at_end
            return rows + process.rows
        finally:
            saved = process.saved
        rows += process.rows


@given(
    count=st.integers(0, 2500) | st.sampled_from([50, 999, 1000, 1001]),
    query=QUERIES,
    cap=st.sampled_from([50, 100]),
    echo=st.booleans(),
    failures=st.sets(st.integers(0, 30), max_size=6),
    concurrency=st.sampled_from([1, 1, 1, 5]),
    backend=st.sampled_from(["sync", "asyncio", "trio"]),
)
@tried(60)
@example(
    count=1000, query={"per_page": 100}, cap=100, echo=True, failures={5, 11}, concurrency=1, backend="sync"
)
@example(count=150, query={"per_page": 100}, cap=100, echo=True, failures={1}, concurrency=1, backend="sync")
@example(
    count=999, query={"per_page": 7}, cap=100, echo=True, failures={142, 144}, concurrency=1, backend="sync"
)
@example(count=1001, query=TOTALS, cap=100, echo=True, failures={1, 2, 3, 5}, concurrency=1, backend="sync")
def test_every_row_comes_once_whatever_fails(  # noqa: PLR0917 - the dimensions of the test
    count: int,
    query: dict[str, QueryValue],
    cap: int,
    echo: bool,
    failures: set[int],
    concurrency: int,
    backend: str,
) -> None:
    """Processes that end at any request, each gone on from what the last one saved, read what one would."""
    alone = Tenant(count, cap=cap, echo=echo)
    assert ids(Sync(alone).send_list(clients(**query))) == all_ids(alone)
    tenant = Tenant(count, cap=cap, echo=echo)

    def fail(_: Mapping[str, QueryValue]) -> None:
        if len(tenant.requests) - 1 in failures:
            raise broken()

    tenant.on_request = fail

    assert read_in_turns(tenant, clients(**query), concurrency, backend) == all_ids(tenant)
    if concurrency == 1:
        failed = sum(number < len(tenant.requests) for number in failures)
        again = len(tenant.requests) - len(alone.requests) - failed
        # What a page without news had told is asked for again where the walk failed right after it.
        assert 0 <= again <= (failed * 10 if count >= 1000 and "take" not in query else 0)


@pytest.mark.parametrize(
    ("paging", "query", "count"),
    [
        (BOTH, TOTALS, 130),
        (BOTH, TOTALS, 1130),
        (BOTH, {"per_page": 50}, 130),
        (BOTH, {"per_page": 100}, 1030),
        (BOTH, {"take": 20}, 130),
        (CHECKPOINT, {}, 130),
        (OFFSET, {"page": 1, "per_page": 40}, 130),
    ],
)
def test_each_page_leads_to_the_next_one(paging: Paging, query: dict[str, QueryValue], count: int) -> None:
    """Read one page per process, a list is that which is read in one go; the last page has no cursor."""
    operation = clients(paging, **query)
    expected = ids(Sync(Tenant(count)).send_list(operation))
    tenant = Tenant(count)
    page = Sync(tenant).send_list(operation)
    rows = ids(page.items)

    while page.cursor is not None:
        assert page.has_next
        page = Sync(tenant).send_list(operation, {"cursor": page.cursor})
        rows += ids(page.items)

    assert not page.has_next
    assert rows == expected


@pytest.mark.anyio
async def test_async_list_goes_on_from_the_cursor_of_a_sync_one() -> None:
    """Awaited or iterated, and with the options of the call: the colour does not matter."""
    tenant = Tenant(130)
    saved = Sync(tenant).send_list(clients(**TOTALS)).cursor
    assert saved is not None

    call = Async(tenant).send_list(clients(**TOTALS), {"cursor": saved, "max_retries": 7})

    assert ids((await call).items) == numbered(*range(50, 100))
    assert [row.client_id async for row in call] == numbered(*range(50, 130))
    assert tenant.options[1:] == [{"max_retries": 7}] * 3


def test_cursor_is_a_plain_short_string() -> None:
    """It goes through JSON, pickle, copy and a URL as it is, and stays short but where it may not be."""
    sizes: dict[str, int] = {}
    for name, count, query in (
        ("offset", 900, TOTALS),
        ("checkpoint", 900, {"take": 50}),
        ("switch", 1900, {**TOTALS, "per_page": 100}),
        ("array", 1900, {"per_page": 50}),
    ):
        for page in Sync(Tenant(count)).send_list(clients(BOTH, **query)).iter_pages():
            saved = page.cursor
            if saved is None:
                break
            assert type(saved) is str
            assert re.fullmatch(r"[A-Za-z0-9._-]+", saved)
            assert json.loads(json.dumps(saved)) == copy.copy(saved) == saved
            assert pickle.loads(pickle.dumps(saved)) == saved  # noqa: S301 - our own
            sizes[name] = max(len(saved), sizes.get(name, 0))

    assert sizes["offset"] < 200
    assert sizes["checkpoint"] < 200
    assert sizes["switch"] < 1_300
    assert sizes["array"] < 11_000


def test_cursor_shows_no_row_and_no_filter() -> None:
    """Whoever sees a cursor learns neither what was listed nor what was asked for."""
    page = Sync(Tenant(1900)).send_list(clients(**TOTALS, q="name:whisper"))

    parts = (page.cursor or "").split(".")[1:]
    clear = b"".join(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)

    assert b"whisper" not in clear
    assert b"c7" not in clear


def test_page_arguments_of_the_call_give_way() -> None:
    """The mode and the size of the pages are those that the list was begun with."""
    tenant = Tenant(130)
    saved = Sync(tenant).send_list(clients(take=20)).cursor or ""

    rows = ids(Sync(tenant).send_list(clients(**TOTALS), {"cursor": saved}))

    assert rows == numbered(*range(20, 130))
    assert tenant.requests[1:3] == [{"take": 20, "from": "20"}, {"take": 20, "from": "40"}]


@pytest.mark.parametrize("take", [None, 50])
def test_retried_and_failed_pages_cost_no_row(take: int | None) -> None:
    """A page that a retry brings is one page; one that fails for good is the next process's first."""
    local = LocalTenant(clients=230)

    def process(saved: str | None) -> tuple[list[str | None], str | None]:
        options: RequestOptions = {} if saved is None else {"cursor": saved}
        rows: list[str | None] = []
        with ManagementClient(
            domain=local.domain,
            client_id=local.client_id,
            client_secret=local.client_secret,
            httpx_client=httpx.Client(transport=httpx.MockTransport(local)),
        ) as client:
            try:
                for page in client.clients.list(take=take, request_options=options).iter_pages():
                    rows += [row.client_id for row in page.items]
                    saved = page.cursor
                    if len(rows) == 50:
                        local.fail_api_requests(1, status=503, headers={"retry-after": "0"})
                    elif len(rows) == 100 and not options:
                        local.fail_api_requests(1, status=403)
            except ForbiddenError:
                pass
        return rows, saved

    begun, saved = process(None)
    assert (len(begun), local.api_requests) == (100, 4)
    rest, end = process(saved)

    assert len(set(begun + rest)) == len(begun + rest) == 230
    assert end is None
    assert local.api_requests == 4 + 4


# What is refused


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        (clients(**TOTALS), {}),
        (clients(**TOTALS, q="b"), {}),
        (clients(**TOTALS, q="a", fields="name"), {}),
        (dataclasses.replace(clients(**TOTALS, q="a"), path="/others"), {}),
        (dataclasses.replace(clients(**TOTALS, q="a"), path_params={"id": "b"}), {}),
        (clients(**TOTALS, q="a"), {"additional_query_parameters": {"sort": "x"}}),
    ],
)
def test_cursor_of_another_list_is_refused(operation: RowList, options: RequestOptions) -> None:
    """Another operation, other filters, another parent: an error before anything is sent."""
    saved = Sync(Tenant(130)).send_list(clients(**TOTALS, q="a")).cursor or ""
    tenant = Tenant(130)

    for sender in (Sync(tenant), Async(tenant)):
        with pytest.raises(ArgumentError, match=r"^cursor: is of another list than this clients\.list, or"):
            sender.send_list(operation, {**options, "cursor": saved})
    assert not tenant.requests


@pytest.mark.parametrize(
    ("saved", "problem"),
    [
        (None, "is None, as after the last page; leave it out"),
        (5, "int is no str"),
        ("", "is damaged or none at all"),
        ("1", "is damaged or none at all"),
        ("1...", "is damaged or none at all"),
        ("1.e30..", "is damaged or none at all"),
        ("1.W10..", "is damaged or none at all"),
        ("1.é..", "is damaged or none at all"),
        ("some-next-of-the-api", "is damaged or none at all"),
        ("2.e30..", "was made by another version of evertoken"),
    ],
)
def test_what_is_no_cursor_is_refused(saved: object, problem: str) -> None:
    """The error tells what to do, and nothing is sent."""
    tenant = Tenant(130)

    with pytest.raises(ArgumentError, match=rf"^cursor: {problem}"):
        Sync(tenant).send_list(clients(), {"cursor": cast("str", saved)})
    assert not tenant.requests


@given(data=st.data(), count=st.sampled_from([130, 1130]))
@tried(100)
def test_damaged_cursor_is_no_surprise(data: st.DataObject, count: int) -> None:
    """Whatever was done to it, it is refused, or leads to rows of the same list."""
    saved = Sync(Tenant(count)).send_list(clients(**TOTALS)).cursor or ""
    at = data.draw(st.integers(0, len(saved) - 1))
    put = data.draw(st.text("AQgw019-_.=~ ", max_size=3))
    tenant = Tenant(count)

    try:
        page = Sync(tenant).send_list(clients(**TOTALS), {"cursor": saved[:at] + put + saved[at + 1 :]})
    except (ArgumentError, PaginationLimitError):
        assert len(tenant.requests) == 0
    else:
        assert set(ids(page.items)) <= set(all_ids(tenant))


def test_odd_options_beside_a_cursor_are_refused() -> None:
    """They are checked before the cursor is read."""
    saved = Sync(Tenant(130)).send_list(clients()).cursor or ""
    odd = cast("RequestOptions", {"cursor": saved, "additional_query_parameters": 5})

    with pytest.raises(ArgumentError, match=r"^additional_query_parameters: "):
        Sync(Tenant(130)).send_list(clients(), odd)


def test_only_lists_take_a_cursor() -> None:
    """Elsewhere it would be ignored: an error says so before anything is sent."""
    tenant = LocalTenant(clients=3)
    with ManagementClient(
        domain=tenant.domain,
        client_id=tenant.client_id,
        client_secret=tenant.client_secret,
        httpx_client=httpx.Client(transport=httpx.MockTransport(tenant)),
    ) as client:
        with pytest.raises(ArgumentError, match=r"^cursor: only a list has one"):
            client.clients.get("x", request_options={"cursor": "1.e30.."})
        with pytest.raises(ArgumentError, match=r"^cursor: only a list has one"):
            client.send(operations.list(), {"cursor": "1.e30.."})
    assert tenant.api_requests == 0


# The wall, circles, and lists that change


def test_cursor_of_the_last_page_before_the_wall_leads_to_the_error() -> None:
    """Where no mode goes on, the cursor is not None, as if that were the end: it raises before a request."""
    tenant = Tenant(1200)
    pages = Sync(tenant).send_list(clients(OFFSET, **TOTALS)).iter_pages()
    *_, page = itertools.islice(pages, 20)
    assert len(tenant.requests) == 20
    assert page.cursor is not None

    with pytest.raises(PaginationLimitError, match="take="):
        Sync(tenant).send_list(clients(OFFSET, **TOTALS), {"cursor": page.cursor})


def test_list_that_grew_beyond_the_wall_after_a_cursor_ends_in_the_error() -> None:
    """A cursor of a counted list does not know its first rows: beyond the wall is an error, not a gap."""
    tenant = Tenant(990)
    saved = Sync(tenant).send_list(clients(**TOTALS)).cursor or ""
    tenant.rows = Tenant(1100).rows
    rows: list[Row] = []

    pager = Sync(tenant).send_list(clients(**TOTALS), {"cursor": saved})
    with pytest.raises(PaginationLimitError):
        rows.extend(pager)

    assert ids(rows) == all_ids(tenant)[50:1000]


class Circle(Tenant):
    """A list whose `next` leads from its seventh page back to the third."""

    def answer(self, query: Mapping[str, QueryValue]) -> object:
        at = int(str(query.get("from", 0)))
        return {"next": str(3 if at == 7 else at + 1), "clients": [{"client_id": f"c{at}"}]}


def read_a_page_each(tenant: Tenant, operation: RowList, most: int) -> None:
    page = Sync(tenant).send_list(operation)
    for _ in range(most):
        page = Sync(tenant).send_list(operation, {"cursor": page.cursor or ""})


def test_circle_is_noticed_by_processes_that_read_a_page_each() -> None:
    """Pages that lead back to earlier ones end in an error, though no process has seen one twice."""
    tenant = Circle(0)

    with pytest.raises(EvertokenError, match="lead back to one"):
        read_a_page_each(tenant, clients(take=1), 100)
    assert len(tenant.requests) < 20


@given(
    changes=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=6),
    take=st.integers(1, 40),
    resumed=st.booleans(),
)
@tried(12)
def test_checkpoints_hold_while_the_list_changes(
    changes: list[tuple[int, bool]], take: int, resumed: bool
) -> None:
    """Rows that stay come once each while others come and go, and the walk ends."""
    local = LocalTenant(clients=120)
    with ManagementClient(
        domain=local.domain,
        client_id=local.client_id,
        client_secret=local.client_secret,
        httpx_client=httpx.Client(transport=httpx.MockTransport(local)),
    ) as client:
        before = [row.client_id for row in client.clients.list(take=100)]
        gone: set[str | None] = set()
        rows: list[str | None] = []
        page = client.clients.list(take=take)
        for number in range(300):
            rows += [row.client_id for row in page.items]
            for at, creates in changes:
                if at == number and creates:
                    client.clients.create(name="another")
                elif at == number:
                    victim = before[(at * 37) % len(before)]
                    if victim not in gone:
                        client.clients.delete(str(victim))
                        gone.add(victim)
            if page.cursor is None:
                break
            following = (
                client.clients.list(take=take, request_options={"cursor": page.cursor})
                if resumed
                else page.next_page()
            )
            assert following is not None
            page = following

    assert len(rows) == len(set(rows))
    assert page.cursor is None
    assert [row for row in rows if row in before and row not in gone] == [
        row for row in before if row not in gone
    ]
