"""Pydantic models of what comes back, and TypedDicts of what is sent, by datamodel-code-generator."""

from __future__ import annotations

import functools
import json
import pathlib
import re
import tempfile
import warnings
from typing import TYPE_CHECKING, Any, Final

import datamodel_code_generator

from evertoken.generate import names as pythonic
from evertoken.generate import settings
from evertoken.generate.normal import bare, transform, undescribed
from evertoken.generate.problem import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from evertoken.generate.document import JsonObject
    from evertoken.generate.homes import Homes

NEARLY_ALL: Final = 0.9
"""The share of their properties that two schemas have in common if they are of one kind of thing."""

# A property may be called datetime: then it is imported by another name too.
_DATETIME: Final = re.compile(r"^from datetime import datetime(?: as (\w+))?$", re.MULTILINE)

_HEADER = re.compile(r"\A(?:#.*\n)+\s*")
# With deferred building a model resolves its references at first use; this would build it at import.
_REBUILD = re.compile(r"^\w+\.model_rebuild\(\)(?:\n|\Z)", re.MULTILINE)
_DOCSTRING = re.compile(r'^(?P<indent> *)"""\n(?P<body>(?:.*\n)*?)(?P=indent)"""$(?P<end>\n+)?', re.MULTILINE)


def models(homes: Homes) -> dict[str, str]:
    """Return the code of each group's `models.py`, by group."""
    shapes = {name: transform(homes.library.schemas[name].shape, _number) for name in homes.models}
    codes = _generate("models", _inherit(shapes, homes.answers, homes.home), homes.home, settings.MODELS)
    return {group: _DATETIME.sub(_sent, code) for group, code in codes.items()}


def _sent(found: re.Match[str]) -> str:
    # To a type checker the same, and written back as it was sent.
    return f"from evertoken.model import Datetime as {found[1] or 'datetime'}"


def params(homes: Homes) -> dict[str, str]:
    """Return the code of each group's `params.py`, by group."""
    shapes = {name: transform(homes.library.schemas[name].shape, _date_or_text) for name in homes.params}
    return _generate("params", shapes, homes.home, settings.PARAMS)


def _generate(
    module: str, shapes: Mapping[str, JsonObject], home: Mapping[str, str], options: dict[str, Any]
) -> dict[str, str]:
    if not shapes:
        return {}
    names = {name: f"{home[name]}.{module}.{name}" for name in sorted(shapes)}

    def point(shape: JsonObject) -> JsonObject:
        if "$ref" not in shape:
            return shape
        return {**shape, "$ref": f"#/components/schemas/{names[shape['$ref']]}"}

    source = {
        "openapi": "3.1.0",
        "info": {"title": module, "version": "1"},
        "paths": {},
        "components": {"schemas": {names[name]: transform(shapes[name], point) for name in names}},
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The keys of a TypedDict are what is sent; only a class has other attributes.
            aliases = _attributes(shapes, names) if module == "models" else {}
            found = _models_of(json.dumps(source), {**options, "aliases": aliases})
    except Exception as error:
        # Whatever it cannot make code of; the document is valid, so only it can say what is the matter.
        reason = f"datamodel-code-generator cannot make {module} of the schemas: {error}"
        raise SpecError("", reason[:500]) from error
    codes = {
        path[0]: _tidy(code) for path, code in found.items() if path[-1] == f"{module}.py" and len(path) > 1
    }
    for name in shapes:
        if not re.search(rf"^(?:class )?{name}\b", codes.get(home[name], ""), re.MULTILINE):
            raise SpecError("", f"datamodel-code-generator made no {name} in {home[name]}.{module}")
    return codes


def _models_of(source: str, options: dict[str, Any]) -> dict[tuple[str, ...], str]:
    # It looks for settings in the current folder and above, which are somebody else's.
    with tempfile.TemporaryDirectory(prefix="evertoken-generate-") as folder:
        path = pathlib.Path(folder) / "pyproject.toml"
        path.write_text(settings.LINES, encoding="utf-8")
        found = datamodel_code_generator.generate(source, settings_path=path.parent, **options)
    if not isinstance(found, dict):
        raise TypeError("it gave no modules")
    return {path: str(code) for path, code in found.items()}


def _attributes(shapes: Mapping[str, JsonObject], names: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of properties for which the usual name would not do, by class and property."""
    found: dict[str, str] = {}
    for name, shape in shapes.items():
        parts: list[JsonObject] = [shape, *shape.get("allOf", ())]
        properties = [wire for part in parts for wire in part.get("properties", ())]
        taken = set(properties)
        for wire in properties:
            attribute = pythonic.field(wire, shapes.keys())
            if attribute is not None:
                attribute = pythonic.free(attribute, taken)
                taken.add(attribute)
                found[f"{names[name]}.{wire}"] = attribute
    return found


def _tidy(code: str) -> str:
    code = _REBUILD.sub("", _HEADER.sub("", code))
    return _DOCSTRING.sub(_compact, code)


def _compact(found: re.Match[str]) -> str:
    indent, body = found["indent"], found["body"]
    lines = body.rstrip("\n").split("\n")
    first = lines[0].strip()
    # A quote next to the closing quotes would end the docstring early.
    if len(lines) == 1 and not first.endswith(('"', "\\")):
        return f'{indent}"""{first}"""{found["end"] or ""}'
    rest = "\n".join(lines[1:])
    return f'{indent}"""{first}\n{rest}\n{indent}"""{found["end"] or ""}'


def _number(shape: JsonObject) -> JsonObject:
    """Keep whole numbers whole: a float has no room for the larger ones."""
    if shape.get("type") != "number" or "enum" in shape:
        return shape
    described = {"description": shape["description"]} if "description" in shape else {}
    return {"anyOf": [{"type": "integer"}, {"type": "number"}], **described}


def _date_or_text(shape: JsonObject) -> JsonObject:
    """Accept text where a date and time is sent."""
    if shape.get("format") != "date-time":
        return shape
    described = {"description": shape["description"]} if "description" in shape else {}
    return {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string"}], **described}


def _inherit(
    shapes: Mapping[str, JsonObject], answers: AbstractSet[str], home: Mapping[str, str]
) -> dict[str, JsonObject]:
    """Make the answer of an operation a subclass of the schema in its module that says the same, or nearly.

    The base is the one with the shortest name: what creates, reads or changes a `Client` gives a `Client`.
    It goes on doing so when one of them gains a property before the other: a caller's function that takes
    a `Client` must not stop type-checking then. Other schemas are alike by chance, and mean different
    things.
    """
    bases = {name: name for name in shapes}
    while True:
        found = _same(shapes, bases, home)
        if found == bases:
            break
        bases = found
    inherited = dict(shapes)
    for name in answers & shapes.keys():
        base = bases[name] if bases[name] != name else _nearest(name, shapes, bases, home)
        if base is not None:
            inherited[name] = _subclass(shapes[name], shapes[base], base)
    return inherited


def _nearest(
    name: str, shapes: Mapping[str, JsonObject], bases: Mapping[str, str], home: Mapping[str, str]
) -> str | None:
    """Return the schema of a shorter name that this one differs from by few properties, or None."""
    shape = shapes[name]
    if "properties" not in shape:
        return None
    mine = _comparable(shape, bases)
    for other in _by_length(shapes):
        if len(other) >= len(name):
            return None
        if home[other] == home[name] and bases[other] == other and "properties" in shapes[other]:
            theirs = _comparable(shapes[other], bases)
            common = mine.keys() & theirs.keys()
            # What only the base has is never there, which nothing but an optional property can say.
            absent = theirs.keys() - common
            if (
                len(common) >= NEARLY_ALL * len(mine.keys() | theirs.keys())
                and all(mine[wire] == theirs[wire] for wire in common)
                and not absent & set(shapes[other]["required"])
            ):
                return other
    return None


def _comparable(shape: JsonObject, bases: Mapping[str, str]) -> dict[str, str]:
    """Return each property in a form that is equal where two mean the same."""
    pointed = transform(undescribed(shape), functools.partial(_point, bases))
    return {
        wire: f"{wire in shape['required']} {bare(property_)}"
        for wire, property_ in pointed["properties"].items()
    }


def _point(bases: Mapping[str, str], shape: JsonObject) -> JsonObject:
    return {"$ref": bases[shape["$ref"]]} if "$ref" in shape else shape


def _same(
    shapes: Mapping[str, JsonObject], bases: Mapping[str, str], home: Mapping[str, str]
) -> dict[str, str]:
    seen: dict[tuple[str, str], str] = {}
    found: dict[str, str] = {}
    for name in _by_length(shapes):
        shape = shapes[name]
        if "properties" not in shape:
            found[name] = name
            continue
        found[name] = seen.setdefault(
            (home[name], bare(transform(undescribed(shape), functools.partial(_point, bases)))), name
        )
    return found


def _by_length(names: Iterable[str]) -> list[str]:
    key: Callable[[str], tuple[int, str]] = lambda name: (len(name), name)  # noqa: E731  # typed
    return sorted(names, key=key)


def _subclass(shape: JsonObject, base: JsonObject, name: str) -> JsonObject:
    described = {"description": shape["description"]} if "description" in shape else {}
    parts: list[JsonObject] = [{"$ref": name}]
    more = {wire: value for wire, value in shape["properties"].items() if wire not in base["properties"]}
    if more:
        required = [wire for wire in shape["required"] if wire in more]
        parts.append({"type": "object", "properties": more, "required": required})
    return {"allOf": parts, **described}
