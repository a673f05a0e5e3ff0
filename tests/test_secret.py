"""Where a client secret comes from: what is read, when, and what is said where it cannot be."""

from __future__ import annotations

import errno
import os
import pickle
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertoken.errors import ArgumentError, TokenError
from evertoken.secret import LARGEST_FILE, EnvironmentSecret, FileSecret, hide, text_problem
from evertoken.token import Secret
from support import SECRET, locals_of

if TYPE_CHECKING:
    import pathlib

    from evertoken.secret import GivenSecret


def test_environment_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of now, not that of the time the source was made."""
    source = EnvironmentSecret("ROTATED")
    monkeypatch.setenv("ROTATED", "first")
    assert source() == Secret("first")
    monkeypatch.setenv("ROTATED", "second")
    assert source() == Secret("second")


def test_environment_variable_that_is_not_set_is_named() -> None:
    """A variable that is missing will not come by itself: the error is not transient."""
    with pytest.raises(TokenError, match="environment variable NOT_SET_AT_ALL: not set") as caught:
        EnvironmentSecret("NOT_SET_AT_ALL")()
    assert not caught.value.transient


@pytest.mark.parametrize("name", ["", " A", "A=B", "A\n", 7, None])
def test_name_that_no_variable_has_is_refused(name: object) -> None:
    """At construction, by the argument's name."""
    with pytest.raises(ArgumentError, match="name:"):
        EnvironmentSecret(name)  # type: ignore[arg-type]  # what an untyped caller may pass


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_file_is_read_without_the_line_end_after_it(tmp_path: pathlib.Path, end: str) -> None:
    """Editors and `echo` add one."""
    path = tmp_path / "secret"
    path.write_bytes((SECRET + end).encode())
    assert FileSecret(path)() == Secret(SECRET)
    assert FileSecret(str(path))() == Secret(SECRET)


def test_byte_order_mark_is_no_part_of_a_secret(tmp_path: pathlib.Path) -> None:
    """Some editors write one."""
    path = tmp_path / "secret"
    path.write_text(SECRET, "utf-8-sig")
    assert FileSecret(path)() == Secret(SECRET)


def test_file_replaced_atomically_is_read_anew(tmp_path: pathlib.Path) -> None:
    """As deployment tools do: a new file under the old name."""
    path = tmp_path / "secret"
    path.write_text("first")
    source = FileSecret(path)
    assert source() == Secret("first")
    (tmp_path / "next").write_text("second")
    (tmp_path / "next").replace(path)
    assert source() == Secret("second")


def test_file_of_the_same_size_and_date_is_read_anew(tmp_path: pathlib.Path) -> None:
    """Written in place, with the date set back: neither size, inode nor date tell."""
    path = tmp_path / "secret"
    path.write_text("first!")
    source = FileSecret(path)
    before = path.stat()
    assert source() == Secret("first!")
    path.write_text("second")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_ino == before.st_ino
    assert source() == Secret("second")


def test_swapped_link_is_noticed(tmp_path: pathlib.Path) -> None:
    """Kubernetes mounts a secret through a link to a folder, and swaps that link."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret").write_text(f"secret-{name}")
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "secret").symlink_to("data/secret")
    source = FileSecret(tmp_path / "secret")
    assert source() == Secret("secret-one")
    (tmp_path / "data_tmp").symlink_to("two")
    (tmp_path / "data_tmp").replace(tmp_path / "data")
    assert source() == Secret("secret-two")


def test_relative_path_stays_what_it_meant(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that changes its folder goes on with the same file."""
    (tmp_path / "secret").write_text(SECRET)
    monkeypatch.chdir(tmp_path)
    source = FileSecret("secret")
    monkeypatch.chdir("/")
    assert source() == Secret(SECRET)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read"),
        (b"", "empty"),
        (b"\n", "empty"),
        (b" \t\n", "empty"),
        (b"caf\xe9-" + SECRET.encode(), "not UTF-8"),
        (SECRET.encode() * (LARGEST_FILE // len(SECRET) + 1), "larger than"),
    ],
)
def test_file_without_a_secret_is_named_but_not_quoted(
    tmp_path: pathlib.Path, content: bytes | None, problem: str
) -> None:
    """It may be in the course of being replaced, so the error is transient."""
    path = tmp_path / "mounted"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TokenError, match=problem) as caught:
        FileSecret(path)()
    assert str(path) in str(caught.value)
    assert caught.value.transient
    assert SECRET not in locals_of(caught.value)
    assert caught.value.__context__ is None


def test_pipe_and_folder_are_refused_at_once(tmp_path: pathlib.Path) -> None:
    """Opening a pipe that nobody writes to would block for ever."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(TokenError, match="no regular file"):
            FileSecret(path)()


@pytest.mark.parametrize("path", ["", None, 3, b"/etc/secret", "a\0b"])
def test_what_is_no_path_is_refused(path: object) -> None:
    """At construction, by the argument's name."""
    with pytest.raises(ArgumentError, match="path:"):
        FileSecret(path)  # type: ignore[arg-type]  # what an untyped caller may pass


def test_sources_show_where_but_not_what(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their repr names the place; pickled, they carry the place to another process."""
    monkeypatch.setenv("A_SECRET", SECRET)
    (tmp_path / "secret").write_text(SECRET)
    for source in (EnvironmentSecret("A_SECRET"), FileSecret(tmp_path / "secret")):
        assert source() == Secret(SECRET)
        assert SECRET not in repr(source)
        pickled = pickle.dumps(source)
        assert SECRET.encode() not in pickled
        assert pickle.loads(pickled)() == Secret(SECRET)  # noqa: S301 - pickled above
    assert repr(EnvironmentSecret("A_SECRET")) == "EnvironmentSecret('A_SECRET')"
    assert repr(FileSecret("/run/secret")) == "FileSecret('/run/secret')"


def test_unreadable_file_tells_why(tmp_path: pathlib.Path) -> None:
    """The system's own words."""
    path = tmp_path / "secret"
    path.symlink_to(path)
    with pytest.raises(TokenError, match=re.escape(os.strerror(errno.ELOOP))):
        FileSecret(path)()


@pytest.mark.parametrize(
    "given_secret", [SECRET, Secret(SECRET), [SECRET], (SECRET, Secret("other")), [print, SECRET]]
)
def test_hidden_secrets_are_shown_nowhere(given_secret: GivenSecret) -> None:
    """Whatever form they are given in."""
    assert SECRET not in repr(hide(given_secret))


@pytest.mark.parametrize("bad", [7, b"secret", [1, b"2", None], {"a": "b"}, object()])
def test_hiding_judges_nothing(bad: object) -> None:
    """It stands in the first line of constructors, before anything may raise."""
    hide(bad)  # type: ignore[call-overload]  # what an untyped caller may pass


@given(st.text())
def test_texts_that_can_be_sent_have_no_line_end(text: str) -> None:
    """What passes is encodable, has no control character, and nothing around it."""
    if text_problem(text) is None:
        assert text == text.strip()
        assert text.splitlines() == [text]
        text.encode()
