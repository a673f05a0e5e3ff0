"""A form with files as a request's body (RFC 7578)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import httpx

from evertoken.errors import ArgumentError
from evertoken.operation import UNSET
from evertoken.wire import to_wire

if TYPE_CHECKING:
    from evertoken.operation import File, Multipart


def encode(form: Multipart) -> tuple[bytes, dict[str, str]]:
    """Return what is sent, and the header that tells of it.

    Raises ArgumentError for a file that cannot be read, or is no file.
    """
    given = {name: value for name, value in form.fields.items() if value is not UNSET and value is not None}
    files = {name: cast("File", value) for name, value in given.items() if name in form.files}
    fields = {name: _text(value) for name, value in given.items() if name not in form.files}
    for name, file in files.items():
        _check(name, file)
    # httpx writes the form; the address is never used.
    request = httpx.Request("POST", "https://form.invalid", data=fields, files=files)
    try:
        return request.read(), {"Content-Type": request.headers["Content-Type"]}
    except (OSError, ValueError, TypeError) as error:
        problem = f"{type(error).__name__}: {error}"
    advice = "give bytes, or a file opened with 'rb'"
    raise ArgumentError(", ".join(files), f"cannot be read ({problem}); {advice}")


def _text(value: object) -> str:
    wire = to_wire(value)
    return wire if isinstance(wire, str) else json.dumps(wire)


def _check(name: str, file: object) -> None:
    if isinstance(file, tuple):
        parts = cast("tuple[object, ...]", file)
        content = parts[1] if 2 <= len(parts) <= 4 else None
    else:
        content = file
    if not isinstance(content, bytes | str) and not hasattr(content, "read"):
        raise ArgumentError(
            name, "is no file; give bytes, text, a file opened with 'rb', or a tuple of name and content"
        )
