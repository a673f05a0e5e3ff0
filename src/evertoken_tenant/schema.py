"""What JSON values are called, what does not fit, and formats of strings.

The sentences are those of a JSON Schema validator, with the place told the way the API tells it.
"""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.call import Json

_KINDS: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class MismatchError(Exception):
    """A value does not fit: why, and where (empty: at the root)."""

    def __init__(self, problem: str, place: str) -> None:
        super().__init__(problem, place)
        self.problem = problem
        self.place = place

    def sentence(self, kind: str) -> str:
        """Return the API's message; `kind` is Payload or Query."""
        place = f" on property {self.place}" if self.place else ""
        return f"{kind} validation error: '{self.problem}'{place}."


def kind_of(value: Json) -> str:
    """Return the JSON type's name."""
    return _KINDS[type(value)]


def is_https_url(value: str) -> bool:
    """Tell whether a string is an absolute https URL with a host."""
    try:
        parts = urllib.parse.urlsplit(value)
        return parts.scheme == "https" and bool(parts.hostname) and not re.search(r"\s", value)
    except ValueError:
        return False


def _is_uri(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+", value) is not None


def _is_date_time(value: str) -> bool:
    try:
        return dt.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date-time": _is_date_time,
    "uri": _is_uri,
    "uri-or-empty": lambda value: not value or _is_uri(value),
    "https-uri-or-empty": lambda value: not value or is_https_url(value),
}
