"""The log and the event stream, as they are read."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import Answer, Row, json_answer
from evertoken_tenant.feed import Stream, offset_of
from evertoken_tenant.fitting import fit
from evertoken_tenant.listing import listed
from evertoken_tenant.paging import DEFAULT_ROWS
from evertoken_tenant.refusal import refuse
from evertoken_tenant.search import terms
from evertoken_tenant.view import selected
from evertoken_tenant.work import Work, gone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST: Final = 100


def _list(work: Work) -> Answer:
    """Return a page: from an entry on, oldest first, or by number, newest first."""
    entries = list(work.world.journal.entries())
    if "from" in work.query or "take" in work.query:
        after, take = work.query.text("from"), work.query.whole("take", DEFAULT_ROWS)
        # Ids grow with time: what came after one is told without it being there still.
        rows = [one for one in entries if str(one["log_id"]) > after][: min(take, _MOST)]
        view = selected(work.query)
        return json_answer(200, [view.of(one) for one in rows])
    return listed(work, _newest(work, _matching(entries, work.query.text("q") or work.query.text("search"))))


def _matching(entries: list[Row], text: str) -> list[Row]:
    tests = terms(text) if text else ()
    return [one for one in entries if all(test(one) for test in tests)]


def _newest(work: Work, entries: list[Row]) -> list[Row]:
    return entries if work.query.text("sort") else entries[::-1]


def _of_user(work: Work) -> Answer:
    entries = [one for one in work.world.journal.entries() if one.get("user_id") == work.path["id"]]
    return listed(work, _newest(work, entries))


def _get(work: Work) -> Answer:
    wanted = work.path["id"]
    entry = next((one for one in work.world.journal.entries() if one["log_id"] == wanted), None)
    if entry is None:
        raise gone("log")
    schema = work.described.success().schema or {}
    return json_answer(200, fit(schema, entry))


def _subscribe(work: Work) -> Answer:
    """Return the events from a place, or from a time, on; those to come where nothing is given."""
    feed, start = work.world.feed, work.world.feed.last
    if "from" in work.query:
        offset = offset_of(work.query.text("from"))
        if offset is None:
            raise refuse(
                400, "Query validation error: 'Invalid offset' on property from.", "invalid_query_string"
            )
        if offset < feed.oldest - 1:
            raise refuse(410, "The offset is no longer there", "expired_offset")
        start = offset
    elif "from_timestamp" in work.query:
        start = feed.before(_moment(work.query.text("from_timestamp")))
    kinds = frozenset(work.query.texts("event_type"))
    headers = {"content-type": "text/event-stream", "cache-control": "no-store"}
    return Answer(200, headers, stream=Stream(feed, start, kinds))


def _moment(text: str) -> float:
    try:
        return dt.datetime.fromisoformat(text).timestamp()
    except ValueError:
        problem = f"Object didn't pass validation for format date-time: {text}"
        raise refuse(
            400, f"Query validation error: '{problem}' on property from_timestamp.", "invalid_query_string"
        ) from None


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "logs.list": _list,
    "logs.get": _get,
    "users.logs.list": _of_user,
    "events.subscribe": _subscribe,
}
