"""Query parameters, checked against what an operation knows."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from evertoken_tenant.refusal import refuse
from evertoken_tenant.schema import Flag, Many, MismatchError, Schema, Whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evertoken_tenant.call import Json

Parameters: TypeAlias = Mapping[str, Schema]


class Query:
    """The values of a query string, of the types that the operation gives them."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = values

    def items(self) -> Iterable[tuple[str, Json]]:
        """Return all that was given."""
        return self._values.items()

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
            schema = _known(name, parameters)
            values[name] = _with(values.get(name), raw, name, schema)
            schema(values[name], name)
    except MismatchError as mismatch:
        raise refuse(400, mismatch.sentence("Query"), "invalid_query_string") from None
    return Query(values)


def _known(name: str, parameters: Parameters) -> Schema:
    if name not in parameters:
        raise MismatchError(f"Additional properties not allowed: {name}", "")
    return parameters[name]


def _with(earlier: Json, raw: str, name: str, schema: Schema) -> Json:
    if isinstance(schema, Many):
        return [*(earlier if isinstance(earlier, list) else []), raw]
    if earlier is not None:
        raise MismatchError("Expected one value but found several", name)
    return _convert(raw, schema)


def _convert(raw: str, schema: Schema) -> Json:
    # What cannot be converted stays a string, and the check then tells so.
    if isinstance(schema, Whole) and raw.removeprefix("-").isdecimal() and len(raw) < 20 and raw.isascii():
        return int(raw)
    if isinstance(schema, Flag):
        return {"true": True, "false": False}.get(raw, raw)
    return raw
