"""Runs a command line: errors become a line and an exit status, never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import sys
import warnings
from typing import TYPE_CHECKING, cast

import click

from evertoken.cli.commands import app
from evertoken.cli.failure import INTERRUPTED, judge
from evertoken.cli.text import notice

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(arguments: Sequence[str]) -> int:
    """Return the exit status."""
    _prepare_streams()
    _leave_out_another_program()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        status, line = _outcome(arguments)
    for warning in caught:
        # What the answer has that the spec has not; other warnings are for developers.
        if warning.category.__module__.startswith("evertoken."):
            notice(f"note: {warning.message}")
    if line:
        notice(line)
    return _flushed(status)


def _outcome(arguments: Sequence[str]) -> tuple[int, str]:
    try:
        with app.make_context("evertoken", list(arguments)) as context:
            app.invoke(context)
    except click.exceptions.Exit as error:
        return error.exit_code, ""
    except KeyboardInterrupt:
        return INTERRUPTED, ""
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None), ""
    except Exception as error:  # noqa: BLE001 - judged, and told in one line
        return judge(error)
    return 0, ""


def _leave_out_another_program() -> None:
    # httpx brings a command of its own where rich is installed, which takes a good part of the time to start.
    # Such an entry makes its import fail, as where rich is not there, for which httpx is prepared.
    cast("dict[str, object]", sys.modules).setdefault("httpx._main", None)


def _prepare_streams() -> None:
    for name in ("stdin", "stdout", "stderr"):
        # A stream that was closed at the start is None; the next socket to be opened would take its number.
        if getattr(sys, name) is None:
            null = pathlib.Path(os.devnull)
            setattr(sys, name, null.open("r" if name == "stdin" else "w", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character is no reason to fail.
            stream.reconfigure(errors="backslashreplace")


def _flushed(status: int) -> int:
    """Return the status; where all went well but the rest of the output cannot be written, that error's."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _give_up_stdout()
        if status == 0:
            status, line = judge(error)
            if line:
                notice(line)
    return status


def _give_up_stdout() -> None:
    # What could not be written would fail once more, with a traceback, when Python ends.
    with contextlib.suppress(OSError, ValueError):
        number = sys.stdout.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
