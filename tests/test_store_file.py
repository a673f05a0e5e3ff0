"""Tokens in files: a real file system, real processes, and what may lie in the folder."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from typing import TYPE_CHECKING

import filelock
import pytest

from evertoken import AccessToken
from evertoken.store import LeasingTokenStore, StoreError, dumps
from evertoken.store_file import FileTokenStore
from evertoken.testing import check_token_store
from support import locals_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from support import FakeTime

TOKEN = "not-a-secret"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "tokens"


@pytest.fixture
def store(folder: pathlib.Path, time: FakeTime) -> FileTokenStore:
    return FileTokenStore(folder, clock=time.clock())


def issue(time: FakeTime, value: str = TOKEN, age: float = 0) -> AccessToken:
    return AccessToken(value, issued_at=time.wall - age, expires_at=time.wall + 3600)


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def token_file(folder: pathlib.Path) -> pathlib.Path:
    (found,) = folder.glob("*.json")
    return found


@contextlib.contextmanager
def umask(mask: int) -> Generator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def ordinary_user() -> Generator[pathlib.Path]:
    """Yield a folder of a user whom permissions stop, as they do not stop root."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="evertoken-"))
    root = os.geteuid() == 0
    try:
        if root:
            os.chown(home, 65534, 65534)
            os.seteuid(65534)
        yield home
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(home)


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that has a store in its first argument, and talks in lines."""
    begin = "import os, sys, time\nfrom evertoken.store_file import *\nstore = FileTokenStore(sys.argv[1])\n"
    return subprocess.Popen(
        [sys.executable, "-c", begin + textwrap.dedent(program), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextlib.contextmanager
def lease_holder(folder: pathlib.Path) -> Generator[subprocess.Popen[str]]:
    """Run a process that has the lease until it is told a line."""
    with run("lease = store.acquire('key'); print(lease, flush=True); input()", folder) as process:
        try:
            assert line_of(process) == "<lease held>"
            yield process
        finally:
            process.kill()


def test_it_keeps_the_rules(folder: pathlib.Path) -> None:
    """Each instance is another program on the host."""
    check_token_store(lambda: FileTokenStore(folder))
    assert isinstance(FileTokenStore(folder), LeasingTokenStore)


@pytest.mark.skipif(sys.platform != "linux", reason="the XDG convention is that of Linux")
def test_the_default_folder_is_the_platforms_cache(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, time: FakeTime
) -> None:
    """XDG_CACHE_HOME on Linux; nothing is made before there is a token."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = FileTokenStore(clock=time.clock())
    assert store.get("key") is None
    assert not (tmp_path / "cache").exists()
    store.put("key", issue(time))
    assert token_file(tmp_path / "cache" / "evertoken").exists()
    assert repr(store) == f"FileTokenStore({str(tmp_path / 'cache' / 'evertoken')!r})"


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
def test_only_this_user_can_read_it(tmp_path: pathlib.Path, time: FakeTime, mask: int) -> None:
    """Files 0600 in a folder 0700, its new parents 0700 too, whatever the umask."""
    folder = tmp_path / "new" / "tokens"
    with umask(mask):
        store = FileTokenStore(folder, clock=time.clock())
        lease = store.acquire("key")
        store.put("key", issue(time, age=1))
        store.put("key", issue(time))
        assert lease is not None
        lease.release()
    assert store.get("key") == issue(time)
    assert mode(folder) == mode(folder.parent) == 0o700
    files = list(folder.iterdir())
    assert sorted({path.name.partition(".")[2] for path in files}) == ["json", "lock", "write.lock"]
    assert {mode(path) for path in files} == {0o600}


@pytest.mark.parametrize("wide", [0o701, 0o710, 0o750, 0o777, 0o1777])
def test_a_folder_that_others_may_enter_is_refused(
    folder: pathlib.Path, store: FileTokenStore, time: FakeTime, wide: int, caplog: pytest.LogCaptureFixture
) -> None:
    """With one warning, and nothing is written; it is used as soon as it was put right."""
    folder.mkdir()
    folder.chmod(wide)
    caplog.set_level(logging.WARNING, "evertoken.token")
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"mode {wide:04o}\); chmod 0700 it"):
            store.put("key", issue(time))
        with pytest.raises(StoreError, match="other users may enter"):
            store.get("key")
        with pytest.raises(StoreError, match="other users may enter"):
            store.acquire("key")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert not list(folder.iterdir())
    folder.chmod(0o700)
    store.put("key", issue(time))
    assert store.get("key") == issue(time)


def test_a_folder_or_file_of_another_user_is_refused(
    folder: pathlib.Path, store: FileTokenStore, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under sudo, or where somebody prepared it."""
    store.put("key", issue(time))
    other = os.geteuid() + 1
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: other)
        with pytest.raises(StoreError, match="belongs to another user"):
            store.get("key")
        with pytest.raises(StoreError, match="belongs to another user"):
            store.put("key", issue(time))
    if os.geteuid() == 0:
        os.chown(token_file(folder), 65534, 65534)
        assert store.get("key") is None


def test_a_folder_that_is_a_link_or_a_file_is_refused(
    tmp_path: pathlib.Path, folder: pathlib.Path, store: FileTokenStore, time: FakeTime
) -> None:
    """Whoever may plant a link would choose where tokens go; a dangling one too."""
    target = tmp_path / "target"
    folder.symlink_to(target)
    with pytest.raises(StoreError, match="no folder"):
        store.put("key", issue(time))
    target.mkdir(0o700)
    with pytest.raises(StoreError, match="no folder"):
        store.put("key", issue(time))
    folder.unlink()
    folder.touch(0o600)
    with pytest.raises(StoreError, match="no folder"):
        store.get("key")
    assert not list(target.iterdir())


@pytest.mark.parametrize("suffix", ["json", "tmp", "lock", "write.lock"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_planted_link_is_never_followed(
    folder: pathlib.Path, store: FileTokenStore, time: FakeTime, suffix: str, *, exists: bool
) -> None:
    """It is no token and is replaced, whichever file's name it has; what it points to stays."""
    folder.mkdir(0o700)
    target = folder.parent / "target"
    written = dumps("key", issue(time, "planted"))
    if exists:
        target.write_bytes(written)
    link = store._file("key", suffix)
    link.symlink_to(target)
    assert store.get("key") is None
    lease = store.acquire("key")
    store.put("key", issue(time))
    assert lease is not None
    lease.release()
    assert store.get("key") == issue(time)
    assert not link.is_symlink()
    assert target.read_bytes() == written if exists else not target.exists()


@pytest.mark.parametrize("kind", ["empty", "half", "garbage", "foreign", "expired", "future", "long", "pipe"])
def test_what_is_no_token_is_replaced(
    folder: pathlib.Path, store: FileTokenStore, time: FakeTime, kind: str
) -> None:
    """Whatever lies in the token's place: nothing is found, and the next token is kept."""
    folder.mkdir(0o700)
    whole = dumps("key", issue(time, age=-30))
    path = store._file("key", "json")
    if kind == "pipe":
        os.mkfifo(path)
    else:
        content = {
            "empty": b"",
            "half": whole[: len(whole) // 2],
            "garbage": os.urandom(500),
            "foreign": dumps("other", issue(time)),
            "expired": dumps("key", AccessToken(TOKEN, time.wall - 10, time.wall)),
            "future": dumps("key", issue(time, age=-3600)),
            "long": whole + b" " * 300_000,
        }[kind]
        path.write_bytes(content)
    assert store.get("key") is None
    store.put("key", issue(time))
    assert store.get("key") == issue(time)
    assert stat.S_ISREG(path.lstat().st_mode)


def test_a_temporary_file_left_by_a_crash_is_replaced(
    folder: pathlib.Path, store: FileTokenStore, time: FakeTime
) -> None:
    """Left wide open, for example."""
    folder.mkdir(0o700)
    left = store._file("key", "tmp")
    left.touch()
    left.chmod(0o644)
    store.put("key", issue(time))
    assert not left.exists()
    assert mode(token_file(folder)) == 0o600


def test_a_read_only_folder_is_read(time: FakeTime) -> None:
    """Tokens are found; keeping one and the lease raise OSError, and leave no trace."""
    with ordinary_user() as home:
        folder = home / "tokens"
        FileTokenStore(folder, clock=time.clock()).put("key", issue(time, age=1))
        folder.chmod(0o500)
        store = FileTokenStore(folder, clock=time.clock())
        assert store.get("key") == issue(time, age=1)
        with pytest.raises(PermissionError):
            store.acquire("key")
        with pytest.raises(PermissionError):
            store.put("key", issue(time))
        assert store.get("key") == issue(time, age=1)
        folder.chmod(0o700)
        token_file(folder).chmod(0)
        assert store.get("key") is None
        (home / "closed").mkdir(0o500)
        closed = FileTokenStore(home / "closed" / "tokens", clock=time.clock())
        assert closed.get("key") is None
        with pytest.raises(PermissionError):
            closed.put("key", issue(time))


def test_a_folder_that_cannot_be_is_a_miss(tmp_path: pathlib.Path, time: FakeTime) -> None:
    """Below a file there is no folder."""
    (tmp_path / "file").touch()
    store = FileTokenStore(tmp_path / "file" / "tokens", clock=time.clock())
    assert store.get("key") is None
    with pytest.raises(OSError, match="Not a directory"):
        store.put("key", issue(time))


def test_a_full_disk_keeps_the_old_token_and_shows_none(
    folder: pathlib.Path, store: FileTokenStore, time: FakeTime
) -> None:
    """OSError without the token in any frame; nothing half-written is left."""
    store.put("key", issue(time, age=1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel's answer to a write beyond the limit is an error, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
    try:
        with pytest.raises(OSError, match=r"\[Errno 27\]") as caught:
            store.put("key", issue(time, "never-shown"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "never-shown" not in locals_of(caught.value)
    assert store.get("key") == issue(time, age=1)
    assert not list(folder.glob("*.tmp"))


def test_a_folder_in_the_tokens_place_fails_the_store(store: FileTokenStore, time: FakeTime) -> None:
    """Nobody's folder is removed."""
    store.put("other", issue(time))
    store._file("key", "json").mkdir()
    assert store.get("key") is None
    with pytest.raises(OSError, match=r"directory"):
        store.put("key", issue(time))


def test_the_file_holds_the_token_and_when_it_ends(
    folder: pathlib.Path, store: FileTokenStore, time: FakeTime
) -> None:
    """Compact JSON with a version; no more is in it."""
    store.put("key", issue(time))
    content = token_file(folder).read_text()
    assert json.loads(content) == {
        "v": 1,
        "key": "key",
        "value": TOKEN,
        "issued_at": time.wall,
        "expires_at": time.wall + 3600,
        "scope": None,
    }
    assert " " not in content


def test_a_lease_is_that_of_one_process(folder: pathlib.Path) -> None:
    """Another process is told that it is taken, and gets it when it was released."""
    with lease_holder(folder) as holder:
        assert FileTokenStore(folder).acquire("key") is None
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        holder.wait(10)
        assert FileTokenStore(folder).acquire("key") is not None


def test_a_lease_ends_with_its_killed_holder(folder: pathlib.Path) -> None:
    """The operating system gives it back at once."""
    with lease_holder(folder) as holder:
        holder.kill()
        holder.wait(10)
        assert FileTokenStore(folder).acquire("key") is not None


def test_one_who_renews_alone_beside_a_stopped_holder_keeps_the_token(
    folder: pathlib.Path, store: FileTokenStore, time: FakeTime
) -> None:
    """The lease stays taken, and neither get nor put needs it."""
    with lease_holder(folder) as holder:
        holder.send_signal(signal.SIGSTOP)
        assert store.acquire("key") is None
        store.put("key", issue(time))
        assert store.get("key") == issue(time)


def test_one_who_was_stopped_while_writing_shuts_nobody_out(
    store: FileTokenStore, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the others write without the lock."""
    monkeypatch.setattr("evertoken.store_file._WRITE_WAIT", 0.05)
    store.put("other", issue(time))
    stopped = store._lock("key", "write.lock")
    with stopped:
        store.put("key", issue(time))
        assert stopped.is_locked
    assert store.get("key") == issue(time)


def test_a_lease_that_was_dropped_is_free(store: FileTokenStore) -> None:
    """Whoever was cancelled before it could release leaves no lock behind."""
    lease = store.acquire("key")
    assert store.acquire("key") is None
    assert repr(lease) == "<lease held>"
    del lease
    again = store.acquire("key")
    assert again is not None
    again.release()
    assert repr(again) == "<lease released>"


def test_a_child_does_not_release_the_lease_of_its_parent(folder: pathlib.Path) -> None:
    """After fork both have the object; the parent renews."""
    program = """
        lease = store.acquire("key")
        child = os.fork()
        if not child:
            lease.release()
            os._exit(0)
        os.waitpid(child, 0)
        print(FileTokenStore(sys.argv[1]).acquire("key"), flush=True)
        lease.release()
        print(FileTokenStore(sys.argv[1]).acquire("key"), flush=True)
    """
    with run(program, folder) as process:
        assert [line_of(process), line_of(process)] == ["None", "<lease held>"]


def test_a_lease_that_cannot_be_released_raises_nothing(
    store: FileTokenStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Releasing is the end of a renewal that succeeded."""
    lease = store.acquire("key")
    assert lease is not None

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("gone")

    with monkeypatch.context() as patch, caplog.at_level(logging.DEBUG, "evertoken.token"):
        patch.setattr(filelock.FileLock, "release", refuse)
        lease.release()
    assert "not released (OSError)" in caplog.text
    lease.release()


def test_many_processes_write_and_the_newest_stays(folder: pathlib.Path) -> None:
    """Readers meanwhile see whole tokens; in the end the one issued last is there."""
    program = """
        from evertoken import AccessToken
        me, base = int(sys.argv[2]), float(sys.argv[3])
        print("ready", flush=True)
        input()
        for turn in range(20):
            age = (turn * 7 + me * 5) % 40
            token = AccessToken(f"token-{age}-" + "x" * 1000, base - age, base + 3600)
            store.put("key", token)
            found = store.get("key")
            assert found and found.issued_at >= token.issued_at, found
    """
    import time  # noqa: PLC0415 - the fixture of this name is another

    base = time.time()
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(run(program, folder, me, base)) for me in range(4)]
        for writer in writers:
            assert line_of(writer) == "ready"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
        assert [writer.wait(30) for writer in writers] == [0] * 4
    found = FileTokenStore(folder).get("key")
    assert found is not None
    assert found.issued_at == base
    assert not list(folder.glob("*.tmp"))


def test_a_file_system_without_locks_fails_the_store(
    store: FileTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a sentence that says what to do."""

    def refuse(*arguments: object, **options: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(StoreError, match="no locks; name another folder"):
        store.acquire("key")


@pytest.mark.parametrize("library", ["filelock", "platformdirs"])
def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """So that the next command is plain."""

    def find(name: str) -> object:
        return None if name == library else object()

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(ModuleNotFoundError, match=r"evertoken\[file\]"):
        FileTokenStore()


@pytest.mark.parametrize("home", [RuntimeError("no home"), pathlib.Path("~/.cache/evertoken")], ids=str)
def test_a_user_without_a_home_is_told_to_name_a_folder(
    monkeypatch: pytest.MonkeyPatch, home: RuntimeError | pathlib.Path
) -> None:
    """A folder below the working directory would share tokens by accident."""

    def user_cache_path(name: str, *, appauthor: bool) -> pathlib.Path:
        if isinstance(home, RuntimeError):
            raise home
        return home

    monkeypatch.setattr("platformdirs.user_cache_path", user_cache_path)
    with pytest.raises(StoreError, match="give FileTokenStore a folder"):
        FileTokenStore()
