"""Where a client secret comes from: an environment variable, a file, a callable. Read when it is needed."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import stat
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias, cast, overload

from evertoken.errors import ArgumentError, TokenError
from evertoken.token import Secret

SecretSource: TypeAlias = str | Secret | Callable[[], str | Secret | Awaitable[str | Secret]]
"""A client secret, or a callable (async or not) that returns the one to use now."""

GivenSecret: TypeAlias = SecretSource | Sequence[SecretSource]
"""One source, or several in the order in which they are tried: the current secret, then the next."""

LARGEST_FILE: Final = 65536
"""Bytes of a secret or key file: anything larger is the wrong file."""


class Alike:
    """Equal to what is of the same class and made of equal parts."""

    __slots__ = ()

    def _parts(self) -> tuple[object, ...]:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike) and type(other) is type(self) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((type(self), self._parts()))


class EnvironmentSecret(Alike):
    """The value of an environment variable, at the time of each token request."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        problem = text_problem(name)
        if problem is not None or "=" in name:
            raise ArgumentError("name", "no name of an environment variable; give it as in os.environ")
        self._name = name

    def __call__(self) -> Secret:
        """Return the value. Raises TokenError where the variable is not set."""
        secret = Secret.wrap(os.environ.get(self._name))
        if secret is None:
            raise TokenError(f"environment variable {self._name}: not set; set it to the client secret")
        return secret

    def _parts(self) -> tuple[object, ...]:
        return (self._name,)

    def __repr__(self) -> str:
        return f"EnvironmentSecret({getattr(self, '_name', None)!r})"


class FileSecret(Alike):
    """What a file holds at the time of each token request, without the line end after it.

    For secrets that are mounted, and replaced in place or by another link. The text is UTF-8.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = check_path("path", path)

    def __call__(self) -> Secret:
        """Return the text. Raises TokenError where it cannot be read."""
        return SecretFile(self._path).read()

    def _parts(self) -> tuple[object, ...]:
        return (self._path,)

    def __repr__(self) -> str:
        return f"FileSecret({str(getattr(self, '_path', None))!r})"


@dataclasses.dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that holds a secret or a key."""

    path: pathlib.Path

    def read(self) -> Secret:
        """Return the file's text without line ends after it; raise TokenError where there is none."""
        # Read anew, whatever its date says: it is small, and asked for a few times a day. A date may
        # stand still while the content changes (a link that is swapped, a restored backup).
        found = self._read()
        if isinstance(found, Secret):
            return found
        # Files may be in the course of being replaced: worth another attempt.
        raise TokenError(f"{self.path}: {found}", transient=True)

    def _read(self) -> Secret | str:
        # Returns what is wrong: the frame that raises has never held the content.
        try:
            # A pipe without a writer would block for ever.
            if not stat.S_ISREG(self.path.stat().st_mode):
                return "no regular file; give the file that holds the secret"
            with self.path.open("rb") as file:
                content = file.read(LARGEST_FILE + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            return f"cannot be read ({reason or type(error).__name__}); check path and permissions"
        if len(content) > LARGEST_FILE:
            return f"larger than {LARGEST_FILE} bytes; give the file that holds only the secret"
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return "not UTF-8; give the file that holds the secret as text"
        return Secret(text.rstrip("\r\n")) if text.strip() else "empty"


class CallableSecret(Alike):
    """A callable whose repr is its name: that of a `functools.partial` shows its arguments."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], str | Secret | Awaitable[str | Secret]]) -> None:
        self._function = function

    def __call__(self) -> str | Secret | Awaitable[str | Secret]:
        """Return what the callable returns."""
        return self._function()

    def _parts(self) -> tuple[object, ...]:
        return (self._function,)

    def __repr__(self) -> str:
        return f"callable {getattr(self._function, '__qualname__', type(self._function).__qualname__)}"


@overload
def hide(given: None) -> None: ...


@overload
def hide(given: GivenSecret) -> GivenSecret: ...


def hide(given: GivenSecret | None) -> GivenSecret | None:
    """Return the same in wrappers, so that no traceback's locals show a secret.

    For the first line of whatever takes a secret. Judges nothing, raises nothing.
    """
    if given is None:
        return None
    if isinstance(given, list | tuple):
        return [_hidden(source) for source in cast("Sequence[object]", given)]
    return _hidden(given)


def _hidden(source: object) -> Secret | EnvironmentSecret | FileSecret | CallableSecret:
    if isinstance(source, Secret | EnvironmentSecret | FileSecret | CallableSecret):
        return source
    if callable(source):
        return CallableSecret(cast("Callable[[], str]", source))
    return Secret.wrap(source) or Secret("")


def text_problem(value: object) -> str | None:
    """Return why a text cannot be sent as an identifier or secret, None where it can."""
    if not isinstance(value, str) or not value:
        return "empty or no string; give the application's value from Auth0"
    if value != value.strip() or not value.isprintable():
        return "begins or ends with white space, or holds control characters; was it read with its line end?"
    return None


def check_path(argument: str, path: object) -> pathlib.Path:
    """Return an absolute path; raise ArgumentError where it is none. Links are not resolved."""
    text = cast("object", os.fspath(cast("str", path))) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise ArgumentError(argument, "empty or no path; give a str or pathlib.Path")
    # The program may change its working directory before the file is read.
    return pathlib.Path(text).absolute()
