"""The id that ties writes to the tenant's logs."""

from __future__ import annotations

import contextlib
import contextvars
from typing import TYPE_CHECKING, Final

from evertoken.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Generator

LONGEST: Final = 64
"""Characters that the API takes."""

_current: contextvars.ContextVar[str | None] = contextvars.ContextVar("correlation_id", default=None)


@contextlib.contextmanager
def correlation_id(value: str) -> Generator[None]:
    """Send X-Correlation-ID with every write in this block: it shows in the tenant's logs.

    For all clients, in this thread or task and in the tasks that are begun in the block. At most 64
    characters of printable ASCII. The option `correlation_id` of a call goes ahead of it.
    """
    token = _current.set(check_correlation_id(value))
    try:
        yield
    finally:
        _current.reset(token)


def current_correlation_id() -> str | None:
    """Return the id of the block that this is in."""
    return _current.get()


def check_correlation_id(value: object) -> str:
    """Return an id if it can be sent; raise ArgumentError if it cannot."""
    if not isinstance(value, str) or not value or len(value) > LONGEST:
        raise ArgumentError("correlation_id", f"give a string of 1 to {LONGEST} characters")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise ArgumentError("correlation_id", "holds what is no printable ASCII, or white space around it")
    return value
