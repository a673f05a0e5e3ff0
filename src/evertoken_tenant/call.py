"""A call and its answer as values: what the in-process side and the socket side have in common."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Final, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken_tenant.feed import Stream

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Row: TypeAlias = dict[str, Json]

MAX_BODY: Final = 1024 * 1024  # bytes; a larger request body is refused with 413


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One request. `host` is that of the Host header, in lower case and with the port if it has one.

    `path` and `query` are as sent, percent-encoded. Names of `headers` are in lower case.
    """

    method: str
    host: str
    path: str
    query: str
    # Both carry secrets.
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    body: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """One response, headers in lower case. Where there is a `stream`, it is sent in the place of a body."""

    status: int
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    body: bytes = dataclasses.field(default=b"", repr=False)
    stream: Stream | None = dataclasses.field(default=None, repr=False)

    def adding(self, headers: Mapping[str, str]) -> Answer:
        """Return this answer with more headers; those it has already stay."""
        return dataclasses.replace(self, headers={**headers, **self.headers})


def load(raw: bytes) -> Json:
    """Return the value of a JSON body. Raises ValueError or RecursionError for what is none in UTF-8."""
    value = cast("Json", json.loads(raw, parse_constant=_no_number, parse_float=_finite))
    # A lone surrogate can be escaped in JSON, but not be written as UTF-8: no answer could hold it.
    dump(value).encode()
    return value


def _no_number(text: str) -> Json:
    # Python reads NaN and Infinity, which are not JSON.
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def dump(value: Json) -> str:
    """Return the value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def json_answer(status: int, value: Json, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer whose body is the value."""
    return text_answer(status, dump(value), headers)


def text_answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer whose body is JSON that has been written already."""
    kind = {"content-type": "application/json; charset=utf-8"}
    return Answer(status, {**kind, **(headers or {})}, text.encode())


def no_content() -> Answer:
    """Return 204."""
    return Answer(204)
