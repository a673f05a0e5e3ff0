"""What a child of fork must not go on with: locks that a thread of the parent held, work that it did."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Final, Protocol


class Resettable(Protocol):
    """Whatever has a lock."""

    def reset_after_fork(self) -> None:
        """Take a new lock, in the child."""
        ...


_things: Final[weakref.WeakSet[Resettable]] = weakref.WeakSet()


def reset_in_child(thing: Resettable) -> None:
    """Have `reset_after_fork` called in every child of this process, for as long as the thing lives."""
    _things.add(thing)


class Guard:
    """A lock that no child inherits held: `with guard.lock`."""

    def __init__(self) -> None:
        self.lock: threading.Lock = threading.Lock()
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Take a new lock."""
        self.lock = threading.Lock()


def _reset() -> None:
    for thing in _things:
        thing.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset)
