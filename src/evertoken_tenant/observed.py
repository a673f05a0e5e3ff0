"""What the tenant saw: counts, and small records without headers and bodies."""

from __future__ import annotations

import collections
import dataclasses
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from evertoken_tenant.faults import Kind

_RECORDS_MOST: Final = 10_000


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One request: when (Unix time), what, and the status of the answer (0: dropped)."""

    time: float
    method: str
    path: str
    query: str
    status: int


class Observed:
    """Counts by kind, and the last 10,000 requests of every kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: dict[Kind, int] = {"token": 0, "api": 0}
        self.records: collections.deque[Record] = collections.deque(maxlen=_RECORDS_MOST)

    def add(self, kind: Kind | None, record: Record) -> None:
        """Note one request."""
        with self._lock:
            if kind is not None:
                self.counts[kind] += 1
            self.records.append(record)

    def reset(self) -> None:
        """Begin anew."""
        with self._lock:
            self.counts = {"token": 0, "api": 0}
            self.records.clear()
