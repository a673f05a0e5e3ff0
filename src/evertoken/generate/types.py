"""A schema as a Python annotation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evertoken.generate.homes import SHARED, Homes

if TYPE_CHECKING:
    from collections.abc import Callable

    from evertoken.generate.document import JsonObject

_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


class Types:
    """Annotations in the modules of one group.

    Names of builtin containers are written `builtins.list`, since a module or class may have an operation
    called `list`.
    """

    def __init__(self, homes: Homes, group: str) -> None:
        self._homes = homes
        self._group = group

    def result(self, shape: JsonObject | None) -> str:
        """Return the type of what comes back; None: nothing does."""
        if shape is None:
            return "None"
        return _render(shape, lambda name: self._name(name, "models"), sent=False)

    def argument(self, shape: JsonObject, read: JsonObject | None = None) -> str:
        """Return the type of what may be sent: TypedDicts, and models read from the API before.

        `read` is the schema of what the API answers under the same name: what was read may be sent back.
        """
        annotation = _render(shape, self._sent, sent=True)
        known = annotation.split(" | ")
        more = [model for model in self._models(read or {}) if model not in known]
        nothing = known[-1:] == ["None"]
        return " | ".join([*(known[:-1] if nothing else known), *more, *(["None"] if nothing else [])])

    def _models(self, shape: JsonObject) -> list[str]:
        """Return the models that a value of a schema may be."""
        if "anyOf" in shape:
            return [model for member in shape["anyOf"] for model in self._models(member)]
        named = shape.get("$ref")
        if named is None or named not in self._homes.models:
            return []
        of_alias = self._homes.library.schemas[named].shape
        if "properties" in of_alias or "allOf" in of_alias:
            return [self._name(named, "models")]
        return self._models(of_alias)

    def _sent(self, name: str) -> str:
        params = self._name(name, "params")
        if name in self._homes.models and self._homes.library.is_structured(name):
            return f"{params} | {self._name(name, 'models')}"
        return params

    def _name(self, name: str, module: str) -> str:
        if self._homes.home[name] == SHARED and self._group != SHARED:
            return f"shared_{module}.{name}"
        return f"{module}.{name}"


def _render(shape: JsonObject, refer: Callable[[str], str], *, sent: bool) -> str:
    if "$ref" in shape:
        return refer(shape["$ref"])
    if "anyOf" in shape:
        members = [_render(member, refer, sent=sent) for member in shape["anyOf"]]
        return " | ".join(dict.fromkeys(members))
    if shape.get("type") in {"object", "array"}:
        return _container(shape, refer, sent=sent)
    if "enum" in shape:
        return f"Literal[{', '.join(repr(value) for value in shape['enum'])}]"
    if shape.get("format") == "date-time":
        return "datetime | str" if sent else "datetime"
    return _SCALARS[shape["type"]] if "type" in shape else "Any"


def _container(shape: JsonObject, refer: Callable[[str], str], *, sent: bool) -> str:
    if shape["type"] == "array":
        items = _render(shape["items"], refer, sent=sent)
        return f"Sequence[{items}]" if sent else f"builtins.list[{items}]"
    values = _render(shape["additionalProperties"], refer, sent=sent)
    return f"Mapping[str, {values}]" if sent else f"builtins.dict[str, {values}]"


def without_null(shape: JsonObject) -> JsonObject:
    """Return the schema for a query parameter, where None is said anyway."""
    if "anyOf" not in shape:
        return shape
    members: list[Any] = [member for member in shape["anyOf"] if member != {"type": "null"}]
    return members[0] if len(members) == 1 else {**shape, "anyOf": members}
