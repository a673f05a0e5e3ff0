"""A schema with only the keywords that shape the code, in one spelling.

The result of `normal` is one of these, each with a `description` where there is one:

    {}                                                     anything
    {"$ref": NAME}                                         a schema by name
    {"anyOf": [...]}, {"allOf": [...]}                     two or more members
    {"type": "object", "properties": ..., "required": ...}
    {"type": "object", "additionalProperties": SCHEMA}     free keys
    {"type": "array", "items": SCHEMA}
    {"type": "string" | "integer" | "number" | "boolean" | "null", "enum"?: ..., "format"?: "date-time"}

Everything else is left out on purpose. Published defaults are example data: an absent `client_secret` would
read as one. Limits and patterns belong to the server, which checks them, and which may change them. A
`discriminator` or `additionalProperties: false` would refuse what the API adds later. Formats but date-time
are too loose to be trusted.
"""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any, Final

from evertoken.generate.document import JsonObject, is_array, is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WIDTH: Final = 98  # of a line of text; the code around it is at most 12 columns deeper
_SCALARS = ("string", "integer", "number", "boolean")
NULL: Final[JsonObject] = {"type": "null"}


def text(description: object) -> str:
    """Return a description for a docstring: wrapped, without control characters and stray blanks.

    Lists, indented lines and quoted code keep their lines.
    """
    if not isinstance(description, str):
        return ""
    plain = "".join(c for c in description.replace("\t", "    ") if c == "\n" or c.isprintable())
    paragraphs: list[str] = []
    for paragraph in re.split(r"\n\s*\n", textwrap.dedent(plain).strip()):
        lines = [line.rstrip() for line in paragraph.split("\n")]
        keep = any(re.match(r"\s|[-*>|#]|\d+\.|```", line) for line in lines)
        whole = lines if keep else [" ".join(line.strip() for line in lines)]
        paragraphs.append("\n".join(_wrap(line) for line in whole))
    return "\n\n".join(paragraphs)


def _wrap(line: str) -> str:
    indent = re.match(r"\s*(?:[-*]|\d+\.)?\s*", line)
    hang = " " * (len(indent.group()) if indent else 0)
    return textwrap.fill(line, _WIDTH, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False)


def normal(schema: object, refer: Callable[[str], JsonObject]) -> JsonObject:
    """Return the schema in its normal form; `refer` gives the normal form of what a `$ref` names."""
    if not is_object(schema):
        return {}  # `true`; OpenAPI 3.1 allows it
    description = _marked(text(schema.get("description")), schema)
    shape = _shape(schema, refer)
    # OpenAPI 3.0's word; documents have it beside $ref and allOf too.
    if schema.get("nullable") is True:
        shape = any_of([shape, NULL])
    if description:
        shape = {**shape, "description": description}
    return shape


def _marked(description: str, schema: JsonObject) -> str:
    # Of a property's lifecycle nothing but the docstring can tell.
    marks = [
        word
        for word, marked in (
            ("Early access.", schema.get("x-release-lifecycle") == "EA"),
            ("Beta.", str(schema.get("x-release-lifecycle")).lower() == "beta"),
            ("Deprecated.", schema.get("deprecated") is True),
        )
        if marked
    ]
    return text(" ".join([description, *marks])) if marks else description


def _shape(schema: JsonObject, refer: Callable[[str], JsonObject]) -> JsonObject:
    if isinstance(schema.get("$ref"), str):
        return refer(schema["$ref"])
    types = _types(schema)
    members: list[JsonObject] = []
    for keyword in ("oneOf", "anyOf"):
        alternatives = schema.get(keyword)
        # Beside properties, alternatives only say which of them go together.
        if is_array(alternatives) and "properties" not in schema:
            members += [_alternative(member, types, refer) for member in alternatives]
    all_of = schema.get("allOf")
    if members and is_array(all_of):
        schema = {**schema, "allOf": [*all_of, {"anyOf": schema.get("oneOf", schema.get("anyOf"))}]}
    elif members:
        return any_of([*members, NULL] if "null" in types else members)
    if is_array(all_of):
        return _all_of(schema, types, refer)
    values: list[Any] | None = schema.get("enum") if is_array(schema.get("enum")) else None
    if "const" in schema:
        values = [schema["const"]]
    if values:
        return _enum(types, values, closed="const" in schema)
    return any_of([_one(name, schema, refer) for name in types])


def _alternative(member: object, types: list[str], refer: Callable[[str], JsonObject]) -> JsonObject:
    keywords = {"type", "$ref", "enum", "const", "oneOf", "anyOf", "allOf", "properties", "items"}
    if is_object(member) and not keywords & member.keys() and types:
        member = {**member, "type": types}
    return normal(member, refer)


def _all_of(schema: JsonObject, types: list[str], refer: Callable[[str], JsonObject]) -> JsonObject:
    parts = [normal(member, refer) for member in schema["allOf"]]
    if "properties" in schema:
        parts.append(_one("object", schema, refer))
    # A member with only limits says nothing here.
    parts = [part for part in parts if part.keys() - {"description"}]
    if not parts:
        return any_of([_one(name, {}, refer) for name in types])
    whole = {k: v for k, v in parts[0].items() if k != "description"} if len(parts) == 1 else {"allOf": parts}
    return any_of([whole, NULL]) if "null" in types else whole


def _types(schema: JsonObject) -> list[str]:
    declared = schema.get("type")
    types = [str(name) for name in (declared if is_array(declared) else [declared]) if name]
    if not types:
        if "properties" in schema or "additionalProperties" in schema:
            types = ["object"]
        elif "items" in schema:
            types = ["array"]
    return types


def _one(name: str, schema: JsonObject, refer: Callable[[str], JsonObject]) -> JsonObject:
    if name == "array":
        # Of the first ones `prefixItems` tells, `items` of the rest only.
        items: object = schema.get("items") if "prefixItems" not in schema else None
        return {"type": "array", "items": normal(items, refer)}
    if name == "object":
        return _object(schema, refer)
    if name == "string" and schema.get("format") == "date-time":
        return {"type": "string", "format": "date-time"}
    return {"type": name}


def _object(schema: JsonObject, refer: Callable[[str], JsonObject]) -> JsonObject:
    properties = schema.get("properties")
    if not is_object(properties) or not properties:
        values = schema.get("additionalProperties")
        return {
            "type": "object",
            "additionalProperties": normal(values, refer) if is_object(values) else {},
        }
    required: Sequence[Any] = schema.get("required", ())
    return {
        "type": "object",
        "properties": {name: normal(value, refer) for name, value in properties.items()},
        "required": [name for name in properties if name in required],
    }


def _enum(types: list[str], values: list[Any], *, closed: bool) -> JsonObject:
    # An enum grows: beside its values, any other of their type is a value too.
    members: list[JsonObject] = [{} for value in values if isinstance(value, dict | list)]
    for name in _SCALARS:
        found = list(dict.fromkeys(value for value in values if _scalar(value) == name))
        # A float cannot stand in Literal.
        if found and name != "number":
            members.append({"type": name, "enum": found})
        if (found and not closed) or (name in types and not found and name == "number"):
            members.append({"type": name})
    if None in values or "null" in types:
        members.append(NULL)
    return any_of(members)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "string" if isinstance(value, str) else "number" if isinstance(value, float) else ""


def any_of(members: Sequence[JsonObject]) -> JsonObject:
    """Return the union of schemas: nested ones flattened, each once, null last."""
    flat: list[JsonObject] = []
    for member in members:
        flat += member.get("anyOf", [member])
    seen: dict[str, JsonObject] = {}
    for member in flat:
        if not member.keys() - {"description"}:
            return {}  # one of them allows anything
        seen.setdefault(bare(member), member)
    unique = [member for member in seen.values() if member != NULL]
    if bare(NULL) in seen:
        unique.append(NULL)
    if not unique:
        return {}
    return unique[0] if len(unique) == 1 else {"anyOf": unique}


def bare(schema: JsonObject) -> str:
    """Return a text that two schemas share when they differ in descriptions only."""
    return json.dumps(undescribed(schema), sort_keys=True)


def undescribed(schema: JsonObject) -> JsonObject:
    """Return the schema without the descriptions in it; a property may be called `description`."""
    found: JsonObject = {}
    for key, value in schema.items():
        if key == "properties":
            found[key] = {name: undescribed(property_) for name, property_ in value.items()}
        elif key in {"items", "additionalProperties"}:
            found[key] = undescribed(value)
        elif key in {"anyOf", "allOf"}:
            found[key] = [undescribed(member) for member in value]
        elif key != "description":
            found[key] = value
    return found


def transform(schema: JsonObject, change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    """Return the schema with every schema in it, and then itself, replaced by what `change` gives."""
    found = dict(schema)
    if "properties" in found:
        found["properties"] = {name: transform(value, change) for name, value in found["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in found:
            found[key] = transform(found[key], change)
    for key in ("anyOf", "allOf"):
        if key in found:
            found[key] = [transform(member, change) for member in found[key]]
    return change(found)


def references(schema: JsonObject) -> list[str]:
    """Return the names that a schema refers to, in order."""
    names: list[str] = []

    def note(part: JsonObject) -> JsonObject:
        if "$ref" in part:
            names.append(part["$ref"])
        return part

    transform(schema, note)
    return names
