"""The life of one token: its windows before expiry, and its age by two clocks.

| good for everyone | advisory: one renews aside, all others go on | mandatory: all wait for it |
issued                                                                                    expires
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from evertoken.clock import Clock
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


@dataclasses.dataclass(slots=True)
class Held:
    """A token in use. `obtained` is the monotonic second at which its life began.

    Whatever becomes of a renewal, no request is sent with less than `reserve` seconds left: it might arrive
    with an expired token.
    """

    token: AccessToken
    obtained: float
    advisory: float
    mandatory: float
    reserve: float
    scope_renewal_tried: bool = False

    @classmethod
    def begin(cls, token: AccessToken, clock: Clock, jitter: float) -> Held:
        """Take a token into use. `jitter`, 0 to 1, shortens its advisory window."""
        lifetime = token.expires_at - token.issued_at
        # Its life began before it was asked for, or before a store kept it: by the wall clock.
        elapsed = max(0.0, clock.wall() - token.issued_at)
        return cls(
            token=token,
            obtained=clock.monotonic() - elapsed,
            advisory=_advisory(lifetime, jitter),
            mandatory=_mandatory(lifetime),
            reserve=_reserve(lifetime),
        )

    def age(self, clock: Clock) -> float:
        """Return seconds."""
        # Suspend stops the monotonic clock, an administrator moves the other: the larger one is safe.
        return max(clock.wall() - self.token.issued_at, clock.monotonic() - self.obtained)

    def left(self, clock: Clock) -> float:
        """Return the seconds until it expires, negative afterwards."""
        return self.token.expires_at - self.token.issued_at - self.age(clock)


def is_fresh(token: AccessToken, wall: float) -> bool:
    """Tell whether a token from a store is outside its advisory window, so that it is worth taking."""
    lifetime = token.expires_at - token.issued_at
    # The clock of the host that issued it may be ahead: it has no more than its life.
    return lifetime - max(0.0, wall - token.issued_at) > _advisory(lifetime)


def _advisory(lifetime: float, jitter: float = 0.0) -> float:
    window = min(ADVISORY_SHARE * lifetime, ADVISORY_LONGEST) * (1 - ADVISORY_JITTER * jitter)
    # A short-lived token too is renewed before anyone has to wait for it.
    return max(window, 1.2 * _mandatory(lifetime))


def _mandatory(lifetime: float) -> float:
    return max(min(MANDATORY_SHARE * lifetime, MANDATORY_LONGEST), _reserve(lifetime))


def _reserve(lifetime: float) -> float:
    return min(MANDATORY_LEAST, 0.5 * lifetime)
