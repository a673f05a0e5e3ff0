"""Where a list was left, as a plain string from which another process goes on.

A cursor is `1.STATE.SEEN.SKIP`: the version of this format, then three parts in base64url. STATE is JSON, the
others are digests of rows, 8 bytes each. It holds no row and no filter in clear, and is not signed: whoever
changes it reads the same list from another place, which the list's own arguments allow as well.
"""

from __future__ import annotations

import base64
import binascii
import collections
import dataclasses
import functools
import hashlib
import json
from typing import TYPE_CHECKING, Final, TypeVar

import pydantic

from evertoken.errors import ArgumentError, PaginationLimitError
from evertoken.operation import ListOperation
from evertoken.pages import DIGEST_SIZE, LAST_ROW, PAGE_KEYS, Trail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.operation import QueryValue, RequestOptions
    from evertoken.pages import Turn

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")

_VERSION: Final = "1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """`query` is the part that tells the page, checked as every query is; the rest is of a `Trail`."""

    list: str
    query: dict[str, str | int | bool]
    from_top: bool = False
    uncut: bool = False
    size: int = 0
    mark: str = ""
    steps: int = 0


@functools.cache
def _adapter() -> pydantic.TypeAdapter[_State]:
    # Built when it is first used: half of pydantic would else be imported with this module.
    return pydantic.TypeAdapter(_State)


def write(turn: Turn[ItemT, PageT], options: RequestOptions | None) -> str | None:
    """Return the cursor of what follows a page, None at the end of the list.

    Raises the error that keeps from going on, unless it is PaginationLimitError: the cursor leads to it.
    """
    following, trail = turn.following, turn.trail
    if following is None:
        return None
    if isinstance(following, ListOperation):
        query = {k: v for k, v in following.query.items() if k in PAGE_KEYS and v is not None}
    elif isinstance(following, PaginationLimitError):
        query = {"page": following.page, "per_page": following.per_page}
    else:
        raise following.replica()
    if turn.total is not None and turn.total <= LAST_ROW:
        # Page numbers reach every row. What was seen would be long, and serve only a list that grows beyond.
        trail = dataclasses.replace(trail, from_top=False, seen={})
    known = {
        "from_top": trail.from_top,
        "uncut": trail.uncut,
        "size": trail.size,
        "mark": (trail.mark or b"").hex(),
        "steps": trail.steps,
    }
    state: dict[str, object] = {"list": _identity(turn.operation, options), "query": query}
    state |= {name: value for name, value in known.items() if value}
    text = json.dumps(state, separators=(",", ":"))
    return ".".join((_VERSION, _armour(text.encode()), _armour_rows(trail.seen), _armour_rows(trail.skip)))


def read(
    cursor: object, operation: ListOperation[ItemT, PageT], options: RequestOptions | None
) -> tuple[dict[str, QueryValue], Trail]:
    """Return the keys of the query that tell the page, and what is known of the pages before it.

    Raises ArgumentError for what is no cursor, or that of another list.
    """
    if not isinstance(cursor, str):
        raise ArgumentError(
            "cursor",
            "is None, as after the last page; leave it out to begin at the first"
            if cursor is None
            else f"{type(cursor).__name__} is no str; give the cursor of an earlier pager",
        )
    version, _, rest = cursor.partition(".")
    if version.isdecimal() and version != _VERSION and rest:
        raise ArgumentError("cursor", "was made by another version of evertoken; begin at the first page")
    parts = None if version != _VERSION else _parts(rest)
    if parts is None:
        raise ArgumentError("cursor", "is damaged or none at all; give that of an earlier pager, unchanged")
    state, seen, skip = parts
    if state.list != _identity(operation, options):
        raise ArgumentError(
            "cursor",
            f"is of another list than this {operation.name}, or was made with other filters; call the same "
            "method with the same arguments",
        )
    trail = Trail(
        began=True,
        from_top=state.from_top,
        uncut=state.uncut,
        size=state.size,
        mark=bytes.fromhex(state.mark) or None,
        steps=state.steps,
        seen=seen,
        skip=skip,
    )
    return dict(state.query), trail


def _identity(operation: ListOperation[ItemT, PageT], options: RequestOptions | None) -> str:
    """Return a digest of all that makes one list: what is asked for, but for the page."""
    more = (options or {}).get("additional_query_parameters", {})
    query = {**operation.query, **more}
    asked = {key: value for key, value in query.items() if key not in PAGE_KEYS and value is not None}
    whole = [operation.method, operation.path, dict(operation.path_params), asked]
    text = json.dumps(whole, sort_keys=True, default=str)
    return _armour(hashlib.blake2b(text.encode(), digest_size=2 * DIGEST_SIZE).digest())


def _parts(rest: str) -> tuple[_State, Mapping[bytes, int], Mapping[bytes, int]] | None:
    """Return what a cursor holds, None where that is nothing of ours."""
    try:
        state, seen, skip = map(_bare, rest.split("."))
        found = _adapter().validate_json(state, strict=True)
        bytes.fromhex(found.mark)
    except ValueError:  # pydantic's and binascii's errors are such, too
        return None
    if (len(seen) | len(skip)) % DIGEST_SIZE or not found.query.keys() <= PAGE_KEYS:
        return None
    return found, _rows(seen), _rows(skip)


def _rows(digests: bytes) -> Mapping[bytes, int]:
    return collections.Counter(digests[at : at + DIGEST_SIZE] for at in range(0, len(digests), DIGEST_SIZE))


def _armour_rows(rows: Mapping[bytes, int]) -> str:
    return _armour(b"".join(collections.Counter(rows).elements()))


def _armour(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bare(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    # base64 ignores the bits that fill up the last character: a change there would go unnoticed.
    if _armour(data) != text:
        raise binascii.Error
    return data
