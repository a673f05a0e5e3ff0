"""Who renews the token, who waits, and when. Decisions only: no I/O, no sleeping, no httpx.

Time of one token, from the moment before it was asked for:

    |---------------- good for everyone ----------------|--- advisory ---|- mandatory -|
    issued                                              one caller        everyone      expires
                                                        renews, the       waits for
                                                        rest go on        the renewal

One lock guards the fields for microseconds; it is never held across I/O. A `Future` of
`concurrent.futures` carries the outcome, since a thread can block on it and any event loop can await it.
"""

from __future__ import annotations

import dataclasses
import os
import random
import threading
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from evertoken.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from evertoken.errors import TokenError
    from evertoken.token import AccessToken

ADVISORY_SHARE: Final = 0.25
ADVISORY_LONGEST: Final = 7200.0
"""Seconds. An outage of the token endpoint shorter than this goes unnoticed."""

ADVISORY_JITTER: Final = 0.2
"""The share of the advisory window by which it varies, so that a fleet does not renew in one second."""

MANDATORY_SHARE: Final = 0.10
MANDATORY_LONGEST: Final = 60.0
"""Seconds: what a request may be under way with a token before the API looks at its expiry."""

MANDATORY_LEAST: Final = 1.5
"""Seconds, half of a life at most. Dates in a JWT are whole seconds (RFC 7519, 2), so that a token may end
up to one second before its `expires_in` is over; the rest is for the request's way."""

QUIET_PERIOD: Final = 60.0
"""Seconds between failing renewals while the old token is still good."""

FORCED_AT_ONCE: Final = 3
"""Renewals after a 401 without one success, until there is only one in `QUIET_PERIOD`."""

SCOPE_RENEWAL_AGE: Final = 300.0
"""Seconds: a token younger than this was issued with the scopes that the grant has now."""

_FAILURE_WAIT: Final = 2.0
_FAILURE_WAIT_LONGEST: Final = 30.0
"""Seconds that the next renewal waits after the second failure in a row: 2, then doubled up to 30.

After the first it does not wait: what failed once may have been an accident.
"""


def is_fresh(token: AccessToken, wall: float) -> bool:
    """Tell whether a token from a store is outside its advisory window, so that it is worth taking."""
    lifetime = token.expires_at - token.issued_at
    return token.expires_at - wall > min(ADVISORY_SHARE * lifetime, ADVISORY_LONGEST)


@dataclasses.dataclass(frozen=True, slots=True)
class TokenStatus:
    """What a token source knows, without the token.

    `expires_in` is in seconds, None where no token is held; `renewals` and `failures` count since the
    start; `last_failure` is the sentence of the last failed renewal, None after a success.
    """

    expires_in: float | None
    age: float | None
    scope: str | None
    renewing: bool
    renewals: int
    failures: int
    last_failure: str | None


@dataclasses.dataclass(slots=True)
class _Held:
    token: AccessToken
    obtained: float  # monotonic seconds at which the token's life began
    advisory: float  # seconds before expiry
    scope_renewal_tried: bool = False

    @property
    def lifetime(self) -> float:
        return self.token.expires_at - self.token.issued_at

    @property
    def mandatory(self) -> float:
        window = min(MANDATORY_SHARE * self.lifetime, MANDATORY_LONGEST)
        return max(window, min(MANDATORY_LEAST, 0.5 * self.lifetime))

    def age(self, clock: Clock) -> float:
        # Suspend stops the monotonic clock, an administrator moves the other: the larger one is safe.
        return max(clock.wall() - self.token.issued_at, clock.monotonic() - self.obtained)


class Renewal:
    """The right and duty to renew. A context manager: settled however the block is left.

    `advisory` tells that the old token is still good for a while, so that failing costs nobody anything.
    `delay` is the number of seconds to wait before asking, because earlier renewals failed; `failure` is
    the last of them. `rejected` is the value of the token that the API refused last, if any: a store may
    still hold it.
    """

    __slots__ = ("_outcome", "_source", "advisory", "delay", "failure", "rejected")

    def __init__(
        self,
        source: TokenSource,
        outcome: Future[AccessToken | None],
        *,
        advisory: bool,
        delay: float,
        failure: TokenError | None,
        rejected: str | None,
    ) -> None:
        self._source = source
        self._outcome = outcome
        self.advisory: bool = advisory
        self.delay: float = delay
        self.failure: TokenError | None = failure
        self.rejected: str | None = rejected

    def succeed(self, token: AccessToken) -> AccessToken:
        """Hand the new token to all who wait, and return it."""
        self._source._renewed(self._outcome, token)  # noqa: SLF001 - one mechanism in two classes
        return token

    def fail(self, error: TokenError, *, shared: bool = True) -> AccessToken:
        """Return the old token if it is still good; else share the error with all who wait and raise it.

        An error that is this caller's alone, such as its own short timeout, is not `shared`: one of those
        who wait takes over.
        """
        token = self._source._failed(self._outcome, error, shared=shared)  # noqa: SLF001
        if token is None:
            raise error
        return token

    def postpone(self, seconds: float) -> AccessToken | None:
        """Leave it to another process, which renews already; the old token serves on. Return it."""
        return self._source._postponed(self._outcome, seconds)  # noqa: SLF001

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._outcome.done():
            # Cancelled, closed or interrupted: nobody renews, and one who waits takes over.
            self._source._abandoned(self._outcome)  # noqa: SLF001


class TokenSource:
    """Holds one token and decides about it, for any number of threads and tasks."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._held: _Held | None = None
        self._rejected: str | None = None
        self._forced = 0
        self._last_forced = float("-inf")
        self._last_failed = float("-inf")
        self._quiet_until = float("-inf")
        self._failure: TokenError | None = None
        self._failures_in_a_row = 0
        self._renewals = 0
        self._failures = 0
        self._reset_after_fork()
        _sources.add(self)

    def _reset_after_fork(self) -> None:
        # The thread that held the lock or was renewing does not exist in the child.
        self._lock = threading.Lock()
        self._pending: Future[AccessToken | None] | None = None

    def claim(self) -> AccessToken | Future[AccessToken | None] | Renewal:
        """Return a token to use, a future to wait for, or the renewal to carry out.

        The future's result None means that nobody renewed: claim again.
        """
        with self._lock:
            now = self._clock.monotonic()
            held = self._held
            left = 0.0
            if held is not None:
                left = held.lifetime - held.age(self._clock)
                if left > held.advisory:
                    return held.token
                # A failing token endpoint disturbs nobody while the token is good.
                if left > 0 and now < self._quiet_until:
                    return held.token
                if left > held.mandatory and self._pending is not None:
                    return held.token
            if self._pending is not None:
                return self._pending
            return self._begin(now, advisory=held is not None and left > held.mandatory)

    def _begin(self, now: float, *, advisory: bool) -> Renewal:
        outcome: Future[AccessToken | None] = Future()
        # A running future refuses cancellation: one impatient waiter must not cancel the others.
        outcome.set_running_or_notify_cancel()
        self._pending = outcome
        delay = 0.0
        if self._failure is not None:
            failures = self._failures_in_a_row
            wait = min(_FAILURE_WAIT * 2.0 ** (failures - 2), _FAILURE_WAIT_LONGEST) if failures > 1 else 0.0
            delay = max(0.0, self._last_failed + wait - now)
        return Renewal(
            self,
            outcome,
            advisory=advisory,
            delay=delay,
            failure=self._failure,
            rejected=self._rejected,
        )

    def accept(self, token: AccessToken) -> None:
        """Take note that the API took a token."""
        # Read without the lock: the hot path, and a late write does no harm.
        if self._forced and token.value != self._rejected:
            self._forced = 0

    def reject(self, token: AccessToken) -> bool:
        """Drop exactly this token, which the API refused; tell whether to renew and try again."""
        with self._lock:
            held = self._held
            if held is None or held.token.value != token.value:
                return True  # a newer one is there, or on its way
            now = self._clock.monotonic()
            if self._forced >= FORCED_AT_ONCE and now < self._last_forced + QUIET_PERIOD:
                return False
            self._forced += 1
            self._last_forced = now
            self._rejected = token.value
            self._held = None
            return True

    def reject_scope(self, token: AccessToken) -> bool:
        """Drop this token if another one may have more scopes; tell whether to renew and try again.

        A token keeps the scopes it was issued with. Once per token, and not while it is young.
        """
        with self._lock:
            held = self._held
            if held is None or held.token.value != token.value:
                return True
            if held.scope_renewal_tried or held.age(self._clock) < SCOPE_RENEWAL_AGE:
                return False
            held.scope_renewal_tried = True
            self._rejected = token.value
            self._held = None
            return True

    def status(self) -> TokenStatus:
        """Return what is known of the token and its renewals."""
        with self._lock:
            held = self._held
            age = None if held is None else held.age(self._clock)
            return TokenStatus(
                expires_in=None if held is None or age is None else held.lifetime - age,
                age=age,
                scope=None if held is None else held.token.scope,
                renewing=self._pending is not None,
                renewals=self._renewals,
                failures=self._failures,
                last_failure=None if self._failure is None else str(self._failure),
            )

    def _renewed(self, outcome: Future[AccessToken | None], token: AccessToken) -> None:
        window = min(ADVISORY_SHARE * (token.expires_at - token.issued_at), ADVISORY_LONGEST)
        with self._lock:
            # Its life began before it was asked for, or before a store kept it: by the wall clock.
            elapsed = max(0.0, self._clock.wall() - token.issued_at)
            self._held = _Held(
                token=token,
                obtained=self._clock.monotonic() - elapsed,
                advisory=window * (1 - ADVISORY_JITTER * self._jitter()),
            )
            # A short-lived token too is renewed before anyone has to wait for it.
            self._held.advisory = max(self._held.advisory, 1.2 * self._held.mandatory)
            self._failure = None
            self._quiet_until = float("-inf")
            self._failures_in_a_row = 0
            self._renewals += 1
            self._end(outcome)
        outcome.set_result(token)

    def _failed(
        self, outcome: Future[AccessToken | None], error: TokenError, *, shared: bool
    ) -> AccessToken | None:
        with self._lock:
            held = self._held
            good = held is not None and held.age(self._clock) < held.lifetime
            self._failures += 1
            if good or shared:
                self._failure = error
                self._last_failed = self._clock.monotonic()
                self._quiet_until = self._last_failed + QUIET_PERIOD
                self._failures_in_a_row += 1
            self._end(outcome)
        if held is not None and good:
            outcome.set_result(held.token)
            return held.token
        if shared:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)
        return None

    def _postponed(self, outcome: Future[AccessToken | None], seconds: float) -> AccessToken | None:
        with self._lock:
            self._quiet_until = self._clock.monotonic() + seconds
            # None: it was rejected meanwhile.
            token = None if self._held is None else self._held.token
            self._end(outcome)
        outcome.set_result(token)
        return token

    def _abandoned(self, outcome: Future[AccessToken | None]) -> None:
        with self._lock:
            self._end(outcome)
        outcome.set_result(None)

    def _end(self, outcome: Future[AccessToken | None]) -> None:
        # A child of fork has a future of its own by now: the parent's must not end it.
        if self._pending is outcome:
            self._pending = None


_sources: weakref.WeakSet[TokenSource] = weakref.WeakSet()


def _reset_all_after_fork() -> None:
    for source in _sources:
        source._reset_after_fork()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all_after_fork)
