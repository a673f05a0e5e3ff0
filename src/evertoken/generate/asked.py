"""Parameters of the path and the query, as the arguments that they become."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from evertoken.generate.document import is_object
from evertoken.generate.normal import NULL, text
from evertoken.generate.operations import Parameter
from evertoken.generate.problem import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import TypeIs

    from evertoken.generate.document import JsonObject
    from evertoken.generate.library import Library
    from evertoken.generate.notes import Notes

SENT_ANYWAY: Final = frozenset({"accept", "authorization", "content-type"})
"""Headers that OpenAPI does not count as parameters."""

_JOINTS: Final = {"form": "commas", "spaceDelimited": "blanks", "pipeDelimited": "bars"}
_TEXT: Final[JsonObject] = {"type": "string"}


def parameters(
    library: Library, raw: JsonObject, shape: JsonObject, place: str, notes: Notes
) -> Iterator[Parameter]:
    """Yield the arguments that a parameter becomes: for an object one for each property."""
    one = Parameter(
        name=raw["name"],
        inside=raw["in"],
        required=raw.get("required") is True,
        description=text(raw.get("description")),
        schema=shape,
        limits=_limits(raw.get("schema")),
    )
    style = raw.get("style", "simple" if one.inside == "path" else "form")
    explode = raw.get("explode", style == "form") is True
    if "content" in raw:
        yield _as_text(one, "As JSON.")
    elif one.inside == "path":
        if style != "simple":
            raise UnsupportedError(place, f"the parameter {one.name!r} has the style {style!r}")
        yield one
    elif _has(library, shape, "object"):
        yield from _object(library, one, style, notes, place, explode=explode)
    elif _has(library, shape, "array") and not explode:
        yield _as_text(one, f"Values joined by {_JOINTS.get(style, 'commas')}.")
    else:
        yield one


def query(library: Library, shape: JsonObject, *, inside: bool = False) -> JsonObject:
    """Return the schema of a parameter as it is passed: dates as text, nothing structured.

    `inside` tells that it is one of several values.
    """
    if "$ref" in shape:
        whole = library.schemas[shape["$ref"]].shape
        passed = query(library, whole, inside=inside)
        return shape if passed == whole else passed
    if "anyOf" in shape:
        asked = [member for member in shape["anyOf"] if not (inside and member == NULL)]
        members = [query(library, member, inside=inside) for member in asked]
        return {**shape, "anyOf": members} if len(members) > 1 else members[0]
    if shape.get("type") == "array" and not inside:
        items = query(library, shape["items"], inside=True)
        return {**shape, "items": items}
    if inside and shape == NULL:
        return _TEXT
    if shape.get("format") == "date-time" or shape.get("type") not in {
        "string", "integer", "number", "boolean", "null"
    }:  # fmt: skip
        return {"type": "string"}
    return shape


def _object(
    library: Library, one: Parameter, style: str, notes: Notes, place: str, *, explode: bool
) -> Iterator[Parameter]:
    found = library.properties(one.schema)
    if found is None and style == "deepObject":
        if one.required:
            raise UnsupportedError(place, f"the parameter {one.name!r} has names that nobody knows")
        notes.tell(
            place, f"no argument for {one.name!r}: give it in request_options, additional_query_parameters"
        )
    elif found is None or not (explode or style == "deepObject"):
        yield _as_text(one, "As the API spells it.")
    else:
        for wire, shape in found[0].items():
            yield Parameter(
                name=f"{one.name}[{wire}]" if style == "deepObject" else wire,
                inside="query",
                required=one.required and wire in found[1],
                description=shape.get("description", "") or one.description,
                schema=shape,
                limits=(None, None),
            )


def _as_text(one: Parameter, hint: str) -> Parameter:
    return dataclasses.replace(one, schema=_TEXT, description=f"{one.description} {hint}".strip())


def _has(library: Library, shape: JsonObject, kind: str) -> bool:
    """Tell whether a value may be an object, or an array."""
    if "$ref" in shape:
        return _has(library, library.schemas[shape["$ref"]].shape, kind)
    if "anyOf" in shape:
        return any(_has(library, member, kind) for member in shape["anyOf"])
    return shape.get("type") == kind or (kind == "object" and "allOf" in shape)


def _limits(schema: object) -> tuple[int | None, int | None]:
    if not is_object(schema) or schema.get("type") != "integer":
        return None, None
    return _limit(schema, "minimum", "exclusiveMinimum", 1), _limit(schema, "maximum", "exclusiveMaximum", -1)


def _limit(schema: JsonObject, keyword: str, exclusive: str, step: int) -> int | None:
    """Return a limit as the first whole number within it; OpenAPI 3.0 tells by true that it is exclusive."""
    value, beyond = schema.get(keyword), schema.get(exclusive)
    found = [value + step if beyond is True else value] if _is_whole(value) else []
    found += [beyond + step] if _is_whole(beyond) else []
    return (max(found) if step > 0 else min(found)) if found else None


def _is_whole(value: object) -> TypeIs[int]:
    return isinstance(value, int) and not isinstance(value, bool)
