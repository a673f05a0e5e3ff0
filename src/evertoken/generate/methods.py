"""Operations as functions and methods: what the templates need to know of each."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from typing import TYPE_CHECKING

from evertoken.generate import names
from evertoken.generate.asked import query
from evertoken.generate.overlay import EventsEntry
from evertoken.generate.paging import PagingView, paging_of
from evertoken.generate.types import Types, without_null

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evertoken.generate.document import JsonObject
    from evertoken.generate.homes import Homes
    from evertoken.generate.notes import Notes
    from evertoken.generate.operations import Operation, Parameter
    from evertoken.generate.overlay import Overlay

# auth0-python's defaults, so that its users' calls give the same pages.
_OFFSET_DEFAULTS = {"page": ("int", "0"), "per_page": ("int", "50"), "include_totals": ("bool", "True")}
_CHECKPOINT_DEFAULTS = {"take": ("int", "50")}
EARLY = {
    "EA": "Early access: Auth0 may still change it.",
    "BETA": "Beta: Auth0 may still change it.",
}
_OPTIONS = "Timeout, retries, further headers and query parameters of this call."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument: its Python name and annotation, and the name that is sent."""

    name: str
    wire: str
    annotation: str
    default: str | None = None
    description: str = ""
    positional: bool = False
    is_text: bool = True

    @property
    def sent(self) -> str:
        """The expression for a value of the path."""
        return self.name if self.is_text else f"str({self.name})"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionView:
    """One operation as the templates see it."""

    operation: Operation
    name: str
    function: str
    path: tuple[Argument, ...]
    query: tuple[Argument, ...]
    body: tuple[Argument, ...] | None
    whole_body: Argument | None
    limits: dict[str, tuple[int | None, int | None]]
    result: str
    returns: str
    paging: PagingView | None
    events: EventsEntry | None

    @property
    def files(self) -> tuple[str, ...] | None:
        """The arguments of a multipart body that are files; None where it is not multipart."""
        return self.operation.files

    def method_returns(self, is_async: bool) -> str:  # noqa: FBT001  # a template calls it
        """Return the type that the method gives."""
        if self.paging:
            return self.paging.returns(is_async)
        if self.events:
            return f"{'AsyncEventStream' if is_async else 'EventStream'}[{self.returns}]"
        return self.returns

    @property
    def sending(self) -> str:
        """The sender's method that carries it out."""
        return "send_list" if self.paging else "stream_events" if self.events else "send"

    @property
    def key(self) -> str:
        """The dotted name."""
        return self.operation.key

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.operation.method

    @property
    def http_path(self) -> str:
        """The path's template."""
        return self.operation.path

    @property
    def scopes(self) -> tuple[str, ...]:
        """Scopes any of which suffices."""
        return self.operation.scopes

    @property
    def body_argument(self) -> str:
        """The argument that is the whole body, where there is one."""
        return self.whole_body.name if self.whole_body else ""

    @property
    def body_names(self) -> str:
        """The arguments that make the body, which may hold secrets."""
        body = (self.whole_body,) if self.whole_body else self.body or ()
        return ", ".join(argument.name for argument in body)

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """All arguments, those that have to be given first."""
        body = (self.whole_body,) if self.whole_body else self.body or ()
        keywords = (*self.query, *body)
        required = [argument for argument in keywords if argument.default is None]
        return (*self.path, *required, *(argument for argument in keywords if argument.default is not None))

    @property
    def operation_type(self) -> str:
        """The type of the operation as a value."""
        if self.paging:
            return f"ListOperation[{self.paging.item_type}, {self.paging.alias or self.paging.page}]"
        return f"{'EventsOperation' if self.events else 'Operation'}[{self.returns}]"

    @property
    def summary(self) -> str:
        """The function's docstring."""
        return f"{self.method} {self.http_path} as a value; `{self.key}` sends it and tells of its arguments."

    @property
    def docs(self) -> str:
        """The method's docstring, in Google style."""
        operation = self.operation
        arguments = "\n".join(_described(argument.name, argument.description) for argument in self.arguments)
        parts = [
            operation.description or f"{operation.method} {operation.path}.",
            "Args:\n" + "\n".join(filter(None, (arguments, _described("request_options", _OPTIONS)))),
        ]
        if operation.answer and self.returns != "None":
            parts.append("Returns:\n" + _filled(operation.answer, "    ", "        "))
        if operation.scopes:
            scopes = ", ".join(f"`{scope}`" for scope in operation.scopes)
            parts.append(
                _filled(f"{'Any one of the scopes' if len(operation.scopes) > 1 else 'Scope'}: {scopes}")
            )
        early = EARLY.get(operation.lifecycle.upper())
        parts += [early] if early else []
        parts += ["Deprecated: Auth0 advises against using it."] if operation.deprecated else []
        if operation.errors:
            errors = (_filled(f"- {status}: {meaning}", "", "  ") for status, meaning in operation.errors)
            parts.append("Statuses that are raised as errors:\n\n" + "\n".join(errors))
        parts.append(f"`{operation.method} {operation.path}`")
        return "\n\n".join(parts)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResourceView:
    """One group or subgroup: its methods, and the groups below it."""

    name: str
    path: str
    class_name: str
    description: str
    functions: tuple[FunctionView, ...]
    subgroups: tuple[ResourceView, ...]

    @property
    def is_renamed(self) -> bool:
        """Tell whether the class is not called as the group, since another is."""
        return self.class_name != _plain_class(self.path.split("."))

    def flat(self) -> Iterator[ResourceView]:
        """Yield this and all below it."""
        yield self
        for sub in self.subgroups:
            yield from sub.flat()

    @property
    def functions_below(self) -> list[FunctionView]:
        """The operations of this and all below it."""
        return [function for resource in self.flat() for function in resource.functions]


def resource(
    group: tuple[str, ...], functions: Sequence[FunctionView], description: str, taken: set[str]
) -> ResourceView:
    """Return a group with all below it. Its classes are called as nothing in `taken`, and noted there."""
    own = [function for function in functions if function.operation.group == group]
    depth = len(group)
    below = sorted(
        {
            f.operation.group[depth]
            for f in functions
            if f.operation.group[:depth] == group != f.operation.group
        }
    )
    return ResourceView(
        name=group[-1],
        path=".".join(group),
        class_name=_class_name(group, taken),
        description=description or f"Operations of `{'.'.join(group)}`.",
        functions=tuple(own),
        subgroups=tuple(resource((*group, name), functions, "", taken) for name in below),
    )


def _class_name(group: tuple[str, ...], taken: set[str]) -> str:
    found = _plain_class(group)
    while taken & {found, f"Async{found}"} or names.is_taken(found) or names.is_taken(f"Async{found}"):
        found = f"{found}Group"
    taken |= {found, f"Async{found}"}
    return found


def _plain_class(group: Sequence[str]) -> str:
    return "".join(names.pascal(part) for part in group)


def views(homes: Homes, group: str, overlay: Overlay, notes: Notes) -> list[FunctionView]:
    """Return the operations of a group."""
    return [_view(homes, operation, overlay, notes) for operation in homes.operations[group]]


def _view(homes: Homes, operation: Operation, overlay: Overlay, notes: Notes) -> FunctionView:
    types = Types(homes, operation.group[0])
    function = names.unlike("_".join((*operation.group[1:], operation.name)))
    paging = paging_of(
        homes.library, types, operation, overlay.paging.get(operation.key), function=function, notes=notes
    )
    # The function of a list has two variables of its own.
    taken: set[str] = {"query", "result"} if paging else set()
    path = list(_path(homes, operation, types))
    queried = [p for p in operation.parameters if p.inside == "query"]
    asked = [_query(homes, p, types, _defaults(paging)) for p in queried]
    whole, properties = _body(homes, operation, types)
    exact = {a.name for a in (*path, *asked, *(properties or ())) if a.name == a.wire}

    def unique(arguments: Sequence[Argument]) -> tuple[Argument, ...]:
        return tuple(_unique(argument, taken, exact) for argument in arguments)

    results = list(dict.fromkeys(types.result(shape) for shape in operation.results)) or ["None"]
    results = ["Any"] if "Any" in results else results
    results.sort(key=lambda name: name == "None")
    return FunctionView(
        operation=operation,
        name=operation.name,
        function=function,
        path=unique(path),
        query=unique(asked),
        body=None if properties is None else unique(properties),
        whole_body=unique([whole])[0] if whole else None,
        limits={p.name: p.limits for p in queried if p.limits != (None, None)},
        result="NoneType" if results == ["None"] else " | ".join(results),
        returns=" | ".join(results),
        paging=paging,
        events=overlay.events.get(operation.key, EventsEntry()) if operation.streams else None,
    )


def _path(homes: Homes, operation: Operation, types: Types) -> Iterator[Argument]:
    parameters = {p.name: p for p in operation.parameters if p.inside == "path"}
    for name in re.findall(r"\{([^{}]*)\}", operation.path):
        annotation = types.argument(without_null(query(homes.library, parameters[name].schema)))
        is_number = annotation in {"int", "float"}
        is_enum = re.fullmatch(r"Literal\[.*\] \| str", annotation) is not None
        yield Argument(
            name=names.argument(name),
            wire=name,
            annotation=annotation if is_number or is_enum else "str",
            description=parameters[name].description,
            positional=True,
            is_text=not is_number,
        )


def _defaults(paging: PagingView | None) -> dict[str, tuple[str, str]]:
    if paging is None:
        return {}
    return _OFFSET_DEFAULTS if paging.by_offset else _CHECKPOINT_DEFAULTS


def _query(
    homes: Homes, parameter: Parameter, types: Types, defaults: dict[str, tuple[str, str]]
) -> Argument:
    annotation = types.argument(without_null(query(homes.library, parameter.schema)))
    kind, default = defaults.get(parameter.name, ("", "None"))
    if kind != annotation:
        default = "None"
    most = parameter.limits[1]
    if default.isdecimal() and most is not None:
        default = str(min(int(default), most))  # a call without arguments must be one that the API takes
    return Argument(
        name=names.argument(parameter.name),
        wire=parameter.name,
        annotation=annotation if parameter.required else f"{annotation} | None",
        default=None if parameter.required else default,
        description=parameter.description,
    )


def _body(homes: Homes, operation: Operation, types: Types) -> tuple[Argument | None, list[Argument] | None]:
    if operation.body is None:
        return None, None
    found = homes.library.properties(operation.body)
    # One that may be null is given as a whole, as in auth0-python.
    if found is None or homes.library.is_nullable(operation.body):
        annotation = types.argument(operation.body)
        whole = Argument(
            name="request",
            wire="request",
            annotation=annotation if operation.body_required else _or_unset(annotation),
            default=None if operation.body_required else "UNSET",
            description=operation.body.get("description", "") or "The body.",
        )
        return whole, None
    properties, required = found
    read = _answered(homes, operation)
    annotations = {
        wire: "File" if wire in (operation.files or ()) else types.argument(shape, read.get(wire))
        for wire, shape in properties.items()
    }
    arguments = [
        Argument(
            name=names.argument(wire),
            wire=wire,
            annotation=annotations[wire] if wire in required else _or_unset(annotations[wire]),
            default=_default(annotations[wire], required=wire in required),
            description=shape.get("description", ""),
        )
        for wire, shape in properties.items()
    ]
    return None, arguments


def _default(annotation: str, *, required: bool) -> str | None:
    if not required:
        return "UNSET"
    # null does for what has to be sent: auth0-python's users leave it out.
    return "None" if annotation.endswith(" | None") else None


def _answered(homes: Homes, operation: Operation) -> dict[str, JsonObject]:
    """Return the properties of what an operation answers that changes a thing.

    One that makes a thing may want something else under the same name: a key, where reading gives its id.
    """
    if operation.method not in {"PATCH", "PUT"}:
        return {}
    found: dict[str, JsonObject] = {}
    for shape in operation.results:
        properties = homes.library.properties(shape) if shape else None
        found |= properties[0] if properties else {}
    return found


def _or_unset(annotation: str) -> str:
    # None stands last, as everywhere.
    known = annotation.removesuffix(" | None")
    return f"{known} | Unset" if known == annotation else f"{known} | Unset | None"


def _unique(argument: Argument, taken: set[str], exact: set[str]) -> Argument:
    """Return the argument by a name of its own; those in `exact` belong to what is sent by the same name."""
    name = argument.name
    others = taken | (exact - {argument.wire})
    if name in others:
        name = names.free(f"{name}_" if f"{name}_" not in others else name, others, "_")
    taken.add(name)
    return dataclasses.replace(argument, name=name)


def _described(name: str, description: str) -> str:
    flat = " ".join(description.split()) or "Not described."
    return _filled(f"{name}: {flat}", "    ", "        ")


def _filled(line: str, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        " ".join(line.split()),
        100,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
