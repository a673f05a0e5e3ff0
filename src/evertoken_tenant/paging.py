"""Offset and checkpoint paging."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
import secrets
import struct
from typing import TYPE_CHECKING, Final

from evertoken_tenant.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from evertoken_tenant.query import Query

DEFAULT_ROWS: Final = 50
_WALL: Final = 1000  # offset paging reaches no row beyond this one
_CURSOR_LIFE: Final = 24 * 3600  # seconds
_PACKED: Final = struct.Struct(">qq")
_MAC_BYTES: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Rows `start` up to, not including, `start + limit`."""

    start: int
    limit: int


def offset_window(query: Query) -> Window:
    """Return the rows that page and per_page ask for. Raises RefusedError (400) beyond row 1,000."""
    page = query.whole("page", 0)
    limit = query.whole("per_page", DEFAULT_ROWS)
    if (page + 1) * limit > _WALL:
        problem = (
            f"Page {page} of {limit} reaches beyond the first {_WALL} records; use checkpoint pagination"
        )
        raise refuse(400, problem, "invalid_paging")
    return Window(page * limit, limit)


class Cursors:
    """Makes and reads the opaque cursors of checkpoint paging, good for 24 hours and one list only."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def make(self, of: str, place: int) -> str:
        """Return a cursor behind a place of the list `of` (its name and filters)."""
        packed = _PACKED.pack(place, int(self._clock()) + _CURSOR_LIFE)
        return base64.urlsafe_b64encode(packed + self._mac(of, packed)).rstrip(b"=").decode()

    def read(self, of: str, cursor: str) -> int:
        """Return the place of a cursor. Raises RefusedError: 400 if it is old, foreign or no cursor."""
        try:
            raw = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raw = b""
        packed, mac = raw[: _PACKED.size], raw[_PACKED.size :]
        if not hmac.compare_digest(mac, self._mac(of, packed)):
            raise refuse(400, "The checkpoint in 'from' is not valid for this list", "invalid_query_string")
        place, expires_at = _PACKED.unpack(packed)
        if self._clock() >= expires_at:
            raise refuse(400, "The checkpoint in 'from' has expired", "invalid_query_string")
        return int(place)

    def _mac(self, of: str, packed: bytes) -> bytes:
        return hmac.digest(self._key, of.encode() + b"\0" + packed, hashlib.sha256)[:_MAC_BYTES]
