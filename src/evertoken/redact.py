"""What may be quoted of an answer."""

from __future__ import annotations

import contextlib
import html
import json
import re
import urllib.parse
from typing import TYPE_CHECKING, Final

from evertoken.errors import ResponseView
from evertoken.secret_names import MASK, is_secret, may_be_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EXCERPT_LENGTH: Final = 200
"""Characters: enough to recognise a proxy's error page."""

_FIELD: Final = re.compile(r'\\?"([\w.-]{1,64})\\?"\s*:\s*')
_VALUE: Final = re.compile(r'\\?"(?:[^"\\]|\\.)*"?|\[[^]]*]?|\{[^}]*}?')
"""A field of JSON, in a text of JSON too, and its value, if it is no number: its end may be cut off."""

_SUSPECT: Final = re.compile(r"secret|token|password|key|assertion", re.IGNORECASE)

_SECRET: Final = re.compile(
    r"""
      (?P<form>\b[a-z_]*(?:secret|token|password|assertion)=)[^&\s"]+                                 # form
    | (?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}                                                 # header
    | \beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?                                                                # JWT
    | \b[A-Za-z0-9_+/-]{40,}={0,2}                                                   # an opaque token or key
    """,
    re.VERBOSE | re.IGNORECASE,
)


_SHOWN_HEADERS: Final = frozenset(
    {
        "cf-ray",
        "content-length",
        "content-type",
        "date",
        "retry-after",
        "server",
        "via",
        "x-auth0-requestid",
        "x-correlation-id",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-request-id",
    }
)
"""Headers that tell who answered and when to come back; others may hold anything."""


def excerpt(body: bytes | str) -> str:
    """Return the beginning of an answer, on one line, without what looks like a secret."""
    # The window is wider than the excerpt so that a secret which straddles the end is still recognised.
    text = body[: 20 * EXCERPT_LENGTH]
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    text = _SECRET.sub(_mask, _mask_fields(text))
    return text if len(text) <= EXCERPT_LENGTH else text[: EXCERPT_LENGTH - 1] + "…"


def view(status_code: int, headers: Mapping[str, str], body: bytes, token: str) -> ResponseView:
    """Return what an error shows of a response to a request that carried a token."""
    shown = {
        # An id may be as long as a key, and is to be found: only the token itself is masked.
        name.lower(): (value.replace(token, "***") if token else value)[:EXCERPT_LENGTH]
        for name, value in headers.items()
        if name.lower() in _SHOWN_HEADERS
    }
    return ResponseView(status_code=status_code, headers=shown, body=excerpt(body))


def without(body: bytes, secrets: Iterable[str]) -> bytes:
    """Return a body without these secrets, whichever way it spells them."""
    with contextlib.suppress(ValueError, RecursionError):
        # JSON may escape any character: in one spelling they are found.
        body = json.dumps(json.loads(body), ensure_ascii=False).encode()
    for secret in sorted(set(secrets) - {""}, key=len, reverse=True):
        spelled = (
            secret,
            urllib.parse.quote_plus(secret),
            json.dumps(secret, ensure_ascii=False)[1:-1],
            html.escape(secret),
        )
        for form in spelled:
            body = body.replace(form.encode(), b"***")
    return body


def _mask_fields(text: str) -> str:
    parts: list[str] = []
    end = 0
    for field in _FIELD.finditer(text):
        value = _VALUE.match(text, field.end())
        if value is not None and field.start() >= end and _is_suspect(field[1]):
            parts += text[end : field.end()], MASK
            end = value.end()
    return "".join((*parts, text[end:]))


def _is_suspect(name: str) -> bool:
    return bool(_SUSPECT.search(name)) or is_secret(name) or may_be_secret(name)


def _mask(match: re.Match[str]) -> str:
    kept = next((group for group in match.groups() if group), "")
    return f"{kept}{MASK}"
