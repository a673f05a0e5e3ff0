"""Checks of JSON values: types, limits, required and unknown keys.

The sentences are those of a JSON Schema validator, with the place told the way the API tells it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import urllib.parse
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.call import Json

_KINDS: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class MismatchError(Exception):
    """A value does not fit: why, and where (empty: at the root)."""

    def __init__(self, problem: str, place: str) -> None:
        super().__init__(problem, place)
        self.problem = problem
        self.place = place

    def sentence(self, kind: str) -> str:
        """Return the API's message; `kind` is Payload or Query."""
        place = f" on property {self.place}" if self.place else ""
        return f"{kind} validation error: '{self.problem}'{place}."


class Schema(Protocol):
    """Something that a value can be checked against."""

    def __call__(self, value: Json, place: str = "") -> None:
        """Raise MismatchError where the value does not fit."""
        ...


def kind_of(value: Json) -> str:
    """Return the JSON type's name."""
    return _KINDS[type(value)]


def _wrong_type(wanted: str, value: Json, place: str) -> MismatchError:
    return MismatchError(f"Expected type {wanted} but found type {kind_of(value)}", place)


def is_https_url(value: str) -> bool:
    """Tell whether a string is an absolute https URL with a host."""
    try:
        parts = urllib.parse.urlsplit(value)
        return parts.scheme == "https" and bool(parts.hostname) and not re.search(r"\s", value)
    except ValueError:
        return False


def _is_uri(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+", value) is not None


def _is_date_time(value: str) -> bool:
    try:
        return dt.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date-time": _is_date_time,
    "uri": _is_uri,
    "uri-or-empty": lambda value: not value or _is_uri(value),
    "https-uri-or-empty": lambda value: not value or is_https_url(value),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A string; lengths in characters."""

    least: int = 0
    most: int | None = None
    pattern: str | None = None
    form: str | None = None

    def __call__(self, value: Json, place: str = "") -> None:
        """Check the type, then lengths, pattern and format."""
        if not isinstance(value, str):
            raise _wrong_type("string", value, place)
        if len(value) < self.least:
            raise MismatchError(f"String is too short ({len(value)} chars), minimum {self.least}", place)
        if self.most is not None and len(value) > self.most:
            raise MismatchError(f"String is too long ({len(value)} chars), maximum {self.most}", place)
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            raise MismatchError(f"String does not match pattern: {self.pattern}", place)
        if self.form is not None and not FORMATS[self.form](value):
            raise MismatchError(f"Object didn't pass validation for format {self.form}: {value}", place)


@dataclasses.dataclass(frozen=True, slots=True)
class Whole:
    """An integer between two limits."""

    least: int | None = None
    most: int | None = None

    def __call__(self, value: Json, place: str = "") -> None:
        """Check the type and the limits."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong_type("integer", value, place)
        if self.least is not None and value < self.least:
            raise MismatchError(f"Value {value} is less than minimum {self.least}", place)
        if self.most is not None and value > self.most:
            raise MismatchError(f"Value {value} is greater than maximum {self.most}", place)


@dataclasses.dataclass(frozen=True, slots=True)
class Flag:
    """A boolean."""

    def __call__(self, value: Json, place: str = "") -> None:
        """Check the type."""
        if not isinstance(value, bool):
            raise _wrong_type("boolean", value, place)


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """One of several strings, written with blanks between them."""

    values: str

    def __call__(self, value: Json, place: str = "") -> None:
        """Check that it is one of them."""
        if not isinstance(value, str):
            raise _wrong_type("string", value, place)
        if value not in self.values.split():
            raise MismatchError(f"No enum match for: {value}", place)


@dataclasses.dataclass(frozen=True, slots=True)
class Many:
    """An array."""

    item: Schema
    least: int = 0

    def __call__(self, value: Json, place: str = "") -> None:
        """Check the length and every item."""
        if not isinstance(value, list):
            raise _wrong_type("array", value, place)
        if len(value) < self.least:
            raise MismatchError(f"Array is too short ({len(value)}), minimum {self.least}", place)
        for index, item in enumerate(value):
            self.item(item, f"{place}[{index}]")


@dataclasses.dataclass(frozen=True, slots=True)
class Or:
    """A value of the first kind that fits; the last one's complaint counts."""

    first: Schema
    last: Schema

    def __call__(self, value: Json, place: str = "") -> None:
        """Check for either kind."""
        try:
            self.first(value, place)
        except MismatchError:
            self.last(value, place)


@dataclasses.dataclass(frozen=True, slots=True)
class Null:
    """A value of the kind, or null."""

    schema: Schema

    def __call__(self, value: Json, place: str = "") -> None:
        """Check what is not null."""
        if value is not None:
            self.schema(value, place)


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """An object. A name that ends in `!` is required; unknown keys are allowed where it is `open`."""

    props: Mapping[str, Schema]
    open: bool = False
    least: int = 0
    most: int | None = None

    def __call__(self, value: Json, place: str = "") -> None:
        """Check required and unknown names, values, and how many there are."""
        if not isinstance(value, dict):
            raise _wrong_type("object", value, place)
        known = {name.rstrip("!"): schema for name, schema in self.props.items()}
        for name in self.props:
            if name.endswith("!") and name[:-1] not in value:
                raise MismatchError(f"Missing required property: {name[:-1]}", place)
        for name, item in value.items():
            if name in known:
                known[name](item, f"{place}.{name}" if place else name)
            elif not self.open:
                raise MismatchError(f"Additional properties not allowed: {name}", place)
        if len(value) < self.least:
            raise MismatchError(f"Too few properties defined ({len(value)}), minimum {self.least}", place)
        if self.most is not None and len(value) > self.most:
            raise MismatchError(f"Too many properties defined ({len(value)}), maximum {self.most}", place)
