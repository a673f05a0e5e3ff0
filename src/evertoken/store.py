"""Where tokens are kept beside the memory of a token source."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from evertoken.token import AccessToken


@runtime_checkable
class TokenStore(Protocol):
    """Keeps tokens for whoever asks with the same key.

    Both methods may block: they are called off the event loop, and only by whoever renews. A store that
    raises is reported once and passed over; memory serves. `get` returns None for what it does not have.
    `put` never replaces a token by one that expires earlier.
    """

    def get(self, key: str) -> AccessToken | None:
        """Return the token kept for a key."""
        ...

    def put(self, key: str, token: AccessToken) -> None:
        """Keep a token."""
        ...


class MemoryTokenStore:
    """Keeps tokens in this process: hand one to several clients and they share a token."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, AccessToken] = {}

    def get(self, key: str) -> AccessToken | None:
        """Return the token kept for a key, expired or not."""
        with self._lock:
            return self._tokens.get(key)

    def put(self, key: str, token: AccessToken) -> None:
        """Keep a token, unless the one that is there expires later."""
        with self._lock:
            kept = self._tokens.get(key)
            if kept is None or kept.expires_at <= token.expires_at:
                self._tokens[key] = token

    def __repr__(self) -> str:
        return f"MemoryTokenStore({len(self._tokens)} tokens)"


def store_key(*, origin: str, client_id: str, audience: str, organization: str | None) -> str:
    """Return the key of a token: a digest of what it was issued for, never of a secret."""
    # Lengths separate the parts, so that no two sets of parts read the same.
    parts = (origin, client_id, audience, organization or "")
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()
