"""Pages fetched at the same time: the same rows in the same order, and nothing left running."""

from __future__ import annotations

import collections
import contextvars
import dataclasses
import gc
import json
import threading
import weakref
from typing import TYPE_CHECKING, TypeVar, cast

import anyio
import anyio.lowlevel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evertoken.errors import ArgumentError, PaginationLimitError, TransportError
from fuzzing import tried
from lists import (
    BOTH,
    OFFSET,
    Async,
    RowList,
    Sync,
    Tenant,
    all_ids,
    by_checkpoint,
    clients,
    collect,
    ids,
    numbered,
    walk_async,
)
from support import locals_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.operation import Operation, QueryValue, RequestOptions

T = TypeVar("T")

QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "page": st.integers(0, 3),
        "per_page": st.integers(1, 100),
        "include_totals": st.booleans(),
    },
) | st.builds(by_checkpoint, st.integers(1, 100))


def sent(tenant: Tenant) -> collections.Counter[str]:
    """Return the requests, whatever their order."""
    return collections.Counter(json.dumps(query, sort_keys=True) for query in tenant.requests)


def broken() -> TransportError:
    return TransportError(
        method="GET", path="/clients", reason="ReadError", attempts=1, maybe_carried_out=False
    )


def page_of(query: Mapping[str, QueryValue]) -> int:
    page = query.get("page")
    return page if isinstance(page, int) else 0


def page_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("evertoken-pages")]


def walk(sender: Sync, operation: RowList, concurrency: int, into: list[str | None]) -> object:
    """Note every row, and return how the walk ended."""
    try:
        into.extend(row.client_id for row in sender.send_list(operation).iter_items(concurrency=concurrency))
    except PaginationLimitError as error:
        return str(error)
    return None


async def walk_tasks(tenant: Tenant, operation: RowList, concurrency: int, into: list[str | None]) -> object:
    try:
        await collect(Async(tenant).send_list(operation).iter_items(concurrency=concurrency), into)
    except PaginationLimitError as error:
        return str(error)
    return None


# The same rows


@given(
    count=st.integers(0, 2500) | st.sampled_from([999, 1000, 1001]),
    query=QUERIES,
    cap=st.sampled_from([25, 50, 100]),
    echo=st.booleans(),
    checkpoint=st.booleans(),
    concurrency=st.integers(1, 12),
    backend=st.sampled_from(["sync", "asyncio", "trio"]),
)
@tried(60)
@example(
    count=450,
    query={"per_page": 50, "include_totals": True},
    cap=100,
    echo=True,
    checkpoint=True,
    concurrency=12,
    backend="sync",
)
@example(
    count=995,
    query={"per_page": 30, "include_totals": True},
    cap=100,
    echo=True,
    checkpoint=False,
    concurrency=8,
    backend="sync",
)
@example(
    count=1200,
    query={"per_page": 100, "include_totals": True},
    cap=100,
    echo=True,
    checkpoint=False,
    concurrency=8,
    backend="trio",
)
@example(
    count=1200,
    query={"per_page": 100, "include_totals": True},
    cap=50,
    echo=True,
    checkpoint=True,
    concurrency=8,
    backend="asyncio",
)
def test_concurrency_changes_neither_rows_nor_requests(  # noqa: PLR0917 - the dimensions of the test
    count: int,
    query: dict[str, QueryValue],
    cap: int,
    echo: bool,
    checkpoint: bool,
    concurrency: int,
    backend: str,
) -> None:
    """Whatever the list, as many requests as one by one are made, and give the rows in the same order."""
    alone, together = Tenant(count, cap=cap, echo=echo), Tenant(count, cap=cap, echo=echo)
    operation = clients(BOTH if checkpoint or "take" in query else OFFSET, **query)
    expected: list[str | None] = []
    rows: list[str | None] = []

    end = walk(Sync(alone), operation, 1, expected)
    if backend == "sync":
        assert walk(Sync(together), operation, concurrency, rows) == end
    else:
        assert anyio.run(walk_tasks, together, operation, concurrency, rows, backend=backend) == end

    assert rows == expected
    assert sent(together) == sent(alone)


def test_pages_are_fetched_at_the_same_time() -> None:
    """Four pages are under way at once: none is answered before the fourth has been asked for."""
    barrier = threading.Barrier(4)

    def meet(query: Mapping[str, QueryValue]) -> None:
        if page_of(query):
            barrier.wait(60)

    tenant = Tenant(450, on_request=meet)

    pager = Sync(tenant).send_list(clients(per_page=50, include_totals=True))

    assert ids(pager.iter_items(concurrency=4)) == all_ids(tenant)
    assert len(tenant.requests) == 9
    assert not page_threads()


@dataclasses.dataclass
class Slow(Async):
    """Answers when so many requests are under way; counts them, and those that were cancelled."""

    together: int = 1
    under_way: int = 0
    most: int = 0
    cancelled: list[int] = dataclasses.field(default_factory=list[int])
    met: anyio.Event | None = None

    async def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        page = page_of(operation.query)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if page:
                self.met = self.met or anyio.Event()
                if self.under_way == self.together:
                    self.met.set()
                    self.met = None
                else:
                    await self.met.wait()
            return self.tenant.carry_out(operation, request_options)
        except anyio.get_cancelled_exc_class():
            self.cancelled.append(page)
            raise
        finally:
            self.under_way -= 1


@pytest.mark.anyio
async def test_tasks_fetch_pages_at_the_same_time() -> None:
    """The same by tasks, and never more of them than were asked for."""
    sender = Slow(Tenant(450), together=4)

    rows = await walk_async(sender.send_list(clients(per_page=50, include_totals=True)), 4)

    assert rows == all_ids(sender.tenant)
    assert (sender.most, sender.under_way, len(sender.tenant.requests)) == (4, 0, 9)


def test_no_more_pages_are_held_than_were_asked_for() -> None:
    """With three at a time, no more than three pages are alive, the one in hand among them."""
    answers: list[weakref.ref[object]] = []
    most = 0

    class Watching(Sync):
        def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
            response = super().send(operation, request_options)
            answers.append(weakref.ref(response))
            return response

    pager = Watching(Tenant(500)).send_list(clients(per_page=50, include_totals=True))
    pages = pager.iter_pages(concurrency=3)
    del pager
    numbers: list[int] = []
    for page in pages:
        numbers.append(len(page.items))
        gc.collect()
        most = max(most, sum(answer() is not None for answer in answers))

    assert numbers == [50] * 10
    assert most == 3


@pytest.mark.parametrize("query", [{"take": 50}, {"per_page": 50}])
def test_pages_that_are_a_chain_come_one_by_one(query: dict[str, QueryValue]) -> None:
    """Where a page must be read to know the next, by checkpoint or without a total, none is asked ahead."""
    tenant = Tenant(190)
    pages = Sync(tenant).send_list(clients(**query)).iter_pages(concurrency=8)

    for number, _ in enumerate(pages, 1):
        assert len(tenant.requests) == number
    assert len(tenant.requests) == 4


def test_nothing_is_asked_before_the_loop_needs_it() -> None:
    """The first page's rows come before any other page is fetched, and a batch before the next one."""
    tenant = Tenant(450)
    pages = Sync(tenant).send_list(clients(per_page=50, include_totals=True)).iter_pages(concurrency=4)

    asked = [len(tenant.requests) for _ in pages]

    assert asked == [1, 5, 5, 5, 5, 9, 9, 9, 9]


# Errors


def failing(pages: set[int]) -> Tenant:
    def fail(query: Mapping[str, QueryValue]) -> None:
        if page_of(query) in pages:
            raise broken()

    return Tenant(450, on_request=fail)


def test_first_error_in_order_comes_after_the_rows_before_it() -> None:
    """Pages 3 and 5 fail: the rows of pages 0 to 2 come, then the error of page 3, and no thread is left."""
    tenant = failing({3, 5})
    rows: list[str | None] = []
    pager = Sync(tenant).send_list(clients(per_page=50, include_totals=True))

    with pytest.raises(TransportError) as caught:
        rows.extend(row.client_id for row in pager.iter_items(concurrency=6))

    assert rows == numbered(*range(150))
    assert {page_of(query) for query in tenant.requests} == set(range(7))
    assert not page_threads()
    assert "c149" not in locals_of(caught.value)


@pytest.mark.anyio
async def test_pages_after_an_error_are_cancelled() -> None:
    """Page 3 fails while the others wait: those before it are waited for, those after it are not."""
    tenant = failing({3})
    go_on = anyio.Event()
    cancelled: list[int] = []

    class Waiting(Async):
        async def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
            page = page_of(operation.query)
            try:
                if page in {1, 2, 4, 5}:
                    await go_on.wait()
                return await super().send(operation, request_options)
            except anyio.get_cancelled_exc_class():
                cancelled.append(page)
                # The pages before it may come now.
                go_on.set()
                raise

    rows: list[str | None] = []
    call = Waiting(tenant).send_list(clients(per_page=50, include_totals=True))

    with pytest.raises(TransportError) as caught:
        with anyio.fail_after(60):
            await collect(call.iter_items(concurrency=5), rows)

    assert rows == numbered(*range(150))
    assert sorted(cancelled) == [4, 5]
    assert {page_of(query) for query in tenant.requests} == {0, 1, 2, 3}
    assert "c149" not in locals_of(caught.value)


@pytest.mark.anyio
async def test_loop_that_failed_can_be_gone_on_with() -> None:
    """The iterator asks for the page that failed once more."""
    tenant = failing({3})
    items = Async(tenant).send_list(clients(per_page=50, include_totals=True)).iter_items(concurrency=4)
    rows: list[str | None] = []

    with pytest.raises(TransportError):
        await collect(items, rows)
    tenant.on_request = Tenant(0).on_request
    await collect(items, rows)

    assert rows == all_ids(tenant)


@pytest.mark.anyio
async def test_cancelled_loop_leaves_nothing_running() -> None:
    """Cancelling the caller cancels every page under way, and is no error of its own kind."""
    sender = Slow(Tenant(450), together=99)

    async def walk() -> None:
        await walk_async(sender.send_list(clients(per_page=50, include_totals=True)), 4)

    async with anyio.create_task_group() as group:
        group.start_soon(walk)
        while sender.under_way < 4:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()

    assert sender.under_way == 0
    assert sorted(sender.cancelled) == [1, 2, 3, 4]
    assert len(sender.tenant.requests) == 1


def test_loop_left_early_leaves_no_thread() -> None:
    """Nothing runs between two pages."""
    tenant = Tenant(950)

    for page in Sync(tenant).send_list(clients(per_page=50, include_totals=True)).iter_pages(concurrency=4):
        assert not page_threads()
        if ids(page.items)[0] == "c100":
            break

    assert len(tenant.requests) == 5
    assert not page_threads()


@pytest.mark.anyio
async def test_async_loop_left_early_leaves_no_task() -> None:
    """The same for tasks: a loop that is left has no request under way, and nothing warns."""
    sender = Slow(Tenant(950), together=4)

    async for page in sender.send_list(clients(per_page=50, include_totals=True)).iter_pages(concurrency=4):
        assert sender.under_way == 0
        if ids(page.items)[0] == "c100":
            break

    gc.collect()
    await anyio.lowlevel.checkpoint()
    assert len(sender.tenant.requests) == 5


# Lists that change


@pytest.mark.parametrize(("left", "requests"), [(120, 5), (250, 5), (90, 5)])
def test_list_that_shrinks_ends_where_its_rows_end(left: int, requests: int) -> None:
    """Rows that go while pages are under way end the list earlier, without an error and without a repeat."""
    tenant = Tenant(450)
    pages = Sync(tenant).send_list(clients(per_page=50, include_totals=True)).iter_pages(concurrency=4)
    rows = ids(next(pages).items)
    del tenant.rows[left:]

    for page in pages:
        rows += ids(page.items)

    assert rows == all_ids(tenant)
    assert len(tenant.requests) == requests


@pytest.mark.parametrize("backend", ["sync", "asyncio", "trio"])
def test_list_that_grows_goes_on_to_its_new_end(backend: str) -> None:
    """Rows that come while pages are under way are read too, beyond what the first total told."""
    tenant = Tenant(140)

    def grow(query: Mapping[str, QueryValue]) -> None:
        if page_of(query) == 2:
            tenant.rows += Tenant(330).rows[140:]

    tenant.on_request = grow
    operation = clients(per_page=50, include_totals=True)

    if backend == "sync":
        rows = ids(Sync(tenant).send_list(operation).iter_items(concurrency=4))
    else:
        rows = anyio.run(walk_async, Async(tenant).send_list(operation), 4, backend=backend)

    assert rows == all_ids(tenant)
    assert len(tenant.requests) == 7


def test_list_that_grows_beyond_the_wall_turns_to_checkpoint_mode() -> None:
    """What was fetched by number is not lost, and nothing comes twice."""
    tenant = Tenant(900)

    def grow(query: Mapping[str, QueryValue]) -> None:
        if page_of(query) == 7:
            tenant.rows += Tenant(1100).rows[len(tenant.rows) :]

    tenant.on_request = grow
    pager = Sync(tenant).send_list(clients(per_page=100, include_totals=True))

    assert ids(pager.iter_items(concurrency=3)) == all_ids(tenant)


# Arguments and surroundings


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "2", None])
def test_absurd_concurrency_is_refused(value: object) -> None:
    """Before anything is sent, and by both colours."""
    tenant = Tenant(450)
    pager = Sync(tenant).send_list(clients())
    call = Async(tenant).send_list(clients())

    for iterate in (pager.iter_pages, pager.iter_items, call.iter_pages, call.iter_items):
        with pytest.raises(ArgumentError, match=r"^concurrency: .* whole number from 1$"):
            iterate(concurrency=cast("int", value))
    assert len(tenant.requests) == 1


def test_threads_know_the_context_of_the_caller() -> None:
    """Context variables, such as a tracer's span, hold in every thread."""
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")
    seen: list[str] = []
    tenant = Tenant(250, on_request=lambda _: seen.append(name.get()))
    pager = Sync(tenant).send_list(clients(per_page=50, include_totals=True))

    token = name.set("somebody")
    list(pager.iter_pages(concurrency=4))
    name.reset(token)

    assert seen == ["nobody", *["somebody"] * 4]


def test_error_that_is_no_exception_is_raised_at_once() -> None:
    """A function of the caller's that ends the program ends it from a thread too."""

    def end(query: Mapping[str, QueryValue]) -> None:
        if page_of(query) == 1:
            raise SystemExit(3)

    pages = Sync(Tenant(250, on_request=end)).send_list(clients(per_page=50, include_totals=True))

    with pytest.raises(SystemExit):
        list(pages.iter_pages(concurrency=4))
    assert not page_threads()
