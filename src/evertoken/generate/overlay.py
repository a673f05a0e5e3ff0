"""What a document cannot say or says wrongly: `spec/overlay.yaml`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from evertoken.generate.document import Document, JsonObject, is_array, is_object, pointer, read
from evertoken.generate.problem import SpecError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class PagingEntry:
    """How an operation pages, where it differs from what its answer suggests.

    `key` tells rows apart, `items` is the key of the rows in an envelope, `from_key` the property of an
    array's last row that is the `from` of the next page; `pages` false makes a plain operation of it.
    """

    key: str | None = None
    items: str | None = None
    from_key: str | None = None
    pages: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class EventsEntry:
    """How to go on with an event stream.

    `cursor` is the query parameter that takes the last event's id, `start` names those that it replaces.
    """

    cursor: str | None = None
    start: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Overlay:
    """The entries by what they correct; `label` is the file as error messages show it."""

    label: str = "overlay"
    models_only: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    paging: Mapping[str, PagingEntry] = dataclasses.field(default_factory=dict[str, PagingEntry])
    events: Mapping[str, EventsEntry] = dataclasses.field(default_factory=dict[str, EventsEntry])
    optional: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict[str, tuple[str, ...]])

    def check_matches(self, groups: Collection[str], operations: Collection[str]) -> None:
        """Raise `SpecError` for an entry that no group or operation of the documents answers to."""
        for group in sorted(self.models_only - set(groups)):
            raise SpecError(self.place("groups", group), "no document has this group")
        for operation in sorted((self.skipped | set(self.paging) | set(self.events)) - set(operations)):
            raise SpecError(self.place("operations", operation), "no document has this operation")

    def place(self, *parts: str) -> str:
        """Return a place in the overlay, as error messages show it."""
        return self.label + pointer(parts)


def load(path: Path | None) -> Overlay:
    """Return the overlay; an empty one where there is no file."""
    if path is None:
        return Overlay()
    document = read(path)
    _only(document, (), document.content, {"groups", "operations", "schemas"})
    groups = _entries(document, "groups", {"models_only"})
    operations = _entries(document, "operations", {"events", "paging", "skip"})
    schemas = _entries(document, "schemas", {"optional"})
    return Overlay(
        label=document.label,
        models_only=frozenset(name for name, entry in groups.items() if entry.get("models_only") is True),
        skipped=frozenset(name for name, entry in operations.items() if entry.get("skip") is True),
        paging={
            name: _paging(document, name, entry["paging"])
            for name, entry in operations.items()
            if "paging" in entry
        },
        events={
            name: _events(document, name, entry["events"])
            for name, entry in operations.items()
            if "events" in entry
        },
        optional={
            name: _names(document, ("schemas", name, "optional"), entry.get("optional"))
            for name, entry in schemas.items()
        },
    )


def _entries(document: Document, section: str, keys: set[str]) -> dict[str, JsonObject]:
    entries = document.content.get(section, {})
    if not is_object(entries):
        raise SpecError(document.place((section,)), "is not an object")
    for name, entry in entries.items():
        _only(document, (section, name), entry, keys | {"reason"})
        if not isinstance(entry.get("reason"), str) or not entry["reason"].strip():
            raise SpecError(document.place((section, name)), "has no reason")
    return entries


def _paging(document: Document, name: str, entry: object) -> PagingEntry:
    if entry is False:
        return PagingEntry(pages=False)
    parts = ("operations", name, "paging")
    found = _only(document, parts, entry, {"key", "items", "from_key"})
    for key, value in found.items():
        if not isinstance(value, str):
            raise SpecError(document.place((*parts, key)), "is not text")
    return PagingEntry(key=found.get("key"), items=found.get("items"), from_key=found.get("from_key"))


def _events(document: Document, name: str, entry: object) -> EventsEntry:
    parts = ("operations", name, "events")
    found = _only(document, parts, entry, {"cursor", "start"})
    if not isinstance(found.get("cursor"), str):
        raise SpecError(document.place((*parts, "cursor")), "is not text")
    return EventsEntry(found["cursor"], _names(document, (*parts, "start"), found.get("start", [])))


def _names(document: Document, parts: tuple[str, ...], names: object) -> tuple[str, ...]:
    if not is_array(names):
        raise SpecError(document.place(parts), "is not an array of names")
    return tuple(str(value) for value in names)


def _only(document: Document, parts: tuple[str, ...], entry: object, keys: set[str]) -> JsonObject:
    if not is_object(entry):
        raise SpecError(document.place(parts), "is not an object")
    for key in entry:
        if key not in keys:
            raise SpecError(
                document.place((*parts, key)), f"unknown key; known are {', '.join(sorted(keys))}"
            )
    return entry
