"""Lists in pages: every row once and in order, and no request too many."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import math
import warnings
import weakref
from typing import TYPE_CHECKING, cast

import anyio.lowlevel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evertoken.errors import ArgumentError, EvertokenError, PaginationLimitError
from evertoken.operation import ListOperation, Operation, Paging, QueryValue, RequestOptions
from evertoken.pages import START, turn
from evertoken.paging import AsyncPager, SyncPager, check_query, page_type, resolve
from fuzzing import tried
from lists import (
    BOTH,
    CHECKPOINT,
    LIMITS,
    OFFSET,
    Async,
    CheckpointPage,
    OffsetPage,
    Response,
    Row,
    RowList,
    Sync,
    Tenant,
    all_ids,
    clients,
    collect,
    ids,
    numbered,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def following(operation: RowList, response: Response) -> RowList | EvertokenError | None:
    return turn(operation, response, START).following


BY_ROW = dataclasses.replace(OFFSET, from_key="client_id")

COUNTS = st.integers(0, 1300) | st.sampled_from([0, 1, 49, 50, 51, 99, 100, 101, 150, 999, 1000, 1001])
CAPS = st.sampled_from([50, 100])
# Those that divide 1,000, so that whole pages reach exactly the wall.
SIZES = st.sampled_from([10, 20, 25, 40, 50, 100])


# Walking all of a list


@given(count=COUNTS, per_page=SIZES, cap=CAPS, echo=st.booleans(), from_top=st.booleans())
@tried(150)
@example(count=1001, per_page=100, cap=50, echo=True, from_top=True)
@example(count=50, per_page=100, cap=50, echo=False, from_top=True)
def test_totals_tell_the_end(count: int, per_page: int, cap: int, echo: bool, from_top: bool) -> None:
    """With totals every row comes once, in order, in as few requests as the rows need."""
    tenant = Tenant(count, cap=cap, echo=echo)
    page = 0 if from_top else None
    pager = Sync(tenant).send_list(clients(page=page, per_page=per_page, include_totals=True))

    assert pager.total == count
    assert ids(pager) == all_ids(tenant)
    size = min(per_page, cap)
    needed = max(1, math.ceil(count / size)) if count <= 1000 else 1 + math.ceil(count / cap)
    assert len(tenant.requests) == needed


@given(count=st.integers(0, 999), per_page=SIZES, cap=CAPS)
@tried(100)
@example(count=50, per_page=100, cap=100)
@example(count=150, per_page=100, cap=100)
@example(count=150, per_page=100, cap=50)
def test_short_page_ends_bare_arrays(count: int, per_page: int, cap: int) -> None:
    """Without totals the first short page is the last, unless it may have been cut to 50 rows."""
    tenant = Tenant(count, cap=cap)

    assert ids(Sync(tenant).send_list(clients(OFFSET, per_page=per_page))) == all_ids(tenant)
    size = min(per_page, cap)
    doubt = count == 50 < size
    assert len(tenant.requests) == count // size + 1 + doubt


@given(count=st.integers(1000, 1300), per_page=SIZES, cap=CAPS)
@tried(30)
def test_bare_arrays_go_on_beyond_the_wall(count: int, per_page: int, cap: int) -> None:
    """Arrays that reach row 1,000 begin again in checkpoint mode, and no row comes twice."""
    tenant = Tenant(count, cap=cap)

    assert ids(Sync(tenant).send_list(clients(per_page=per_page))) == all_ids(tenant)
    assert len(tenant.requests) == 1000 // min(per_page, cap) + math.ceil(count / cap)


@given(count=COUNTS, take=st.integers(1, 100), cap=CAPS)
@tried(60)
def test_checkpoint_ends_without_next(count: int, take: int, cap: int) -> None:
    """In checkpoint mode every row comes once, and the page without `next` is the last."""
    tenant = Tenant(count, cap=cap)

    assert ids(Sync(tenant).send_list(clients(take=take))) == all_ids(tenant)
    assert len(tenant.requests) == max(1, math.ceil(count / min(take, cap)))


@given(count=st.integers(0, 999), per_page=st.integers(3, 100), totals=st.booleans(), cap=CAPS)
@tried(60)
@example(count=995, per_page=30, totals=True, cap=100)
@example(count=995, per_page=30, totals=False, cap=100)
@example(count=999, per_page=7, totals=True, cap=100)
def test_odd_page_sizes_lose_no_row_before_the_wall(
    count: int,
    per_page: int,
    totals: bool,
    cap: int,
) -> None:
    """The last rows before row 1,000 come in shorter pages where a whole one would get a 400."""
    tenant = Tenant(count, cap=cap)
    operation = clients(OFFSET, per_page=per_page, include_totals=totals)

    assert ids(Sync(tenant).send_list(operation)) == all_ids(tenant)
    assert len(tenant.requests) <= count // min(per_page, cap) + 6


@given(
    count=st.integers(0, 900),
    page=st.integers(1, 5),
    per_page=st.sampled_from([50, 60, 100]),
    cap=CAPS,
    totals=st.booleans(),
    echo=st.booleans(),
    own_pages=st.booleans(),
)
@tried(150)
def test_list_from_a_later_page_goes_on_to_the_end(  # noqa: PLR0917 - the dimensions of the test
    count: int,
    page: int,
    per_page: int,
    cap: int,
    totals: bool,
    echo: bool,
    own_pages: bool,
) -> None:
    """Whatever a server that cuts pages takes page 3 for, none of its rows is lost or comes twice."""
    tenant = Tenant(count, cap=cap, echo=echo, own_pages=own_pages)
    size = min(per_page, cap)
    start = page * (size if own_pages else per_page)
    operation = clients(page=page, per_page=per_page, include_totals=totals)

    rows = all_ids(tenant)
    expected = rows[start:]
    if own_pages and not (totals and echo):
        # What page 3 was for the server is not known: its rows, then those from row 3 * per_page on.
        given_ = rows[start : start + size]
        expected = given_ + [row for row in rows[page * per_page :] if row not in given_]
    assert ids(Sync(tenant).send_list(operation)) == expected


def test_next_pages_follow_the_echoed_limit() -> None:
    """A server that cuts 100 rows to 25 and says so is asked for 25 from then on."""
    tenant = Tenant(60, cap=25)

    pager = Sync(tenant).send_list(clients(page=0, per_page=100, include_totals=True))

    assert ids(pager) == all_ids(tenant)
    assert [(query["page"], query["per_page"]) for query in tenant.requests] == [(0, 100), (1, 25), (2, 25)]


def test_filters_and_options_travel_along() -> None:
    """Other query keys and the options of the call go with every page, in both modes."""
    tenant = Tenant(1001)
    options: RequestOptions = {"max_retries": 7}

    pager = Sync(tenant).send_list(
        clients(page=0, per_page=100, include_totals=True, app_type="spa", from_=None), options
    )

    assert len(list(pager)) == 1001
    assert {query["app_type"] for query in tenant.requests} == {"spa"}
    assert tenant.options == [options] * 12


# The wall


def test_switch_comes_after_the_first_page() -> None:
    """A total beyond row 1,000 turns to checkpoint mode at once, with the longest pages."""
    tenant = Tenant(1250)

    pages = list(Sync(tenant).send_list(clients(page=0, per_page=50, include_totals=True)).iter_pages())

    assert tenant.requests[1] == {"take": 100}
    assert len(tenant.requests) == 1 + 13
    assert [len(page.items) for page in pages] == [50, 50, *[100] * 11, 50]
    assert isinstance(pages[1].response, CheckpointPage)


def test_pages_without_news_are_passed_over() -> None:
    """`next_page()` after the switch goes on until it has a row that no page had."""
    tenant = Tenant(1001)
    pager = Sync(tenant).send_list(clients(page=0, per_page=100, include_totals=True))

    second = pager.next_page()

    assert second is not None
    assert ids(second.items) == numbered(*range(100, 200))
    assert tenant.requests[1:] == [{"take": 100}, {"take": 100, "from": "100"}]


def test_take_keeps_within_the_limit_of_the_operation() -> None:
    """The switch asks for no more rows than the spec allows to `take`."""
    tenant = Tenant(1001)
    operation = dataclasses.replace(
        clients(page=0, per_page=100, include_totals=True), limits={**LIMITS, "take": (1, 40)}
    )

    assert ids(Sync(tenant).send_list(operation)) == all_ids(tenant)
    assert tenant.requests[1] == {"take": 40}


def test_switch_without_limits_takes_the_longest_page() -> None:
    """Where the spec sets no limit to `take`, 100 rows are asked for."""
    operation = dataclasses.replace(clients(page=0, include_totals=True), limits={})

    result = following(operation, OffsetPage(start=0, limit=50, total=1001, clients=[Row(client_id="a")]))

    assert isinstance(result, ListOperation)
    assert (result.query, result.result) == ({"take": 100}, CheckpointPage)


@pytest.mark.parametrize("totals", [True, False])
def test_reachable_rows_come_before_the_limit_error(totals: bool) -> None:
    """Without a checkpoint mode the first 1,000 rows come, then the error, and no request gets a 400."""
    tenant = Tenant(1200)
    rows: list[Row] = []

    pager = Sync(tenant).send_list(clients(OFFSET, per_page=30, include_totals=totals))

    with pytest.raises(PaginationLimitError, match=r"clients\.list.*take="):
        rows.extend(pager)

    # Row 990 is the last that whole pages of 30 reach; a page of 10 reaches the others.
    assert ids(rows) == all_ids(tenant)[:1000]


def test_list_from_a_later_page_ends_at_the_wall() -> None:
    """Begun at page 1, a list does not turn to checkpoint mode, which would begin at the first row."""
    tenant = Tenant(1200)
    rows: list[Row] = []
    pager = Sync(tenant).send_list(clients(page=1, per_page=100, include_totals=True))

    with pytest.raises(PaginationLimitError):
        rows.extend(pager)

    assert ids(rows) == all_ids(tenant)[100:1000]


def test_list_that_grows_beyond_the_wall_switches() -> None:
    """Rows created meanwhile do not make a list end in an error, and none comes twice."""
    tenant = Tenant(1000)
    rows = iter(Sync(tenant).send_list(clients(page=0, per_page=100, include_totals=True)))
    begun = [next(rows) for _ in range(10)]
    tenant.rows += [{"client_id": f"new{number}"} for number in range(5)]

    assert ids([*begun, *rows]) == all_ids(tenant)
    # Two pages, the second of which tells, then all by checkpoint.
    assert len(tenant.requests) == 2 + 11


def test_cut_that_comes_late_makes_no_endless_loop() -> None:
    """A server that cuts later pages only, and does not say where they start, is asked on."""
    operation = clients(page=3, per_page=100, include_totals=True)
    trail = dataclasses.replace(START, began=True, uncut=True, size=100)
    response: object = {"limit": 50, "total": 900, "clients": [{"client_id": "x"} for _ in range(50)]}

    page = turn(cast("ListOperation[object, object]", operation), response, trail)

    assert isinstance(page.following, ListOperation)
    assert (page.following.query["page"], page.following.query["per_page"]) == (6, 50)


@pytest.mark.parametrize("key", ["client_id", None])
def test_equal_rows_without_a_key_are_not_taken_for_one(key: str | None) -> None:
    """Whole rows are compared where there is no key to compare, and each leaves out one row only."""
    tenant = Tenant([{"name": "same"} for _ in range(1100)])
    paging = dataclasses.replace(BOTH, key=key)

    pager = Sync(tenant).send_list(clients(paging, page=0, per_page=100, include_totals=True, fields="name"))

    assert len(list(pager)) == 1100


def test_rows_of_any_shape_can_be_compared() -> None:
    """Rows that drifted to plain values survive the switch too."""
    paging = dataclasses.replace(BOTH, item=object)
    response: object = {
        "total": 1001,
        "start": 0,
        "limit": 50,
        "clients": ["a", 7, {"client_id": "x"}, ["b"]],
    }
    first = turn(cast("ListOperation[object, object]", clients(paging, include_totals=True)), response, START)
    assert isinstance(first.following, ListOperation)

    second = turn(first.following, {"clients": [["b"], "a", "new"], "next": "n"}, first.trail)

    assert second.items == ["new"]
    assert len(second.trail.skip) == 2


# What servers do wrong


@pytest.mark.parametrize("bad", [None, "text", {"a": 1}, 5])
def test_rows_that_are_no_list_are_no_rows(bad: object) -> None:
    """An envelope whose rows are missing or drifted is a page without rows, and the last."""
    response: object = {"clients": bad, "total": 70, "start": 0, "limit": 50}

    page = turn(cast("ListOperation[object, object]", clients(include_totals=True)), response, START)

    assert (page.items, page.following, page.total) == ([], None, 70)


@pytest.mark.parametrize("response", [None, "text", 5, {}])
def test_answer_of_another_shape_is_the_last_page(response: object) -> None:
    """An answer that is no envelope at all holds no rows and has no next page."""
    page = turn(cast("ListOperation[object, object]", clients(include_totals=True)), response, START)

    assert (page.items, page.following, page.total) == ([], None, None)


@pytest.mark.parametrize("odd", [True, "7", -1, float("inf"), float("nan"), None, [1]])
def test_totals_that_are_no_count_are_ignored(odd: object) -> None:
    """A total that is no number counts as none."""
    response: object = {"clients": [Row()], "total": odd}

    page = turn(cast("ListOperation[object, object]", clients(include_totals=True)), response, START)

    assert (page.total, page.following) == (None, None)


def test_empty_page_ends_a_list_whose_total_is_wrong() -> None:
    """A total that promises more than there is makes no endless loop."""
    assert (
        following(clients(page=3, include_totals=True), OffsetPage(start=150, total=999, clients=[])) is None
    )


def test_array_longer_than_asked_for_is_the_whole_list() -> None:
    """A server that does not page a list is asked once."""
    assert following(clients(per_page=50), [Row() for _ in range(120)]) is None
    assert following(clients(), [Row() for _ in range(120)]) is None


def test_default_page_size_is_learned_from_the_page() -> None:
    """Without per_page, a page of 100 rows shows that 100 is the server's default."""
    result = following(clients(), [Row() for _ in range(100)])

    assert isinstance(result, ListOperation)
    assert result.query == {"page": 1, "per_page": 100}


def test_empty_checkpoint_page_goes_on() -> None:
    """A page may be empty and still name the next."""
    result = following(clients(take=10), CheckpointPage(next="n", clients=[]))

    assert isinstance(result, ListOperation)
    assert result.query == {"take": 10, "from": "n"}


@pytest.mark.parametrize("end", [None, "", 5])
def test_checkpoint_without_a_usable_next_is_the_end(end: object) -> None:
    """No `next`, null, an empty or a drifted one: there is nothing to ask for."""
    page = turn(cast("ListOperation[object, object]", clients(take=10)), {"clients": [], "next": end}, START)

    assert page.following is None


def test_page_that_names_itself_is_an_error_after_its_rows() -> None:
    """The same checkpoint twice would loop for ever: the rows come, then an error of our own."""
    operation = clients(from_="n", take=10)
    response = CheckpointPage(next="n", clients=[Row(client_id="a")])
    pager = SyncPager(Sync(Tenant(0)), turn(operation, response, START), response)

    assert ids(pager.items) == ["a"]
    assert pager.has_next
    with pytest.raises(EvertokenError, match="lead back to one"):
        pager.next_page()


def test_empty_page_that_names_itself_is_the_end() -> None:
    """Without rows the same checkpoint again means that nothing follows."""
    assert following(clients(from_="n", take=10), CheckpointPage(next="n", clients=[])) is None


def test_checkpoint_of_a_bare_array_ends() -> None:
    """An array names no next page, whatever mode it was asked for in."""
    paging = dataclasses.replace(BOTH, checkpoint=None)

    assert following(clients(paging, take=10), [Row() for _ in range(10)]) is None


# Arrays whose last row tells where to go on


class Log(Tenant):
    """Serves rows after the one that `from` names, as GET /logs does; `inclusive`, from that row on."""

    inclusive = False

    def answer(self, query: Mapping[str, QueryValue]) -> object:
        if "from" not in query:
            return super().answer(query)
        names = [row.get("client_id") for row in self.rows]
        start = names.index(query["from"]) + (not self.inclusive)
        return self.rows[start : start + min(cast("int", query.get("take", 50)), self.cap)]


@given(
    count=st.integers(1, 400) | st.sampled_from([51, 101, 201]),
    take=st.integers(2, 300) | st.none(),
    cap=CAPS,
    inclusive=st.booleans(),
)
@tried(80)
def test_last_row_leads_to_the_next_page(count: int, take: int | None, cap: int, inclusive: bool) -> None:
    """Every row after `from_` comes once, and the first page that is not full is the last."""
    log = Log(count, cap=cap)
    log.inclusive = inclusive

    operation = dataclasses.replace(clients(BY_ROW, from_="c0", take=take), limits={})

    rows = ids(Sync(log).send_list(operation))

    assert rows[inclusive:] == all_ids(log)[1:]
    if not inclusive:
        size = min(take or 50, cap)
        doubt = (count - 1) % size == 50 or (cap == 50 == size < (take or 50) and count > 50)
        assert len(log.requests) <= (count - 1) // size + 1 + doubt


def test_log_without_news_is_one_request() -> None:
    """Nothing after the row: an empty page and no other."""
    log = Log(10)

    assert ids(Sync(log).send_list(clients(BY_ROW, from_="c9", take=100))) == []
    assert len(log.requests) == 1


def test_row_that_leads_to_itself_is_an_error_after_its_page() -> None:
    """A page that ends with the row it began after would come for ever."""
    log = Log(5)
    log.inclusive = True
    pager = Sync(log).send_list(clients(BY_ROW, from_="c4", take=1))

    with pytest.raises(EvertokenError, match="lead back to one"):
        pager.next_page()
    with pytest.raises(EvertokenError, match="lead back to one"):
        str(pager.cursor)


def test_last_row_without_its_key_is_an_error_after_its_page() -> None:
    """Rows that `fields` has stripped of it cannot be gone on from: no silent end."""
    log = Log([{"client_id": "c0"}, {"name": "x"}, {"name": "y"}])
    pager = Sync(log).send_list(clients(BY_ROW, from_="c0", take=2))

    assert len(pager.items) == 2
    with pytest.raises(EvertokenError, match="has no client_id"):
        pager.next_page()


def test_take_without_a_row_to_begin_after_is_refused() -> None:
    """Such a list has a checkpoint mode only from a row on: without one it would answer otherwise."""
    with pytest.raises(ArgumentError, match=r"^take: goes with from_, the client_id of the row"):
        clients(BY_ROW, take=50)
    assert clients(BY_ROW, per_page=50).query == {"per_page": 50}


def test_log_beyond_the_wall_does_not_turn_by_itself() -> None:
    """Its modes have different orders: page numbers end in the error."""
    operation = clients(BY_ROW, page=0, per_page=100, include_totals=True)

    with pytest.raises(PaginationLimitError):
        list(Sync(Log(1200)).send_list(operation))


def test_log_is_gone_on_with_from_its_cursor() -> None:
    """It is a cursor as any other."""
    log = Log(130)
    page = Sync(log).send_list(clients(BY_ROW, from_="c0", take=50))

    rest = Sync(log).send_list(clients(BY_ROW, from_="c0", take=50), {"cursor": page.cursor or ""})

    assert ids([*page.items, *rest]) == all_ids(log)[1:]


# Pagers


def test_pager_shows_its_page() -> None:
    """`items`, `response`, `has_next` and `total` are those of the page; repr shows no row."""
    pager = Sync(Tenant(60)).send_list(clients(page=0, per_page=50, include_totals=True))

    assert ids(pager.items) == numbered(*range(50))
    assert isinstance(pager.response, OffsetPage)
    assert pager.has_next
    assert pager.total == 60
    assert repr(pager) == "<SyncPager of 50 items, has_next=True>"
    last = pager.next_page()
    assert last is not None
    assert (len(last.items), last.has_next, last.next_page()) == (10, False, None)


def test_pager_can_be_iterated_twice() -> None:
    """A second loop begins at the pager's page again, also after a switch of modes."""
    tenant = Tenant(1100)
    pager = Sync(tenant).send_list(clients(page=0, per_page=100, include_totals=True))

    assert ids(pager) == ids(pager) == all_ids(tenant)


def test_rows_come_before_the_next_page_is_fetched() -> None:
    """Nothing is requested ahead of the loop that wants it."""
    tenant = Tenant(100)

    rows = iter(Sync(tenant).send_list(clients(page=0, per_page=50, include_totals=True)))

    assert len(list(itertools.islice(rows, 50))) == 50
    assert len(tenant.requests) == 1
    next(rows)
    assert len(tenant.requests) == 2


def test_loop_holds_one_page_only() -> None:
    """Pages that were passed can be freed while the loop goes on."""
    pages = Sync(Tenant(150)).send_list(clients(page=0, per_page=50, include_totals=True)).iter_pages()
    first = weakref.ref(next(pages).items[0])
    next(pages)
    third = next(pages)
    gc.collect()

    assert first() is None
    assert len(third.items) == 50


# The same, asynchronously


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("count", "query"),
    [
        (0, {"page": 0, "include_totals": True}),
        (120, {"page": 0, "per_page": 50, "include_totals": True}),
        (120, {"per_page": 40}),
        (230, {"take": 100}),
        (1001, {"page": 0, "per_page": 100, "include_totals": True}),
        (1000, {"per_page": 100}),
    ],
)
async def test_both_colours_make_the_same_requests(count: int, query: dict[str, QueryValue]) -> None:
    """The async walk sends what the sync one sends and gives the same rows and pages."""
    here, there = Tenant(count), Tenant(count)
    expected = [ids(page.items) for page in Sync(here).send_list(clients(**query)).iter_pages()]

    pages = [ids(page.items) async for page in Async(there).send_list(clients(**query)).iter_pages()]
    assert pages == expected
    assert there.requests == here.requests

    there.requests.clear()
    rows = [row.client_id async for row in Async(there).send_list(clients(**query))]
    assert rows == all_ids(there)
    assert there.requests == here.requests


@pytest.mark.anyio
async def test_awaited_list_is_its_first_page() -> None:
    """`await` gives a pager with the attributes of the sync one."""
    tenant = Tenant(60)
    options: RequestOptions = {"max_retries": 7}

    pager = await Async(tenant).send_list(clients(page=0, per_page=50, include_totals=True), options)

    assert isinstance(pager, AsyncPager)
    assert ids(pager.items) == numbered(*range(50))
    assert (pager.has_next, pager.total) == (True, 60)
    assert [row.client_id async for row in pager] == all_ids(tenant)
    assert [len(page.items) async for page in pager.iter_pages()] == [50, 10]
    last = await pager.next_page()
    assert last is not None
    assert await last.next_page() is None
    assert tenant.options == [options] * 4


@pytest.mark.anyio
async def test_each_await_asks_anew() -> None:
    """A list call holds no answer: awaiting it twice makes two requests."""
    tenant = Tenant(1)
    call = Async(tenant).send_list(clients())

    assert ids((await call).items) == ids((await call).items) == ["c0"]
    assert len(tenant.requests) == 2


@pytest.mark.anyio
async def test_async_limit_error_comes_after_the_rows() -> None:
    """The async walk gives all rows that can be reached before the error."""
    tenant = Tenant(1200)
    rows: list[str | None] = []

    with pytest.raises(PaginationLimitError):
        await collect(aiter(Async(tenant).send_list(clients(OFFSET, per_page=100))), rows)

    assert rows == all_ids(tenant)[:1000]


@pytest.mark.anyio
async def test_loop_left_early_leaves_nothing_open() -> None:
    """No warning comes of an async loop that is left before its end."""
    async for _ in Async(Tenant(100)).send_list(clients(per_page=10)):
        break
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
        await anyio.lowlevel.checkpoint()


def test_list_call_never_awaited_is_silent() -> None:
    """A call that is dropped makes no request and no warning."""
    tenant = Tenant(1)
    call = Async(tenant).send_list(clients())
    del call
    gc.collect()

    assert tenant.requests == []


# The query


def test_offset_mode_is_the_default() -> None:
    """Keys of checkpoint mode are dropped; totals decide between envelope and array."""
    query: dict[str, QueryValue] = {"page": 0, "per_page": 50, "from": None, "take": None, "q": "x"}

    assert resolve(BOTH, {**query, "include_totals": True}) == (
        {"page": 0, "per_page": 50, "include_totals": True, "q": "x"},
        OffsetPage,
    )
    assert resolve(BOTH, {**query, "include_totals": False})[1] == list[Row]
    assert resolve(BOTH, query)[1] == list[Row]
    assert resolve(dataclasses.replace(OFFSET, bare=False), query)[1] is OffsetPage


@pytest.mark.parametrize("keys", [{"take": 5}, {"from": "n"}, {"from": "n", "take": None}])
def test_from_or_take_mean_checkpoint_mode(keys: dict[str, QueryValue]) -> None:
    """The defaults of offset mode are dropped from the query."""
    defaults: dict[str, QueryValue] = {"page": 0, "per_page": 50, "include_totals": True, "q": "x"}

    assert resolve(BOTH, {**defaults, **keys}) == ({**keys, "q": "x"}, CheckpointPage)


def test_list_without_offset_mode_is_in_checkpoint_mode() -> None:
    """Where there is one mode only, nothing has to ask for it."""
    assert resolve(CHECKPOINT, {"from": None, "take": None})[1] is CheckpointPage


def test_checkpoint_of_an_operation_without_envelope_is_an_array() -> None:
    """Some lists page by `from` and answer with rows alone."""
    assert resolve(OFFSET, {"take": 5})[1] == list[Row]


@pytest.mark.parametrize(
    ("keys", "other"), [({"take": 5}, "take"), ({"from": "n"}, "from_"), ({"from": "n", "take": 5}, "from_")]
)
def test_page_does_not_go_with_checkpoint(keys: dict[str, QueryValue], other: str) -> None:
    """Both modes at once is refused by an error that names both arguments."""
    with pytest.raises(ArgumentError, match=rf"^page: cannot go with {other};"):
        resolve(BOTH, {"page": 1, **keys})


def test_type_of_a_page_follows_what_came() -> None:
    """The first byte of an answer decides between array and envelope."""
    bare, totals, cursor = clients(), clients(include_totals=True), clients(take=5)

    for operation in (bare, totals, cursor):
        assert page_type(operation, starts_with_array=True) == list[Row]
    assert page_type(bare, starts_with_array=False) is OffsetPage
    assert page_type(totals, starts_with_array=False) is OffsetPage
    assert page_type(cursor, starts_with_array=False) is CheckpointPage
    only_rows = Paging(items="clients", item=Row, bare=True)
    assert page_type(clients(only_rows), starts_with_array=False) == list[Row]
    by_from = dataclasses.replace(clients(OFFSET, take=5), paging=BOTH)
    assert page_type(by_from, starts_with_array=False) is CheckpointPage


@pytest.mark.parametrize(
    ("query", "argument"),
    [
        ({"page": -1}, "page"),
        ({"page": True}, "page"),
        ({"page": 1.0}, "page"),
        ({"page": "1"}, "page"),
        ({"per_page": 0}, "per_page"),
        ({"per_page": 101}, "per_page"),
        ({"per_page": -5}, "per_page"),
        ({"take": 0}, "take"),
        ({"take": 101}, "take"),
        ({"take": True}, "take"),
        ({"from_": ""}, "from_"),
        ({"from_": 5}, "from_"),
        ({"include_totals": "true"}, "include_totals"),
    ],
)
def test_absurd_paging_is_refused(query: dict[str, QueryValue], argument: str) -> None:
    """What the API could only refuse is an ArgumentError that names the argument."""
    operation = clients(**query)

    with pytest.raises(ArgumentError) as caught:
        check_query(operation)
    assert caught.value.argument == argument
    assert "give" in str(caught.value) or "leave" in str(caught.value) or "must" in str(caught.value)


@pytest.mark.parametrize("query", [{}, {"page": 9, "per_page": 100}, {"from_": "n"}, {"take": 100}])
def test_sensible_paging_passes(query: dict[str, QueryValue]) -> None:
    """The last page that the API answers, and either mode's arguments, are fine."""
    check_query(clients(**query))


@pytest.mark.parametrize(
    "query", [{"page": 10, "per_page": 100}, {"page": 20}, {"page": 1000, "per_page": 1}]
)
def test_page_beyond_the_wall_is_refused(query: dict[str, QueryValue]) -> None:
    """(page + 1) * per_page beyond 1,000 is an error before the API answers 400."""
    with pytest.raises(PaginationLimitError):
        check_query(clients(**query))


@pytest.mark.parametrize(
    ("limits", "value", "range_"),
    [
        ((1, 5), 6, "an int from 1 to 5"),
        ((1, None), 0, "an int of 1 or more"),
        ((None, 5), 6, "an int of 5 or less"),
        ((None, None), "x", "an int"),
    ],
)
def test_limits_of_the_spec_hold_for_every_operation(
    limits: tuple[int | None, int | None], value: QueryValue, range_: str
) -> None:
    """A number beyond the spec's limits is refused, and the error tells the range."""
    operation: Operation[None] = Operation(
        name="x.get", method="GET", path="/x", query={"n": value}, limits={"n": limits}, result=type(None)
    )

    with pytest.raises(ArgumentError, match=rf"^n: .*{range_}$"):
        check_query(operation)
    check_query(dataclasses.replace(operation, query={"n": 1}))
    check_query(dataclasses.replace(operation, query={}))
