"""Tokens encrypted before another store gets them."""

from __future__ import annotations

import base64
import dataclasses
import importlib.util
import json
import secrets
from typing import TYPE_CHECKING

import pytest

from evertoken import AccessToken, ArgumentError, MemoryTokenStore, Secret
from evertoken.store import LeasingTokenStore, TokenStore
from evertoken.store_encrypted import EncryptedTokenStore
from evertoken.store_file import FileTokenStore
from evertoken.testing import check_token_store
from support import locals_of

if TYPE_CHECKING:
    import pathlib

    from support import FakeTime


def make_key() -> bytes:
    return base64.urlsafe_b64encode(secrets.token_bytes(32))


def issue(time: FakeTime, value: str = "not-a-secret", age: float = 0) -> AccessToken:
    return AccessToken(value, issued_at=time.wall - age, expires_at=time.wall + 60, scope="read:clients")


def seal(time: FakeTime, store: TokenStore, *keys: str | bytes | Secret) -> EncryptedTokenStore:
    return EncryptedTokenStore(store, keys, clock=time.clock())


def test_it_keeps_the_rules_with_a_lease_and_without(tmp_path: pathlib.Path) -> None:
    """Around a store in memory, and around files."""
    key, memory, folder = make_key(), MemoryTokenStore(), tmp_path / "tokens"
    check_token_store(lambda: EncryptedTokenStore(FileTokenStore(folder), key))
    for rule in ("get", "put"):
        assert callable(getattr(EncryptedTokenStore(memory, key), rule))
    store = EncryptedTokenStore(memory, key.decode())
    token = AccessToken("not-a-secret", issued_at=0, expires_at=9e9)
    store.put("key", token)
    assert store.get("key") == token
    assert memory.get("key") != token


def test_without_a_lease_within_everybody_renews(time: FakeTime) -> None:
    """The lease is free and there is nothing to wait for."""
    store = seal(time, MemoryTokenStore(), make_key())
    assert isinstance(store, LeasingTokenStore)
    assert store.longest_wait == 0
    leases = [store.acquire("key"), store.acquire("key")]
    for lease in leases:
        assert lease is not None
        lease.release()


def test_what_is_kept_tells_nothing_but_dates(time: FakeTime, tmp_path: pathlib.Path) -> None:
    """Neither the token nor its scope stands in the file."""
    folder = tmp_path / "tokens"
    key = make_key()
    inner = FileTokenStore(folder, clock=time.clock())
    assert seal(time, inner, key).longest_wait == inner.longest_wait
    seal(time, inner, key).put("key", issue(time))
    (file,) = folder.glob("*.json")
    kept = json.loads(file.read_bytes())
    assert (kept["issued_at"], kept["expires_at"], kept["scope"]) == (time.wall, time.wall + 60, None)
    assert b"not-a-secret" not in file.read_bytes()
    assert base64.urlsafe_b64decode(kept["value"])[:1] == b"\x80"  # Fernet's version


def test_a_key_is_replaced_without_losing_a_token(time: FakeTime) -> None:
    """The first key encrypts, the others still decrypt; without the old one its tokens are gone."""
    inner, old, new = MemoryTokenStore(), make_key(), make_key()
    token, newer = issue(time, age=5), issue(time, "newer")
    seal(time, inner, old).put("key", token)
    assert seal(time, inner, new).get("key") is None
    both = seal(time, inner, Secret(new.decode()), old)
    assert both.get("key") == token
    both.put("key", newer)
    assert seal(time, inner, new).get("key") == newer
    assert seal(time, inner, old).get("key") is None


def test_what_was_tampered_with_is_nothing(time: FakeTime) -> None:
    """A changed character, another key's entry, no ciphertext at all; other dates outside change nothing."""
    inner, key = MemoryTokenStore(), make_key()
    store = seal(time, inner, key)
    store.put("key", issue(time))
    kept = inner.get("key")
    assert kept is not None
    middle = len(kept.value) // 2
    flipped = "A" if kept.value[middle] != "A" else "B"
    for value in (f"{kept.value[:middle]}{flipped}{kept.value[middle + 1 :]}", "plain", "é"):
        inner.put("key", dataclasses.replace(kept, value=value))
        assert store.get("key") is None
    inner.put("other", kept)
    assert store.get("other") is None
    longer = dataclasses.replace(kept, expires_at=kept.expires_at + 86400)
    inner.put("key", longer)
    assert store.get("key") == issue(time)
    time.pass_(61)
    assert store.get("key") is None


@pytest.mark.parametrize("wrong", ["short", "long", "no ASCII", "none"])
def test_a_wrong_key_is_refused_and_not_shown(wrong: str) -> None:
    """By the argument's name, whichever way it is given."""
    key = make_key().decode()
    key = {"short": key[:-2], "long": f"{key[:-1]}AAAAA", "no ASCII": f"{key[:-2]}é=", "none": ""}[wrong]
    ways: list[str | bytes | Secret | list[str | bytes | Secret]]
    ways = [key, key.encode(), Secret(key), [key], [make_key(), key], []]
    for given in ways:
        with pytest.raises(ArgumentError, match=r"^key: no Fernet key") as caught:
            EncryptedTokenStore(MemoryTokenStore(), given)
        assert not key or key not in locals_of(caught.value)


def test_repr_shows_no_key() -> None:
    """It names the store within."""
    key = make_key().decode()
    store = EncryptedTokenStore(MemoryTokenStore(), key)
    assert repr(store) == "EncryptedTokenStore(MemoryTokenStore(0 tokens))"


def nothing_found(name: str) -> None:
    return None


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next command is plain."""
    monkeypatch.setattr(importlib.util, "find_spec", nothing_found)
    with pytest.raises(ModuleNotFoundError, match=r"evertoken\[encryption\]"):
        EncryptedTokenStore(MemoryTokenStore(), make_key())
