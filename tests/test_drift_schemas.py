"""Every schema of the generated package, in answers that were changed at random places.

What comes out is compared with what went in, and the places with those that a short reading of the
annotations, which knows nothing of the library's, says do not fit.
"""

from __future__ import annotations

import copy
import datetime as dt
import functools
import importlib
import json
import pkgutil
import sys
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

import pydantic
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typing_extensions import TypeAliasType, TypeIs

import evertoken_api
from evertoken import drift
from evertoken.model import Datetime, Model
from evertoken.wire import to_wire
from fuzzing import tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

JSON: TypeAlias = Any
Place: TypeAlias = tuple[str | int, ...]
Draw: TypeAlias = "Callable[[st.SearchStrategy[Any]], Any]"

HIDDEN = "hidden-value"
DEEPEST = 100
"""Levels that every reader of JSON follows; where more is too many depends on the reader."""


class Web(Model):
    kind: Literal["web"]
    callbacks: list[str] | None = None


class Native(Model):
    kind: Literal["native"]
    scheme: str
    parent: Kind | None = None


Kind = TypeAliasType("Kind", "Web | Native")
Tree = TypeAliasType("Tree", "str | list[Tree] | dict[str, Tree] | None")


class Shapes(Model):
    """What the generated models have little of, so far: unions of objects, and types made of themselves."""

    kind: Kind | None = None
    tree: Tree | None = None
    moments: list[Datetime] | None = None
    from_: Annotated[int | list[Web] | dict[str, Native] | None, pydantic.Field(alias="from")] = None


def every_schema() -> list[object]:
    """Return the models and named types of all groups, and lists of the models."""
    schemas: list[object] = [Shapes, types.GenericAlias(list, (Shapes,))]
    for module in pkgutil.walk_packages(evertoken_api.__path__, "evertoken_api."):
        if not module.name.endswith(".models"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, TypeAliasType):
                schemas.append(value)
            elif isinstance(value, type) and issubclass(value, Model) and value is not Model:
                schemas += [value, types.GenericAlias(list, (value,))]
    assert len(schemas) > 100
    return schemas


SCHEMAS = every_schema()
OFTEN = SCHEMAS + [Shapes] * (len(SCHEMAS) // 5)


def is_object(value: JSON) -> TypeIs[dict[str, JSON]]:
    return isinstance(value, dict)


def is_array(value: JSON) -> TypeIs[list[JSON]]:
    return isinstance(value, list)


# A reading of annotations of its own


def resolved(alias: TypeAliasType) -> object:
    value = alias.__value__
    return eval(value, globals()) if isinstance(value, str) else value  # noqa: S307 - those of this file


def branches(annotation: object) -> list[object]:
    """Return the alternatives of a type, without names and metadata."""
    if isinstance(annotation, TypeAliasType):
        return branches(resolved(annotation))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return branches(arguments[0])
    if origin is Union or origin is types.UnionType:
        return [branch for argument in arguments for branch in branches(argument)]
    return [annotation]


def as_model(branch: object) -> type[Model] | None:
    return branch if isinstance(branch, type) and issubclass(branch, Model) else None


@functools.cache
def fields(model: type[Model]) -> dict[str, tuple[object, bool]]:
    """Return type and need of each field, by the API's name."""
    model.model_rebuild(_types_namespace=vars(sys.modules[model.__module__]))
    return {
        field.alias or name: (field.annotation, field.is_required())
        for name, field in model.model_fields.items()
    }


def interoperable(value: JSON, depth: int = 0) -> bool:
    if depth > DEEPEST:
        return False
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value)
    if is_object(value):
        entries = value
        return all(interoperable(key) and interoperable(item, depth + 1) for key, item in entries.items())
    return not is_array(value) or all(interoperable(item, depth + 1) for item in value)


def is_moment(value: JSON) -> bool:
    try:
        pydantic.TypeAdapter(dt.datetime).validate_json(json.dumps(value), strict=True)
    except pydantic.ValidationError:
        return False
    return True


def below(part: str | int, found: set[Place]) -> set[Place]:
    return {(part, *place) for place in found}


UNTOLD: Place = ("...",)
"""Ends a place below which it cannot be told which alternative was meant."""


def misfits(annotation: object, value: JSON) -> set[Place]:
    """Return the places of a value that do not fit its type."""
    alternatives = [
        found for branch in branches(annotation) if (found := misfits_of(branch, value)) is not None
    ]
    if not all(alternatives):
        return set()
    if not alternatives:
        return {()}
    return alternatives[0] if len(alternatives) == 1 else {UNTOLD}


def misfits_of(branch: object, value: JSON) -> set[Place] | None:
    """Return the places within a value that do not fit, None where the value itself does not."""
    origin, arguments = typing.get_origin(branch), typing.get_args(branch)
    found: set[Place] = set()
    if is_object(value) and (model := as_model(branch)):
        known = fields(model)
        for name, (annotation, required) in known.items():
            if name in value:
                found |= below(name, misfits(annotation, value[name]))
            elif required:
                found.add((name,))
        extra = {key: item for key, item in value.items() if key not in known}
        return found | {(key,) for key, item in extra.items() if not interoperable([key, item])}
    if is_object(value) and origin is dict:
        for key, item in value.items():
            found |= {(key,)} if not interoperable(key) else below(key, misfits(arguments[1], item))
        return found
    if is_array(value) and origin is list:
        for index, item in enumerate(value):
            found |= below(index, misfits(arguments[0], item))
        return found
    return found if is_scalar(branch, value) else None


def is_scalar(branch: object, value: JSON) -> bool:
    if branch is Any or branch is object:
        return interoperable(value)
    if branch is None or branch is type(None):
        return value is None
    if typing.get_origin(branch) is Literal:
        return any(value == one and type(value) is type(one) for one in typing.get_args(branch))
    if branch is dt.datetime:
        return isinstance(value, str) and is_moment(value)
    if branch is str:
        return isinstance(value, str) and interoperable(value)
    return type(value) in ((float, int) if branch is float else (branch,))


# Answers that fit


SCALARS: dict[object, st.SearchStrategy[JSON]] = {
    str: st.text(max_size=8) | st.sampled_from(["NaN", "https://app.example/", "2030-01-02T03:04:05.678Z"]),
    int: st.integers() | st.just(2**70),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    dt.datetime: st.sampled_from(
        [
            "2030-01-02T03:04:05.678Z",
            "2030-01-02T03:04:05Z",
            "2030-01-02T03:04:05.123456789-01:30",
            "1999-12-31 23:59:59",
        ]
    ),
    type(None): st.none(),
}
ANY: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | SCALARS[int] | SCALARS[float] | SCALARS[str],
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def fitting(draw: Draw, annotation: object, depth: int = 0) -> JSON:
    """Draw a value that fits a type."""
    branch: Any = draw(st.sampled_from(branches(annotation)))
    if depth > 4 and type(None) in branches(annotation):
        return None
    origin: Any = typing.get_origin(branch)
    arguments: Sequence[Any] = typing.get_args(branch)
    if model := as_model(branch):
        known = fields(model)
        optional = [name for name, (_, required) in known.items() if not required]
        chosen: list[str] = (
            draw(st.lists(st.sampled_from(optional), unique=True, max_size=5)) if optional else []
        )
        names = [name for name, (_, required) in known.items() if required] + chosen
        return {name: fitting(draw, known[name][0], depth + 1) for name in names}
    if origin is list:
        return [fitting(draw, arguments[0], depth + 1) for _ in range(draw(st.integers(0, 3)))]
    if origin is dict:
        return {
            draw(st.text(max_size=4)): fitting(draw, arguments[1], depth + 1)
            for _ in range(draw(st.integers(0, 2)))
        }
    if origin is Literal:
        return draw(st.sampled_from(arguments))
    return draw(SCALARS.get(branch, ANY))


# And what becomes of them


NAMES = st.text(max_size=4) | st.sampled_from(
    [
        "global_",
        "from_",
        "model_config",
        "model_fields",
        "__dict__",
        "__class__",
        "copy",
        "a.b",
        'a"b',
        "\ud800",
        "new",
    ]
)


SECRET_NAMES = st.sampled_from(["client_secret", "signing_keys", "apiKey", "refresh_token", "password"])
SECRETS = st.sampled_from([HIDDEN, [HIDDEN], {"secret": HIDDEN}, {"private_key": [HIDDEN]}])


def nested(depth: int) -> JSON:
    value: JSON = "x"
    for number in range(depth):
        value = [value] if number % 2 else {"d": value}
    return value


ODD_VALUES: list[JSON] = [
    "\ud800", "a\udfffb", {"\udc00": 1}, 10**400, -(2**63) - 1, 1e308, 5e-324, -0.0, "", {}, [], [[]],
    nested(30), nested(150), nested(260),
]  # fmt: skip
ODD: st.SearchStrategy[JSON] = ANY | st.sampled_from(ODD_VALUES)


def places(value: JSON, at: Place = ()) -> Iterator[Place]:
    yield at
    items: Sequence[tuple[str | int, JSON]] = ()
    if is_object(value):
        items = list(value.items())
    elif is_array(value):
        items = list(enumerate(value))
    for part, item in items:
        yield from places(item, (*at, part))


def found_at(value: JSON, at: Place) -> JSON:
    return functools.reduce(lambda holder, part: holder[part], at, value)


def changed(value: JSON, at: Place, new: JSON) -> JSON:
    if not at:
        return new
    whole = copy.copy(value)
    whole[at[0]] = changed(whole[at[0]], at[1:], new)
    return whole


WAYS: dict[str, Callable[[Draw, JSON], JSON]] = {
    "other": lambda draw, here: draw(ODD),
    "null": lambda draw, here: None,
    "in a list": lambda draw, here: [here],
    "in an object": lambda draw, here: {"value": here},
    "another schema": lambda draw, here: fitting(draw, draw(st.sampled_from(SCHEMAS)), 3),
}
OF_OBJECTS: dict[str, Callable[[Draw, JSON], JSON]] = {
    "missing": lambda draw, here: dict(list(here.items())[1:]),
    "extra": lambda draw, here: {**here, draw(NAMES): draw(ODD)},
    "as a list": lambda draw, here: list(here.values()),
}
OF_LISTS: dict[str, Callable[[Draw, JSON], JSON]] = {
    "longer": lambda draw, here: [*here, draw(ODD)],
    "as an object": lambda draw, here: {str(index): item for index, item in enumerate(here)},
}


def mutated_once(draw: Draw, value: JSON) -> JSON:
    at = draw(st.sampled_from([place for place in places(value) if len(place) < 12]))
    here = found_at(value, at)
    more = OF_OBJECTS if is_object(here) else OF_LISTS if is_array(here) else {}
    ways = {**WAYS, **more}
    return changed(value, at, ways[draw(st.sampled_from(list(ways)))](draw, here))


@st.composite
def answers(draw: st.DrawFn) -> tuple[object, JSON]:
    schema = draw(st.sampled_from(OFTEN))
    value = fitting(draw, schema)
    for _ in range(draw(st.integers(0, 3))):
        value = mutated_once(draw, value)
    objects: list[Place] = [
        place for place in places(value) if len(place) < 12 and is_object(found_at(value, place))
    ]
    if len(objects) > 0 and draw(st.booleans()):
        at: Place = draw(st.sampled_from(objects))
        value = changed(value, at, {**found_at(value, at), draw(SECRET_NAMES): draw(SECRETS)})
    assume(not any(is_untellable(found_at(value, place)) for place in places(value)))
    return schema, value


def is_untellable(value: JSON) -> bool:
    """Tell of the one thing that a model cannot hold: null under a name, beside that name in Python."""
    return is_object(value) and any(
        name in value and value[name[:-1]] is None for name in ("from_", "global_") if name[:-1] in value
    )


def dumped(value: object) -> JSON:
    if is_array(value):
        return [dumped(item) for item in value]
    if is_object(value):
        return {key: dumped(item) for key, item in value.items()}
    return value.model_dump() if isinstance(value, Model) else value


def spelled(value: object) -> str:
    """Return JSON in which equal values look equal, and no others: 1 is not 1.0, nor True."""
    return json.dumps(value, sort_keys=True)


def untold(expected: set[Place]) -> list[Place]:
    return [place[:-1] for place in expected if place[-1:] == UNTOLD]


def check(schema: object, value: JSON) -> None:
    """Decode a value as an answer of a schema, and see that it is all there and what does not fit is told."""
    decoded, mismatches = drift.decode(schema, json.dumps(value).encode())

    assert spelled(dumped(decoded)) == spelled(value)
    if interoperable(value):
        assert spelled(to_wire(decoded)) == spelled(value)
    if isinstance(decoded, Model):
        assert HIDDEN not in f"{decoded} {decoded!r}"

    expected, told = misfits(schema, value), [mismatch.place for mismatch in mismatches]
    assert len(told) == len(set(told))
    if max(map(len, places(value))) > DEEPEST:
        return
    vague = untold(expected)
    clear = {place for place in expected if place[-1:] != UNTOLD}
    rest = {place for place in told if not any(place[: len(at)] == at for at in vague)}
    assert rest == clear
    assert all(any(place[: len(at)] == at for place in told) for at in vague)


@given(answer=answers())
@settings(
    tried(500),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_whatever_comes_is_decoded_kept_and_told(answer: tuple[object, JSON]) -> None:
    """Any schema, changed anywhere: nothing raises or is lost, and what is told is what does not fit."""
    check(*answer)
