"""What a caller may say about all calls, or about one: checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast

from evertoken.correlation import check_correlation_id
from evertoken.errors import ArgumentError
from evertoken.operation import Priority, RequestOptions
from evertoken.pages import PAGE_KEYS

_OPTIONS: Final = tuple(RequestOptions.__annotations__)
_FRAMING: Final = frozenset({"connection", "content-length", "host", "transfer-encoding"})
_TOKEN_CHARACTERS: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


def check_headers(argument: str, headers: object) -> dict[str, str]:
    """Return the headers if they can be sent; raise ArgumentError for those that cannot.

    Authorization is refused: it is what evertoken sets.
    """
    if not isinstance(headers, Mapping):
        raise ArgumentError(argument, "is no mapping of names to values")
    checked: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", headers).items():
        if not isinstance(name, str) or not _TOKEN_CHARACTERS.fullmatch(name):
            raise ArgumentError(argument, f"{name!r} is no header name (RFC 9110, 5.1)")
        if name.lower() == "authorization":
            raise ArgumentError(argument, "Authorization is set by evertoken; use token= or credentials=")
        if name.lower() in _FRAMING:
            raise ArgumentError(argument, f"{name} is set by the HTTP library for each request")
        # The value is not quoted: it may be a secret.
        if not isinstance(value, str) or not value.isprintable() or not value.isascii():
            raise ArgumentError(argument, f"the value of {name!r} is no printable ASCII string")
        if value != value.strip():
            raise ArgumentError(argument, f"the value of {name!r} begins or ends with white space")
        checked[name] = value
    return checked


def check_options(options: object) -> None:
    """Raise ArgumentError for options of a call that are unknown or of another type."""
    if not isinstance(options, Mapping):
        raise ArgumentError("request_options", f"is no mapping; its keys are {', '.join(_OPTIONS)}")
    for name, value in cast("Mapping[object, object]", options).items():
        if name not in _OPTIONS:
            raise ArgumentError("request_options", f"{name!r} is unknown; its keys are {', '.join(_OPTIONS)}")
        if str(name).startswith("additional") and not isinstance(value, Mapping):
            raise ArgumentError(str(name), "is no mapping of names to values")
    given = cast("RequestOptions", options)
    if "correlation_id" in given:
        check_correlation_id(given["correlation_id"])
    if "on_response" in given and not callable(given["on_response"]):
        raise ArgumentError("on_response", "is no function; it is called with each httpx.Response")
    if "cursor" in given:
        # A pager takes its own out of the options.
        raise ArgumentError(
            "cursor", "only a list has one; give it to the method that lists, or to send_list"
        )
    more = cast("RequestOptions", options).get("additional_query_parameters", {})
    taken = PAGE_KEYS & set(more)
    if taken:
        raise ArgumentError("additional_query_parameters", f"{min(taken)} is an argument of the method")


def check_priority(value: object) -> Priority:
    """Return a priority; raise ArgumentError for what is none."""
    if value == "interactive":
        return "interactive"
    if value == "batch":
        return "batch"
    raise ArgumentError("priority", f"{value!r} is unknown; give 'interactive' or 'batch'")


def check_timeout(argument: str, seconds: object) -> float:
    """Return a timeout if it is a positive number of seconds; raise ArgumentError if it is not."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise ArgumentError(argument, f"{seconds!r} is no positive number of seconds")
    return float(seconds)
