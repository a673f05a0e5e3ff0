"""What there is in the API, from files that scripts/generate writes for the command: no model is loaded."""

from __future__ import annotations

import json
import pkgutil
from typing import Final, Literal, NotRequired, TypedDict, cast

_PACKAGE: Final = "evertoken_api"
_FILE: Final = "commands.json"

Kind = Literal["text", "integer", "number", "flag", "json", "map", "any", "file"]


class Argument(TypedDict):
    """An argument of an operation's method; `wire` is the API's name where that is another."""

    name: str
    place: Literal["path", "query", "body", "whole"]
    kind: Kind
    help: str
    wire: NotRequired[str]
    many: NotRequired[bool]
    choices: NotRequired[list[str]]
    required: NotRequired[bool]


class Entry(TypedDict):
    """An operation; `function` is that of the group's module `operations`, any one of `scopes` suffices."""

    function: str
    method: str
    path: str
    kind: Literal["call", "list", "events"]
    help: str
    scopes: list[str]
    arguments: list[Argument]
    lifecycle: NotRequired[str]
    deprecated: NotRequired[bool]


class _Index(TypedDict):
    groups: dict[str, str]


class _Table(TypedDict):
    commands: dict[str, Entry]


def groups() -> dict[str, str]:
    """Return what each group is, by name."""
    return cast("_Index", _read(_FILE))["groups"]


def entries(group: str) -> dict[str, Entry]:
    """Return the operations of a group and of all below it, by their names there, joined with dots."""
    return cast("_Table", _read(f"{group}/{_FILE}"))["commands"]


def wire_name(argument: Argument) -> str:
    """Return the API's name of an argument."""
    return argument.get("wire", argument["name"])


def spelled(name: str) -> str:
    """Return a name of Python's as the command line has it: `from_` is `from`."""
    return name.rstrip("_").replace("_", "-")


def _read(path: str) -> object:
    content = pkgutil.get_data(_PACKAGE, path)
    if content is None:
        raise FileNotFoundError(path)
    return json.loads(content)
