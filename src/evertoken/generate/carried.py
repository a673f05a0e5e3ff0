"""The documents that the wheel carries: what programs need of them at run time, as JSON."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from evertoken.generate import names, output
from evertoken.generate import overlay as overlays
from evertoken.generate.document import OVERLAY, Document, Documents, is_array, is_object, read_all
from evertoken.generate.render import carried

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evertoken.generate.document import JsonObject

PACKAGE: Final = "evertoken_spec"
_INDEX: Final = "index.json"
# What only readers of the documents need, and what the index holds already.
_TEXTS: Final = frozenset(
    {
        "description", "summary", "title", "example", "examples", "externalDocs", "operationId", "security",
        "tags", "x-operation-group", "x-operation-name", "x-release-lifecycle", "x-sdk-ignore",
    }
)  # fmt: skip
# Below these, keys are names that somebody chose, a property called description among them.
_NAMED: Final = frozenset(
    {"content", "headers", "patternProperties", "properties", "requestBodies", "responses", "schemas"}
)
_VALUES: Final = frozenset({"const", "default", "enum"})


def build(spec: Path) -> dict[str, str]:
    """Return the package's files by path, for the folder of the project's own documents."""
    documents = Documents(read_all(spec))
    overlay = overlays.load(spec / OVERLAY)
    entries = [
        entry
        for document in documents
        for entry in _operations(document)
        if entry["key"].partition(".")[0] not in overlay.models_only
    ]
    carried_names = _closure(documents, {entry.pop("source") for entry in entries})
    files = {
        _json_name(name): _text(_document(documents.by_name[name]), name) for name in sorted(carried_names)
    }
    # A fixed segment comes before a parameter in its place: the first path that fits a call is the right one.
    entries.sort(key=lambda entry: (_path_order(entry["path"]), entry["method"]))
    files[_INDEX] = _index(entries)
    head = output.header(["spec/"], _digest(files), "scripts/generate")
    return {**output.formatted({"__init__.py": head + carried()}), **files, "py.typed": ""}


def _operations(document: Document) -> Iterator[dict[str, Any]]:
    paths: JsonObject = document.content.get("paths", {})
    for path, item in paths.items():
        for method, raw in item.items():
            if not is_object(raw) or "x-operation-name" not in raw:
                continue
            group = [names.snake(str(segment)) for segment in raw["x-operation-group"]]
            scopes = [scope for one in raw.get("security", ()) for needed in one.values() for scope in needed]
            yield {
                "source": document.name,
                "method": method.upper(),
                "path": path,
                "document": _json_name(document.name),
                "key": ".".join((*group, names.snake(raw["x-operation-name"]))),
                "scopes": list(dict.fromkeys(scopes)),
            }


def _path_order(path: str) -> list[tuple[bool, str]]:
    return [(segment.startswith("{"), segment) for segment in path.split("/")]


def _closure(documents: Documents, start: set[str]) -> set[str]:
    """Return the names of the documents, and of all that they refer to."""
    found, new = set[str](), set(start)
    while new:
        name = new.pop()
        found.add(name)
        new |= set(_referred(documents.by_name[name].content)) - found
    return found


def _referred(node: object) -> Iterator[str]:
    if is_object(node):
        reference = node.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            yield reference.partition("#")[0].removeprefix("./")
        for value in node.values():
            yield from _referred(value)
    elif is_array(node):
        for value in node:
            yield from _referred(value)


def _json_name(name: str) -> str:
    return f"{name.rpartition('.')[0]}.json"


def _document(document: Document) -> JsonObject:
    kept = {key: document.content.get(key, {}) for key in ("paths", "components")}
    kept["components"] = {key: value for key, value in kept["components"].items() if key != "securitySchemes"}
    return {key: _bare(value, named=key == "paths") for key, value in kept.items()}


def _bare(node: object, *, named: bool) -> Any:
    """Return a value without its texts; `named`: its keys are names, not words of OpenAPI."""
    if is_array(node):
        return [_bare(value, named=False) for value in node]
    if not is_object(node):
        return node
    if named:
        return {key: _bare(value, named=False) for key, value in node.items()}
    return {key: _word(key, value) for key, value in node.items() if key not in _TEXTS}


def _word(key: str, value: object) -> Any:
    if key in _VALUES:
        return value
    if key == "$ref" and isinstance(value, str):
        name, mark, fragment = value.partition("#")
        return (_json_name(name.removeprefix("./")) if name else "") + mark + fragment
    return _bare(value, named=key in _NAMED)


def _source(name: str) -> str:
    return f'{{"$comment":{_dump(f"{output.JSON_MARK}scripts/generate from {name}; do not edit.")},'


def _text(document: JsonObject, name: str) -> str:
    """Return a document as JSON with a line for each path and component, so that changes can be read."""
    paths = _named_lines(document["paths"])
    parts = ",\n".join(f"{_dump(kind)}:{_named_lines(some)}" for kind, some in document["components"].items())
    return f'{_source(f"spec/{name}")}\n"paths":{paths},\n"components":{{{parts}}}}}\n'


def _named_lines(items: JsonObject) -> str:
    return "{" + ",".join(f"\n{_dump(name)}:{_dump(value)}" for name, value in items.items()) + "}"


def _index(entries: list[dict[str, Any]]) -> str:
    lines = ",".join(f"\n{_dump(entry)}" for entry in entries)
    return f'{_source("spec/")}\n"operations":[{lines}]}}\n'


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _digest(files: dict[str, str]) -> str:
    return hashlib.sha256("".join(files[name] for name in sorted(files)).encode()).hexdigest()
