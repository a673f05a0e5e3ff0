"""What `allOf` comes to: a class with bases where that says the same, else one schema in its place."""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING, Final

from evertoken.generate.normal import any_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken.generate.document import JsonObject

    Named = Mapping[str, JsonObject]

_MOST: Final = 32  # alternatives that are spelled out; more of them become anything


def settled(shape: JsonObject, named: Callable[[str], JsonObject]) -> JsonObject:
    """Return what an `allOf` comes to; `named` gives the settled schema of a name.

    It stays where its members are objects without a property in common, each a base of the class.
    Alternatives among them become alternatives of the whole.
    """
    choices = [_choices(member, named) for member in _spliced(shape["allOf"])]
    if math.prod(len(choice) for choice in choices) > _MOST:
        return {"type": "object", "additionalProperties": {}}
    return any_of([_joined(list(members), named) for members in itertools.product(*choices)])


def _spliced(members: list[JsonObject]) -> list[JsonObject]:
    found: list[JsonObject] = []
    for member in members:
        found += _spliced(member["allOf"]) if "allOf" in member else [member]
    return found


def _choices(member: JsonObject, named: Callable[[str], JsonObject]) -> list[JsonObject]:
    whole = named(member["$ref"]) if "$ref" in member else member
    alternatives = [one for one in whole.get("anyOf", ()) if _is_object(one, named)]
    return [found for one in alternatives for found in _choices(one, named)] or [member]


def _is_object(shape: JsonObject, named: Callable[[str], JsonObject]) -> bool:
    if "$ref" in shape:
        return _is_object(named(shape["$ref"]), named)
    if "anyOf" in shape:
        return any(_is_object(one, named) for one in shape["anyOf"])
    return "properties" in shape or "allOf" in shape


def _joined(members: list[JsonObject], named: Callable[[str], JsonObject]) -> JsonObject:
    """Return the schema of values that fit all members, or that of a member where none could."""
    objects = [found for member in members for found in _objects(member, named)]
    if objects:
        if len(objects) == 1:
            return objects[0]
        return {"allOf": objects} if _differ(objects, named) else flat(objects, named)
    maps = [member for member in members if member.get("type") == "object"]
    if maps:
        return next((one for one in maps if one["additionalProperties"]), maps[0])
    listed = (one for one in members if any("enum" in each for each in one.get("anyOf", [one])))
    return next(listed, members[0])


def _objects(member: JsonObject, named: Callable[[str], JsonObject]) -> list[JsonObject]:
    """Return the objects with properties that a member is or stands for."""
    if "$ref" in member:
        target = named(member["$ref"])
        if "properties" in target or "allOf" in target:
            return [member]
        return _objects(target, named) if "$ref" in target else []
    return [member] if "properties" in member else []


def _differ(objects: list[JsonObject], named: Callable[[str], JsonObject]) -> bool:
    """Tell whether no attribute is in two of the objects: a class must not have it from two bases."""
    names = [re.sub(r"\W", "_", wire).strip("_") for one in objects for wire in _properties(one, named)[0]]
    return len(names) == len(set(names))


def flat(objects: list[JsonObject], named: Callable[[str], JsonObject]) -> JsonObject:
    """Return one object with the properties of all."""
    properties: JsonObject = {}
    required: set[str] = set()
    for one in objects:
        found, needed = _properties(one, named)
        # What comes later says more, unless it says nothing.
        properties |= {
            wire: value
            for wire, value in found.items()
            if wire not in properties or value.keys() - {"description"}
        }
        required |= needed
    return {
        "type": "object",
        "properties": properties,
        "required": [wire for wire in properties if wire in required],
    }


def _properties(shape: JsonObject, named: Callable[[str], JsonObject]) -> tuple[JsonObject, set[str]]:
    if "$ref" in shape:
        return _properties(named(shape["$ref"]), named)
    if "allOf" not in shape:
        return shape.get("properties", {}), set(shape.get("required", ()))
    properties: JsonObject = {}
    required: set[str] = set()
    for member in shape["allOf"]:
        found, needed = _properties(member, named)
        properties |= found
        required |= needed
    return properties, required
