"""Who renews the token, who waits, and when. Decisions only: no I/O, no sleeping, no httpx.

One lock guards the fields for microseconds; it is never held across I/O. A `Future` of
`concurrent.futures` carries the outcome, since a thread can block on it and any event loop can await it.
The windows before expiry stand in `evertoken.lifetime`.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING, Final

from evertoken.clock import SYSTEM_CLOCK, Clock
from evertoken.events import TokenEvent, TokenEventKind, TokenListener, TokenStatus, log_event
from evertoken.fork import reset_in_child
from evertoken.lifetime import Held
from evertoken.listeners import Listeners
from evertoken.token import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from evertoken.attempt import Attempt
    from evertoken.errors import TokenError
    from evertoken.token import AccessToken

QUIET_PERIOD: Final = 60.0
"""Seconds between failing renewals while the old token is still good."""

FORCED_AT_ONCE: Final = 3
"""Renewals after a 401 without one success, until there is only one in `QUIET_PERIOD`."""

SCOPE_RENEWAL_AGE: Final = 300.0
"""Seconds: a token younger than this was issued with the scopes that the grant has now."""

OVERDUE: Final = 20.0
"""Seconds after which a renewal is taken for lost, and somebody else renews: it has 15, but its event loop
may have been stopped, or its thread may be stuck in somebody's code."""

_PAST: Final = 16
"""Tokens that are known to be over, for a store that still holds one: more than one, since a store
prefers an older one after a wall clock was set back."""

_FAILURE_WAIT: Final = 2.0
_FAILURE_WAIT_LONGEST: Final = 30.0
"""Seconds that the next renewal waits after the second failure in a row: 2, then doubled up to 30.

After the first it does not wait, unless the renewal had asked more than once: callers that come one after the
other while the endpoint is down share that failure.
"""


class Renewal:
    """The right and duty to renew. A context manager: settled however the block is left.

    `spare` is the old token where that is still good for a while, so that nobody has to wait; `aside` tells
    that it may be carried out off the caller's path then. `delay` is the number of seconds to wait before
    asking, because earlier renewals failed; `failure` is the last of them. `rejected` is the value of the
    token that the API refused last, if any: a store may still hold it. `began` is in monotonic seconds.
    `attempts` collects the requests that it makes.
    """

    __slots__ = (
        "_outcome", "_source", "aside", "attempts", "began", "delay", "failure", "rejected", "spare",
    )  # fmt: skip

    def __init__(
        self,
        source: TokenSource,
        outcome: Future[AccessToken | None],
        *,
        spare: AccessToken | None,
        aside: bool,
        began: float,
        delay: float,
        failure: TokenError | None,
        rejected: Secret | None,
    ) -> None:
        self._source = source
        self._outcome = outcome
        self.spare: AccessToken | None = spare
        self.aside: bool = aside
        self.began: float = began
        self.delay: float = delay
        self.failure: TokenError | None = failure
        self.rejected: Secret | None = rejected
        self.attempts: list[Attempt] = []

    @property
    def advisory(self) -> bool:
        """Whether the old token is still good for a while, so that failing costs nobody anything."""
        return self.spare is not None

    def is_useless(self, token: AccessToken) -> bool:
        """Tell whether a store's token is one that was refused, or was or is to be renewed.

        By the wall clock alone it may look good: only this source knows better.
        """
        return self._source._is_past(token)  # noqa: SLF001

    def succeed(self, token: AccessToken, *, found: bool = False) -> AccessToken:
        """Hand the new token to all who wait, and return it. `found`: it comes from a store."""
        self._source._renewed(self, self._outcome, token, found=found)  # noqa: SLF001 - one mechanism in two classes
        return token

    def adopt(self, token: AccessToken) -> None:
        """Hold a token that a store kept and that is due, if no other is: it serves on if this renewal fails.

        Not if it is about to expire, or was rejected.
        """
        if self._source._adopted(token):  # noqa: SLF001
            self.spare = token

    def fail(self, error: TokenError, *, shared: bool = True) -> AccessToken:
        """Return the old token if it is still good; else share the error with all who wait and raise it.

        An error that is this caller's alone, such as its own short timeout, is not `shared`: one of those
        who wait takes over.
        """
        token = self._source._failed(self, self._outcome, error, shared=shared)  # noqa: SLF001
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
        self.abandon()

    def abandon(self) -> None:
        """Leave it to one of those who wait, unless it is settled."""
        if not self._outcome.done():
            self._source._abandoned(self._outcome)  # noqa: SLF001


class TokenSource:
    """Holds one token and decides about it, for any number of threads and tasks, clients and event loops.

    `name` stands in the log. `store` is what keeps the token beside this memory: here only its name counts.
    """

    def __init__(
        self,
        name: str = "token",
        *,
        store: object = None,
        clock: Clock = SYSTEM_CLOCK,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._store = store
        self._clock = clock
        self._jitter = jitter
        self._listeners: Listeners[TokenEvent] = Listeners()
        self._held: Held | None = None
        self._rejected: Secret | None = None
        self._past: deque[Secret] = deque(maxlen=_PAST)
        self._forced = 0
        self._last_forced = float("-inf")
        self._last_failed = float("-inf")
        self._quiet_until = float("-inf")
        self._failure: TokenError | None = None
        self._failures_in_a_row = 0
        self._cut_off = False
        self._renewals = self._found = self._failures = 0
        self._renewed_at: float | None = None
        self._failed_at: float | None = None
        self._store_works = True
        self.reset_after_fork()
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Begin anew in a child of fork: nobody waits, nothing is under way."""
        # The thread that held the lock or was renewing does not exist in the child.
        self._lock = threading.Lock()
        self._pending: Future[AccessToken | None] | None = None
        self._pending_since = 0.0

    @property
    def name(self) -> str:
        """What stands in the log: the tenant's domain."""
        return self._name

    def claim(self) -> AccessToken | Future[AccessToken | None] | Renewal:
        """Return a token to use, a future to wait for, or the renewal to carry out.

        The future's result None means that nobody renewed: claim again.
        """
        with self._lock:
            now = self._clock.monotonic()
            held = self._held
            left = 0.0
            if held is not None:
                left = held.left(self._clock)
                if left > held.advisory:
                    return held.token
                # A failing token endpoint disturbs nobody while the token is good.
                if left > held.reserve and now < self._quiet_until:
                    return held.token
            spare = held.token if held is not None and left > held.mandatory else None
            lost = self._pending
            if lost is not None and now < self._pending_since + OVERDUE:
                return spare or lost
            renewal = self._begin(now, spare)
        if lost is not None:
            _settle(lost, None)
        return renewal

    def still_good(self) -> AccessToken | None:
        """Return the token held if a request can still be sent with it, None otherwise."""
        with self._lock:
            held = self._held
            return held.token if held is not None and held.left(self._clock) > held.reserve else None

    def _begin(self, now: float, spare: AccessToken | None) -> Renewal:
        outcome: Future[AccessToken | None] = Future()
        # A running future refuses cancellation: one impatient waiter must not cancel the others.
        outcome.set_running_or_notify_cancel()
        self._pending = outcome
        self._pending_since = now
        delay = 0.0
        if self._failure is not None:
            failures = self._failures_in_a_row
            wait = min(_FAILURE_WAIT * 2.0 ** (failures - 2), _FAILURE_WAIT_LONGEST) if failures > 1 else 0.0
            delay = max(0.0, self._last_failed + wait - now)
        return Renewal(
            self,
            outcome,
            spare=spare,
            # Where an event loop ends too soon for it, as with one run for each call, a caller renews.
            aside=spare is not None and not self._cut_off,
            began=now,
            delay=delay,
            failure=self._failure,
            rejected=self._rejected,
        )

    def accept(self, token: AccessToken) -> None:
        """Take note that the API took a token."""
        # Read without the lock: the hot path, and a late write does no harm.
        if self._forced and Secret(token.value) != self._rejected:
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
            self._rejected = Secret(token.value)
            self._past.append(self._rejected)
            self._held = None
        self._tell("rejected")
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
            self._rejected = Secret(token.value)
            self._past.append(self._rejected)
            self._held = None
        self._tell("rejected")
        return True

    def status(self) -> TokenStatus:
        """Return what is known of the token, its renewals and its store."""
        with self._lock:
            held = self._held
            left = None if held is None else held.left(self._clock)
            return TokenStatus(
                expires_at=None if left is None else self._clock.wall() + left,
                expires_in=left,
                age=None if held is None else held.age(self._clock),
                scope=None if held is None else held.token.scope,
                renewing=self._pending is not None,
                renewals=self._renewals,
                found=self._found,
                failures=self._failures,
                renewed_at=self._renewed_at,
                failed_at=self._failed_at,
                last_failure=None if self._failure is None else str(self._failure),
                store=None if self._store is None else repr(self._store),
                store_works=self._store_works,
            )

    def add_listener(self, listener: TokenListener) -> None:
        """Call `listener` with every `TokenEvent` from now on, for metrics."""
        self._listeners.add(listener)

    def remove_listener(self, listener: TokenListener) -> None:
        """Call it no longer."""
        self._listeners.remove(listener)

    def store_answered(self, problem: str | None = None) -> None:
        """Take note that the store did what it was asked, or what was the matter with it."""
        if self._store_works != (problem is None):
            self._store_works = problem is None
            self._tell(
                "store_works" if problem is None else "store_failed", problem=problem, name=repr(self._store)
            )

    def _tell(
        self,
        kind: TokenEventKind,
        renewal: Renewal | None = None,
        *,
        expires_in: float | None = None,
        problem: str | None = None,
        name: str | None = None,
    ) -> None:
        # Never with the lock held: a listener may ask for the status.
        event = TokenEvent(
            kind=kind,
            at=self._clock.wall(),
            seconds=None if renewal is None else self._clock.monotonic() - renewal.began,
            expires_in=expires_in,
            advisory=renewal is not None and renewal.advisory,
            problem=problem,
            attempts=() if renewal is None else tuple(renewal.attempts),
        )
        log_event(event, name or self._name)
        self._listeners.tell(event)

    def _is_past(self, token: AccessToken) -> bool:
        with self._lock:
            held = self._held
            return Secret(token.value) in self._past or (held is not None and held.token.value == token.value)

    def _adopted(self, token: AccessToken) -> bool:
        with self._lock:
            if self._held is not None and self._held.left(self._clock) > self._held.reserve:
                return False
            held = Held.begin(token, self._clock, self._jitter())
            if Secret(token.value) in self._past or held.left(self._clock) <= held.mandatory:
                return False
            self._held = held
            return True

    def _renewed(
        self, renewal: Renewal, outcome: Future[AccessToken | None], token: AccessToken, *, found: bool
    ) -> None:
        with self._lock:
            if self._held is not None:
                self._past.append(Secret(self._held.token.value))
            self._held = Held.begin(token, self._clock, self._jitter())
            self._failure = None
            self._quiet_until = float("-inf")
            self._failures_in_a_row = 0
            self._cut_off = False
            self._renewed_at = self._clock.wall()
            if found:
                self._found += 1
            else:
                self._renewals += 1
            left = self._held.left(self._clock)
            self._end(outcome)
        _settle(outcome, token)
        self._tell("found" if found else "renewed", renewal, expires_in=left)

    def _failed(
        self, renewal: Renewal, outcome: Future[AccessToken | None], error: TokenError, *, shared: bool
    ) -> AccessToken | None:
        with self._lock:
            held = self._held
            good = held is not None and held.left(self._clock) > held.reserve
            self._failures += 1
            self._failed_at = self._clock.wall()
            if good or shared:
                self._failure = error
                self._last_failed = self._clock.monotonic()
                self._quiet_until = self._last_failed + QUIET_PERIOD
                # What failed once may have been an accident; what failed again and again is down.
                down = len(renewal.attempts) > 1
                self._failures_in_a_row = max(self._failures_in_a_row + 1, 2 if down else 1)
            self._end(outcome)
        token = held.token if held is not None and good else None
        if token is not None or not shared:
            _settle(outcome, token)
        else:
            _settle(outcome, error)
        self._tell("failed", renewal, problem=str(error))
        return token

    def _postponed(self, outcome: Future[AccessToken | None], seconds: float) -> AccessToken | None:
        with self._lock:
            self._quiet_until = self._clock.monotonic() + seconds
            # None: it was rejected meanwhile, or has expired.
            held = self._held
            token = held.token if held is not None and held.left(self._clock) > held.reserve else None
            self._end(outcome)
        _settle(outcome, token)
        return token

    def _abandoned(self, outcome: Future[AccessToken | None]) -> None:
        with self._lock:
            self._cut_off = True
            self._end(outcome)
        _settle(outcome, None)

    def _end(self, outcome: Future[AccessToken | None]) -> None:
        # A child of fork has a future of its own by now: the parent's must not end it.
        if self._pending is outcome:
            self._pending = None


def _settle(outcome: Future[AccessToken | None], result: AccessToken | TokenError | None) -> None:
    # A renewal that was taken for lost may end after all, and is settled already.
    with contextlib.suppress(InvalidStateError):
        if isinstance(result, Exception):
            outcome.set_exception(result)
        else:
            outcome.set_result(result)
