"""The errors of the generator."""

from __future__ import annotations


class SpecError(Exception):
    """A document cannot be made into code: where, and why, in one line."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {' '.join(reason.split())}" if place else " ".join(reason.split()))
        self.place = place
        self.reason = reason


class UnsupportedError(SpecError):
    """One operation of a document cannot be made into a method; the others can."""
