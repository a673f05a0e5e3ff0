"""The tenant's log: what the Management API changed, and who got tokens."""

from __future__ import annotations

import collections
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evertoken_tenant.call import Json, Row

_MOST: Final = 10_000  # entries; older ones are forgotten


class Journal:
    """The last 10,000 entries, oldest first. Ids are in the order of time, as Auth0's are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: collections.deque[Row] = collections.deque(maxlen=_MOST)
        self._next = 1

    def add(self, kind: str, date: str, description: str, **more: Json) -> None:
        """Note something. `kind` is Auth0's code, such as sapi; empty values are left out."""
        with self._lock:
            digits = "".join(character for character in date if character.isdigit())
            log_id = f"900{digits}{self._next:030d}"
            self._next += 1
            about: Row = {name: value for name, value in more.items() if value}
            entry: Row = {"date": date, "type": kind, "description": description, **about}
            self._entries.append({**entry, "_id": log_id, "log_id": log_id})

    def entries(self) -> Sequence[Row]:
        """Return all entries, oldest first."""
        with self._lock:
            return list(self._entries)
