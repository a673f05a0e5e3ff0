"""The token store of the command: the next run, and whatever else runs on this host, has the same token."""

from __future__ import annotations

import contextlib
import pathlib
from typing import TYPE_CHECKING, Final

from evertoken.cli.text import notice
from evertoken.errors import EvertokenError
from evertoken.store_file import FileTokenStore

if TYPE_CHECKING:
    from collections.abc import Generator

    from evertoken.store import Lease
    from evertoken.token import AccessToken

OFF: Final = "off"
"""In place of a folder: nothing is kept. A folder of that name is `./off`."""

_ADVICE: Final = "EVERTOKEN_CACHE=FOLDER names another folder, off none"


class ToldOnce:
    """A file store that tells on stderr, once, what keeps it from working; it fails as before."""

    def __init__(self, store: FileTokenStore) -> None:
        self._store = store
        self._told = False

    @property
    def longest_wait(self) -> float:
        """Seconds, as the store has it."""
        return self._store.longest_wait

    def get(self, key: str) -> AccessToken | None:
        """Return the token kept for a key."""
        with self._telling():
            return self._store.get(key)

    def put(self, key: str, token: AccessToken) -> None:
        """Keep a token."""
        with self._telling():
            self._store.put(key, token)

    def acquire(self, key: str) -> Lease | None:
        """Return the lease of a key, None while another process has it."""
        with self._telling():
            return self._store.acquire(key)

    def __repr__(self) -> str:
        return repr(self._store)

    @contextlib.contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except Exception as error:
            if not self._told:
                self._told = True
                _tell(f"{_reason(error)} ({_ADVICE})")
            raise


def open_cache(folder: str | None) -> ToldOnce | None:
    """Return the store in a folder, by default where the platform has its caches.

    None for `off`, and where it cannot be had, which is told on stderr.
    """
    if folder == OFF:
        return None
    try:
        return ToldOnce(FileTokenStore(_expanded(folder) if folder else None))
    except ModuleNotFoundError as error:
        _tell(f"{error.name} is missing; pip install 'evertoken[cli]' brings it")
    except OSError as error:
        _tell(f"{_reason(error)} ({_ADVICE})")
    except RuntimeError:
        _tell(f"this user has no home folder ({_ADVICE})")
    return None


def _expanded(folder: str) -> pathlib.Path:
    # Shells leave the ~ of --cache=~/x alone, and crontabs that of EVERTOKEN_CACHE=~/x.
    path = pathlib.Path(folder)
    with contextlib.suppress(RuntimeError):
        return path.expanduser()
    return path


def _tell(reason: str) -> None:
    notice(f"note: the token is not kept: {reason}")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    # Whatever else there is could hold anything.
    return str(error) if isinstance(error, EvertokenError) else type(error).__name__
