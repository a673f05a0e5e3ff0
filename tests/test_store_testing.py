"""The conformance tests find what is wrong with a store."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import TYPE_CHECKING

import pytest

from evertoken import AccessToken
from evertoken.testing import check_token_store

if TYPE_CHECKING:
    from evertoken.store import Lease


class Dictionary:
    """A store that keeps the rules, in pieces that the others replace."""

    longest_wait = 1.0
    tokens: dict[str, AccessToken]
    leases: dict[str, Held]

    def __init__(self) -> None:
        self.tokens = {}
        self.leases = {}
        self.lock = threading.RLock()

    def get(self, key: str) -> AccessToken | None:
        return self.tokens.get(key)

    def put(self, key: str, token: AccessToken) -> None:
        with self.lock:
            kept = self.tokens.get(key)
            if kept is None or self.is_better(token, kept):
                self.tokens[key] = token

    def is_better(self, token: AccessToken, kept: AccessToken) -> bool:
        return (token.issued_at, token.expires_at) >= (kept.issued_at, kept.expires_at)

    def acquire(self, key: str) -> Lease | None:
        with self.lock:
            if key in self.leases:
                return None
            self.leases[key] = Held(self, key)
            return self.leases[key]

    def release(self, key: str, lease: Held) -> None:
        with self.lock:
            if self.leases.get(key) is lease:
                del self.leases[key]


class Held:
    def __init__(self, store: Dictionary, key: str) -> None:
        self.store = store
        self.key = key
        self.thread = threading.get_ident()

    def release(self) -> None:
        self.store.release(self.key, self)


class Invents(Dictionary):
    def get(self, key: str) -> AccessToken | None:
        return super().get(key) or AccessToken("made-up", 0, 1)


class ForgetsScope(Dictionary):
    def get(self, key: str) -> AccessToken | None:
        found = super().get(key)
        return found and dataclasses.replace(found, scope=None)


class PrefersLaterExpiry(Dictionary):
    def is_better(self, token: AccessToken, kept: AccessToken) -> bool:
        return token.expires_at >= kept.expires_at


class TakesAll(Dictionary):
    def is_better(self, token: AccessToken, kept: AccessToken) -> bool:
        return True


class LooksAtIssueOnly(Dictionary):
    def is_better(self, token: AccessToken, kept: AccessToken) -> bool:
        return token.issued_at >= kept.issued_at


class CutsKeys(Dictionary):
    def get(self, key: str) -> AccessToken | None:
        return super().get(key[:32])

    def put(self, key: str, token: AccessToken) -> None:
        super().put(key[:32], token)


class KeepsExpired(Dictionary):
    def put(self, key: str, token: AccessToken) -> None:
        if token.expires_at < time.time():
            token = dataclasses.replace(token, issued_at=token.issued_at + 1000)
        super().put(key, token)


class RefusesExpired(Dictionary):
    def put(self, key: str, token: AccessToken) -> None:
        if token.expires_at < time.time():
            raise ValueError("the time to live must be positive")
        super().put(key, token)


class Shows(Dictionary):
    def __repr__(self) -> str:
        return f"Shows({[token.value for token in self.tokens.values()]})"


class LooksThenWrites(Dictionary):
    def put(self, key: str, token: AccessToken) -> None:
        kept = self.tokens.get(key)
        if kept is None or self.is_better(token, kept):
            time.sleep(0.001)
            self.tokens[key] = token


class GivesLeaseTwice(Dictionary):
    def acquire(self, key: str) -> Lease | None:
        return Held(self, key)


class GivesNoLease(Dictionary):
    def acquire(self, key: str) -> Lease | None:
        return None


class GivesOneLeaseForAll(Dictionary):
    def acquire(self, key: str) -> Lease | None:
        return super().acquire("")


class Waits(Dictionary):
    def acquire(self, key: str) -> Lease | None:
        lease = super().acquire(key)
        if lease is None:
            time.sleep(0.6)
        return lease


class KeepsLease(Dictionary):
    def release(self, key: str, lease: Held) -> None:
        pass


class ReleasesInItsThread(Dictionary):
    def release(self, key: str, lease: Held) -> None:
        if threading.get_ident() == lease.thread:
            super().release(key, lease)


class ReleasesForOthers(Dictionary):
    def release(self, key: str, lease: Held) -> None:
        self.leases.pop(key, None)


class LocksTokensByLease(Dictionary):
    def put(self, key: str, token: AccessToken) -> None:
        if key not in self.leases:
            super().put(key, token)


class ForgetsTokenWithLease(Dictionary):
    def release(self, key: str, lease: Held) -> None:
        super().release(key, lease)
        self.tokens.pop(key, None)


class LooksThenTakes(Dictionary):
    def acquire(self, key: str) -> Lease | None:
        if key in self.leases:
            return None
        time.sleep(0.01)
        self.leases[key] = Held(self, key)
        return self.leases[key]


def test_a_good_store_passes() -> None:
    """Shared as a class, and each on its own."""
    store = Dictionary()
    check_token_store(lambda: store)
    check_token_store(Dictionary, shared=False)


@pytest.mark.parametrize(
    ("store", "rule"),
    [
        (Invents, "never put returns None"),
        (ForgetsScope, "equal to the one that was put"),
        (PrefersLaterExpiry, "issued later replaces"),
        (TakesAll, "issued earlier replaces none"),
        (LooksAtIssueOnly, "the later expiry stays"),
        (CutsKeys, "each key has a token of its own"),
        (KeepsExpired, "an expired token can be put"),
        (Shows, "show no token"),
        (LooksThenWrites, "many threads at once: the token that was issued last"),
        (GivesLeaseTwice, "acquire returns None while another instance has"),
        (GivesNoLease, "acquire returns the lease that nobody has"),
        (GivesOneLeaseForAll, "the lease of one key leaves those of others alone"),
        (Waits, "acquire does not wait"),
        (KeepsLease, "a lease that was released can be taken"),
        (ReleasesInItsThread, "released in another thread"),
        (ReleasesForOthers, "releasing twice does not release the lease of another"),
        (LocksTokensByLease, "whoever has the lease puts a token"),
        (ForgetsTokenWithLease, "leaves the token alone"),
        (LooksThenTakes, "of many threads that acquire at once"),
    ],
)
def test_each_fault_is_named_by_its_rule(store: type[Dictionary], rule: str) -> None:
    """So that whoever writes a store knows where to look."""
    with pytest.raises(AssertionError, match=f"^token store: .*{rule}"):
        check_token_store(store, shared=False)


def test_instances_that_should_share_are_compared() -> None:
    """Two that keep tokens apart are not one store."""
    with pytest.raises(AssertionError, match="another instance returns what this one was given"):
        check_token_store(Dictionary)


def test_an_error_of_the_store_is_that_of_the_test() -> None:
    """It says more than a rule: here, that a token without time to live cannot be put."""
    with pytest.raises(ValueError, match="time to live"):
        check_token_store(RefusesExpired, shared=False)


def test_a_lease_comes_with_how_long_to_wait() -> None:
    """As the protocol says; and it is a positive number."""

    class Hurried(Dictionary):
        longest_wait = 0.0

    class Half:
        def get(self, key: str) -> AccessToken | None:
            return store.get(key)

        def put(self, key: str, token: AccessToken) -> None:
            store.put(key, token)

        def acquire(self, key: str) -> Lease | None:
            return store.acquire(key)

    store = Dictionary()
    with pytest.raises(AssertionError, match="longest_wait as well"):
        check_token_store(Half, shared=True)
    with pytest.raises(AssertionError, match="positive number of seconds"):
        check_token_store(Hurried, shared=False)
