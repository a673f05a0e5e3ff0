"""Judges JSON values by the schemas of the documents, in the API's words."""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import ipaddress
import re
import uuid
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from evertoken_tenant.call import dump
from evertoken_tenant.described import document
from evertoken_tenant.schema import FORMATS, MismatchError, is_https_url, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evertoken_tenant.call import Json, Row

_PATTERN_MOST: Final = 10_000  # characters; a longer text is not searched for a pattern


class Problem(Protocol):
    """What jsonschema says is wrong: which word of the schema, with which value."""

    validator: str
    validator_value: Any
    instance: Any
    schema: Any
    message: str
    path: Sequence[str | int]
    absolute_path: Sequence[str | int]
    schema_path: Sequence[str | int]
    context: Sequence[Problem]


def is_valid(schema: Row, value: Json) -> bool:
    """Tell whether a value fits a schema."""
    return bool(_validator(schema).is_valid(value))


def check(schema: Row, value: Json) -> None:
    """Raise MismatchError, with the most telling reason, where a value does not fit a schema."""
    best: Problem | None = _library("jsonschema.exceptions").best_match(_validator(schema).iter_errors(value))
    if best is not None:
        problem = _innermost(best)
        raise MismatchError(_sentence(problem), _place(problem))


def matches(pattern: str, text: str) -> bool:
    """Tell whether a text has a pattern of the documents in it."""
    expression = _compiled(pattern)
    return expression is None or expression.search(text[:_PATTERN_MOST]) is not None


def _innermost(error: Problem) -> Problem:
    """Return what is wrong with the alternative that was meant, where one can be told."""
    while error.validator in ("oneOf", "anyOf") and error.context:
        branches: dict[object, list[Problem]] = {}
        for cause in error.context:
            branches.setdefault(cause.schema_path[0], []).append(cause)
        # The one meant is of the value's type, and has its tags: the values that tell alternatives apart.
        meant = [some for some in branches.values() if not any(_is_tag(error, cause) for cause in some)]
        if len(meant) != 1:
            break
        error = min(meant[0], key=lambda cause: len(cause.path))
    return error


def _is_tag(of: Problem, cause: Problem) -> bool:
    if cause.validator == "type":
        return len(cause.path) == len(of.path)
    return cause.validator in ("const", "enum")


def _sentence(error: Problem) -> str:
    limit, value = error.validator_value, cast("Json", error.instance)
    size = len(value) if isinstance(value, (str, list, dict)) else 0
    shown = value if isinstance(value, str) else dump(value)
    sentences: Mapping[str, Callable[[], str]] = {
        "type": lambda: f"Expected type {_types(limit)} but found type {kind_of(value)}",
        "required": lambda: f"Missing required property: {_missing(error)}",
        "additionalProperties": lambda: f"Additional properties not allowed: {_additional(error)}",
        "minLength": lambda: f"String is too short ({size} chars), minimum {limit}",
        "maxLength": lambda: f"String is too long ({size} chars), maximum {limit}",
        "pattern": lambda: f"String does not match pattern: {limit}",
        "format": lambda: f"Object didn't pass validation for format {limit}: {value}",
        "enum": lambda: f"No enum match for: {shown}",
        "const": lambda: f"No enum match for: {shown}",
        "minimum": lambda: f"Value {value} is less than minimum {limit}",
        "maximum": lambda: f"Value {value} is greater than maximum {limit}",
        "minItems": lambda: f"Array is too short ({size}), minimum {limit}",
        "maxItems": lambda: f"Array is too long ({size}), maximum {limit}",
        "uniqueItems": lambda: "Array items are not unique",
        "minProperties": lambda: f"Too few properties defined ({size}), minimum {limit}",
        "maxProperties": lambda: f"Too many properties defined ({size}), maximum {limit}",
        "oneOf": lambda: "Data does not match any schemas from 'oneOf'",
        "anyOf": lambda: "Data does not match any schemas from 'anyOf'",
    }
    sentence = sentences.get(str(error.validator))
    return sentence() if sentence else f"Data does not fit '{error.validator}'"


def _types(limit: object) -> str:
    return (
        ",".join(str(one) for one in cast("list[object]", limit)) if isinstance(limit, list) else str(limit)
    )


def _missing(error: Problem) -> str:
    required = cast("list[str]", error.validator_value)
    given = cast("Row", error.instance)
    return next(name for name in required if name not in given and repr(name) in error.message)


def _additional(error: Problem) -> str:
    schema = cast("Mapping[str, Any]", error.schema)
    known: Mapping[str, Any] = schema.get("properties", {})
    return ",".join(name for name in cast("Row", error.instance) if name not in known)


def _place(error: Problem) -> str:
    place = ""
    for step in error.absolute_path:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
    return place


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Return the expression; None for one that only JavaScript reads, which then holds for every text."""
    # As published, a repetition with a blank in it would be plain text; it is meant as a repetition.
    pattern = re.sub(r"\{(\d+), (\d+)\}", r"{\1,\2}", pattern)
    # Within brackets JavaScript takes a hyphen after a class for itself.
    for written in (pattern, pattern.replace(r"[\w-", r"[\w\-")):
        try:
            return re.compile(written)
        except re.error:
            continue
    return None


def _match(_validator: object, pattern: str, value: object, _schema: object) -> Iterator[Any]:
    if isinstance(value, str) and not matches(pattern, value):
        yield _library("jsonschema").ValidationError("does not match")


def _moment(value: str) -> bool:
    return FORMATS["date-time"](value)


def _date(value: str) -> bool:
    return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)) and bool(dt.date.fromisoformat(value))


def _email(value: str) -> bool:
    return re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None


def _network(value: str) -> bool:
    return "/" in value and bool(ipaddress.ip_network(value, strict=False))


_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date-time": _moment,
    "date": _date,
    "email": _email,
    "email-or-empty": lambda value: not value or _email(value),
    "uri": FORMATS["uri"],
    "url": FORMATS["uri"],
    "absolute-uri-or-empty": FORMATS["uri-or-empty"],
    "absolute-https-uri-or-empty": FORMATS["https-uri-or-empty"],
    "strict-https-uri": is_https_url,
    "ipv4": lambda value: bool(ipaddress.IPv4Address(value)) or True,
    "ipv6": lambda value: bool(ipaddress.IPv6Address(value)) or True,
    "cidr": _network,
    "ipv6_cidr": _network,
    "uuid": lambda value: bool(uuid.UUID(value)),
    "hexadecimal": lambda value: re.fullmatch(r"[0-9A-Fa-f]*", value) is not None,
}


def _any(validator: Any, branches: Any, value: Any, schema: Any) -> Any:
    # Published alternatives overlap, so that "exactly one" would refuse what the service takes.
    return _library("jsonschema").Draft202012Validator.VALIDATORS["anyOf"](validator, branches, value, schema)


def _retrieve(uri: str) -> Any:
    try:
        return _library("referencing.jsonschema").DRAFT202012.create_resource(document(uri))
    except FileNotFoundError:
        raise _library("referencing.exceptions").NoSuchResource(uri) from None


def _library(name: str) -> Any:
    """Return a module of jsonschema or what it comes with, loaded when something is first judged.

    By name, since it has no types of its own, and those published beside it leave much open.
    """
    return importlib.import_module(name)


@functools.cache
def _judge() -> Callable[[Row], Any]:
    """Return what makes a validator of a schema."""
    jsonschema, validators = _library("jsonschema"), _library("jsonschema.validators")
    checker = jsonschema.FormatChecker(formats=())
    for name, test in _FORMATS.items():

        def passes(value: object, test: Callable[[str], bool] = test) -> bool:
            return not isinstance(value, str) or test(value)

        checker.checks(name, raises=ValueError)(passes)
    made = validators.extend(jsonschema.Draft202012Validator, {"oneOf": _any, "pattern": _match})
    registry = _library("referencing").Registry(retrieve=_retrieve)
    return functools.partial(made, registry=registry, format_checker=checker)


def _validator(schema: Row) -> Any:
    return _judge()(schema)
