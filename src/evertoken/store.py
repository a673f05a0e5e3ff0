"""Where tokens are kept beside the memory of a token source.

The protocols, the store in memory, and what the other stores have in common: the rule for replacing a
token, and the form in which a token is written down.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from typing import TYPE_CHECKING, Final, Protocol, cast, runtime_checkable

from evertoken.clock import SYSTEM_CLOCK, Clock
from evertoken.errors import EvertokenError
from evertoken.fork import reset_in_child
from evertoken.token import AccessToken, is_bearer

if TYPE_CHECKING:
    from collections.abc import Mapping

FUTURE_LONGEST: Final = 60.0
"""Seconds that clocks of hosts may differ. A token that claims to be issued later than that from now comes
from a clock that was wrong: it would stand in the way of every token that is issued until then."""

LONGEST_FORM: Final = 262_144
"""Bytes. A token goes into a header, where servers take 8 to 64 KiB; whatever is longer is none."""

_FORM: Final = 1
"""The version of the written form. A token written in another one is not there."""

_FIELDS: Final = frozenset({"v", "key", "value", "issued_at", "expires_at", "scope"})


@runtime_checkable
class TokenStore(Protocol):
    """Keeps tokens for whoever asks with the same key.

    Both methods may block: they are called off the event loop, and only by whoever renews. A store that
    raises is reported once and passed over; memory serves.

    `get` returns None for what it does not have. `put` never replaces a token by one that was issued
    earlier; of two issued at the same time the one that expires later stays. It is the issue that counts:
    after an administrator has shortened the lifetime of tokens or revoked them, a store that preferred
    the later expiry would hold on to what the API refuses.
    """

    def get(self, key: str) -> AccessToken | None:
        """Return the token kept for a key."""
        ...

    def put(self, key: str, token: AccessToken) -> None:
        """Keep a token."""
        ...


class Lease(Protocol):
    """The right to renew, against all others who use the store. It ends by itself if its holder dies."""

    def release(self) -> None:
        """Let the next one have it. Raises nothing: twice, too late and from any thread are fine."""
        ...


@runtime_checkable
class LeasingTokenStore(TokenStore, Protocol):
    """A store that lets one of many processes renew while the others wait for its token.

    `longest_wait` is the number of seconds for which one who did not get the lease looks for the token
    (`get`) and for the lease again, before renewing alone: the holder may be stopped.
    """

    @property
    def longest_wait(self) -> float:
        """Seconds; see above."""
        ...

    def acquire(self, key: str) -> Lease | None:
        """Return the lease of a key, None while somebody else has it. Never waits for it."""
        ...


class StoreError(EvertokenError, OSError):
    """A token store cannot be used at the moment. Clients report it and go on without the store."""

    # OSError keeps its number and its file's name apart from `args`.
    def __reduce__(self) -> str | tuple[object, ...]:
        return OSError.__reduce__(self)


class MemoryTokenStore:
    """Keeps tokens in this process: hand one to several clients and they share a token."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self.reset_after_fork()
        self._tokens: dict[str, AccessToken] = {}
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Take a new lock in a child of fork."""
        # A thread that does not exist in the child may have held it.
        self._lock = threading.Lock()

    def get(self, key: str) -> AccessToken | None:
        """Return the token kept for a key, expired or not."""
        with self._lock:
            return self._tokens.get(key)

    def put(self, key: str, token: AccessToken) -> None:
        """Keep a token, unless the one that is there was issued later."""
        with self._lock:
            if replaces(token, self._tokens.get(key), self._clock.wall()):
                self._tokens[key] = token

    def __repr__(self) -> str:
        return f"MemoryTokenStore({len(self._tokens)} tokens)"


def store_key(*, origin: str, client_id: str, audience: str, organization: str | None) -> str:
    """Return the key of a token: a digest of what it was issued for, never of a secret."""
    # Lengths separate the parts, so that no two sets of parts read the same.
    parts = (origin, client_id, audience, organization or "")
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


def replaces(token: AccessToken, kept: AccessToken | None, now: float) -> bool:
    """Tell whether a store keeps `token` in place of the one that it has; `now` is Unix time."""
    if kept is None or kept.issued_at > now + FUTURE_LONGEST:
        return True
    return (token.issued_at, token.expires_at) >= (kept.issued_at, kept.expires_at)


def dumps(key: str, token: AccessToken) -> bytes:
    """Return the written form of a token: compact JSON, from which `loads` makes an equal token."""
    return json.dumps(
        {
            "v": _FORM,
            "key": key,
            "value": token.value,
            "issued_at": token.issued_at,
            "expires_at": token.expires_at,
            "scope": token.scope,
        },
        separators=(",", ":"),
    ).encode()


def loads(key: str, data: bytes, now: float) -> AccessToken | None:
    """Return the token that was written for a key if it is good at `now` (Unix time), else None.

    None for anything that is not exactly what `dumps` writes: garbage, half of it, another key's.
    """
    if len(data) > LONGEST_FORM:
        return None
    try:
        form: object = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(form, dict):
        return None
    token = _token_of(key, cast("dict[str, object]", form))
    if token is None or not token.issued_at <= now + FUTURE_LONGEST or not now < token.expires_at:
        return None
    return token


def _token_of(key: str, form: Mapping[str, object]) -> AccessToken | None:
    if _FIELDS.symmetric_difference(form):
        return None
    if type(form["v"]) is not int or form["v"] != _FORM or form["key"] != key:
        return None
    value, scope = form["value"], form["scope"]
    issued_at, expires_at = _seconds(form["issued_at"]), _seconds(form["expires_at"])
    if not isinstance(value, str) or not is_bearer(value) or not isinstance(scope, str | None):
        return None
    if issued_at is None or expires_at is None or expires_at < issued_at:
        return None
    return AccessToken(value, issued_at=issued_at, expires_at=expires_at, scope=scope)


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None
