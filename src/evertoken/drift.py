"""Answers that differ from the spec: decode them without losing anything, and tell once.

An answer that fits is decoded by pydantic alone. One that does not is decoded part by part: what fits is
as it always is, what does not stays as it came, and each such place is a `Mismatch`.
"""

from __future__ import annotations

import json
import logging
import warnings
from typing import TYPE_CHECKING, Final, NoReturn, cast

import pydantic

from evertoken.fit import Mismatch, Walk, describe, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["DriftWarning", "Mismatch", "NotJSON", "decode", "report"]

_log = logging.getLogger("evertoken.drift")
# Who configures no logging sees the warning; the last-resort handler would print it again.
_log.addHandler(logging.NullHandler())

MOST_REPORTS: Final = 1_000
"""Places reported per process; what drifts beyond that adds no news, and memory stays bounded."""


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


_reported: dict[tuple[str, str], object] = {}


def report(
    operation: str,
    mismatches: Iterable[Mismatch],
    callback: Callable[[str, Mismatch], object] | None = None,
) -> None:
    """Tell of mismatches, once per process for an operation and a place (whatever its indexes).

    Each is a DriftWarning, a record of the logger `evertoken.drift`, and a call of
    `callback(operation, mismatch)`. Never raises, so that no answer is lost: where a filter makes
    warnings errors, and where the callback fails, the log says so at level ERROR. To fail on drift, use a
    client with `strict=True`.
    """
    for mismatch in mismatches:
        key = (operation, mismatch.pattern)
        if key in _reported or len(_reported) >= MOST_REPORTS:
            continue
        # setdefault is atomic: of several threads, one finds its own mark.
        mark = object()
        if _reported.setdefault(key, mark) is mark:
            _tell(operation, mismatch, callback)


def _tell(operation: str, mismatch: Mismatch, callback: Callable[[str, Mismatch], object] | None) -> None:
    text = f"{operation}: the answer differs from the spec, the value is kept as it came: {mismatch}"
    try:
        _log.warning("%s", text)
        warnings.warn(text, DriftWarning, stacklevel=2)
    except Exception:  # noqa: BLE001 - filters and handlers are the caller's; the answer matters more
        _log.error("%s", text)
    if callback is None:
        return
    try:
        callback(operation, mismatch)
    except Exception:  # noqa: BLE001 - the answer matters more than whoever is told of it
        _log.error("%s: the callback for drift failed", operation, exc_info=True)
