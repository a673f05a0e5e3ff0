"""Which module each schema lives in, and what every module is made from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Final

from evertoken.generate import names
from evertoken.generate.document import is_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evertoken.generate.document import JsonObject
    from evertoken.generate.library import Library
    from evertoken.generate.operations import Operation
    from evertoken.generate.overlay import Overlay

SHARED: Final = "shared"


class Homes:
    """A schema that the operations of one group reach lives with that group, every other in `shared`.

    `models` are the schemas of what comes back, `params` those of what is sent; many are both.
    """

    def __init__(self, library: Library, operations: Sequence[Operation], overlay: Overlay) -> None:
        self.library: Library = library
        self.models: set[str] = library.reach(
            shape for operation in operations for shape in _received(operation)
        )
        self.params: set[str] = library.reach(shape for operation in operations for shape in _sent(operation))
        self.answers: set[str] = {
            shape["$ref"]
            for operation in operations
            for shape in operation.results
            if shape is not None and "$ref" in shape
        }
        self.operations: dict[str, list[Operation]] = {}
        for operation in operations:
            self.operations.setdefault(operation.group[0], []).append(operation)
        self._overlay = overlay
        self.documents: list[str] = sorted({operation.document.name for operation in operations})
        self._reached = {group: self._reach(members) for group, members in self.operations.items()}
        self.home: dict[str, str] = self._settle()

    @property
    def groups(self) -> list[str]:
        """The groups, by name."""
        return sorted(self.operations)

    def shared_by(self, group: str) -> list[str]:
        """Return the shared models that a group's operations answer with, by name."""
        return sorted(name for name in self._reached[group] & self.models if self.home[name] == SHARED)

    def sources(self, group: str) -> list[str]:
        """Return the names of the documents that a group's modules come from."""
        documents = {self.library.schemas[name].document.name for name in self._names(group)}
        documents |= {operation.document.name for operation in self.operations.get(group, ())}
        return sorted(documents)

    def digest(self, group: str) -> str:
        """Return the SHA-256 of the normalised source of a group: its operations and all they reach."""
        content = {
            "models_only": group in self._overlay.models_only,
            "operations": [_facts(operation, self._overlay) for operation in self.operations.get(group, ())],
            "schemas": {
                name: [
                    self.home[name],
                    name in self.models,
                    name in self.params,
                    self.library.schemas[name].shape,
                ]
                for name in sorted(self._names(group))
            },
        }
        return digest_of(content)

    def _names(self, group: str) -> set[str]:
        if group == SHARED:
            return {name for name, home in self.home.items() if home == SHARED}
        return self._reached[group]

    def _reach(self, operations: Iterable[Operation]) -> set[str]:
        shapes = [shape for operation in operations for shape in (*_received(operation), *_sent(operation))]
        return self.library.reach(shapes)

    def _settle(self) -> dict[str, str]:
        reached = self._reached
        home: dict[str, str] = {}
        for name in self.models | self.params:
            groups = [group for group, names in reached.items() if name in names]
            content = self.library.schemas[name].document.content
            # A document without operations is there for the others to share.
            common = not is_object(content.get("paths")) or not content["paths"]
            home[name] = groups[0] if len(groups) == 1 and not common else SHARED
        shared: list[JsonObject] = [{"$ref": name} for name, group in home.items() if group == SHARED]
        # A shared module imports from no group.
        home |= dict.fromkeys(self.library.reach(shared), SHARED)
        while moved := [
            {"$ref": name} for name in home if home[name] != SHARED and self._belongs(name, home)
        ]:
            home |= dict.fromkeys(self.library.reach(moved), SHARED)
        return home

    def _belongs(self, name: str, home: dict[str, str]) -> bool:
        """Tell whether a class has to be in `shared` since a base of it is.

        Pydantic looks for what the base names further down in the module of the class. A TypedDict with a key
        that is no identifier repeats what its bases have.
        """
        library = self.library
        bases = [base for base in library.schemas[name].shape.get("allOf", ()) if "$ref" in base]
        bases = [base for base in bases if home[base["$ref"]] == SHARED]
        if not bases:
            return False
        keys = (library.properties({"$ref": name}) or ({}, set()))[0]
        return not names.are_plain(keys) or any(
            other in library.reach([library.schemas[other].shape]) for other in library.reach(bases)
        )


def digest_of(content: object) -> str:
    """Return the SHA-256 of JSON values, whatever the order of keys."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _received(operation: Operation) -> list[JsonObject]:
    return [shape for shape in (*operation.results, *operation.error_schemas) if shape is not None]


def _sent(operation: Operation) -> list[JsonObject]:
    query = [parameter.schema for parameter in operation.parameters]
    return [*query, operation.body] if operation.body is not None else query


def _facts(operation: Operation, overlay: Overlay) -> list[object]:
    paging = overlay.paging.get(operation.key)
    return [
        operation.key,
        operation.method,
        operation.path,
        operation.description,
        operation.lifecycle,
        operation.deprecated,
        operation.scopes,
        [[p.name, p.inside, p.required, p.description, p.schema, p.limits] for p in operation.parameters],
        operation.body,
        operation.body_required,
        operation.results,
        operation.answer,
        operation.errors,
        operation.files,
        operation.streams,
        dataclasses.astuple(overlay.events[operation.key]) if operation.key in overlay.events else None,
        None
        if paging is None
        else [paging.key, paging.items, paging.pages, *filter(None, [paging.from_key])],
    ]
