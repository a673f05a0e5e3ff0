"""What the command line knows of a group: its commands and their arguments, as JSON.

The command reads this and no module of the group for its help, which has to be there at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from evertoken.generate.methods import EARLY
from evertoken.generate.normal import NULL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evertoken.generate.document import JsonObject
    from evertoken.generate.homes import Homes
    from evertoken.generate.library import Library
    from evertoken.generate.methods import Argument, FunctionView

NAME: Final = "commands.json"

_KINDS: Final = {"string": "text", "integer": "integer", "number": "number", "boolean": "flag"}


def index(head: str, groups: Sequence[tuple[str, str]]) -> str:
    """Return the file of all groups: their names, and what they are."""
    return _file(head, {"groups": {name: " ".join(description.split()) for name, description in groups}})


def table(head: str, homes: Homes, functions: Sequence[FunctionView]) -> str:
    """Return the file of one group: its commands by their names below the group, joined with dots."""
    commands = {
        ".".join((*view.operation.group[1:], view.name)): _command(homes.library, view) for view in functions
    }
    return _file(head, {"commands": commands})


def _file(head: str, content: JsonObject) -> str:
    lines = head.strip().splitlines()
    return json.dumps({"comment": lines, **content}, indent=1, ensure_ascii=False) + "\n"


def _command(library: Library, view: FunctionView) -> JsonObject:
    operation = view.operation
    command: JsonObject = {
        "function": view.function,
        "method": operation.method,
        "path": operation.path,
        "kind": "list" if view.paging else "events" if view.events else "call",
        "help": operation.description or f"{operation.method} {operation.path}.",
        "scopes": operation.scopes,
    }
    if operation.lifecycle.upper() in EARLY:
        command["lifecycle"] = EARLY[operation.lifecycle.upper()]
    if operation.deprecated:
        command["deprecated"] = True
    return {**command, "arguments": list(_arguments(library, view))}


def _arguments(library: Library, view: FunctionView) -> Iterator[JsonObject]:
    operation = view.operation
    schemas = {(parameter.inside, parameter.name): parameter.schema for parameter in operation.parameters}
    for inside, arguments in (("path", view.path), ("query", view.query)):
        for argument in arguments:
            schema = schemas[inside, argument.wire]
            yield _argument(argument, inside, _queried(value(library, schema)))
    if view.whole_body:
        yield _argument(view.whole_body, "whole", {"kind": "json"})
    found = library.properties(operation.body) if operation.body is not None else None
    properties = found[0] if found else {}
    for argument in view.body or ():
        is_file = argument.wire in (view.files or ())
        kind = {"kind": "file"} if is_file else value(library, properties[argument.wire])
        yield _argument(argument, "body", kind)


def _argument(argument: Argument, inside: str, kind: JsonObject) -> JsonObject:
    found: JsonObject = {"name": argument.name, "place": inside, **kind}
    if argument.wire != argument.name:
        found["wire"] = argument.wire
    if argument.default is None:
        found["required"] = True
    return {**found, "help": " ".join(argument.description.split())}


def _queried(kind: JsonObject) -> JsonObject:
    # Nothing structured stands in a query: what would be is text, as in the method's signature.
    return kind if kind["kind"] in _KINDS.values() else {**kind, "kind": "text"}


def value(library: Library, shape: JsonObject) -> JsonObject:
    """Return how a value is given: its `kind`, whether there are `many`, and the `choices` that are known.

    Kinds are text, integer, number, flag, json, `map` (an object of free keys) and `any` (json or text).
    """
    members = list(_members(library, shape))
    kinds = list(dict.fromkeys(_kind(member) for member in members))
    if kinds == ["array"] and len(members) == 1:
        item = value(library, members[0]["items"])
        return {**item, "kind": "json"} if item.get("many") else {**item, "many": True}
    choices = list(dict.fromkeys(choice for member in members for choice in member.get("enum", ())))
    found: JsonObject = {"kind": _union(kinds)}
    return {**found, "choices": choices} if choices and found["kind"] in {"text", "integer"} else found


def _union(kinds: Sequence[str]) -> str:
    if len(kinds) == 1 and kinds != ["array"]:
        return kinds[0]
    if set(kinds) == {"integer", "number"}:
        return "number"
    return "any" if {"text", "any"} & set(kinds) or not kinds else "json"


def _kind(shape: JsonObject) -> str:
    if "properties" in shape or "allOf" in shape:
        return "json"
    if "additionalProperties" in shape:
        return "map"
    name: Any = shape.get("type")
    return _KINDS.get(name, "array" if name == "array" else "any")


def _members(library: Library, shape: JsonObject) -> Iterator[JsonObject]:
    """Yield the schemas that a value may have, null left out."""
    if "$ref" in shape:
        yield from _members(library, library.schemas[shape["$ref"]].shape)
    elif "anyOf" in shape:
        for member in shape["anyOf"]:
            yield from _members(library, member)
    elif shape.get("type") != NULL["type"]:
        yield shape
