"""What was read, as it was sent: what Python's types would lose of it, and the way back.

pydantic's classes are named within functions only: importing the library loads none of them.
"""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, cast

import pydantic

if TYPE_CHECKING:
    from typing import Self

    from pydantic.fields import FieldInfo


class SentDatetime(dt.datetime):
    """A datetime that the API spelled in another way than Auth0 usually does; `text` is how."""

    text: str | None = None
    """None for what is computed from it, such as a sum."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the moment that a text tells; raise pydantic.ValidationError where it is none."""
        moment = _reader().validate_strings(text, strict=True)
        sent = cls.combine(moment, moment.timetz())
        sent.text = text
        return sent

    def __reduce_ex__(self, protocol: object, /) -> str | tuple[object, ...]:
        if self.text is None:
            return super().__reduce_ex__(cast("int", protocol))
        return type(self).of, (self.text,)


@functools.cache
def _reader() -> pydantic.TypeAdapter[dt.datetime]:
    return pydantic.TypeAdapter(dt.datetime)


def spell(moment: dt.datetime) -> str:
    """Return a moment as it was sent; where it was not, as Auth0 writes UTC, and others with their offset."""
    text = moment.text if isinstance(moment, SentDatetime) else None
    if text is not None:
        return text
    if moment.utcoffset() == dt.timedelta() and moment.microsecond % 1_000 == 0:
        return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return moment.isoformat()


def wire_name(name: str, field: FieldInfo) -> str:
    """Return the API's name of a model's field."""
    alias = field.validation_alias if isinstance(field.validation_alias, str) else field.alias
    return name if alias is None else alias


def properties(model: pydantic.BaseModel) -> dict[str, object]:
    """Return what was sent or set, by the API's names; fields of the spec and others."""
    extra, names = model.model_extra or {}, model.model_fields_set
    found = dict[str, object](extra)
    for name, field in type(model).model_fields.items():
        held = cast("object", model.__dict__[name])
        key = wire_name(name, field)
        # An unknown key may be spelled as a field's name in Python, and pydantic counts that as set. With
        # both there, the API's name stands among the unknown ones too if it was sent (see `fit.Walk`).
        if name in names and (held is not None or name not in extra or key in extra):
            found[key] = held
    return found


def as_sent(value: object) -> object:
    """Return the JSON of a value that was decoded, as it came but for what was changed since."""
    # One frame for each level: what comes deeply nested is written back too.
    if isinstance(value, pydantic.BaseModel):
        value = properties(value)
    if isinstance(value, dict):
        entries: dict[object, object] = {}
        for key, item in cast("dict[object, object]", value).items():
            entries[key] = as_sent(item)
        return entries
    if isinstance(value, list | tuple):
        items: list[object] = []
        for item in cast("list[object]", value):
            items.append(as_sent(item))  # noqa: PERF401 - a comprehension is another frame
        return items
    return spell(value) if isinstance(value, dt.datetime) else value
