"""Tokens in a folder of the user, for all programs on one host."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import os
import pathlib
import stat
import sys
from typing import TYPE_CHECKING, Final

from evertoken.clock import SYSTEM_CLOCK, Clock
from evertoken.store import LONGEST_FORM, StoreError, dumps, loads, replaces

if TYPE_CHECKING:
    from collections.abc import Generator

    from filelock import BaseFileLock

    from evertoken.store import Lease
    from evertoken.token import AccessToken

_log = logging.getLogger("evertoken.token")

LONGEST_WAIT: Final = 10.0
"""Seconds. Locks of the operating system end with their process: only a stopped one holds it that long."""

_WRITE_WAIT: Final = 1.0
"""Seconds that `put` waits for another `put`, which takes milliseconds unless its process is stopped."""

# Windows has neither; what they guard against needs rights there that ordinary accounts lack.
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)


class FileTokenStore:
    """Keeps tokens in files that only this user can read; needs the extra `file`.

    `path` is a folder of its own, by default `evertoken` where the platform has its caches
    (`~/.cache/evertoken` on Linux). It is made with the first token; one that other users may enter, or
    that belongs to another user, is refused: StoreError. One process at a time holds the lease of a key.

    `get` returns None for whatever it cannot read. `put` and `acquire` raise OSError if they cannot write.
    """

    longest_wait: float = LONGEST_WAIT

    def __init__(self, path: str | os.PathLike[str] | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        _require_extra()
        self._folder = _default_folder() if path is None else pathlib.Path(path).absolute()
        self._clock = clock
        self._warned = False

    def get(self, key: str) -> AccessToken | None:
        """Return the token kept for a key if it is good now."""
        try:
            found = self._folder.lstat()
        except OSError:
            return None
        self._check(found)
        return self._read(key)

    def put(self, key: str, token: AccessToken) -> None:
        """Keep a token, unless the one that is there was issued later."""
        self._make_folder()
        with self._writing(key):
            if not replaces(token, self._read(key), self._clock.wall()):
                return
            # What is written stands in no frame that an exception could keep.
            failure = _write(self._file(key, "tmp"), self._file(key, "json"), dumps(key, token))
        if failure:
            raise OSError(failure, os.strerror(failure), str(self._folder))

    def acquire(self, key: str) -> Lease | None:
        """Return the lease of a key, None while another process or thread has it."""
        self._make_folder()
        lock = self._lock(key, "lock")
        return _FileLease(lock) if _try(lock, 0) else None

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self._folder)!r})"

    def _file(self, key: str, suffix: str) -> pathlib.Path:
        # A key may hold anything, a file name may not.
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.{suffix}"

    def _read(self, key: str) -> AccessToken | None:
        data = _read(self._file(key, "json"))
        return None if data is None else loads(key, data, self._clock.wall())

    @contextlib.contextmanager
    def _writing(self, key: str) -> Generator[None]:
        # Not the lease's file: who renews alone because the holder is stopped has a token to keep, too.
        lock = self._lock(key, "write.lock")
        # A process that was stopped within `put` would shut out all others: after a while go on without.
        held = _try(lock, _WRITE_WAIT)
        try:
            yield
        finally:
            if held:
                lock.release()

    def _lock(self, key: str, suffix: str) -> BaseFileLock:
        from filelock import FileLock  # noqa: PLC0415 - an extra

        path = self._file(key, suffix)
        # Nobody locks through a symlink; one that was put here would make every renewal fail.
        with contextlib.suppress(OSError):
            if path.is_symlink():
                path.unlink()
        # Never deleted: who opened it before would lock a file that nobody else finds.
        return FileLock(path, mode=0o600, thread_local=False)

    def _make_folder(self) -> None:
        missing = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(0o700)
                # The umask may have taken the owner's rights.
                folder.chmod(0o700)
        self._check(self._folder.lstat())

    def _check(self, found: os.stat_result) -> None:
        problem = _problem(found)
        if problem is None:
            return
        if not self._warned:
            self._warned = True
            _log.warning("tokens are not kept in %s: %s", self._folder, problem)
        raise StoreError(f"{self._folder}: {problem}")


class _FileLease:
    def __init__(self, lock: BaseFileLock) -> None:
        self._lock = lock
        self._process = os.getpid()

    def release(self) -> None:
        # A child of fork shares its parent's open file, and would unlock it for the parent.
        if os.getpid() != self._process:
            return
        try:
            self._lock.release()
        except Exception as error:  # noqa: BLE001 - it ends with the process at the latest
            _log.debug("the lease was not released (%s)", type(error).__name__)

    def __repr__(self) -> str:
        return f"<lease {'held' if self._lock.is_locked else 'released'}>"


def _require_extra() -> None:
    for library in ("filelock", "platformdirs"):
        if importlib.util.find_spec(library) is None:
            raise ModuleNotFoundError(
                "FileTokenStore needs the extra file: pip install 'evertoken[file]'", name=library
            )


def _default_folder() -> pathlib.Path:
    import platformdirs  # noqa: PLC0415 - an extra

    try:
        folder = platformdirs.user_cache_path("evertoken", appauthor=False)
    except RuntimeError:
        folder = pathlib.Path()
    # Some versions return a path from the working directory where there is no home.
    if not folder.is_absolute():
        raise StoreError("this user has no home folder; give FileTokenStore a folder")
    return folder


def _problem(found: os.stat_result) -> str | None:
    """Return why tokens may not be kept in a folder, None if they may."""
    if not stat.S_ISDIR(found.st_mode):
        return "it is no folder (a symbolic link is not followed); name another one"
    if sys.platform == "win32":
        return None
    if found.st_uid != os.geteuid():
        return "it belongs to another user; name a folder of your own"
    if found.st_mode & 0o077:
        return f"other users may enter it (mode {stat.S_IMODE(found.st_mode):04o}); chmod 0700 it"
    return None


def _try(lock: BaseFileLock, seconds: float) -> bool:
    """Take a lock if that takes no longer than so many seconds, and tell whether it was taken."""
    from filelock import Timeout  # noqa: PLC0415 - an extra

    try:
        lock.acquire(timeout=seconds, poll_interval=0.01)
    except Timeout:
        return False
    except NotImplementedError:
        raise StoreError(f"{lock.lock_file}: this file system has no locks; name another folder") from None
    return True


def _read(path: pathlib.Path) -> bytes | None:
    try:
        # A pipe that was put here would otherwise wait for a writer.
        file = os.open(path, os.O_RDONLY | _NO_FOLLOW | _NO_WAIT)
    except OSError:
        return None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LONGEST_FORM:
            return None
        if sys.platform != "win32" and found.st_uid != os.geteuid():
            return None
        return os.read(file, LONGEST_FORM)
    except OSError:
        return None
    finally:
        os.close(file)


def _write(new: pathlib.Path, path: pathlib.Path, data: bytes) -> int:
    """Put data in place of a file, whole or not at all; return 0, or the number of the error."""
    try:
        # Left by a process that was killed, or put there as a link.
        new.unlink(missing_ok=True)
        # fdopen writes all of it, and never through a link: the name is new.
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            new.chmod(0o600)
            file.write(data)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        return error.errno or -1
    return 0
