"""Names of the API as Python names."""

from __future__ import annotations

import builtins
import keyword
import re

from evertoken.generate.problem import SpecError

# What the generated modules import: a schema or function of such a name gets a trailing underscore.
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
# Arguments that would hide what the body of their function needs.
_ARGUMENTS = frozenset({"self", "list", "request_options"}) | _TAKEN


def snake(name: str) -> str:
    """Return `previewCimdMetadata`, `preview-cimd-metadata` or the like as `preview_cimd_metadata`.

    Digits are a part of their own, as in auth0-python: `p12` becomes `p_12`.
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", name)
    words = re.sub(r"[^0-9a-zA-Z]+", "_", spaced).strip("_").lower()
    return re.sub(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])", "_", words)


def pascal(name: str) -> str:
    """Return `rotate_secret` as `RotateSecret`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9a-zA-Z]+", name))


def check_identifier(name: str, place: str, what: str) -> None:
    """Raise `SpecError` unless `name` can stand in code as it is."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise SpecError(place, f"{what} is no Python identifier: {name!r}")


def argument(wire: str, place: str) -> str:
    """Return the keyword argument for a parameter or property, such as `from_` for `from`."""
    name = snake(wire)
    check_identifier(name, place, f"the argument for {wire!r}")
    return f"{name}_" if keyword.iskeyword(name) or name in _ARGUMENTS else name


def function(name: str, place: str) -> str:
    """Return the name of a method or function; builtins such as `list` are allowed."""
    check_identifier(name, place, "the operation's name")
    return f"{name}_" if keyword.iskeyword(name) or name in _TAKEN else name


def type_name(name: str, place: str) -> str:
    """Return the name of a schema's class or alias."""
    check_identifier(name, place, "the schema's name")
    taken = keyword.iskeyword(name) or name in _TAKEN or hasattr(builtins, name)
    return f"{name}_" if taken else name
