"""What of a document its package is without, and what is called or typed otherwise there."""

from __future__ import annotations

from evertoken.generate.problem import SpecError, UnsupportedError


class Notes:
    """Collects a line for each; with `strict`, the first of them is an error."""

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self.left_out: list[str] = []
        self.lines: list[str] = []

    def leave_out(self, key: str, error: UnsupportedError) -> None:
        """Note an operation that gets no method."""
        if self._strict:
            raise error
        self.left_out.append(key)
        self.lines.append(f"{error.place}: left out: {error.reason}")

    def tell(self, place: str, reason: str) -> None:
        """Note what a user would not expect from the document."""
        self.insist(place, reason)
        self.lines.append(f"{place}: {reason}")

    def insist(self, place: str, reason: str) -> None:
        """Raise `SpecError` with `strict`: what the project's own documents have to say, others need not."""
        if self._strict:
            raise SpecError(place, reason)
