"""Code of operations and resources, by templates."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import jinja2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evertoken.generate.methods import Argument, FunctionView, ResourceView


class Colour(NamedTuple):
    """What differs between the methods for threads and those for tasks."""

    prefix: str
    sender: str
    client: str
    is_async: bool


COLOURS: Final = (
    Colour("", "Sender", "ManagementClient", is_async=False),
    Colour("Async", "AsyncSender", "AsyncManagementClient", is_async=True),
)


GROUPS: Final = ("AsyncGroupsOfClient", "GroupsOfClient")
"""The classes by which a client has every group."""


def operations(path: str, functions: Sequence[FunctionView]) -> str:
    """Return the code of a group's `operations.py`."""
    return _environment().get_template("operations.py.jinja").render(path=path, functions=functions)


def resources(root: ResourceView, *, own: bool) -> str:
    """Return the code of a group's `resources.py`; what a class refers to comes before it.

    `own` tells that the clients have the group, and not an object beside them.
    """
    ordered = sorted(root.flat(), key=lambda resource: resource.path.count("."), reverse=True)
    template = _environment().get_template("resources.py.jinja")
    return template.render(path=root.path, resources=ordered, colours=COLOURS, own=own)


def groups(roots: Sequence[ResourceView], *, own: bool) -> str:
    """Return the code of `_client.py`, by which the client has every group."""
    return _environment().get_template("client.py.jinja").render(groups=roots, colours=COLOURS, own=own)


def package(description: str, exports: Mapping[str, Sequence[str]]) -> str:
    """Return the code of an `__init__.py` that exports names of its modules."""
    names = sorted(name for names in exports.values() for name in names)
    template = _environment().get_template("init.py.jinja")
    return template.render(description=description, exports=list(exports.items()), names=names)


def carried() -> str:
    """Return the code of `evertoken_spec/__init__.py`, which reads the documents beside it."""
    return _environment().get_template("carried.py.jinja").render()


def docstring(text: str, indent: int) -> str:
    """Return a text as a docstring of which no part can end early."""
    margin = " " * indent
    # Control characters, a zero byte among them, are no source code.
    shown = "".join(character for character in text if character == "\n" or character.isprintable())
    safe = shown.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    first, *rest = safe.split("\n")
    if not rest and not first.endswith('"'):
        return f'"""{first}"""'
    lines = [first, *(margin + line if line else "" for line in rest), f'{margin}"""']
    return '"""' + "\n".join(lines)


def signature(arguments: Sequence[Argument], *, method: bool = False) -> str:
    """Return the parameters of a function."""
    parts = ["self"] if method else []
    parts += [f"{a.name}: {a.annotation}" for a in arguments if a.positional]
    keywords = [
        f"{a.name}: {a.annotation}" + ("" if a.default is None else f" = {a.default}")
        for a in arguments
        if not a.positional
    ]
    if method:
        keywords.append("request_options: RequestOptions | None = None")
    return ", ".join([*parts, "*", *keywords] if keywords else parts)


def call(arguments: Sequence[Argument]) -> str:
    """Return the arguments of a call that hands them on."""
    return ", ".join(a.name if a.positional else f"{a.name}={a.name}" for a in arguments)


def mapping(arguments: Sequence[Argument]) -> str:
    """Return the arguments as a dict of what is sent."""
    return "{" + ", ".join(f"{a.wire!r}: {a.sent}" for a in arguments) + "}"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701  # it writes Python, in which HTML escapes mean nothing
        loader=jinja2.PackageLoader("evertoken.generate"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # Jinja's own filters are typed one by one, and so leave no room for others.
    filters = cast("dict[str, Callable[..., str]]", environment.filters)
    filters |= {"call": call, "docstring": docstring, "literal": repr}
    filters |= {"mapping": mapping, "signature": signature}
    return environment
