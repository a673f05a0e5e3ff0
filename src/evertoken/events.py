"""What happens to a token, told to the log, to whoever listens, and to whoever asks for the status."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from evertoken.attempt import Attempt

TokenEventKind: TypeAlias = Literal["renewed", "found", "failed", "rejected", "store_failed", "store_works"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent:
    """Something that happened to a token, without the token.

    - `renewed`: the token endpoint issued one; `found`: a store had one,
    - `failed`: a renewal did not bring one; `problem` is the sentence of its error,
    - `rejected`: the API refused the token, so that it was dropped,
    - `store_failed`, `store_works`: the token store raised (`problem` is the type of what it raised), or
      works again. Told when it changes, not for every call.

    `at` is Unix time in seconds. `seconds` is how long a renewal took, waiting for others included.
    `expires_in` is what is left of the new token's life, in seconds. `advisory` tells of a renewal that
    the old token was still good for a while, so that nobody waited. `attempts` are the requests that a
    renewal made to the token endpoint.
    """

    kind: TokenEventKind
    at: float
    seconds: float | None = None
    expires_in: float | None = None
    advisory: bool = False
    problem: str | None = None
    attempts: tuple[Attempt, ...] = ()


TokenListener: TypeAlias = "Callable[[TokenEvent], object]"
"""Called by whatever thread or task the event happened in: it must not block. What it raises is logged."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatus:
    """What a token source knows, without the token.

    `expires_at`, `renewed_at` and `failed_at` are Unix times, `expires_in` and `age` seconds; None where
    there is no token, or it never happened. `renewals` (tokens that were issued), `found` (tokens from the
    store) and `failures` count since the start. `last_failure` is the sentence of the last failed renewal,
    None after a success. `store` is the repr of the token store, None without one; `store_works` tells
    whether its last answer was none but an error.
    """

    expires_at: float | None
    expires_in: float | None
    age: float | None
    scope: str | None
    renewing: bool
    renewals: int
    found: int
    failures: int
    renewed_at: float | None
    failed_at: float | None
    last_failure: str | None
    store: str | None
    store_works: bool


_log = logging.getLogger("evertoken.token")

_LEVELS: Final[dict[TokenEventKind, int]] = {
    "renewed": logging.INFO,
    "found": logging.INFO,
    "failed": logging.WARNING,
    "rejected": logging.INFO,
    "store_failed": logging.WARNING,
    "store_works": logging.INFO,
}


def log_event(event: TokenEvent, subject: str) -> None:
    """Log an event about `subject`, a source or a store."""
    _log.log(_LEVELS[event.kind], "%s", _sentence(event, subject))


def _sentence(event: TokenEvent, subject: str) -> str:
    match event.kind:
        case "renewed":
            return f"{subject}: renewed in {event.seconds:.1f} s; expires in {event.expires_in:.0f} s"
        case "found":
            return f"{subject}: taken from the store; expires in {event.expires_in:.0f} s"
        case "failed":
            return f"renewal failed: {event.problem}"
        case "rejected":
            return f"{subject}: the API refused the token"
        case "store_failed":
            return f"the token store {subject} failed ({event.problem}); memory serves"
        case "store_works":
            return f"the token store {subject} works again"
