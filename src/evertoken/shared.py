"""One token source for all clients of a process that would ask for the same token with the same proof."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final, TypeAlias

from evertoken.fork import Guard
from evertoken.renewal import TokenSource

if TYPE_CHECKING:
    from evertoken.clock import Clock
    from evertoken.grant import Grant
    from evertoken.store import TokenStore

_Key: TypeAlias = "tuple[str, Grant, int, Clock]"

_sources: weakref.WeakValueDictionary[_Key, TokenSource] = weakref.WeakValueDictionary()
_guard: Final = Guard()


def shared_source(
    *, name: str, key: str, grant: Grant, store: TokenStore | None, clock: Clock
) -> TokenSource:
    """Return the source that others with the same arguments have, for as long as one of them lives.

    `key` tells what the token is for (`store_key`). The grant counts too: whoever has another secret, were
    it a wrong one, gets no token that somebody else's secret has brought. A grant that is equal to no other
    is shared with whoever has the same object; one that has no hash is not shared.
    """
    if not _has_hash(grant):
        return TokenSource(name, store=store, clock=clock)
    # The source holds its store, so that its id is no other's meanwhile.
    identity = (key, grant, id(store), clock)
    with _guard.lock:
        source = _sources.get(identity)
        if source is None:
            source = _sources[identity] = TokenSource(name, store=store, clock=clock)
        return source


def forget_tokens() -> None:
    """Let clients that are made from now on share no token with those that were made before.

    For tests that mock the network: a client of an earlier test, which some traceback keeps alive, would
    share its token with the next one. Clients that are there keep theirs.
    """
    with _guard.lock:
        _sources.clear()


def _has_hash(grant: object) -> bool:
    try:
        hash(grant)
    except TypeError:
        return False
    return True
