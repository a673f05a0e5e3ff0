"""Values that schemas of the API's documents allow, and the judge of values by them.

Written apart from the local tenant, which has its own way of doing both: a mistake there must not agree with
itself here.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from typing_extensions import TypeIs

import evertoken_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

Json: TypeAlias = dict[str, Any]

# By name: they have no types of their own, and those published beside them leave much open.
jsonschema: Any = importlib.import_module("jsonschema")
extend: Any = importlib.import_module("jsonschema.validators").extend
referencing: Any = importlib.import_module("referencing")
draft: Any = importlib.import_module("referencing.jsonschema").DRAFT202012

_BY_FORMAT = {
    "date-time": "2027-03-04T05:06:07Z",
    "date": "2027-03-04",
    "email": "sample@example.org",
    "email-or-empty": "sample@example.org",
    "ipv4": "198.51.100.7",
    "ipv6": "2001:db8::7",
    "cidr": "198.51.100.0/24",
    "ipv6_cidr": "2001:db8:7::/48",
    "uuid": "7f9c24e8-3b12-4fef-91e0-56a2d5c0b7aa",
    "hostname": "sample.example.org",
    "html-color": "#112233",
}
_TRIED = (
    "sample", "sample-1", "s", "7", "#112233", "https://sample.example.org/x", "sample.example.org",
    "+15550177", "ab" * 16, "cd" * 20, "123456789012", "DE", "MG" + "ab" * 16, "AC" + "ab" * 16, "us-east-1",
    "7f9c24e8-3b12-4fef-91e0-56a2d5c0b7aa", "client.metadata.x", "user.user_metadata.x", "simplified/1.0",
    "aamva", "A" * 86 + "==", "abc",
)  # fmt: skip


def is_object(value: object) -> TypeIs[Json]:
    """Tell whether a value is a JSON object."""
    return isinstance(value, dict)


def operation(entry: evertoken_spec.Entry) -> Json:
    """Return an operation as its document has it, with absolute references."""
    document = evertoken_spec.document(entry.document)
    found: Json = absolute(document["paths"][entry.path][entry.method.lower()], entry.document)
    return found


def absolute(node: Any, name: str) -> Any:
    """Return a part of a document in which every reference names its document."""
    if isinstance(node, list):
        return [absolute(item, name) for item in node]  # pyright: ignore[reportUnknownVariableType]  # items of JSON
    if not is_object(node):
        return node
    found: Json = {key: absolute(value, name) for key, value in node.items()}
    if isinstance(found.get("$ref"), str) and found["$ref"].startswith("#"):
        found["$ref"] = name + found["$ref"]
    return found


def resolve(schema: Json) -> Json:
    """Return what a schema says, whatever it refers to; the parts of `allOf` are one schema."""
    while isinstance(schema.get("$ref"), str):
        name, _, pointer = schema["$ref"].partition("#")
        found: Any = evertoken_spec.document(name)
        for step in pointer.split("/")[1:]:
            found = found[step.replace("~1", "/").replace("~0", "~")]
        schema = {**absolute(found, name), **{key: value for key, value in schema.items() if key != "$ref"}}
    for part in schema.get("allOf", ()):
        other = resolve(part)
        properties = {**other.get("properties", {}), **schema.get("properties", {})}
        required = [*other.get("required", ()), *schema.get("required", ())]
        schema = {**other, **schema, "properties": properties, "required": required}
        schema = {
            key: value for key, value in schema.items() if value or key not in ("properties", "required")
        }
    return schema


def sample(schema: Json, *, whole: bool = False, depth: int = 0) -> Any:
    """Return a value that a schema allows: the least, or the whole of it."""
    schema = resolve(schema)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][-1 if whole else 0]
    branches: list[Json] = schema.get("oneOf") or schema.get("anyOf") or []
    if branches and "properties" not in schema:
        return sample(branches[0], whole=whole, depth=depth + 1)
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = next(one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null")
    if kind == "object":
        return _object(schema, whole=whole, depth=depth)
    if kind == "array":
        count = max(schema.get("minItems", 0), int(whole and depth < 6))
        return [sample(schema.get("items", {}), whole=whole, depth=depth + 1) for _ in range(count)]
    plain: Json = {"boolean": True, "integer": schema.get("minimum", 1), "number": schema.get("minimum", 1)}
    return plain[kind] if kind in plain else _text(schema)


def _object(schema: Json, *, whole: bool, depth: int) -> Json:
    properties: Json = schema.get("properties", {})
    required: list[str] = schema.get("required", [])
    every = [*required, *(name for name in properties if name not in required)]
    wanted = every[: schema.get("maxProperties")] if whole and depth < 6 else required
    found = {
        name: sample(properties[name], whole=whole, depth=depth + 1) for name in wanted if name in properties
    }
    for name in properties:
        if len(found) < schema.get("minProperties", 0) and name not in found:
            found[name] = sample(properties[name], depth=depth + 1)
    if len(found) < schema.get("minProperties", 0):
        more = schema.get("additionalProperties", True)
        found["sample"] = sample(more) if is_object(more) else "sample"
    return found


def _text(schema: Json) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 1_000)
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    if any(word in schema.get("format", "") for word in ("url", "uri")):
        return "https://sample.example.org/x"
    pattern = schema.get("pattern")
    if pattern is None:
        return "sample".ljust(least, "x")[:most]
    prefixed = re.match(r"\^?([a-z]+_)\[[^]]+\](?:\{(\d+)|\+)", pattern)
    if prefixed:
        return prefixed[1] + "B" * int(prefixed[2] or 22)
    for tried in _TRIED:
        text = tried.ljust(least, tried[-1])
        if len(text) <= most and re.search(python(pattern), text):
            return text
    raise AssertionError(f"no text is known that matches {pattern}")


def python(pattern: str) -> str:
    """Return a published pattern as Python reads it."""
    # Within brackets JavaScript takes a hyphen after a class for itself; one repetition has a blank too many.
    return pattern.replace(r"[\w-", r"[\w\-").replace("{8, 20}", "{8,20}")


def _any_of(validator: Any, branches: Any, value: Any, schema: Any) -> Iterator[Any]:
    # Alternatives of the published document overlap: an empty array is one of things and of others.
    yield from jsonschema.Draft202012Validator.VALIDATORS["anyOf"](validator, branches, value, schema)


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    if isinstance(value, str) and not re.search(python(pattern), value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


def _retrieve(uri: str) -> Any:
    return draft.create_resource(absolute(evertoken_spec.document(uri), uri))


_REGISTRY: Any = referencing.Registry(retrieve=_retrieve)
_VALIDATOR: Any = extend(jsonschema.Draft202012Validator, {"oneOf": _any_of, "pattern": _pattern})


def problems(schema: Json, value: Any) -> list[str]:
    """Return what is wrong with a value, by its schema."""
    return [
        f"{'.'.join(str(step) for step in error.absolute_path)}: {error.message[:300]}"
        for error in _VALIDATOR(schema, registry=_REGISTRY).iter_errors(value)
    ]
