"""From an error to an exit status and one line."""

from __future__ import annotations

import traceback
from typing import Final

import click

from evertoken.errors import ArgumentError, EvertokenError

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
READER_GONE: Final = 141
"""What a shell reports for a program that SIGPIPE ended."""

_SILENT: Final[dict[type[Exception], int]] = {click.Abort: INTERRUPTED, BrokenPipeError: READER_GONE}
_TOLD: Final[dict[type[Exception], int]] = {ArgumentError: USAGE, EvertokenError: FAILED, OSError: FAILED}


def judge(error: Exception) -> tuple[int, str]:
    """Return the exit status for an error, and the line to show, empty where there is nothing to say."""
    for kind, status in _SILENT.items():
        if isinstance(error, kind):
            return status, ""
    for kind, status in _TOLD.items():
        if isinstance(error, kind):
            return status, str(error)
    if isinstance(error, click.ClickException):
        return error.exit_code, f"{error.format_message().rstrip('.')}{_advice(error)}"
    # Its text could hold anything; a mistake of ours is found by its place.
    return FAILED, f"internal error: {type(error).__name__} at {_place(error)}; please report it"


def _advice(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"; see {context.command_path} --help" if context else ""


def _place(error: Exception) -> str:
    """Return the line that raised it."""
    places = [
        f"{frame.f_globals.get('__name__')}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return places[-1] if places else "an unknown place"
