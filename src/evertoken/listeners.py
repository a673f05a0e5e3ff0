"""Who is told of what happens: functions of the caller, which must not hurt what they watch."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

EventT = TypeVar("EventT")

_log = logging.getLogger("evertoken.listeners")


class Listeners(Generic[EventT]):
    """Functions that are called with every event."""

    __slots__ = ("_changing", "_listeners", "_told")

    def __init__(self) -> None:
        self._changing = threading.RLock()
        # Replaced, never changed: a call under way sees the old one.
        self._listeners: tuple[Callable[[EventT], object], ...] = ()
        self._told: tuple[Callable[[EventT], object], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: Callable[[EventT], object]) -> None:
        """Tell this one, too: once, however often it is added."""
        with self._changing:
            self._set((*self._listeners, listener))

    def remove(self, listener: Callable[[EventT], object]) -> None:
        """Tell this one no longer, if it is removed as often as it was added."""
        with self._changing:
            if listener in self._listeners:
                place = self._listeners.index(listener)
                self._set(self._listeners[:place] + self._listeners[place + 1 :])

    def _set(self, listeners: tuple[Callable[[EventT], object], ...]) -> None:
        self._listeners = listeners
        self._told = tuple(one for place, one in enumerate(listeners) if one not in listeners[:place])

    def tell(self, event: EventT) -> None:
        """Call everyone. What one raises is logged."""
        for listener in self._told:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - what a metric raises is no reason for a call to fail
                _log.exception("a listener raised")
