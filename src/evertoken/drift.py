"""Answers that differ from the spec: decode them without losing anything, and tell once.

An answer that fits is decoded by pydantic alone. One that does not is decoded part by part: what fits is
as it always is, what does not stays as it came, and each such place is a `Mismatch`.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import warnings
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, cast

import pydantic

from evertoken.fit import Mismatch, Walk, describe, may_clash, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Drift", "DriftWarning", "Listener", "Mismatch", "NotJSON", "Reports", "decode"]

_log = logging.getLogger("evertoken.drift")
# Who configures no logging sees the warning; the last-resort handler would print it again.
_log.addHandler(logging.NullHandler())

MOST_REPORTS: Final = 1_000
"""Places told of, per process and per listener; what drifts beyond that adds no news."""


class DriftWarning(UserWarning):
    """An answer did not fit the spec somewhere; the value there is as the API sent it."""


class NotJSON(ValueError):  # noqa: N818 - said by whoever raises an error of the tree instead
    """The body is not JSON (RFC 8259). `position` counts characters (bytes, for bad UTF-8), if known."""

    def __init__(self, problem: str, position: int | None = None) -> None:
        super().__init__(problem if position is None else f"{problem} at {position}")
        self.position = position


def decode(result: object, body: bytes) -> tuple[object, list[Mismatch]]:
    """Return a JSON body as the annotated type `result`, and the places that do not fit.

    A field that the spec requires and the body lacks is None and among the mismatches. Raises NotJSON.
    """
    # pydantic reads these two as numbers; JSON has no such words, but strings may hold them.
    if b"NaN" in body or b"Infinity" in body:
        _parse(body)
    try:
        if not may_clash(result, body):
            return validate(result, body), []
    except pydantic.ValidationError:
        pass
    value = _parse(body)
    try:
        return Walk().fit(result, value)
    except RecursionError:
        return value, [Mismatch((), describe(result), "JSON nested too deeply")]


def _parse(body: bytes) -> object:
    """Return the JSON of a body as plain values.

    Errors are raised after their cause is dropped, because that holds the whole body.
    """
    problem: str
    position: int | None = None
    try:
        return cast("object", json.loads(body.decode("utf-8-sig"), parse_constant=_refuse))
    except UnicodeDecodeError as error:
        problem, position = "bad UTF-8", error.start
    except json.JSONDecodeError as error:
        problem, position = "syntax error", error.pos
    except RecursionError:
        problem = "nested too deeply"
    except _ConstantError as error:
        problem = str(error)
    except ValueError:
        # Python's limit on the digits of an integer.
        problem = "a number is too long"
    raise NotJSON(problem, position) if body.strip() else NotJSON("empty")


class _ConstantError(ValueError):
    pass


def _refuse(constant: str) -> NoReturn:
    raise _ConstantError(f"{constant} is no JSON number")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A place where an answer did not fit the spec, without the value there.

    `operation` is the method's name, such as `clients.list`; `place` is `$.clients[7].callbacks`, and
    `pattern` the same for every row and key, `$.clients[*].callbacks`. `expected` and `got` are types.
    """

    operation: str
    place: str
    pattern: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.place}: expected {self.expected}, got {self.got}"


Listener: TypeAlias = "Callable[[Drift], object]"
"""Called in the thread or task of the call: it must not block. What it raises is logged."""


class Told:
    """The places that somebody was told of. Bounded, so that memory is."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], object] = {}

    def is_news(self, drift: Drift) -> bool:
        """Tell whether this place is new, once, however many threads ask."""
        key = (drift.operation, drift.pattern)
        if key in self._marks or len(self._marks) >= MOST_REPORTS:
            return False
        # setdefault is atomic: of several threads, one finds its own mark.
        mark = object()
        return self._marks.setdefault(key, mark) is mark


_told_here = Told()
"""What this process was told of by the warning and the log."""


class Reports:
    """Tells of mismatches: of a place, whatever its indexes, once.

    Each is a DriftWarning and a record of the logger `evertoken.drift` once per process, and a call of
    `listener` once for this: another client's drift must not silence it. Never raises, so that no answer is
    lost: where a filter makes warnings errors, and where the listener fails, the log says so at level ERROR.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._told = Told()

    def tell(self, operation: str, mismatches: Iterable[Mismatch]) -> None:
        """Tell of what is new."""
        for mismatch in mismatches:
            drift = Drift(
                operation=operation,
                place=mismatch.shown_place,
                pattern=mismatch.pattern,
                expected=mismatch.expected,
                got=mismatch.got,
            )
            if _told_here.is_news(drift):
                _warn(drift)
            if self._listener is not None and self._told.is_news(drift):
                _call(self._listener, drift)


def _warn(drift: Drift) -> None:
    text = (
        f"{drift.operation}: the answer differs from the spec, the value is kept as it came: "
        f"{drift.place}: expected {drift.expected}, got {drift.got}"
    )
    try:
        _log.warning("%s", text)
        warnings.warn(text, DriftWarning, stacklevel=2)
    except Exception:  # noqa: BLE001 - filters and handlers are the caller's; the answer matters more
        _log.error("%s", text)


def _call(listener: Listener, drift: Drift) -> None:
    try:
        listener(drift)
    except Exception:  # noqa: BLE001 - the answer matters more than whoever is told of it
        _log.error("%s: the listener for drift failed", drift.operation, exc_info=True)
