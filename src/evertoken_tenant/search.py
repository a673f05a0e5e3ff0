"""Filters: those of the list of applications, and searches."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from evertoken_tenant.call import Json, Row
from evertoken_tenant.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evertoken_tenant.query import Query

Test: TypeAlias = Callable[[Row], bool]

_TERM: Final = re.compile(r'(?:([A-Za-z_][A-Za-z_.]*):)?(?:"([^"]*)"|([^\s":]+))')


def filters(query: Query) -> Sequence[Test]:
    """Return the tests that a row must pass. Raises RefusedError: 400 for a `q` that cannot be read."""
    tests: list[Test] = []
    for name, field in (("is_global", "global"), ("is_first_party", "is_first_party")):
        if name in query:
            tests.append(_equal(field, query.flag(name, default=False)))
    if "app_type" in query:
        types = {name.strip() for name in query.text("app_type").split(",")}
        tests.append(lambda row: row.get("app_type") in types)
    if "external_client_id" in query:
        tests.append(_equal("external_client_id", query.text("external_client_id")))
    if query.text("q"):
        tests.extend(terms(query.text("q")))
    return tests


def _equal(field: str, value: str | bool) -> Test:  # noqa: FBT001  # the value to compare with
    return lambda row: row.get(field) == value


def terms(text: str) -> Sequence[Test]:
    """Return the tests of `field:value` terms joined by AND; a term without a field is for the name."""
    tests: list[Test] = []
    for term in re.split(r"\s+AND\s+", text.strip()):
        found = _TERM.fullmatch(term)
        if found is None:
            raise refuse(400, f"The search in 'q' cannot be read: {term}", "invalid_query_string")
        field, quoted, plain = found.groups()
        value = plain if quoted is None else quoted
        tests.append(_matches(field or "name", value, anywhere=field is None))
    return tests


def _matches(field: str, value: str, *, anywhere: bool) -> Test:
    parts = value.casefold().split("*")

    def test(row: Row) -> bool:
        return any(
            _fits(["", *parts, ""] if anywhere else parts, _text(own))
            for own in _values(row, field.split("."))
        )

    return test


def _text(value: Json) -> str:
    return str(value).casefold()


def _values(value: Json, steps: Sequence[str]) -> Iterator[Json]:
    """Give the plain values at a place such as `identities.connection`, in every item of arrays."""
    if isinstance(value, list):
        for item in value:
            yield from _values(item, steps)
    elif not steps:
        if value is not None and not isinstance(value, dict):
            yield value
    elif isinstance(value, dict) and steps[0] in value:
        yield from _values(value[steps[0]], steps[1:])


def _fits(parts: Sequence[str], text: str) -> bool:
    """Tell whether the parts stand in the text in this order, the first at its start, the last at its end.

    Not by a regular expression: with many stars that takes for ever.
    """
    first, *middle = parts
    if not middle:
        return text == first
    last = middle.pop()
    start, end = len(first), len(text) - len(last)
    if not (start <= end and text.startswith(first) and text.endswith(last)):
        return False
    for part in middle:
        start = text.find(part, start, end)
        if start < 0:
            return False
        start += len(part)
    return True
