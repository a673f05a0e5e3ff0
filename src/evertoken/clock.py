"""Time, passed in so that tests need not wait."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclasses.dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks and two ways to sleep, all in seconds.

    `wall` is Unix time, which an administrator may move. `monotonic` never goes back, but may stop while
    the machine is suspended.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    sleep_async: Callable[[float], Awaitable[None]] = anyio.sleep


SYSTEM_CLOCK = Clock()
