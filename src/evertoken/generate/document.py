"""OpenAPI documents as they are written: reading, places in them, references between them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import urllib.parse
from typing import TYPE_CHECKING, Any

import yaml
import yaml.constructor

from evertoken.generate.problem import SpecError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import TypeIs

JsonObject = dict[str, Any]
Parts = tuple[str, ...]

OVERLAY = "overlay.yaml"
# What these hold is named by the document, so that `example` in them is a name and no keyword.
NAMES = frozenset(
    {
        "$defs", "callbacks", "content", "definitions", "dependentSchemas", "encoding", "headers", "links",
        "mapping", "parameters", "pathItems", "paths", "patternProperties", "properties", "requestBodies",
        "responses", "schemas", "scopes", "securitySchemes", "variables", "webhooks",
    }
)  # fmt: skip
# Published documents carry example data in these, which does not always fit its own schema.
SAMPLES = frozenset({"default", "example", "examples"})
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def is_object(value: object) -> TypeIs[JsonObject]:
    """Tell whether a value of a document is an object; its keys are strings once it was read."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeIs[list[Any]]:
    """Tell whether a value of a document is an array."""
    return isinstance(value, list)


def pointer(parts: Sequence[str]) -> str:
    """Return a JSON pointer (RFC 6901) as a URI fragment's text, such as `#/paths/~1clients/get`."""
    return "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One file. `name` is the file's name; `label` is the file as error messages show it."""

    name: str
    label: str
    path: Path
    content: JsonObject

    def place(self, parts: Sequence[str]) -> str:
        """Return a place in this document, as error messages show it."""
        return self.label + pointer(parts)


class _Loader(yaml.CSafeLoader):
    """YAML that means what it shows: no key twice, and dates stay text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  # as in the base class
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is not plain text", key.start_mark)
            # Keys stay as written: 200 is the status "200", and a property may be called on or null.
            key.tag = "tag:yaml.org,2002:str"
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> Document:
    """Return a document, or raise `SpecError` with line and column of what is no YAML or JSON."""
    label = _label(path)
    try:
        return _read(path, label)
    except RecursionError:
        raise SpecError(label, "is nested too deeply") from None


def _read(path: Path, label: str) -> Document:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(label, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError(label, f"is not UTF-8 at byte {error.start}") from None
    try:
        content = _parse_json(text) if path.suffix == ".json" else _parse_yaml(text)
    except json.JSONDecodeError as error:
        raise SpecError(f"{label}:{error.lineno}:{error.colno}", error.msg) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{label}:{mark.line + 1}:{mark.column + 1}" if mark else label
        raise SpecError(place, error.problem or "is not YAML") from None
    except yaml.YAMLError as error:
        raise SpecError(label, f"cannot be read: {error}") from None
    except ValueError as error:
        raise SpecError(label, str(error)) from None
    if not is_object(content):
        raise SpecError(label, "is empty or not an object")
    document = Document(path.name, label, path, content)
    for parts, node in walk(content):
        _text_check(document, parts, node)
    return document


def read_all(spec: Path) -> list[Document]:
    """Return the documents of a folder, by name, or the one document that `spec` is."""
    if not spec.is_dir():
        return [read(spec)]
    paths = sorted(path for path in spec.iterdir() if path.suffix in _SUFFIXES and path.name != OVERLAY)
    if not paths:
        raise SpecError(_label(spec), "holds no YAML or JSON document")
    return [read(path) for path in paths]


def walk(node: object, parts: Parts = ()) -> Iterator[tuple[Parts, object]]:
    """Yield every value below `node` with its place, in the document's order."""
    yield parts, node
    if is_object(node):
        for key, value in node.items():
            yield from walk(value, (*parts, key))
    elif is_array(node):
        for index, value in enumerate(node):
            yield from walk(value, (*parts, str(index)))


def meant(node: object, parts: Parts = (), *, names: bool = False) -> Iterator[tuple[Parts, object]]:
    """Yield what `walk` yields, but for sample data, values and extensions, in which `$ref` is no reference.

    `names` tells that the keys of `node` are names which the document gives.
    """
    yield parts, node
    if is_array(node):
        for index, value in enumerate(node):
            yield from meant(value, (*parts, str(index)))
    elif is_object(node):
        for key, value in node.items():
            if names or not (key in SAMPLES or key in {"const", "enum"} or key.startswith("x-")):
                yield from meant(value, (*parts, key), names=not names and key in NAMES)


def find(node: object, steps: Sequence[str]) -> object:
    """Return the value at a place below `node`, or raise LookupError."""
    for step in steps:
        if is_object(node):
            node = node[step]
        elif is_array(node) and step.isdecimal():
            node = node[int(step)]
        else:
            raise LookupError(step)
    return node


class Documents:
    """The documents of one run, by name; they may refer to each other."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.by_name: Mapping[str, Document] = {document.name: document for document in documents}

    def __iter__(self) -> Iterator[Document]:
        return iter(self.by_name.values())

    def resolve(self, document: Document, parts: Parts, reference: object) -> tuple[Document, Parts, object]:
        """Return what a `$ref` names, and where that stands; `parts` is the place of the `$ref`."""
        place = document.place(parts)
        if not isinstance(reference, str):
            raise SpecError(place, "$ref is not text")
        name, _, fragment = reference.partition("#")
        target = self.by_name.get(name.removeprefix("./")) if name else document
        if target is None:
            raise SpecError(place, f"$ref names a document that is not there: {reference!r}")
        if fragment and not fragment.startswith("/"):
            raise SpecError(place, f"$ref is not a JSON pointer: {reference!r}")
        # A fragment is percent-encoded (RFC 6901, 6); a document may have a name that looks so.
        for text in (fragment, urllib.parse.unquote(fragment)):
            steps = tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])
            with contextlib.suppress(LookupError):
                return target, steps, find(target.content, steps)
        raise SpecError(place, f"$ref names nothing: {reference!r}")

    def follow(self, document: Document, parts: Parts, node: object) -> tuple[Document, Parts, JsonObject]:
        """Return an object that is written here or, by `$ref`, elsewhere."""
        start = document.place(parts)
        seen: set[tuple[str, Parts]] = set()
        while is_object(node) and "$ref" in node:
            if (document.name, parts) in seen:
                raise SpecError(start, "$ref leads back to itself")
            seen.add((document.name, parts))
            document, parts, node = self.resolve(document, (*parts, "$ref"), node["$ref"])
        if not is_object(node):
            raise SpecError(document.place(parts), "is not an object")
        return document, parts, node

    def check_references(self) -> None:
        """Raise `SpecError` for the first `$ref` that names nothing, or itself."""
        for document in self:
            for parts, node in meant(document.content):
                self._check_chain(document, parts, node)

    def _check_chain(self, document: Document, parts: Parts, node: object) -> None:
        start, seen = document.place(parts), set[tuple[str, Parts]]()
        # A property may be called $ref; then its value is a schema.
        while is_object(node) and isinstance(node.get("$ref"), str):
            if (document.name, parts) in seen:
                raise SpecError(start, "$ref leads back to itself")
            seen.add((document.name, parts))
            document, parts, node = self.resolve(document, (*parts, "$ref"), node["$ref"])


def _label(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _parse_json(text: str) -> object:
    def unique(pairs: list[tuple[str, Any]]) -> JsonObject:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"the key {twice!r} is there twice in one object")
        return found

    return json.loads(text, object_pairs_hook=unique)


def _parse_yaml(text: str) -> object:
    for event in yaml.parse(text, Loader=_Loader):
        # Aliases may nest until memory ends, or hold themselves; OpenAPI has $ref for reuse.
        if isinstance(event, yaml.AliasEvent):
            line = f" (line {event.start_mark.line + 1})" if event.start_mark else ""
            raise yaml.YAMLError(f"aliases are not used here, but $ref{line}")
    return yaml.load(text, Loader=_Loader)  # noqa: S506  # a safe loader


def _text_check(document: Document, parts: Parts, node: object) -> None:
    texts = (node,) if isinstance(node, str) else tuple(node) if is_object(node) else ()
    for text in texts:
        if any("\ud800" <= character <= "\udfff" for character in text):
            place = document.place(parts).encode(errors="backslashreplace").decode()
            raise SpecError(place, "holds half of a surrogate pair")
