"""Reads a call by the documents: route, path, query and body."""

from __future__ import annotations

import email.parser
import email.policy
import functools
import urllib.parse
from typing import TYPE_CHECKING, Final

import evertoken_spec
from evertoken_tenant.call import MAX_BODY, load
from evertoken_tenant.described import items
from evertoken_tenant.judge import check
from evertoken_tenant.query import Query
from evertoken_tenant.refusal import RefusedError, refuse
from evertoken_tenant.schema import MismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken_spec import Entry
    from evertoken_tenant.call import Call, Json, Row
    from evertoken_tenant.described import Described, Parameter

_JSON: Final = "application/json"
_MULTIPART: Final = "multipart/form-data"


def route(method: str, path: str) -> tuple[Entry, dict[str, str]]:
    """Return the operation and the values of its path. Raises RefusedError: 404, or 405 with Allow."""
    segments = [urllib.parse.unquote(segment) for segment in path.removeprefix("/").split("/")]
    allowed: dict[str, tuple[Entry, dict[str, str]]] = {}
    for own, entry in _routes().get(len(segments), ()):
        values = _values(own, segments)
        if values is not None:
            # The first one counts: a fixed path stands before one with a parameter in its place.
            allowed.setdefault(entry.method, (entry, values))
    if not allowed:
        raise refuse(404, "Not Found")
    if method not in allowed:
        raise refuse(405, "Method Not Allowed", headers={"allow": ", ".join(sorted(allowed))})
    return allowed[method]


@functools.cache
def _routes() -> Mapping[int, tuple[tuple[tuple[str, ...], Entry], ...]]:
    routes: dict[int, list[tuple[tuple[str, ...], Entry]]] = {}
    for entry in evertoken_spec.index():
        own = tuple(entry.path.strip("/").split("/"))
        routes.setdefault(len(own), []).append((own, entry))
    return {count: tuple(some) for count, some in routes.items()}


def _values(own: tuple[str, ...], given: list[str]) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for mine, segment in zip(own, given, strict=True):
        if mine.startswith("{") and segment:
            values[mine[1:-1]] = segment
        elif mine != segment:
            return None
    return values


def check_path(described: Described, values: Mapping[str, str]) -> None:
    """Raise RefusedError: 400 for a value that the path's parameter cannot have."""
    for parameter in described.parameters:
        if parameter.inside == "path":
            _check(parameter.schema, values[parameter.name], parameter.name, "Path", "invalid_uri")


def read_query(described: Described, text: str) -> Query:
    """Return the values of the query string. Raises RefusedError: 400, invalid_query_string."""
    known = {parameter.name: parameter for parameter in described.parameters if parameter.inside == "query"}
    values: dict[str, Json] = {}
    for name, raw in urllib.parse.parse_qsl(text, keep_blank_values=True):
        if name not in known:
            raise _bad(
                "Query",
                MismatchError(f"Additional properties not allowed: {name}", ""),
                "invalid_query_string",
            )
        values[name] = _value(known[name], raw, values.get(name))
    for name, parameter in known.items():
        if name in values:
            _check(parameter.schema, values[name], name, "Query", "invalid_query_string")
        elif parameter.required:
            raise _bad(
                "Query", MismatchError(f"Missing required property: {name}", ""), "invalid_query_string"
            )
    return Query(values)


def _value(parameter: Parameter, raw: str, earlier: Json) -> Json:
    kind = parameter.schema.get("type")
    if kind == "array":
        return [*items(earlier), raw]
    if earlier is not None:
        problem = MismatchError("Expected one value but found several", parameter.name)
        raise _bad("Query", problem, "invalid_query_string")
    # What cannot be converted stays a string, and the check then tells so.
    if kind == "integer" and raw.removeprefix("-").isdecimal() and len(raw) < 20 and raw.isascii():
        return int(raw)
    if kind == "boolean":
        return {"true": True, "false": False}.get(raw, raw)
    return raw


def read_body(described: Described, call: Call) -> Json:
    """Return the body. Raises RefusedError: 400 invalid_body, 413, 415."""
    if len(call.body) > MAX_BODY:
        raise refuse(413, f"Payload content length greater than maximum allowed: {MAX_BODY}")
    if described.body is None:
        return None
    media = call.headers.get("content-type", described.media).partition(";")[0].strip().lower()
    if media != described.media:
        raise refuse(415, f"Unsupported Media Type: {media}")
    body = _multipart(call) if media == _MULTIPART else _json(call.body)
    _check(described.body, body, "", "Payload", "invalid_body")
    return body


def _json(raw: bytes) -> Json:
    if not raw:
        return {}
    try:
        return load(raw)
    except (ValueError, RecursionError):
        raise refuse(400, "Invalid request payload JSON format", "invalid_body") from None


def _multipart(call: Call) -> Row:
    """Return the parts by name, as text; flags are true or false."""
    head = f"content-type: {call.headers.get('content-type', '')}\r\n\r\n"
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head.encode() + call.body)
    if not message.is_multipart():
        raise refuse(400, "Invalid multipart payload format", "invalid_body")
    found: Row = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        text = content.decode(errors="replace") if isinstance(content, bytes) else ""
        name = str(part.get_param("name", "", header="content-disposition"))
        found[name] = {"true": True, "false": False}.get(text, text)
    return found


def _check(schema: Row, value: Json, name: str, kind: str, code: str) -> None:
    try:
        check(schema, value)
    except MismatchError as mismatch:
        place = f"{name}{mismatch.place}" if name else mismatch.place
        raise _bad(kind, MismatchError(mismatch.problem, place), code) from None


def _bad(kind: str, mismatch: MismatchError, code: str) -> RefusedError:
    return refuse(400, mismatch.sentence(kind), code)


def scope_refusal(entry: Entry) -> RefusedError:
    """Return the refusal of a token that has none of the operation's scopes."""
    wanted = ",".join(entry.scopes)
    return refuse(403, f"Insufficient scope, expected any of: {wanted}", "insufficient_scope")
