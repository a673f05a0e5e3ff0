"""Makes a row an answer that its schema describes: what is not described goes, what is missing is made up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from evertoken_tenant.described import follow, items, row
from evertoken_tenant.judge import is_valid, matches
from evertoken_tenant.schema import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evertoken_tenant.call import Json, Row

_DEEPEST: Final = 12  # schemas may hold themselves
_MOMENT: Final = "2026-01-01T00:00:00.000Z"
_TEXTS: Final = {
    "date-time": _MOMENT,
    "date": "2026-01-01",
    "email": "somebody@tenant.example",
    "uri": "https://tenant.example/",
    "url": "https://tenant.example/",
    "strict-https-uri": "https://tenant.example/",
    "absolute-https-uri-or-empty": "https://tenant.example/",
    "absolute-uri-or-empty": "https://tenant.example/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "cidr": "192.0.2.0/24",
    "ipv6_cidr": "2001:db8::/32",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "hostname": "tenant.example",
    "html-color": "#000000",
}
# Tried in this order where a pattern has to be met.
_TRIED: Final = (
    "text", "1", "#000000", "https://tenant.example/", "tenant.example", "+15550100", "aws", "A" * 32,
    "0" * 32, "000000000000", "US", "a", _TEXTS["uuid"], "us-east-1", "MG" + "0" * 32, "AC" + "0" * 32,
)  # fmt: skip
_PREFIXED: Final = re.compile(r"\^?\(?([A-Za-z]+_)\[[^\]]*\](?:\{(\d+)|\+)")


def fit(schema: Row, value: Json) -> Json:
    """Return the value as the schema has it; only what does not fit is replaced."""
    return _fit(schema, value, 0)


def made_up(schema: Row) -> Json:
    """Return the least value that a schema allows, always the same."""
    return _make(schema, 0)


def names(schema: Row) -> frozenset[str]:
    """Return the properties that an object of a schema, or of any of its alternatives, may have."""
    return frozenset(_names(schema, 0))


def _names(schema: Row, depth: int) -> Iterator[str]:
    whole = _flat(schema)
    yield from row(whole.get("properties"))
    for branch in _branches(whole) if depth < _DEEPEST else ():
        yield from _names(branch, depth + 1)


def _flat(schema: Json) -> Row:
    """Return a schema with the parts of its `allOf` in it."""
    whole = follow(schema)
    parts = [_flat(part) for part in items(whole.get("allOf"))]
    if not parts:
        return whole
    flat: Row = {name: value for name, value in whole.items() if name != "allOf"}
    for part in parts:
        flat = {
            **part,
            **flat,
            "properties": {**row(part.get("properties")), **row(flat.get("properties"))},
            "required": [*items(part.get("required")), *items(flat.get("required"))],
        }
    if not flat["properties"]:
        del flat["properties"]
    return flat


def _branches(schema: Row) -> Sequence[Row]:
    return [row(one) for name in ("oneOf", "anyOf") for one in items(schema.get(name))]


def _fit(schema: Row, value: Json, depth: int) -> Json:
    whole = _flat(schema)
    branches = _branches(whole)
    if branches and not (isinstance(value, dict) and "properties" in whole):
        return _fit(_closest(branches, value), value, depth + 1)
    wanted = _types(whole)
    if isinstance(value, dict) and (not wanted or "object" in wanted):
        return _object(whole, value, depth)
    if isinstance(value, list) and (not wanted or "array" in wanted):
        schema_of_item = row(whole.get("items"))
        return [_fit(schema_of_item, item, depth + 1) for item in value]
    return value if is_valid(whole, value) else _make(whole, depth)


def _closest(branches: Sequence[Row], value: Json) -> Row:
    """Return the first branch that fits; else the one of the same type and tags with most of its names."""

    def distance(branch: Row) -> tuple[int, int]:
        flat = _flat(branch)
        if not isinstance(value, dict):
            return (0 if kind_of(value) in _types(flat) else 1, 0)
        properties = row(flat.get("properties"))
        tags = sum(
            1
            for name, item in value.items()
            if name in properties and _is_tag(properties[name]) and not is_valid(row(properties[name]), item)
        )
        wrong = 0 if not _types(flat) or "object" in _types(flat) else 100
        return (wrong + tags, -len(properties.keys() & value.keys()))

    return next((one for one in branches if is_valid(one, value)), None) or min(branches, key=distance)


def _is_tag(schema: Json) -> bool:
    whole = _flat(schema)
    return "const" in whole or "enum" in whole


def _object(schema: Row, value: Row, depth: int) -> Row:
    properties = row(schema.get("properties"))
    more = schema.get("additionalProperties", True)
    found: Row = {}
    for name, item in value.items():
        if name in properties:
            found[name] = _fit(row(properties[name]), item, depth + 1)
        elif isinstance(more, dict):
            found[name] = _fit(more, item, depth + 1)
        elif more is not False:
            found[name] = item
    for name in map(str, items(schema.get("required"))):
        # A name that is required and not allowed can only be left out.
        if name not in found and (name in properties or more is not False):
            found[name] = _make(row(properties.get(name)), depth + 1)
    most = schema.get("maxProperties")
    if isinstance(most, int):
        found = dict(list(found.items())[:most])
    least = schema.get("minProperties", 0)
    for name in [*properties, "text"]:
        if isinstance(least, int) and len(found) < least and name not in found:
            found[name] = _make(row(properties.get(name, more)), depth + 1)
    return found


def _make(schema: Row, depth: int) -> Json:
    whole = _flat(schema)
    if "const" in whole:
        return whole["const"]
    if items(whole.get("enum")):
        return items(whole["enum"])[0]
    branches = _branches(whole)
    if branches and "properties" not in whole:
        return _make(next((one for one in branches if "null" in _types(_flat(one))), branches[0]), depth + 1)
    types = _types(whole)
    return None if "null" in types or not types else _of_type(types[0], whole, depth)


def _of_type(kind: str, schema: Row, depth: int) -> Json:
    made: Json
    match kind:
        case "object":
            made = _object(schema, {}, depth + 1) if depth < _DEEPEST else {}
        case "array":
            least = schema.get("minItems", 0)
            count = least if isinstance(least, int) else 0
            made = [_make(row(schema.get("items")), depth + 1) for _ in range(count)]
        case "boolean":
            made = False
        case "string":
            made = _text(schema)
        case _:
            made = schema.get("minimum", 0)
    return made


def _types(schema: Row) -> list[str]:
    kinds = schema.get("type")
    if kinds is None and "properties" in schema:
        return ["object"]
    found = [str(one) for one in items(kinds)] if isinstance(kinds, list) else [str(kinds)] if kinds else []
    return [*found, *(["integer"] if "number" in found else [])]


def _text(schema: Row) -> str:
    form = str(schema.get("format", ""))
    least, most = schema.get("minLength", 0), schema.get("maxLength", 1 << 20)
    least, most = (least if isinstance(least, int) else 0), (most if isinstance(most, int) else 1 << 20)
    if form in _TEXTS:
        return _TEXTS[form]
    pattern = schema.get("pattern")
    if not isinstance(pattern, str):
        return "text".ljust(least, "x")[:most]
    prefixed = _PREFIXED.match(pattern)
    if prefixed:
        return prefixed[1] + "A" * int(prefixed[2] or 16)
    for tried in _TRIED:
        text = tried.ljust(least, tried[-1])
        if len(text) <= most and matches(pattern, text):
            return text
    return "text".ljust(least, "x")[:most]
