"""Texts of the command line that stand for more: JSON, and files."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Final, NoReturn, cast

STDIN: Final = "-"


def read(source: str) -> tuple[bytes, str]:
    """Return what is in a file, or on stdin for `-`, and why it cannot be read, empty where it can."""
    if source == STDIN:
        return sys.stdin.buffer.read(), ""
    try:
        return pathlib.Path(source).read_bytes(), ""
    except OSError as error:
        return b"", f"{source}: {error.strerror or type(error).__name__}"


def parse(text: str | bytes) -> tuple[object, str]:
    """Return a JSON value, and what is wrong with its text, empty where nothing is.

    That never quotes: the text may hold a secret.
    """
    try:
        return cast("object", json.loads(text, parse_constant=_refuse)), ""
    except json.JSONDecodeError as error:
        return None, f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError:
        return None, "is not UTF-8"
    except (ValueError, RecursionError):
        return None, "holds what JSON cannot carry (NaN, infinity, or very deep or long values)"


def kind(value: object) -> str:
    """Return what JSON calls a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
