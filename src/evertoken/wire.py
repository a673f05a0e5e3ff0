"""Request bodies: from models, datetimes and plain containers to what JSON can carry."""

from __future__ import annotations

import datetime as dt
import enum
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import pydantic
from typing_extensions import TypeIs

from evertoken.errors import ArgumentError
from evertoken.operation import UNSET
from evertoken.sent import properties, spell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_LONGEST_KEY: Final = 64
_LONGEST_INT: Final = 14_000  # bits: Python itself refuses to write or read more than 4,300 digits

_ADVICE: Final[dict[type, str]] = {
    bytes: "decode it to str",
    bytearray: "decode it to str",
    set: "make it a list",
    frozenset: "make it a list",
    dt.date: "give a datetime with a time zone, or a str",
}


def to_wire(value: object, place: str = "body") -> JSON:
    """Return what is to be written as JSON; the value itself stays as it is.

    Keys whose value is `UNSET` are left out. A model gives the fields that were set, by the API's names,
    and its unknown fields; what came in another type than the spec's goes back unchanged. A datetime
    becomes ISO 8601 with its offset, or what it was when it came.

    Raises ArgumentError, naming the place (`body.callbacks[3]`), for what JSON cannot carry and for a
    datetime without a time zone.
    """
    try:
        return _Walk().wire(value, place)
    except RecursionError:
        problem = "nested too deeply for JSON; flatten it"
    raise ArgumentError(place, problem)


def child(place: str, key: str | int) -> str:
    """Return the readable place of what stands below another: `.name`, `["odd name"]` or `[3]`."""
    if isinstance(key, int):
        return f"{place}[{key}]"
    if _PLAIN_KEY.fullmatch(key):
        return f"{place}.{key}"
    text = key if len(key) <= _LONGEST_KEY else key[: _LONGEST_KEY - 1] + "…"
    quoted = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text)
    return f'{place}["{quoted}"]'


class _Walk:
    """One conversion. It knows the containers it is in, for one that holds itself has no JSON."""

    def __init__(self) -> None:
        self._around: set[int] = set()
        # A naive datetime within a model is what the API sent; one of the caller's is ambiguous.
        self._in_model = False

    def wire(self, value: object, place: str) -> JSON:  # noqa: PLR0911 - one return for each kind of value
        if isinstance(value, enum.Enum):
            if value is UNSET:
                raise ArgumentError(place, "UNSET has no JSON; leave it out, or give None to send null")
            return self.wire(cast("object", value.value), place)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _text(value, place)
        if isinstance(value, int):
            if value.bit_length() > _LONGEST_INT:
                raise ArgumentError(place, "an integer of more than 4,000 digits; give it as a str")
            return int(value)
        if isinstance(value, float):
            return _number(value, place)
        if isinstance(value, dt.datetime):
            return self._moment(value, place)
        return self._container(value, place)

    def _moment(self, value: dt.datetime, place: str) -> str:
        if value.utcoffset() is None and not self._in_model:
            raise ArgumentError(place, "a datetime without a time zone; give tzinfo=UTC or the one meant")
        return spell(value)

    def _container(self, value: object, place: str) -> JSON:
        if id(value) in self._around:
            raise ArgumentError(place, "holds itself; JSON cannot carry that")
        self._around.add(id(value))
        try:
            if isinstance(value, pydantic.BaseModel):
                return self._model(value, place)
            if _is_object(value):
                return self._object(_entries(value, place), place)
            if _is_array(value):
                return [self.wire(row, child(place, index)) for index, row in enumerate(value)]
        finally:
            self._around.discard(id(value))
        raise ArgumentError(place, f"{type(value).__name__} has no JSON; {_advice(value)}")

    def _model(self, value: pydantic.BaseModel, place: str) -> JSON:
        outer, self._in_model = self._in_model, True
        try:
            return self._object(properties(value).items(), place)
        finally:
            self._in_model = outer

    def _object(self, entries: Iterable[tuple[str, object]], place: str) -> dict[str, JSON]:
        return {
            _text(key, place): self.wire(item, child(place, key))
            for key, item in entries
            if item is not UNSET
        }


def _is_object(value: object) -> TypeIs[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_array(value: object) -> TypeIs[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview)


def _entries(value: Mapping[object, object], place: str) -> Iterator[tuple[str, object]]:
    for key, item in value.items():
        name = cast("object", key.value) if isinstance(key, enum.Enum) else key
        if not isinstance(name, str):
            raise ArgumentError(place, f"a key of type {type(key).__name__}; JSON has str keys only")
        yield name, item


def _text(value: str, place: str) -> str:
    # Exactly str: a subclass may have another idea of its JSON.
    text = str.__str__(value)
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise ArgumentError(place, "holds a lone surrogate, which UTF-8 cannot carry; remove it")
    return text


def _number(value: float, place: str) -> float:
    if not math.isfinite(value):
        raise ArgumentError(place, "NaN and infinity have no JSON; leave the key out or give None")
    return float(value)


def _advice(value: object) -> str:
    advice = (text for kind, text in _ADVICE.items() if isinstance(value, kind))
    return next(advice, "give str, int, float, bool, None, list, dict, a datetime or a model")
