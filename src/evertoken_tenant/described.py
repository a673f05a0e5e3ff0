"""The operations as the API's documents describe them."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Final, cast

import evertoken_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evertoken_spec import Entry
    from evertoken_tenant.call import Json, Row

_JSON: Final = "application/json"


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the path or the query."""

    name: str
    inside: str
    required: bool
    schema: Row


@dataclasses.dataclass(frozen=True, slots=True)
class Success:
    """A documented success: its status, and the type and schema of its body if it has one."""

    status: int
    media: str
    schema: Row | None


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """One operation, with its schemas; `errors` are the documented statuses of refusals."""

    entry: Entry
    parameters: tuple[Parameter, ...]
    body: Row | None
    media: str
    body_required: bool
    successes: tuple[Success, ...]
    errors: frozenset[int]

    @property
    def template(self) -> str:
        """The path with `{}` for each parameter."""
        return normal(self.entry.path)

    def success(self, status: int | None = None) -> Success:
        """Return a documented success: the first one, or that of a status."""
        return next((one for one in self.successes if status in (None, one.status)), self.successes[0])


def normal(path: str) -> str:
    """Return a path with `{}` in the place of each parameter, whatever its name."""
    return "/".join("{}" if segment.startswith("{") else segment for segment in path.split("/"))


@functools.cache
def by_key() -> Mapping[str, Entry]:
    """Return the index by the SDK's names."""
    return {entry.key: entry for entry in evertoken_spec.index()}


@functools.cache
def methods() -> Mapping[str, frozenset[str]]:
    """Return the methods that each path has; paths with `{}` for parameters."""
    found: dict[str, set[str]] = {}
    for entry in evertoken_spec.index():
        found.setdefault(normal(entry.path), set()).add(entry.method)
    return {path: frozenset(names) for path, names in found.items()}


@functools.cache
def describe(key: str) -> Described:
    """Return an operation by the SDK's name. Its document is read when the first one of it is asked for."""
    entry = by_key()[key]
    item = cast("Row", _load(entry.document)["paths"])[entry.path]
    raw = row(row(item)[entry.method.lower()])
    body = follow(raw["requestBody"]) if "requestBody" in raw else {}
    content = row(body.get("content", {}))
    media = next(iter(content), "")
    return Described(
        entry=entry,
        parameters=tuple(_parameters(row(item), raw)),
        body=row(row(content[media]).get("schema", {})) if media else None,
        media=media,
        body_required=body.get("required") is True,
        successes=tuple(_successes(row(raw["responses"]))),
        errors=frozenset(int(status) for status in row(raw["responses"]) if status[0] in "45"),
    )


def row(value: Json) -> Row:
    """Return a value that is an object; anything else is as good as none."""
    return value if isinstance(value, dict) else {}


def items(value: Json) -> list[Json]:
    """Return a value that is an array; anything else is as good as none."""
    return value if isinstance(value, list) else []


def follow(schema: Json) -> Row:
    """Return what a reference leads to, with what stands beside it; another value is itself."""
    found = row(schema)
    while isinstance(reference := found.get("$ref"), str):
        beside = {name: value for name, value in found.items() if name != "$ref"}
        name, _, pointer = reference.partition("#")
        target: Json = _load(name)
        for step in pointer.split("/")[1:]:
            target = row(target)[step.replace("~1", "/").replace("~0", "~")]
        found = {**row(target), **beside}
    return found


def _parameters(item: Row, raw: Row) -> Iterator[Parameter]:
    for one in [*items(item.get("parameters")), *items(raw.get("parameters"))]:
        parameter = follow(one)
        if parameter["in"] in ("path", "query"):
            yield Parameter(
                str(parameter["name"]),
                str(parameter["in"]),
                parameter.get("required") is True,
                follow(parameter.get("schema", {})),
            )


def _successes(responses: Row) -> Iterator[Success]:
    for status, response in responses.items():
        if status.startswith("2"):
            content = row(follow(response).get("content", {}))
            media = _JSON if _JSON in content else next(iter(content), "")
            # A body cannot come with 204, whatever is documented.
            schema = row(row(content[media]).get("schema", {})) if media and status != "204" else None
            yield Success(int(status), media, schema)


def document(name: str) -> Row:
    """Return a document whose references all name the document they lead to."""
    return _load(name)


@functools.cache
def _load(name: str) -> Row:
    return row(_absolute(cast("Row", evertoken_spec.document(name)), name))


def _absolute(node: Json, name: str) -> Json:
    if isinstance(node, list):
        return [_absolute(value, name) for value in node]
    if not isinstance(node, dict):
        return node
    found: Row = {}
    for key, value in node.items():
        if key == "$ref" and isinstance(value, str):
            found[key] = name + value if value.startswith("#") else value
        else:
            found[key] = _absolute(value, name)
    return found
