"""An operation from its command line: options, `--data`, or both."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Final, cast

from evertoken.cli.arguments import option_name
from evertoken.cli.content import STDIN, kind, parse, read
from evertoken.cli.table import wire_name
from evertoken.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evertoken.cli.table import Argument, Entry
    from evertoken.operation import Operation

_DATA: Final = "--data"
_NOTHING: Final = (None, ())
"""What an option has that was not given."""


def operation_of(
    group: str, entry: Entry, given: Mapping[str, object], data: str | None = None
) -> Operation[object]:
    """Return the operation that the method of these arguments sends.

    `given` has what stood on the command line, by the names of the method's arguments. Raises ArgumentError,
    naming the option, for what is missing, or unknown to the operation.
    """
    arguments = entry["arguments"]
    values = _from_data(entry, data) | _from_options(arguments, given)
    _check_required(entry, values)
    path = [values.pop(argument["name"]) for argument in arguments if argument["place"] == "path"]
    module = importlib.import_module(f"evertoken_api.{group}.operations")
    function = cast("Callable[..., Operation[object]]", getattr(module, entry["function"]))
    return function(*path, **values)


def _from_options(arguments: Sequence[Argument], given: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for argument in arguments:
        value = given.get(argument["name"])
        if value in _NOTHING:
            continue
        if argument["kind"] == "map":
            entries = cast("Sequence[Mapping[str, object]]", value)
            value = {name: item for each in entries for name, item in each.items()}
        found[argument["name"]] = list(cast("Sequence[object]", value)) if argument.get("many") else value
    return found


def _from_data(entry: Entry, data: str | None) -> dict[str, object]:
    """Return the arguments in a text of --data, which has the API's names."""
    if data is None:
        return {}
    text: str | bytes = data
    if data == STDIN or data.startswith("@"):
        text, problem = read(data.removeprefix("@"))
        if problem:
            raise ArgumentError(_DATA, problem)
    value, problem = parse(text)
    if problem:
        raise ArgumentError(_DATA, problem)
    body = [argument for argument in entry["arguments"] if argument["place"] in {"body", "whole"}]
    if body[0]["place"] == "whole":
        return {body[0]["name"]: value}
    if not isinstance(value, dict):
        example = '\'{"name": "My app"}\''
        raise ArgumentError(_DATA, f"is a JSON {kind(value)}; give an object, such as {example}")
    names = {wire_name(argument): argument["name"] for argument in body}
    properties = cast("dict[str, object]", value)
    for wire in properties:
        if wire not in names:
            similar = difflib.get_close_matches(wire, names, n=1)
            advice = f"; did you mean {similar[0]}?" if similar else ""
            raise ArgumentError(_DATA, f"{wire!r} is no property of {_told(entry)}{advice}")
    return {names[wire]: value for wire, value in properties.items()}


def _check_required(entry: Entry, values: Mapping[str, object]) -> None:
    bodies = [argument for argument in entry["arguments"] if argument["place"] in {"body", "whole"}]
    for argument in entry["arguments"]:
        if argument.get("required") and argument["name"] not in values:
            instead = f", or {wire_name(argument)} in --data" if argument["place"] == "body" else ""
            raise ArgumentError(option_name(argument), f"missing; give it{instead}")
    if bodies and entry["method"] == "PATCH" and not any(body["name"] in values for body in bodies):
        options = "--data" if bodies[0]["place"] == "whole" else "an option or --data"
        raise ArgumentError(_DATA, f"nothing to change; give {options}")


def _told(entry: Entry) -> str:
    return f"{entry['method']} {entry['path']}"
