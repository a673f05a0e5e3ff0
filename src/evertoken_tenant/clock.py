"""A clock that stands still until it is moved."""

from __future__ import annotations

from typing import Final

_START: Final = 1_800_000_000.0  # Unix time, seconds: any moment will do


class Clock:
    """Tells the same Unix time (seconds) until `advance` is called: `Tenant(clock=Clock())`."""

    def __init__(self, now: float = _START) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds; `Tenant(sleep=clock.advance)` turns delays into such moves."""
        self.now += seconds

    def __repr__(self) -> str:
        return f"Clock({self.now!r})"
