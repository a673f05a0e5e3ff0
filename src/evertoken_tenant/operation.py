"""An operation of the Management API: where it is found, who may call it, what it takes."""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import TYPE_CHECKING, cast

from evertoken_tenant.call import MAX_BODY, Answer, Call, Json, Row, load
from evertoken_tenant.query import Parameters, Query, parse_query
from evertoken_tenant.refusal import refuse
from evertoken_tenant.schema import MismatchError, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.tokens import Grant


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A call that was found good: what its operation works with."""

    path: Mapping[str, str]
    query: Query
    body: Row = dataclasses.field(repr=False)
    scopes: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """`scopes` (separated by blanks): the token needs any one of them. `path` is below /api/v2."""

    method: str
    path: str
    scopes: str
    carry_out: Callable[[Asked], Answer]
    query: Parameters = dataclasses.field(default_factory=dict[str, Schema])
    body: Schema | None = None

    def answer(self, call: Call, path: Mapping[str, str], grant: Grant) -> Answer:
        """Check scopes, query and body, in this order, and carry the operation out."""
        if not grant.scopes & set(self.scopes.split()):
            wanted = ",".join(self.scopes.split())
            raise refuse(403, f"Insufficient scope, expected any of: {wanted}", "insufficient_scope")
        if len(call.body) > MAX_BODY:
            raise refuse(413, f"Payload content length greater than maximum allowed: {MAX_BODY}")
        query = parse_query(call.query, self.query)
        body = {} if self.body is None else _parse_body(call, self.body)
        return self.carry_out(Asked(path, query, body, grant.scopes))


def _parse_body(call: Call, schema: Schema) -> Row:
    media = call.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media == "application/x-www-form-urlencoded":
        form = urllib.parse.parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True)
        body: Json = dict(form)
    elif media == "application/json":
        body = _parse_json(call.body)
    else:
        raise refuse(415, f"Unsupported Media Type: {media}")
    try:
        schema(body)
    except MismatchError as mismatch:
        raise refuse(400, mismatch.sentence("Payload"), "invalid_body") from None
    return cast("Row", body)


def _parse_json(raw: bytes) -> Json:
    if not raw:
        return {}
    try:
        return load(raw)
    except (ValueError, RecursionError):
        raise refuse(400, "Invalid request payload JSON format", "invalid_body") from None
