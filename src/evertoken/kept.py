"""A token store as steps of a flow: what it raises is reported once, and memory serves."""

from __future__ import annotations

import dataclasses
import functools
import logging
import random
import threading
from typing import TYPE_CHECKING, Final, cast

from evertoken.flow import Call, Sleep, Steps
from evertoken.lifetime import is_fresh
from evertoken.token import AccessToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from evertoken.clock import Clock
    from evertoken.renewal import TokenSource
    from evertoken.store import Lease, TokenStore

_POLL: Final = 0.05
_POLL_LONGEST: Final = 0.5
"""Seconds between looks at a store whose lease somebody else has, growing by half, up to twice as long.

The first ones suit a token endpoint that answers; a fleet that waits for one that does not must not wear the
store out.
"""

_log = logging.getLogger("evertoken.token")


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a look into the store brought: a fresh token, the lease to make one, or both.

    `busy` tells that somebody else has the lease. `due` is a token that is good still, but in its advisory
    window: it serves if no new one can be had. All absent: there is no store that helps.
    """

    token: AccessToken | None = None
    lease: Lease | None = None
    busy: bool = False
    due: AccessToken | None = None


class Kept:
    """One key of a token store. `source` is told whether the store works."""

    def __init__(self, store: TokenStore | None, key: str, source: TokenSource, clock: Clock) -> None:
        self._store = store
        self._key = key
        self._source = source
        self._clock = clock

    def find(self, is_useless: Callable[[AccessToken], bool], patience: float) -> Steps[Found]:
        """Look for a token that is not useless; wait for whoever has the lease.

        At most `patience` seconds, and at most as long as the store says that a renewal can take.
        """
        if self._store is None:
            return Found()
        acquire: Callable[[str], Lease | None] | None = getattr(self._store, "acquire", None)
        longest: float = getattr(self._store, "longest_wait", 0.0)
        deadline = self._clock.monotonic() + min(patience, longest)
        pause = _POLL
        while True:
            works, found = yield from self._get(is_useless)
            if found.token is not None or acquire is None or not works:
                return found
            works, lease = yield from self._call(functools.partial(acquire, self._key), _release_late)
            if lease is not None:
                return (yield from self._with_lease(cast("Lease", lease), is_useless))
            if not works:
                return found
            if self._clock.monotonic() >= deadline:
                return dataclasses.replace(found, busy=True)
            yield Sleep(pause * (1 + random.random()))  # noqa: S311 - spreads looks, guards nothing
            pause = min(1.5 * pause, _POLL_LONGEST)

    def look(self, is_useless: Callable[[AccessToken], bool]) -> Steps[Found]:
        """Look for a token that is not useless, once and without the lease."""
        if self._store is None:
            return Found()
        _, found = yield from self._get(is_useless)
        return found

    def put(self, token: AccessToken) -> Steps[None]:
        """Keep a token."""
        if self._store is not None:
            yield from self._call(functools.partial(self._store.put, self._key, token))

    def release(self, lease: Lease | None) -> Steps[None]:
        """Give the lease back."""
        if lease is None:
            return
        try:
            yield from self._call(lease.release)
        except BaseException:
            release_aside(lease)
            raise

    def _with_lease(self, lease: Lease, is_useless: Callable[[AccessToken], bool]) -> Steps[Found]:
        try:
            # Whoever had the lease before may have put a token since this one looked.
            _, found = yield from self._get(is_useless)
        except BaseException:
            release_aside(lease)
            raise
        return dataclasses.replace(found, lease=lease)

    def _get(self, is_useless: Callable[[AccessToken], bool]) -> Steps[tuple[bool, Found]]:
        store = cast("TokenStore", self._store)
        works, token = yield from self._call(functools.partial(store.get, self._key))
        # Anyone's store may return anything.
        if not isinstance(token, AccessToken) or is_useless(token):
            return works, Found()
        return works, Found(token) if is_fresh(token, self._clock.wall()) else Found(due=token)

    def _call(
        self, function: Callable[[], object], undo: Callable[[object], object] | None = None
    ) -> Steps[tuple[bool, object]]:
        """Call the store; return whether it worked, and its result."""
        try:
            result = yield Call(function, undo)
        except Exception as error:  # noqa: BLE001 - whatever a store raises, memory serves
            # The type only: the text may quote an address with a password.
            self._source.store_answered(type(error).__name__)
            return False, None
        self._source.store_answered()
        return True, result


def release_aside(lease: Lease | None) -> None:
    """Give a lease back where nothing can be awaited any more, without holding up whoever cancelled."""
    if lease is not None:
        thread = threading.Thread(target=_release, args=(lease,), name="evertoken-release", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            _log.debug("no thread to release a lease; it ends by itself")


def _release_late(lease: object) -> None:
    if lease is not None:
        _release(cast("Lease", lease))


def _release(lease: Lease) -> None:
    try:
        lease.release()
    except Exception as error:  # noqa: BLE001 - it ends by itself
        _log.debug("a lease could not be released (%s); it ends by itself", type(error).__name__)
