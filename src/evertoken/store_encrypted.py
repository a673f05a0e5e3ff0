"""Tokens encrypted before another store gets them."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import TYPE_CHECKING

from evertoken.clock import SYSTEM_CLOCK, Clock
from evertoken.errors import ArgumentError
from evertoken.store import LeasingTokenStore, dumps, loads
from evertoken.token import AccessToken, Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.fernet import MultiFernet

    from evertoken.store import Lease, TokenStore


class EncryptedTokenStore:
    """Encrypts what another store keeps; needs the extra `encryption`.

    `key` is a Fernet key (`cryptography.fernet.Fernet.generate_key()`: 32 bytes in URL-safe base64), or
    several: the first one encrypts, each of them decrypts, so that a key is replaced without losing a
    token. Fernet is AES-128-CBC with HMAC-SHA256: nobody without a key reads a token, changes one, or
    passes off the token of one application as that of another.

    Not hidden are when a token was issued and when it expires; a copy of an older entry that has not yet
    expired is not recognised as such. `get` returns None for what no key decrypts.
    """

    def __init__(
        self,
        store: TokenStore,
        key: str | bytes | Secret | Sequence[str | bytes | Secret],
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        # Rebound before anything can raise: a traceback's locals show no key.
        keys = _secrets_of(key)
        key = ""
        self._store = store
        self._clock = clock
        self._fernet = _fernet(keys)

    @property
    def longest_wait(self) -> float:
        """That of the store within; 0 where it has no lease."""
        return self._store.longest_wait if isinstance(self._store, LeasingTokenStore) else 0.0

    def get(self, key: str) -> AccessToken | None:
        """Return the token kept for a key if a key of ours encrypted it and it is good now."""
        sealed = self._store.get(key)
        return None if sealed is None else self._open(key, sealed)

    def put(self, key: str, token: AccessToken) -> None:
        """Keep a token, unless the one that is there was issued later."""
        self._store.put(key, self._seal(key, token))

    def acquire(self, key: str) -> Lease | None:
        """Return the lease of the store within; where that has none, one that everybody gets."""
        return self._store.acquire(key) if isinstance(self._store, LeasingTokenStore) else _FreeLease()

    def __repr__(self) -> str:
        return f"EncryptedTokenStore({getattr(self, '_store', None)!r})"

    def _seal(self, key: str, token: AccessToken) -> AccessToken:
        # All of it is within, key and dates too: what stands outside serves the store alone.
        value = self._fernet.encrypt(dumps(key, token)).decode()
        return dataclasses.replace(token, value=value, scope=None)

    def _open(self, key: str, sealed: AccessToken) -> AccessToken | None:
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - an extra

        try:
            form = self._fernet.decrypt(sealed.value.encode())
        except (InvalidToken, ValueError):
            return None
        return loads(key, form, self._clock.wall())


class _FreeLease:
    def release(self) -> None:
        """Nothing was taken."""


def _secrets_of(key: str | bytes | Secret | Sequence[str | bytes | Secret]) -> list[Secret]:
    return [_secret(key)] if isinstance(key, str | bytes | Secret) else [_secret(one) for one in key]


def _secret(key: str | bytes | Secret) -> Secret:
    # A Fernet key is ASCII; what is not will be refused as none.
    return Secret.wrap(key.decode("ascii", "replace") if isinstance(key, bytes) else key) or Secret("")


def _fernet(keys: list[Secret]) -> MultiFernet:
    if importlib.util.find_spec("cryptography") is None:
        raise ModuleNotFoundError(
            "EncryptedTokenStore needs the extra encryption: pip install 'evertoken[encryption]'",
            name="cryptography",
        )
    made = _made(keys)
    if made is None:
        raise ArgumentError(
            "key", "no Fernet key, or none at all; make one with cryptography.fernet.Fernet.generate_key()"
        )
    return made


def _made(keys: list[Secret]) -> MultiFernet | None:
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - an extra

    try:
        return MultiFernet([Fernet(key.reveal()) for key in keys])
    except (ValueError, TypeError):
        return None
