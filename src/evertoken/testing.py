"""For your own tests: `check_token_store` for a store of your own, `forget_tokens` before each test.

    def test_my_store() -> None:
        check_token_store(lambda: MyTokenStore(database_url))

It needs no test framework, uses keys of its own, and takes about a second.
"""

from __future__ import annotations

import concurrent.futures
import random
import secrets
import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

from evertoken.shared import forget_tokens
from evertoken.store import LeasingTokenStore, TokenStore
from evertoken.token import AccessToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from evertoken.store import Lease


__all__ = ["check_token_store", "forget_tokens"]

_T = TypeVar("_T")

_THREADS: Final = 8
_LIFETIME: Final = 3600.0


def check_token_store(make_store: Callable[[], TokenStore], *, shared: bool = True) -> None:
    """Raise AssertionError, naming the rule, if a store does not do what clients rely on.

    `make_store` returns another instance at each call. `shared` tells that all of them keep the same
    tokens, as several processes have it; False for a store that lives in memory. A store that has
    `acquire` is tested for its lease too.
    """
    store = make_store()
    other = make_store() if shared else store
    for rule in (_nothing, _kept, _newer, _older, _same_issue, _other_keys, _expired, _hidden, _threads):
        rule(store, other)
    if hasattr(store, "acquire"):
        leasing, other_leasing = _leasing(store), _leasing(other)
        for lease_rule in (_exclusive, _released_twice, _lease_and_token, _one_of_many):
            lease_rule(leasing, other_leasing)


def _require(condition: object, rule: str) -> None:
    # Not the statement, which `python -O` leaves out.
    if not condition:
        raise AssertionError(f"token store: {rule}")


def _key() -> str:
    """Return a key that nobody used before, as long as those of clients."""
    return secrets.token_hex(32)


def _token(*, age: float = 0.0, lifetime: float = _LIFETIME, scope: str | None = None) -> AccessToken:
    issued_at = time.time() - age
    # As long as a JWT, and of its characters.
    value = secrets.token_urlsafe(600)
    return AccessToken(value, issued_at=issued_at, expires_at=issued_at + lifetime, scope=scope)


def _nothing(store: TokenStore, other: TokenStore) -> None:
    for one in (store, other):
        _require(one.get(_key()) is None, "get of a key that was never put returns None")


def _kept(store: TokenStore, other: TokenStore) -> None:
    for scope in (None, "", "read:clients update:clients"):
        key, token = _key(), _token(scope=scope)
        store.put(key, token)
        _require(store.get(key) == token, "get returns an AccessToken equal to the one that was put")
        _require(other.get(key) == token, "another instance returns what this one was given")
        store.put(key, token)
        _require(store.get(key) == token, "putting the same token again changes nothing")


def _newer(store: TokenStore, other: TokenStore) -> None:
    key, newer = _key(), _token(age=10, lifetime=60)
    store.put(key, _token(age=20))
    other.put(key, newer)
    _require(store.get(key) == newer, "a token that was issued later replaces one, though it expires earlier")


def _older(store: TokenStore, other: TokenStore) -> None:
    key, newer = _key(), _token(age=10)
    store.put(key, newer)
    other.put(key, _token(age=20, lifetime=2 * _LIFETIME))
    _require(
        store.get(key) == newer, "a token that was issued earlier replaces none, though it expires later"
    )


def _same_issue(store: TokenStore, other: TokenStore) -> None:
    issued_at = time.time() - 10
    short, long = (AccessToken(_token().value, issued_at, issued_at + life) for life in (600.0, 1200.0))
    for first, second in ((short, long), (long, short)):
        key = _key()
        store.put(key, first)
        other.put(key, second)
        _require(store.get(key) == long, "of two tokens issued at the same time the later expiry stays")


def _other_keys(store: TokenStore, other: TokenStore) -> None:
    base = _key()
    # As a prefix, a column that is too short or a hash might confuse them.
    keys = [base, _key(), f"{base[:-1]}{'01'[base[-1] == '0']}", f"{'01'[base[0] == '0']}{base[1:]}"]
    tokens = {key: _token() for key in keys}
    for key, token in tokens.items():
        store.put(key, token)
    _require(all(other.get(key) == token for key, token in tokens.items()), "each key has a token of its own")


def _expired(store: TokenStore, other: TokenStore) -> None:
    key, expired, good = _key(), _token(age=20, lifetime=10), _token(age=5)
    store.put(key, expired)
    _require(other.get(key) in (None, expired), "an expired token can be put; get returns it, or None")
    store.put(key, good)
    _require(other.get(key) == good, "an expired token is replaced by a good one")


def _hidden(store: TokenStore, other: TokenStore) -> None:
    key, token = _key(), _token()
    store.put(key, token)
    for one in (store, other):
        _require(token.value not in f"{one!r} {one}", "repr and str show no token")


def _threads(store: TokenStore, other: TokenStore) -> None:
    key = _key()
    tokens = [_token(age=age) for age in range(40)]
    shuffled = random.Random(1).sample(tokens, len(tokens))  # noqa: S311 - an order, no secret

    def put_and_get(index: int) -> AccessToken | None:
        (store, other)[index % 2].put(key, shuffled[index])
        return (other, store)[index % 2].get(key)

    seen = _in_threads(put_and_get, len(shuffled))
    _require(all(token in tokens for token in seen), "many threads at once: get returns a whole token")
    newest = max(tokens, key=lambda token: token.issued_at)
    _require(store.get(key) == newest, "many threads at once: the token that was issued last stays")


def _leasing(store: TokenStore) -> LeasingTokenStore:
    if isinstance(store, LeasingTokenStore):
        return store
    raise AssertionError("token store: one with acquire has longest_wait as well")


def _take(store: LeasingTokenStore, key: str, rule: str) -> Lease:
    lease = store.acquire(key)
    if lease is None:
        raise AssertionError(f"token store: {rule}")
    return lease


def _exclusive(store: LeasingTokenStore, other: LeasingTokenStore) -> None:
    _require(store.longest_wait > 0, "longest_wait is a positive number of seconds")
    key = _key()
    lease = _take(store, key, "acquire returns the lease that nobody has")
    begin = time.monotonic()
    _require(other.acquire(key) is None, "acquire returns None while another instance has the lease")
    _require(store.acquire(key) is None, "acquire returns None while the same instance has the lease")
    _require(time.monotonic() - begin < 1, "acquire does not wait for the lease")
    _take(store, _key(), "the lease of one key leaves those of others alone").release()
    lease.release()
    _take(other, key, "a lease that was released can be taken").release()


def _released_twice(store: LeasingTokenStore, other: LeasingTokenStore) -> None:
    key = _key()
    first = _take(store, key, "acquire returns the lease that nobody has")
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        thread.submit(first.release).result()
    second = _take(other, key, "a lease can be released in another thread")
    first.release()
    _require(store.acquire(key) is None, "releasing twice does not release the lease of another")
    second.release()
    second.release()


def _lease_and_token(store: LeasingTokenStore, other: LeasingTokenStore) -> None:
    key, first, second = _key(), _token(age=10), _token(age=5)
    lease = _take(store, key, "acquire returns the lease that nobody has")
    store.put(key, first)
    _require(other.get(key) == first, "whoever has the lease puts a token, and others get it")
    other.put(key, second)
    _require(store.get(key) == second, "one without the lease, who renewed alone, puts a token too")
    lease.release()
    _require(store.get(key) == second, "releasing the lease leaves the token alone")


def _one_of_many(store: LeasingTokenStore, other: LeasingTokenStore) -> None:
    key = _key()
    taken = _in_threads(lambda index: (store, other)[index % 2].acquire(key), _THREADS)
    leases = [lease for lease in taken if lease is not None]
    _require(len(leases) == 1, "of many threads that acquire at once, one gets the lease")
    leases[0].release()


def _in_threads(call: Callable[[int], _T], times: int) -> list[_T]:
    """Return the results of call(0), call(1) and so on, made by threads that begin together."""
    start = threading.Barrier(_THREADS)

    def share(first: int) -> list[_T]:
        start.wait(10)
        return [call(index) for index in range(first, times, _THREADS)]

    with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
        return [result for results in threads.map(share, range(_THREADS)) for result in results]
