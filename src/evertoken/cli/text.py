"""What may be written to a terminal. Texts of the API are shown, not obeyed."""

from __future__ import annotations

import contextlib
import json
import sys


def printable(text: str) -> str:
    r"""Return a text on one line in which nothing steers a terminal: such characters become `\x1b`."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def to_json(value: object, *, indent: int | None = 2) -> str:
    r"""Return a JSON document, in which whatever is not printable is written as `\uXXXX`.

    In lines, or in one where `indent` is None.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=not _stdout_is_unicode())
    # Within a document only strings hold such characters, but for the line ends between them.
    return "\n".join(
        "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
        if not line.isprintable()
        else line
        for line in text.split("\n")
    )


def notice(text: str) -> None:
    """Write one line to stderr."""
    # Nothing can be told to whoever closed it.
    with contextlib.suppress(OSError):
        sys.stderr.write(f"evertoken: {printable(text)}\n")
        sys.stderr.flush()


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _stdout_is_unicode() -> bool:
    encoding: str | None = getattr(sys.stdout, "encoding", None)
    return (encoding or "").lower().replace("-", "").startswith("utf")
