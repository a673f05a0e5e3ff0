"""Lists: filters, order, and the three shapes in which the API pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import Answer, Json, Row, json_answer
from evertoken_tenant.described import follow, items, row
from evertoken_tenant.fitting import fit, made_up, names
from evertoken_tenant.paging import DEFAULT_ROWS, offset_window
from evertoken_tenant.refusal import refuse
from evertoken_tenant.view import selected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evertoken_tenant.work import Work

_PAGING: Final = ("take", "from", "page", "per_page", "include_totals", "fields", "include_fields")
_OTHER: Final = frozenset({*_PAGING, "sort", "q", "hydrate", "search"})
_COUNTS: Final = ("start", "limit", "length", "total", "page", "per_page", "next")


def listed(work: Work, rows: Sequence[Row], *, filtered: Iterable[str] = ()) -> Answer:
    """Return a page of the rows that the query's filters let through, but for those `filtered` already."""
    return paged(work, list(enumerate(rows, 1)), filtered=filtered)


def paged(work: Work, rows: Sequence[tuple[int, Row]], *, filtered: Iterable[str] = ()) -> Answer:
    """Return a page of rows that have places, for cursors to stand for."""
    known = shapes(row(work.described.success().schema))
    fields = names(_item_schema(known[0]))
    skip = _OTHER | set(filtered)
    wanted = {name: value for name, value in work.query.items() if name not in skip}
    rows = [
        one for one in rows if all(_passes(one[1], name, value, fields) for name, value in wanted.items())
    ]
    if work.query.text("sort"):
        rows = _sorted(rows, work.query.text("sort"))
    documented = {parameter.name for parameter in work.described.parameters}
    by_cursor = "take" in documented and (
        "from" in work.query or "take" in work.query or "page" not in documented
    )
    return _checkpoint(work, rows, known) if by_cursor else _offset(work, rows, known, documented)


def shapes(schema: Row) -> list[Row]:
    """Return the shapes that a list may have: arrays and objects around one."""
    whole = follow(schema)
    branches = [branch for name in ("oneOf", "anyOf") for branch in items(whole.get(name))]
    return [shape for branch in branches for shape in shapes(row(branch))] if branches else [whole]


def rows_key(shape: Row) -> str:
    """Return the property that holds the rows of an object around a list, empty for an array."""
    properties = row(shape.get("properties"))
    return next((name for name in properties if follow(properties[name]).get("type") == "array"), "")


def _item_schema(shape: Row) -> Row:
    key = rows_key(shape)
    array = follow(row(shape.get("properties"))[key]) if key else shape
    return row(array.get("items"))


def _passes(one: Row, name: str, value: Json, fields: frozenset[str]) -> bool:
    """Tell whether a row has the value of a filter; filters that name no property let everything through."""
    if name.endswith("_filter"):
        return str(value).casefold() in str(one.get(name.removesuffix("_filter"), "")).casefold()
    snake = name.removeprefix("is_")
    if name not in fields and snake not in fields:
        return True
    own = one.get(name, one.get(snake))
    if isinstance(value, list):
        return own in value
    if isinstance(own, list):
        return value in own
    return own == value or (own is None and value is False)


def _sorted(rows: Sequence[tuple[int, Row]], order: str) -> list[tuple[int, Row]]:
    field, _, direction = order.partition(":")
    if direction not in ("1", "-1"):
        raise refuse(
            400, f"Query validation error: 'Invalid sort: {order}' on property sort.", "invalid_query_string"
        )
    return sorted(rows, key=lambda one: _sort_key(one[1].get(field)), reverse=direction == "-1")


def _sort_key(value: Json) -> tuple[int, float, str]:
    if isinstance(value, (int, float)):
        return (0, float(value), "")
    return (1, 0.0, str(value or ""))


def _page(work: Work, rows: Sequence[tuple[int, Row]], shape: Row) -> list[Json]:
    view, schema = selected(work.query), _item_schema(shape)
    page: list[Json] = []
    for _, one in rows:
        shown = fit(schema, one)
        page.append(view.of(shown) if isinstance(shown, dict) else shown)
    return page


def _offset(
    work: Work, rows: Sequence[tuple[int, Row]], known: Sequence[Row], documented: set[str]
) -> Answer:
    array = next((shape for shape in known if not rows_key(shape)), None)
    wrapped = next((shape for shape in known if "total" in row(shape.get("properties"))), None)
    wrapped = wrapped or next((shape for shape in known if rows_key(shape)), None)
    pages = "per_page" in documented
    window = offset_window(work.query) if pages else None
    here = rows if window is None else rows[window.start : window.start + window.limit]
    if wrapped is None or (array is not None and not work.query.flag("include_totals", default=False)):
        return json_answer(200, _page(work, here, array or {}))
    body: Row = {rows_key(wrapped): _page(work, here, wrapped)}
    if window is not None:
        limit = window.limit
        counts: Row = {"start": window.start, "limit": limit, "length": len(here), "total": len(rows)}
        counts |= {"page": window.start // limit if limit else 0, "per_page": limit}
        body |= {name: counts[name] for name in _COUNTS[:-1] if name in row(wrapped.get("properties"))}
        if (
            "include_totals" in documented
            and array is None
            and not work.query.flag("include_totals", default=False)
        ):
            body = {rows_key(wrapped): body[rows_key(wrapped)]}
    return json_answer(200, _complete(wrapped, body))


def _checkpoint(work: Work, rows: Sequence[tuple[int, Row]], known: Sequence[Row]) -> Answer:
    shape = next((shape for shape in known if "next" in row(shape.get("properties"))), known[0])
    of = work.place() + work.query.but(*_PAGING)
    after = work.world.cursors.read(of, work.query.text("from")) if work.query.text("from") else -1
    # Sorted rows are not in the order of their places: what a cursor stands for is then a position.
    by_place = not work.query.text("sort")
    numbered = rows if by_place else [(number, one) for number, (_, one) in enumerate(rows, 1)]
    left = [one for one in numbered if one[0] > after]
    here = left[: work.query.whole("take", DEFAULT_ROWS)]
    page = _page(work, here, shape)
    key = rows_key(shape)
    if not key:
        return json_answer(200, page)
    body: Row = {key: page}
    if len(left) > len(here) and here:
        body["next"] = work.world.cursors.make(of, here[-1][0])
    return json_answer(200, _complete(shape, body))


def _complete(shape: Row, body: Row) -> Row:
    """Return an object around a list with the counts that it must have; its rows stay as they are shown."""
    properties = row(shape.get("properties"))
    missing = [str(name) for name in items(shape.get("required")) if name not in body]
    return body | {name: made_up(row(properties.get(name))) for name in missing}
