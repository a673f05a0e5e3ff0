"""What goes as a request's body: JSON within the API's limit, or content as its sender has it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Iterable
from typing import Final, TypeAlias, cast

from evertoken.errors import ArgumentError
from evertoken.operation import UNSET, Content, Operation
from evertoken.options import check_headers
from evertoken.wire import to_wire

LONGEST_JSON: Final = 1_048_576
"""Bytes that the API takes: 1 MB, counted as 2**20, so that nothing is refused which it might take."""

Data: TypeAlias = "bytes | Iterable[bytes] | AsyncIterable[bytes]"


def encode_body(operation: Operation[object], *, is_async: bool) -> tuple[Data | None, dict[str, str]]:
    """Return what is sent, None without a body, and the headers that tell of it.

    Raises ArgumentError for what cannot be sent, and for JSON that is longer than the API takes.
    """
    # The body is never a local of a frame that an error passes: it may hold a client secret.
    if operation.body is UNSET:
        return None, {}
    if isinstance(operation.body, Content):
        headers = check_headers("media_type", {"Content-Type": operation.body.media_type})
        return _check_data(operation.body.data, is_async=is_async), headers
    content = _json(operation.body)
    if isinstance(content, ArgumentError):
        raise content
    return content, {"Content-Type": "application/json"}


def _json(body: object) -> bytes | ArgumentError:
    """Return the JSON of a body, or what is wrong with it, without the frames that hold it."""
    try:
        wire = json.dumps(to_wire(body), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ArgumentError as error:
        return error.replica()
    if len(wire) <= LONGEST_JSON:
        return wire
    advice = f"and the API takes {LONGEST_JSON}; send it in several calls"
    return ArgumentError("body", f"{len(wire)} bytes of JSON, {advice}")


def _check_data(data: object, *, is_async: bool) -> Data:
    if isinstance(data, bytes):
        return data
    kind = AsyncIterable if is_async else Iterable
    name = type(data).__name__
    if isinstance(data, str | bytearray) or not isinstance(data, kind):
        raise ArgumentError(
            "data", f"{name} cannot be sent by this client; give bytes or {kind.__name__}[bytes]"
        )
    return cast("Data", data)
