"""What stores have in common: the rule for replacing a token, and the written form."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertoken import AccessToken, MemoryTokenStore
from evertoken.store import LONGEST_FORM, LeasingTokenStore, StoreError, dumps, loads, replaces
from evertoken.testing import check_token_store

if TYPE_CHECKING:
    from support import FakeTime

NOW = 1_800_000_000.0
GOOD = AccessToken("not-a-secret", issued_at=NOW - 10, expires_at=NOW + 10, scope="read:clients")


def test_the_store_in_memory_keeps_the_rules() -> None:
    """Alone, and handed to several."""
    check_token_store(MemoryTokenStore, shared=False)
    store = MemoryTokenStore()
    check_token_store(lambda: store)
    assert not isinstance(store, LeasingTokenStore)


def test_a_clock_that_was_a_day_ahead_blocks_no_token(time: FakeTime) -> None:
    """What claims to be issued in the future is replaced, though the rule is that the later issue stays."""
    store = MemoryTokenStore(clock=time.clock())
    ahead = AccessToken("ahead", issued_at=time.wall + 86400, expires_at=time.wall + 2 * 86400)
    skewed = AccessToken("skewed", issued_at=time.wall + 30, expires_at=time.wall + 86400)
    now = AccessToken("now", issued_at=time.wall, expires_at=time.wall + 86400)
    for token, kept in ((ahead, ahead), (now, now), (skewed, skewed), (now, skewed)):
        store.put("key", token)
        assert store.get("key") == kept


def test_a_shorter_life_replaces_a_longer_one() -> None:
    """After an administrator has shortened lifetimes, the store does not hold on to what is refused."""
    longer = AccessToken("a", issued_at=NOW - 100, expires_at=NOW + 86400)
    shorter = AccessToken("b", issued_at=NOW - 50, expires_at=NOW + 60)
    assert replaces(shorter, longer, NOW)
    assert not replaces(longer, shorter, NOW)


@given(
    key=st.text(max_size=20),
    value=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    issued_at=st.floats(0, NOW),
    life=st.floats(1, 1e6),
    scope=st.none() | st.text(max_size=20),
)
def test_what_is_written_is_read(
    key: str, value: str, issued_at: float, life: float, scope: str | None
) -> None:
    """Equal in every field, by the same key, until it expires; nothing by another key."""
    token = AccessToken(value, issued_at=issued_at, expires_at=issued_at + life, scope=scope)
    data = dumps(key, token)
    assert loads(key, data, issued_at) == token
    assert loads(f"{key}x", data, issued_at) is None
    assert loads(key, data, token.expires_at) is None


@given(data=st.binary(max_size=200), end=st.integers(0, 200))
def test_half_of_it_or_anything_else_is_nothing(data: bytes, end: int) -> None:
    """Whatever the bytes: no error, and no token."""
    written = dumps("key", GOOD)
    assert loads("key", data, NOW) is None
    assert loads("key", written[: min(end, len(written) - 1)], NOW) is None
    assert loads("key", written + b"x", NOW) is None


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(dumps("key", GOOD)), **fields}).encode()


@pytest.mark.parametrize(
    "data",
    [
        changed(v=2),
        changed(v=True),
        changed(v=1.0),
        changed(more=1),
        changed(key=None),
        changed(value=None),
        changed(value=""),
        changed(value="with a space"),
        changed(value="line\r\nEvil: yes"),
        changed(value="tökén"),
        changed(issued_at=None),
        changed(issued_at=True),
        changed(issued_at="1"),
        changed(issued_at=float("nan")),
        changed(issued_at=float("-inf")),
        changed(issued_at=NOW + 11),
        changed(issued_at=NOW + 86400, expires_at=NOW + 2 * 86400),
        changed(expires_at=float("inf")),
        changed(expires_at=10**400),
        changed(expires_at=NOW),
        changed(scope=1),
        changed(scope=["read:clients"]),
        json.dumps([json.loads(dumps("key", GOOD))]).encode(),
        json.dumps({"v": 1, "key": "key", "value": "x"}).encode(),
        dumps("key", GOOD).decode().encode("utf-16"),
        b"\xef\xbb\xbf" + dumps("key", GOOD),
        b"[" * 100_000,
        b"null",
        b"9" * 5000,
        dumps("key", GOOD) + b" " * LONGEST_FORM,
    ],
)
def test_anything_but_the_exact_form_is_nothing(data: bytes) -> None:
    """Another version, a field too many or of another type, no bearer, a life that cannot be."""
    assert loads("key", changed(), NOW) == GOOD
    assert loads("key", data, NOW) is None


def test_an_error_of_a_store_is_an_os_error_and_survives_pickle() -> None:
    """Whoever catches what files raise catches it; another process can have it."""
    error = pickle.loads(pickle.dumps(StoreError("Redis failed")))  # noqa: S301 - our own
    assert isinstance(error, OSError)
    assert str(error) == "Redis failed"
    assert str(StoreError("Redis failed").replica()) == "Redis failed"


def test_stores_load_what_they_need_when_they_are_made() -> None:
    """Importing all of them imports no library of an extra."""
    program = (
        "import sys, evertoken, evertoken.store_file, evertoken.store_redis, evertoken.store_encrypted;"
        "print([m for m in ('filelock', 'platformdirs', 'redis', 'cryptography') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"
