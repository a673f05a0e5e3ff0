"""Names of the API as Python names."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

# What the generated modules import: a function of such a name gets a trailing underscore, a class a suffix.
_TAKEN = frozenset(
    {
        "Annotated", "Any", "AsyncEventStream", "AsyncListCall", "AsyncSender", "ConfigDict", "EventStream",
        "EventsOperation", "Field", "File", "ListOperation", "Literal", "Mapping", "Model", "Multipart",
        "NoneType", "NotRequired", "Operation", "Paging",
        "RequestOptions", "Sender", "Sequence", "SyncPager", "TypeAlias", "TypeAliasType", "TypedDict",
        "UNSET", "Union", "Unset", "bool", "builtins", "cached_property", "datetime", "float", "int",
        "models", "operations", "params", "resources", "shared_models", "shared_params", "str",
    }
)  # fmt: skip
# In annotations of the same class, type checkers would take these for the property.
_ANNOTATIONS = frozenset(
    {
        "Annotated", "Any", "Field", "Literal", "Union", "bool", "datetime", "dict", "float", "int", "list",
        "str",
    }
)  # fmt: skip
# Arguments that would hide what the body of their function needs.
_ARGUMENTS = frozenset({"self", "list", "request_options"}) | _TAKEN


def snake(name: str) -> str:
    """Return `previewCimdMetadata`, `preview-cimd-metadata` or the like as `preview_cimd_metadata`.

    Digits are a part of their own, as in auth0-python: `p12` becomes `p_12`. Nothing but ASCII is left, so
    that it may be empty, or begin with a digit.
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", _ascii(name))
    words = re.sub(r"[^0-9a-zA-Z]+", "_", spaced).strip("_").lower()
    return re.sub(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])", "_", words)


def pascal(name: str) -> str:
    """Return `rotate_secret` as `RotateSecret`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9a-zA-Z]+", _ascii(name)))


def argument(wire: str) -> str:
    """Return the keyword argument for a parameter or property: `from_` for `from`, `field_1_st` for `1st`."""
    name = _begun(snake(wire), "field")
    return f"{name}_" if keyword.iskeyword(name) or name in _ARGUMENTS else name


def function(name: str) -> str:
    """Return the name of a group, method or function; builtins such as `list` are allowed."""
    return unlike(_begun(snake(name), "call"))


def unlike(name: str) -> str:
    """Return the name, with an underscore where it is Python's, or one that its module needs."""
    return f"{name}_" if keyword.iskeyword(name) or name in _TAKEN else name


def type_name(name: str) -> str:
    """Return the name of a schema's class or alias: `ClientX` for `Client-X`, `Schema2Fa` for `2Fa`."""
    found = pascal(name)
    if not found or found[0].isdigit():
        found = f"Schema{found}"
    return f"{found}Schema" if is_taken(found) else found


def is_taken(name: str) -> bool:
    """Tell whether a class of this name would hide what its module needs."""
    return keyword.iskeyword(name) or name in _TAKEN or hasattr(builtins, name)


def field(wire: str, hidden: Container[str]) -> str | None:
    """Return the attribute for a property where the usual one would not do, or None.

    `hidden` holds the names of types, which an attribute in the same class would hide from type checkers.
    """
    plain = unicodedata.normalize("NFKC", wire)
    is_hiding = wire in _ANNOTATIONS or wire in hidden
    return f"{plain}_" if is_hiding or (plain != wire and plain.isidentifier()) else None


def are_plain(keys: Iterable[str]) -> bool:
    """Tell whether a TypedDict with these keys can be written as a class."""
    return all(key.isidentifier() and not keyword.iskeyword(key) for key in keys)


def free(name: str, taken: Container[str], joint: str = "") -> str:
    """Return the name, or the first with a number that nothing else has."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}{joint}{number}", number + 1
    return found


def _begun(name: str, first: str) -> str:
    if not name:
        return first
    return f"{first}_{name}" if name[0].isdigit() else name


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    parted = unicodedata.normalize("NFKD", name)
    return "".join(character for character in parted if not unicodedata.combining(character))
