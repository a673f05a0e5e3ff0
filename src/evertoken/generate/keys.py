"""What the operations of the documents are called, each otherwise than all others."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from evertoken.generate import names
from evertoken.generate.document import Document, Documents, JsonObject, Parts, is_array, is_object
from evertoken.generate.homes import SHARED
from evertoken.generate.problem import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evertoken.generate.notes import Notes

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One operation: where it stands, and its path item; `group` and `name` are Python names."""

    document: Document
    parts: Parts
    item: JsonObject
    group: tuple[str, ...]
    name: str

    @property
    def key(self) -> str:
        """The dotted name, such as `clients.credentials.list`."""
        return ".".join((*self.group, self.name))

    @property
    def function(self) -> str:
        """The name of the function that makes a value of it, in the module of its group."""
        return names.unlike("_".join((*self.group[1:], self.name)))

    @property
    def place(self) -> str:
        """Where it stands, as error messages show it."""
        return self.document.place(self.parts)


def entries(documents: Documents, notes: Notes) -> list[Entry]:
    """Return the operations of all documents; names that are there twice get a number."""
    found = [_entry(*where, notes) for document in documents for where in _operations(documents, document)]
    subgroups = {entry.group[:depth] for entry in found for depth in range(2, len(entry.group) + 1)}
    keys: dict[str, Entry] = {}
    functions: set[tuple[str, str]] = set()
    unique: list[Entry] = []
    for entry in found:
        fault = _fault(entry, keys, functions, subgroups)
        if fault:
            notes.insist(entry.place, fault)
        free, number = entry, 2
        while _fault(free, keys, functions, subgroups):
            free, number = dataclasses.replace(entry, name=f"{entry.name}_{number}"), number + 1
        if fault:
            notes.tell(entry.place, f"{fault}; it is called {free.key}")
        keys[free.key] = free
        functions.add((free.group[0], free.function))
        unique.append(free)
    return unique


def _fault(
    entry: Entry, keys: dict[str, Entry], functions: set[tuple[str, str]], subgroups: set[tuple[str, ...]]
) -> str:
    if entry.key in keys:
        return f"the operation {entry.key} is there twice, also at {keys[entry.key].place}"
    if (*entry.group, entry.name) in subgroups:
        return f"{'.'.join(entry.group)} has {entry.name} twice, as method or subgroup"
    if (entry.group[0], entry.function) in functions:
        return f"the function {entry.function} is there twice in {entry.group[0]}"
    return ""


def _operations(documents: Documents, document: Document) -> Iterator[tuple[Document, Parts, JsonObject]]:
    paths: object = document.content.get("paths", {})
    for path in paths if is_object(paths) else ():
        if not path.startswith("/"):
            continue  # an extension
        _, _, item = documents.follow(document, ("paths", path), document.content["paths"][path])
        for method in _METHODS:
            if method in item:
                yield document, ("paths", path, method), item


def _entry(document: Document, parts: Parts, item: JsonObject, notes: Notes) -> Entry:
    _, path, method = parts
    raw: JsonObject = item[method]

    def place(keyword: str) -> str:
        return document.place((*parts, keyword))

    segments = _segments(raw, place("x-operation-group"))
    if not segments:
        notes.insist(place("x-operation-group"), "the operation names no group (x-operation-group)")
        segments = [_group(raw, path)]
    name = raw.get("x-operation-name")
    if not isinstance(name, str):
        notes.insist(place("x-operation-name"), "the operation has no name (x-operation-name)")
        name = _name(raw, path, method)
    first, *rest = (names.function(segment) for segment in segments)
    if first == SHARED:
        notes.insist(
            place("x-operation-group"),
            f"the group's name is that of the module for common schemas: {SHARED!r}",
        )
        first = f"{SHARED}_"
    return Entry(document=document, parts=parts, item=item, group=(first, *rest), name=names.function(name))


def _segments(raw: JsonObject, place: str) -> list[str]:
    """Return the group, which documents give as an array, or as text with dots."""
    given: object = raw.get("x-operation-group")
    if isinstance(given, str):
        return [segment for segment in given.split(".") if segment]
    segments: list[str] = []
    for segment in given if is_array(given) else ():
        if not isinstance(segment, str):
            raise SpecError(place, "a group's name is not text")
        segments.append(segment)
    return segments


def _group(raw: JsonObject, path: str) -> str:
    """Return the first tag, or the first part of the path that is fixed."""
    tags: object = raw.get("tags")
    if is_array(tags) and tags and names.snake(str(tags[0])):
        return str(tags[0])
    fixed = [part for part in path.split("/") if names.snake(part) and "{" not in part]
    return fixed[0] if fixed else "api"


def _name(raw: JsonObject, path: str, method: str) -> str:
    """Return the operation's id, or its method and path: `get_things_by_id`."""
    identifier = raw.get("operationId")
    if isinstance(identifier, str) and names.snake(identifier):
        return identifier
    parts = [re.sub(r"[{}]", "", f"by_{part}" if "{" in part else part) for part in path.split("/")]
    return "_".join((method, *filter(None, parts)))
