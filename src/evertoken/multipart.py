"""A form with files as a request's body (RFC 7578)."""

from __future__ import annotations

import io
import json
import mimetypes
import pathlib
import secrets
from typing import TYPE_CHECKING, Final, cast

from evertoken.errors import ArgumentError
from evertoken.operation import UNSET
from evertoken.options import check_headers
from evertoken.wire import to_wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.operation import Multipart

_NO_FILE: Final = "is no file; give bytes, text, a file opened with 'rb', or a tuple of name and content"
_FILE_NAME: Final = "upload"
_MEDIA_TYPE: Final = "application/octet-stream"

_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
"""What a quoted name cannot hold, as WHATWG HTML, 4.10.21.8 writes it."""


def encode(form: Multipart) -> tuple[bytes, dict[str, str]]:
    """Return what is sent, and the header that tells of it.

    Raises ArgumentError for a file that cannot be read, or is no file.
    """
    # Raised here: the frames below hold what is in the files.
    boundary = secrets.token_hex(16)
    written = _write(form, boundary)
    if isinstance(written, ArgumentError):
        raise written
    return written, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def _write(form: Multipart, boundary: str) -> bytes | ArgumentError:
    body = bytearray()
    # Fields first: a server may look at them before it takes a file.
    for name, value in sorted(form.fields.items(), key=lambda field: field[0] in form.files):
        if value is UNSET or (value is None and name not in form.files):
            continue
        try:
            head, content = _file(name, value) if name in form.files else ({}, _text(name, value).encode())
            disposition = f'form-data; name="{name.translate(_ESCAPES)}"{head.pop("", "")}'
            lines = [f"--{boundary}", f"Content-Disposition: {disposition}"]
            lines += [f"{header}: {text}" for header, text in head.items()]
            body += "\r\n".join([*lines, "", ""]).encode() + content + b"\r\n"
        except ArgumentError as error:
            return error.replica()
        except UnicodeEncodeError:
            return ArgumentError(name, "holds a lone surrogate, which UTF-8 cannot carry; remove it")
    return bytes(body) + f"--{boundary}--\r\n".encode()


def _text(name: str, value: object) -> str:
    wire = to_wire(value, name)
    return wire if isinstance(wire, str) else json.dumps(wire)


def _file(name: str, file: object) -> tuple[dict[str, str], bytes]:
    """Return the headers of a file, its name under the empty one, and its content."""
    given, content, media_type, more = _parts(name, file)
    headers = check_headers(name, more)
    if given is not None:
        headers[""] = f'; filename="{given.translate(_ESCAPES)}"'
        media_type = media_type or mimetypes.guess_type(given)[0] or _MEDIA_TYPE
    if media_type is not None and "content-type" not in map(str.lower, headers):
        headers |= check_headers(name, {"Content-Type": media_type})
    return headers, _content(name, content)


def _parts(name: str, file: object) -> tuple[str | None, object, str | None, object]:
    if not isinstance(file, tuple):
        named = getattr(file, "name", None)
        return pathlib.Path(named).name if isinstance(named, str) else _FILE_NAME, file, None, {}
    parts = cast("tuple[object, ...]", file)
    if not 2 <= len(parts) <= 4:
        raise ArgumentError(name, _NO_FILE)
    given, content, media_type, more = (*parts, None, None)[:4]
    if not isinstance(given, str | None):
        raise ArgumentError(name, "its name is no str; give one, or None for a part without a name")
    if not isinstance(media_type, str | None):
        raise ArgumentError(name, "its media type is no str; give one such as 'application/json'")
    return given, content, media_type, {} if more is None else cast("Mapping[str, str]", more)


def _content(name: str, content: object) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes):
        return content
    if isinstance(content, io.TextIOBase):
        raise ArgumentError(name, "is a file opened for text; open it with 'rb'")
    if not callable(getattr(content, "read", None)):
        raise ArgumentError(name, _NO_FILE)
    data = _read(cast("io.BufferedIOBase", content))
    if isinstance(data, bytes):
        return data
    raise ArgumentError(name, f"cannot be read ({data}); give bytes, or a file opened with 'rb'")


def _read(file: io.BufferedIOBase) -> bytes | str:
    """Return all of a file, from its beginning where it has one, or the reason why not."""
    try:
        if getattr(file, "seekable", bool)():
            file.seek(0)
        data = cast("object", file.read())
    except OSError as error:
        return error.strerror or type(error).__name__
    except ValueError as error:
        return type(error).__name__  # such as a file that is closed
    return data if isinstance(data, bytes) else f"{type(data).__name__} in place of bytes"
