"""Request bodies from the command line: options, `--data`, or both."""

from __future__ import annotations

import dataclasses
import difflib
import json
import pathlib
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar, cast

import typer

from evertoken.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    from evertoken.operation import Operation

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Properties of the body that no option stands for."""

    data: Annotated[
        str | None,
        typer.Option(
            metavar="JSON", help="Any properties as a JSON object; @FILE or @- reads it from there."
        ),
    ] = None

    def properties(self) -> dict[str, object]:
        """Return the object, empty where none was given. Raises ArgumentError for what is none."""
        return {} if self.data is None else _parse(_read(self.data))


def given(options: DataclassInstance) -> dict[str, object]:
    """Return the fields of an options dataclass that were given on the command line, by their names."""
    names = [field.name for field in dataclasses.fields(options)]
    values: dict[str, object] = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value not in (None, [])}


def with_body(operation: Operation[T], properties: Mapping[str, object]) -> Operation[T]:
    """Return the operation with these properties in its body, by the API's names.

    Raises ArgumentError for one that the operation does not have.
    """
    known = cast("Mapping[str, object]", operation.body)
    for name in properties:
        if name not in known:
            similar = difflib.get_close_matches(name, known, n=1)
            advice = f"; did you mean {similar[0]}?" if similar else ""
            raise ArgumentError("--data", f"{name!r} is no property of {operation.name}{advice}")
    return dataclasses.replace(operation, body={**known, **properties})


def pairs(option: str, texts: list[str]) -> dict[str, object]:
    """Return NAME=VALUE arguments as an object."""
    parts = [text.partition("=") for text in texts]
    for name, equals, _ in parts:
        if not name or not equals:
            raise ArgumentError(option, f"{name!r} is no NAME=VALUE")
    return {name: value for name, _, value in parts}


def _read(text: str) -> str | bytes:
    if not text.startswith("@"):
        return text
    source = text[1:]
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return pathlib.Path(source).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise ArgumentError("--data", f"{source}: {reason}")


def _parse(text: str | bytes) -> dict[str, object]:
    # Errors name the place, and never quote: the text may hold a secret.
    try:
        value: object = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    except (ValueError, RecursionError):
        problem = "holds what JSON cannot carry (NaN, infinity, or very deep or long values)"
    else:
        if isinstance(value, dict):
            return cast("dict[str, object]", value)
        problem = f'is a JSON {_kind(value)}; give an object, such as \'{{"name": "My app"}}\''
    raise ArgumentError("--data", problem)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "number"
