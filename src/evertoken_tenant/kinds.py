"""What kind of operation each one is: told from its path, its method and the shape of its answer."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal, TypeAlias

from evertoken_tenant.described import Described, by_key, describe, methods, normal, row
from evertoken_tenant.listing import rows_key, shapes

if TYPE_CHECKING:
    from collections.abc import Callable

Kind: TypeAlias = Literal[
    "list", "read", "create", "update", "replace", "remove", "setting", "set", "open", "clear", "act"
]


@functools.cache
def kind_of(key: str) -> Kind:
    """Return what an operation does."""
    described = describe(key)
    template, entry = described.template, described.entry
    item = _is_item(described)
    kind: Kind
    match entry.method:
        case "GET":
            kind = "read" if item else "list" if _is_list(described) else "setting"
        case "POST" if f"{template}/{{}}" in methods() or _sibling(described, "GET", _is_list):
            kind = "create"
        case "POST":
            kind = "open" if "GET" in methods()[template] and not item else "act"
        case "PATCH":
            kind = "update" if item else "set"
        case "PUT":
            kind = "replace" if item else "set"
        case _:
            kind = "remove" if item else "clear"
    return kind


def _is_item(described: Described) -> bool:
    """Tell whether the path is that of one row among others, not of a setting for each of some values."""
    if not described.template.endswith("{}"):
        return False
    last = described.entry.path.rpartition("{")[2][:-1]
    choices = any(one.name == last and "enum" in one.schema for one in described.parameters)
    return not choices or described.template.removesuffix("/{}") in methods()


def _sibling(described: Described, method: str, test: Callable[[Described], bool]) -> bool:
    """Tell whether the operation of another method on the same path is of a kind."""
    return any(
        test(describe(entry.key))
        for entry in by_key().values()
        if entry.method == method and normal(entry.path) == described.template
    )


def _is_list(described: Described) -> bool:
    schema = described.success().schema
    has_items = f"{described.template}/{{}}" in methods()
    for shape in shapes(schema) if schema else ():
        paged_names = {"next", "total"} & row(shape.get("properties")).keys()
        if shape.get("type") == "array" or (rows_key(shape) and (has_items or paged_names)):
            return True
    return False


@functools.cache
def item_parameter(template: str) -> str:
    """Return the name of the parameter that stands for one row of a collection."""
    wanted = f"{template}/{{}}"
    return next(
        (entry.path.rpartition("{")[2][:-1] for entry in by_key().values() if normal(entry.path) == wanted),
        "id",
    )


def can_be_absent(described: Described) -> bool:
    """Tell whether a setting is there only once it was made."""
    return bool(methods()[described.template] & {"POST", "DELETE"})


def is_setting(described: Described) -> bool:
    """Tell whether what is read at the path of an operation is a setting."""
    return _sibling(described, "GET", lambda other: kind_of(other.entry.key) == "setting")
