"""Who is told of what happens: functions of the caller, which must not hurt what they watch."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

EventT = TypeVar("EventT")

_log = logging.getLogger("evertoken")


class Listeners(Generic[EventT]):
    """Functions that are called with every event."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        # Replaced, never changed: a call under way sees the old one.
        self._listeners: tuple[Callable[[EventT], object], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: Callable[[EventT], object]) -> None:
        """Tell this one, too."""
        self._listeners = (*self._listeners, listener)

    def remove(self, listener: Callable[[EventT], object]) -> None:
        """Tell this one no longer; nothing happens where it is not told."""
        self._listeners = tuple(one for one in self._listeners if one != listener)

    def tell(self, event: EventT) -> None:
        """Call everyone. What one raises is logged."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - what a metric raises is no reason for a call to fail
                _log.exception("a listener raised")
