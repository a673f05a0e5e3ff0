"""Requests that no method has yet: a method and a path as an `Operation`, checked before it is sent."""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from typing import TYPE_CHECKING, Final

from evertoken.codec import CUSTOM_DOMAIN_PATHS
from evertoken.errors import ArgumentError
from evertoken.operation import EventsOperation, Operation
from evertoken.sse import ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.operation import QueryValue

_METHOD: Final = re.compile(r"[A-Za-z]{1,20}")
_GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ROOT: Final = "/api/v2/"

_EVENTS: Final = "/events"
"""The one event stream of the API. It goes on after its query parameter `from`."""


def bearing(body: object) -> Operation[object]:
    """Return an operation that has nothing but a body yet, which it does not show."""
    return Operation(name="request", method="", path="", body=body, result=object)


def operation_for(
    method: str, path: str, query: Mapping[str, QueryValue] | None, bare: Operation[object]
) -> Operation[object]:
    """Return the operation for a method and a path below the API's root, such as `/clients/abc`.

    `bare` has its body: whatever this raises, a traceback's locals do not show it. What no path can hold is
    percent-encoded; what is percent-encoded already stays as it is. Raises ArgumentError for a path that
    would lead elsewhere.
    """
    _check_method(method)
    template, values = _template(_segments(path))
    return dataclasses.replace(
        bare, method=method.upper(), path=template, path_params=values, query=query or {}
    )


def events_for(path: str, query: Mapping[str, QueryValue] | None) -> EventsOperation[ServerSentEvent]:
    """Return the operation for the event stream at a path. Raises ArgumentError as `operation_for` does."""
    template, values = _template(_segments(path))
    is_api = template == _EVENTS
    return EventsOperation(
        name="stream_events",
        method="GET",
        path=template,
        path_params=values,
        query=query or {},
        result=ServerSentEvent,
        cursor="from" if is_api else None,
        start=("from_timestamp",) if is_api else (),
    )


def _check_method(method: object) -> None:
    if not isinstance(method, str) or not _METHOD.fullmatch(method):
        raise ArgumentError("method", "is no HTTP method; give one such as 'GET' or 'PATCH'")


def _segments(path: object) -> list[str]:
    """Return the parts of a path, decoded."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise ArgumentError("path", "is no path below the API's root; give one such as '/clients/abc'")
    if path.startswith(_ROOT):
        raise ArgumentError("path", f"begins with {_ROOT}, which evertoken puts before it; leave that out")
    for mark, advice in (
        ("?", "give what follows as query="),
        ("#", "write it as %23"),
        ("{", "put the value in its place"),
    ):
        if mark in path:
            raise ArgumentError("path", f"holds {mark!r}; {advice}")
    if _BROKEN_ESCAPE.search(path):
        raise ArgumentError("path", "holds a % that begins no percent-encoding; write it as %25")
    try:
        parts = [urllib.parse.unquote(part, errors="strict") for part in path[1:].split("/")]
        "".join(parts).encode()
    except UnicodeError:
        parts = []
    if not parts:
        raise ArgumentError(
            "path", "holds a lone surrogate, or a percent-encoding of something else than UTF-8"
        )
    return parts


def _template(segments: list[str]) -> tuple[str, dict[str, str]]:
    """Return the template of a path, which holds no id, and its values."""
    group, *others = segments
    if not _GROUP.fullmatch(group):
        raise ArgumentError("path", "its first part is no group of the API, such as 'clients'")
    for part in others:
        if not part:
            raise ArgumentError("path", "has an empty part, such as in '//' or after a '/' at its end")
        if part in {".", ".."}:
            raise ArgumentError("path", f"has a part {part!r}, which would name another path")
    for template in CUSTOM_DOMAIN_PATHS:
        # Where the API honours Auth0-Custom-Domain is told by template.
        parts = template.split("/")[1:]
        if len(parts) == len(segments) and all(map(_fits, parts, segments)):
            ids = [value for part, value in zip(parts, segments, strict=True) if part == "{id}"]
            return template, dict(zip(("id",), ids, strict=False))
    numbered = {str(number): part for number, part in enumerate(others, start=1)}
    return "/".join(["", group, *(f"{{{name}}}" for name in numbered)]), numbered


def _fits(part: str, value: str) -> bool:
    return part in {"{id}", value}
