"""The base class of the generated models."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, TypeAlias, cast

import pydantic
from pydantic_core import core_schema

from evertoken.secret_names import MASK, is_secret, may_be_secret
from evertoken.sent import SentDatetime, as_sent, properties, spell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic.json_schema import JsonSchemaValue


def masked(value: object) -> object:
    """Return the JSON of what was decoded, to be shown: as it came, but for secrets, at any depth."""
    return as_sent(_shown(value, "", _unfolded))


def _unfolded(model: pydantic.BaseModel) -> object:
    of = type(model).__name__
    return {name: _shown(item, name, _unfolded, of) for name, item in properties(model).items()}


def _shown(value: object, name: str, show_model: Callable[[Model], object], of: str = "") -> object:
    """Return a value for a repr: the same, or a copy in which secrets are masked, at any depth."""
    if value is None or isinstance(value, bool) or value == "":
        return value  # such as allow_refresh_token
    if is_secret(name, of) or (may_be_secret(name) and not _is_setting(value, name)):
        return MASK
    if isinstance(value, list | tuple):
        return [_shown(item, name, show_model) for item in cast("list[object]", value)]
    if isinstance(value, Model):
        return show_model(value)
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value)
        return {key: _shown(item, str(key), show_model) for key, item in entries.items()}
    return value


def _is_setting(value: object, name: str) -> bool:
    # What is no model has a shape that nobody knows. A number under a plural counts: leaked_passwords.
    return isinstance(value, Model | list | tuple) or (isinstance(value, int | float) and name.endswith("s"))


def _itself(model: Model) -> object:
    return model  # its own repr masks


class _AsSent:
    """Makes pydantic keep how a datetime was spelled.

    In Auth0's usual spelling nothing has to be kept, and no Python runs.
    """

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        usual = core_schema.str_schema(
            pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
        )
        text = core_schema.union_schema(
            [
                core_schema.chain_schema([usual, core_schema.datetime_schema(strict=False)]),
                core_schema.no_info_after_validator_function(SentDatetime.of, core_schema.str_schema()),
            ],
            mode="left_to_right",
        )
        return core_schema.json_or_python_schema(
            json_schema=text,
            python_schema=handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(_written, when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time"}


def _written(value: object) -> object:
    return spell(value) if isinstance(value, dt.datetime) else value


Datetime: TypeAlias = Annotated[dt.datetime, _AsSent]
"""A datetime that is written back as it was sent."""


_AS_SENT: Final[dict[str, object]] = {"by_alias": True, "exclude_unset": True, "warnings": False}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _asks(options: dict[str, object], usual: dict[str, object]) -> bool:
    return any(name not in usual or usual[name] != value for name, value in options.items())


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Only an escape can spell half a character.
    return json.dumps(value, separators=(",", ":")) if _SURROGATE.search(text) else text


class Model(pydantic.BaseModel):
    """A JSON object that the API sent.

    Fields that the spec does not know are kept as attributes (`model_extra`). Values are never
    converted: a field of another type than the spec's keeps what came (see `evertoken.drift`).

    `model_dump()` and `model_dump_json()` give the object as the API sent it, with what was changed since:
    the API's names, and only the fields that were sent or set. Their arguments are pydantic's, with other
    defaults: `mode="json"`, `by_alias=True`, `exclude_unset=True`, `warnings=False`.

    `repr` and `str` mask secrets.
    """

    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(
        extra="allow",
        defer_build=True,
        protected_namespaces=(),
        populate_by_name=True,
        strict=True,
        hide_input_in_errors=True,
    )

    # Type checkers see pydantic's own signatures, which differ from version to version. Without arguments its
    # serializer is not asked: it fails over lone surrogates, and over what is nested deeply.
    if not TYPE_CHECKING:

        def model_dump(self, **options: object) -> dict[str, object]:
            """Return the object as the API sent it, with what was changed since."""
            usual = {**_AS_SENT, "mode": "json"}
            return super().model_dump(**{**usual, **options}) if _asks(options, usual) else as_sent(self)

        def model_dump_json(self, **options: object) -> str:
            """Return the JSON of the same."""
            if _asks(options, _AS_SENT):
                return super().model_dump_json(**{**_AS_SENT, **options})
            return _json(as_sent(self))

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        for name, value in super().__repr_args__():
            yield name, _shown(value, name or "", _itself, type(self).__name__)
