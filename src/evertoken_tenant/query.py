"""Query parameters, checked against what an operation knows."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import TypeAlias

from evertoken_tenant.call import Json
from evertoken_tenant.refusal import refuse
from evertoken_tenant.schema import Flag, Many, MismatchError, Schema, Whole

Parameters: TypeAlias = Mapping[str, Schema]


class Query:
    """The values of a query string, of the types that the operation gives them."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        """Return a string, empty where it was not given."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def whole(self, name: str, default: int) -> int:
        """Return an integer."""
        value = self._values.get(name)
        return value if isinstance(value, int) else default

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self._values.get(name)
        return value if isinstance(value, bool) else default

    def texts(self, name: str) -> list[str]:
        """Return the strings of a parameter that may be repeated."""
        value = self._values.get(name)
        return [str(item) for item in value] if isinstance(value, list) else []

    def but(self, *names: str) -> str:
        """Return all values but those of some parameters, as one comparable text."""
        return repr(sorted((name, value) for name, value in self._values.items() if name not in names))


def parse_query(text: str, parameters: Parameters) -> Query:
    """Return the values of a query string. Raises RefusedError: 400, invalid_query_string."""
    values: dict[str, Json] = {}
    try:
        for name, raw in urllib.parse.parse_qsl(text, keep_blank_values=True):
            schema = parameters.get(name)
            if schema is None:
                raise MismatchError(f"Additional properties not allowed: {name}", "")
            if isinstance(schema, Many):
                earlier = values.get(name)
                values[name] = [*(earlier if isinstance(earlier, list) else []), raw]
            elif name in values:
                raise MismatchError("Expected one value but found several", name)
            else:
                values[name] = _convert(raw, schema)
            schema.check(values[name], name)
    except MismatchError as mismatch:
        raise refuse(400, mismatch.sentence("Query"), "invalid_query_string") from None
    return Query(values)


def _convert(raw: str, schema: Schema) -> Json:
    # What cannot be converted stays a string, and the check then tells so.
    if isinstance(schema, Whole) and raw.removeprefix("-").isdecimal() and len(raw) < 20 and raw.isascii():
        return int(raw)
    if isinstance(schema, Flag):
        return {"true": True, "false": False}.get(raw, raw)
    return raw
