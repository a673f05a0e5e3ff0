"""The path and query of a request (RFC 9112, 3.2), percent-encoded."""

from __future__ import annotations

import enum
import math
import urllib.parse
from typing import TYPE_CHECKING, cast

from evertoken.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.operation import QueryValue


def expand_path(template: str, values: Mapping[str, str]) -> str:
    """Return the path of an operation, its parameters percent-encoded (RFC 3986, 3.3).

    A parameter that is empty, `.` or `..` would make it another path: ArgumentError.
    """
    path = template
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", _segment(name, value))
    return path


def _segment(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ArgumentError(name, "empty or no string; give the id that the API uses")
    if value in {".", ".."}:
        raise ArgumentError(name, f"{value!r} would name another path; give the id that the API uses")
    try:
        return urllib.parse.quote(value, safe="")
    except UnicodeEncodeError:
        raise ArgumentError(name, "holds a lone surrogate, which no URL can carry") from None


def encode_query(query: Mapping[str, QueryValue]) -> str:
    """Return the query with its question mark, or nothing. A list repeats its name; None is left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        if value is None:
            continue
        values = value if isinstance(value, list | tuple) else (value,)
        pairs.extend((name, _query_text(name, item)) for item in values)
    try:
        return "?" + urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote) if pairs else ""
    except UnicodeEncodeError:
        raise ArgumentError("query", "holds a lone surrogate, which no URL can carry") from None


def _query_text(name: str, value: object) -> str:
    if isinstance(value, enum.Enum):
        return _query_text(name, cast("object", value.value))
    if isinstance(value, float) and not math.isfinite(value):
        raise ArgumentError(name, "NaN and infinity have no meaning for the API")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ArgumentError(name, f"{type(value).__name__} cannot stand in a query; give str, int, float or bool")
