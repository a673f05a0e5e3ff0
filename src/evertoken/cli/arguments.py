"""The arguments of an operation as parameters of its command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from evertoken.cli.content import parse, read
from evertoken.cli.table import spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from evertoken.cli.table import Argument, Kind

_OPENING: Final = ("{", "[")
_EXCLUDE: Final = "--exclude-fields"
"""Of include_fields, which is no flag that can be read with a `no`."""


def parameters(arguments: Iterable[Argument], reserved: Collection[str]) -> list[click.Parameter]:
    """Return the parameters of a command: those of the path by position, the others as options.

    An argument that would have one of the `reserved` options has none, and is given by --data.
    """
    found: list[click.Parameter] = []
    for argument in arguments:
        if argument["place"] == "path":
            metavar = spelled(argument["name"]).upper().replace("-", "_")
            found.append(click.Argument([argument["name"]], metavar=metavar, type=_TYPES[argument["kind"]]))
        elif argument["place"] != "whole" and option_name(argument) not in reserved:
            found.append(_option(argument))
    return found


def option_name(argument: Argument) -> str:
    """Return the option that stands for an argument, such as `--app-type`; --data for a whole body."""
    return "--data" if argument["place"] == "whole" else f"--{spelled(argument['name'])}"


def described(argument: Argument) -> str:
    """Return what a help tells of an argument."""
    parts = [argument["help"]]
    if choices := argument.get("choices"):
        parts.append(f"Such as {', '.join(map(str, choices))}.")
    if argument.get("many"):
        parts.append("Repeatable.")
    if argument.get("required") and argument["place"] != "path":
        parts.append("[required]")
    return " ".join(part for part in parts if part)


def _option(argument: Argument) -> click.Option:
    name, option = argument["name"], option_name(argument)
    if argument["kind"] == "flag" and not argument.get("many"):
        names = [f"{option}/--no-{option.removeprefix('--')}"]
        if name == "include_fields":
            names.append(f" /{_EXCLUDE}")  # click reads a first slash as a prefix of Windows
        return click.Option([*names, name], default=None, help=described(argument))
    return click.Option(
        [option, name],
        type=_TYPES[argument["kind"]],
        metavar=_METAVARS[argument["kind"]],
        multiple=argument.get("many", False) or argument["kind"] == "map",
        help=described(argument),
    )


def _number(text: str) -> int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    raise click.BadParameter(f"{text!r} is not a number.")


# Errors of what follows never quote: the text may hold a secret.
def _json(text: str) -> object:
    value, problem = parse(text)
    if problem:
        raise click.BadParameter(problem)
    return value


def _json_or_text(text: str) -> object:
    return _json(text) if text.lstrip().startswith(_OPENING) else text


def _entries(text: str) -> object:
    if text.lstrip().startswith("{"):
        return _json(text)
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter("give NAME=VALUE or a JSON object")
    return {name: value}


def _file(text: str) -> tuple[str, bytes]:
    source = text.removeprefix("@")
    content, problem = read(source)
    if problem:
        raise click.BadParameter(problem)
    return source.replace("\\", "/").rpartition("/")[2], content


_TYPES: Final[dict[Kind, Callable[[str], object] | type]] = {
    "text": str,
    "flag": bool,
    "integer": int,
    "number": _number,
    "json": _json,
    "map": _entries,
    "any": _json_or_text,
    "file": _file,
}
_METAVARS: Final[dict[Kind, str]] = {
    "text": "TEXT",
    "flag": "BOOLEAN",
    "integer": "INTEGER",
    "number": "NUMBER",
    "json": "JSON",
    "map": "NAME=VALUE",
    "any": "JSON",
    "file": "FILE",
}
