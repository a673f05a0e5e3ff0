"""Another program in place of this one, with a token in its environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from evertoken.cli.text import notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType
    from typing import NoReturn

NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
"""What shells report for a program that they find and cannot run, and for one that they do not find."""

WITHHELD: Final = frozenset({"AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET"})
"""What a program that has a token does not need. Auth0's Terraform provider may refuse an id beside it."""

# Windows has an exec of its own, which returns to the shell before the program has ended.
REPLACES: Final = os.name == "posix"

_IGNORED_BY_PYTHON: Final = ("SIGPIPE", "SIGXFSZ")


def environment_with(token: str, domain: str) -> dict[str, str]:
    """Return this process's environment with a token and its tenant, without credentials."""
    kept = {name: value for name, value in os.environ.items() if name not in WITHHELD}
    return {**kept, "AUTH0_DOMAIN": domain, "AUTH0_API_TOKEN": token}


def hand_over(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program with this process's standard streams, and return its exit status.

    On POSIX it takes this process over (signals, terminal and status are its own), and the only return is
    NOT_FOUND or NOT_EXECUTABLE, told on stderr.
    """
    name = command[0]
    try:
        if not name:
            raise FileNotFoundError  # noqa: TRY301 - as for any other name that is none
        return _replace(command, environment) if REPLACES else _run(command, environment)
    except (FileNotFoundError, NotADirectoryError):
        notice(f"{name or repr(name)}: command not found; check its name and PATH")
        return NOT_FOUND
    except OSError as error:
        notice(f"{name}: cannot be run ({error.strerror or type(error).__name__})")
        return NOT_EXECUTABLE


def _replace(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    numbers = [getattr(signal, name) for name in _IGNORED_BY_PYTHON if hasattr(signal, name)]
    # What is ignored stays ignored in the program, which would not end with the reader of its output.
    ignored = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    try:
        os.execvpe(command[0], list(command), environment)  # noqa: S606 - no shell is wanted
    finally:
        for number, handler in ignored.items():
            signal.signal(number, handler)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    # Beside .exe files Windows starts what PATHEXT names, such as npm.cmd, by its whole name only.
    found = shutil.which(command[0], path=environment.get("PATH"))
    if found is None:
        raise FileNotFoundError
    # Not SIG_IGN, which the program would inherit.
    handler = signal.signal(signal.SIGINT, _let_the_program_decide)
    try:
        return subprocess.run([found, *command[1:]], env=environment, check=False).returncode  # noqa: S603 - the user's own
    finally:
        signal.signal(signal.SIGINT, handler)


def _let_the_program_decide(number: int, frame: FrameType | None) -> None:
    """Do nothing: a terminal sends Ctrl-C to the program, too."""
