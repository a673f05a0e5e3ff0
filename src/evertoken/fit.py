"""The careful decoding: JSON values into annotated types, part by part, and what does not fit."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, Union, cast

import pydantic
import typing_extensions

from evertoken.fork import Guard
from evertoken.sent import wire_name
from evertoken.wire import child

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST_NAMED: Final = 5
"""Alternatives that a mismatch names."""

_ALIASES: Final = (
    typing_extensions.TypeAliasType,
    getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType),
)


class Key(str):
    """A part of a place that is the API's data, not a name of the spec."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Mismatch:
    """A place whose value does not fit, such as `$.clients[7].callbacks: expected list, got str`.

    It holds types, never values: a value may be a secret. `tag` tells that the spec has a constant there,
    such as tells variants apart.
    """

    place: tuple[str | int, ...]
    expected: str
    got: str
    tag: bool = dataclasses.field(default=False, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.shown_place}: expected {self.expected}, got {self.got}"

    @property
    def shown_place(self) -> str:
        """The place as one would write it."""
        return functools.reduce(child, self.place, "$")

    @property
    def pattern(self) -> str:
        """The place with `[*]` for every index and every key of free choice."""
        text = "$"
        for part in self.place:
            text = text + "[*]" if isinstance(part, int | Key) else child(text, part)
        return text

    def below(self, part: str | int) -> Mismatch:
        """Return the same, seen from the container in which the value is `part`."""
        return dataclasses.replace(self, place=(part, *self.place))


_Fit: TypeAlias = tuple[object, list[Mismatch]]


def validate(annotation: object, text: bytes) -> object:
    """Return JSON as the annotated type; raises pydantic.ValidationError for all that does not fit."""
    # Only the API's name of a field is a name in JSON: with `by_name`, an unknown `from_` would be `from`.
    return _validator(annotation).adapter.validate_json(text, by_alias=True, by_name=False)


def may_clash(annotation: object, text: bytes) -> bool:
    """Tell whether JSON may have an unknown key that is spelled as a field's name in Python, such as `from_`.

    pydantic gives both one name in `model_fields_set`: whether the field itself was sent is lost there.
    """
    return any(name in text for name in _validator(annotation).renamed)


@dataclasses.dataclass(frozen=True, slots=True)
class _Validator:
    """`renamed` are the fields' names in Python that are not the API's, quoted as JSON keys."""

    adapter: pydantic.TypeAdapter[object]
    renamed: frozenset[bytes]


def _validator(annotation: object) -> _Validator:
    try:
        return _cached_validator(annotation)
    except TypeError:
        # Metadata may be unhashable.
        return _build(annotation)


# Two threads must not build the validator of one model at once.
_building: Final = Guard()


def _build(annotation: object) -> _Validator:
    with _building.lock:
        # Strict by configuration: as an argument of each validation it would overrule what a model says.
        config = None if _is_model(annotation) else pydantic.ConfigDict(strict=True)
        adapter = pydantic.TypeAdapter[object](cast("type[object]", annotation), config=config)
        adapter.rebuild()
        return _Validator(adapter, frozenset(f'"{name}"'.encode() for name in _renamed(adapter.core_schema)))


_cached_validator = functools.lru_cache(maxsize=4_096)(_build)


def _renamed(schema: object) -> Iterator[str]:
    todo = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            inner = cast("dict[object, object]", node)
            if inner.get("type") == "model-fields":
                for name, field in cast("dict[str, dict[str, object]]", inner["fields"]).items():
                    if field.get("validation_alias", name) != name:
                        yield name
            todo += inner.values()
        elif isinstance(node, list | tuple):
            todo += cast("list[object]", node)


class Walk:
    """One careful decoding.

    A part is decoded once per annotation, however many branches of nested unions ask for it. Parts are
    known by identity: the parsed body lives as long as this.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[object, _Fit]] = {}

    def fit(self, annotation: object, value: object) -> _Fit:
        """Return the value as far as it fits; places are relative to it."""
        key = (id(annotation), id(value))
        if key not in self._known:
            self._known[key] = annotation, self._fit(annotation, value)
        return self._known[key][1]

    def _fit(self, annotation: object, value: object) -> _Fit:
        fits = False
        try:
            text = json.dumps(value).encode()
            whole = validate(annotation, text)
            fits = True
            if not may_clash(annotation, text):
                return whole, []
        except (pydantic.ValidationError, RecursionError):
            pass
        kept, found = self._parts(annotation, value)
        return kept, [] if fits else found or [_misfit(annotation, value)]

    def _parts(self, annotation: object, value: object) -> _Fit:
        if isinstance(annotation, _ALIASES):
            return self.fit(_alias_value(annotation), value)
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is Annotated:
            return self.fit(arguments[0], value)
        if origin is Union or origin is types.UnionType:
            return self._branches(annotation, arguments, value)
        return self._container(annotation, value) or (value, [_misfit(annotation, value)])

    def _container(self, annotation: object, value: object) -> _Fit | None:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if isinstance(value, list) and _is_list(origin):
            return self._rows(arguments[0], cast("list[object]", value))
        if isinstance(value, dict) and _is_dict(origin):
            return self._entries(arguments[1], cast("dict[str, object]", value))
        if isinstance(value, dict) and _is_model(annotation):
            return self._model(annotation, cast("dict[str, object]", value))
        return None

    def _branches(self, annotation: object, branches: Sequence[object], value: object) -> _Fit:
        kept, found = min((self.fit(branch, value) for branch in branches), key=_distance)
        return (kept, found) if all(m.place for m in found) else (value, [_misfit(annotation, value)])

    def _rows(self, item: object, value: list[object]) -> _Fit:
        fits = [self.fit(item, row) for row in value]
        found = [m.below(index) for index, (_, inner) in enumerate(fits) for m in inner]
        return [kept for kept, _ in fits], found

    def _entries(self, item: object, value: dict[str, object]) -> _Fit:
        fits = {key: self.fit(item, entry) for key, entry in value.items()}
        found: list[Mismatch] = []
        for key, (_, inner) in fits.items():
            found += [m.below(Key(key)) for m in inner] if key.isascii() or _is_text(key) else [_odd_key(key)]
        return {key: kept for key, (kept, _) in fits.items()}, found

    def _model(self, model: type[pydantic.BaseModel], value: dict[str, object]) -> _Fit:
        model.model_rebuild()
        rest = dict(value)
        fields: dict[str, object] = {}
        sent: dict[str, object] = {}
        found: list[Mismatch] = []
        names = {name: wire_name(name, field) for name, field in model.model_fields.items()}
        given = {name for name, key in names.items() if key in value}
        built = model.model_construct(given | (value.keys() - names.values()))
        for name, key in names.items():
            annotation = _field_annotation(model, name)
            if name in given:
                fields[name], inner = self.fit(annotation, rest.pop(key))
                found += (m.below(key) for m in inner)
                if name != key and name in value:
                    sent[key] = None  # a mark: what was sent is the field
            elif model.model_fields[name].is_required():
                fields[name] = None
                found.append(Mismatch((key,), describe(annotation), "nothing", _is_tag(annotation)))
            else:
                fields[name] = built.__dict__[name]
        extra, inner = self._entries(_extra_annotation(model), rest)
        _fill(built, fields, cast("dict[str, object]", extra) | sent)
        return built, found + inner


def _distance(fit: _Fit) -> tuple[int, int, int, int]:
    """Return how far a value is from a branch of a union, the worst first.

    Where the value itself does not fit, nothing below it was looked at: counted alone, None would win
    against a list with two odd rows. Then come the constants that tell variants apart.
    """
    kept, found = fit
    known = 0
    if isinstance(kept, pydantic.BaseModel):
        known = len(kept.model_fields_set & type(kept).model_fields.keys())
    here = sum(not m.place for m in found)
    return here, sum(m.tag and len(m.place) == 1 for m in found), len(found), -known


def _fill(built: pydantic.BaseModel, fields: dict[str, object], extra: dict[str, object]) -> None:
    values = cast("dict[str, object]", vars(built))
    values.clear()
    values.update(fields)
    if built.model_extra is not None:
        built.model_extra.update(extra)


@functools.lru_cache(maxsize=4_096)
def _field_annotation(model: type[pydantic.BaseModel], name: str) -> object:
    field = model.model_fields[name]
    if not field.metadata:
        return field.annotation
    return cast("object", Annotated.__class_getitem__((field.annotation, *field.metadata)))  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=4_096)
def _extra_annotation(model: type[pydantic.BaseModel]) -> object:
    """Return the type of a model's unknown fields, which pydantic reads from `__pydantic_extra__`."""
    for cls in model.__mro__[: model.__mro__.index(pydantic.BaseModel)]:
        annotation = inspect.get_annotations(cls).get("__pydantic_extra__")
        arguments = typing.get_args(_resolved(annotation, cls.__module__))
        if len(arguments) == 2:
            return arguments[1]
    return object


@functools.lru_cache(maxsize=4_096)
def _alias_value(alias: typing_extensions.TypeAliasType) -> object:
    return _resolved(alias.__value__, alias.__module__)


def _resolved(annotation: object, module: str | None) -> object:
    """Return an annotation without forward references; as it is where they name nothing."""
    holder = types.SimpleNamespace(__annotations__={"value": annotation})
    names = vars(sys.modules[module]) if module in sys.modules else {}
    try:
        return typing_extensions.get_type_hints(holder, globalns=names, include_extras=True)["value"]
    except (NameError, TypeError, SyntaxError):
        return annotation


def _is_list(origin: object) -> bool:
    return isinstance(origin, type) and issubclass(list, origin)


def _is_dict(origin: object) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_model(annotation: object) -> typing_extensions.TypeIs[type[pydantic.BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)


def _is_tag(annotation: object) -> bool:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Union or origin is types.UnionType:
        return all(branch is type(None) or _is_tag(branch) for branch in arguments)
    return origin is Literal


def describe(annotation: object) -> str:
    """Return the readable name of a type, without those of what it holds."""
    if isinstance(annotation, _ALIASES):
        return describe(_alias_value(annotation))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return describe(arguments[0])
    if origin is Literal:
        return _alternatives(map(repr, arguments))
    if origin is Union or origin is types.UnionType:
        return _alternatives(map(describe, arguments))
    return _name(annotation if origin is None else origin)


def _name(kind: object) -> str:
    if kind is object or kind is Any:
        # Such as a lone surrogate, or arrays nested by the thousand (RFC 8259, 8.2 and 9).
        return "interoperable JSON"
    if kind is None or kind is type(None):
        return "None"
    if _is_list(kind):
        return "list"
    if _is_dict(kind):
        return "dict"
    name = getattr(kind, "__name__", None)
    return name if isinstance(name, str) else str(kind)


def _alternatives(names: Iterable[str]) -> str:
    unique = list(dict.fromkeys(names))
    if len(unique) > _MOST_NAMED:
        unique[_MOST_NAMED:] = [f"one of {len(unique) - _MOST_NAMED} others"]
    return " or ".join(unique)


def _is_text(key: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in key)


def _odd_key(key: str) -> Mismatch:
    return Mismatch((Key(key),), _name(object), "a name with a lone surrogate")


def _misfit(annotation: object, value: object) -> Mismatch:
    expected = describe(annotation)
    got = "None" if value is None else type(value).__name__
    return Mismatch((), expected, f"another {got}" if got == expected else got, _is_tag(annotation))
