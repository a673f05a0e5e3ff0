"""Schemas by their places, references followed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from evertoken.generate.document import Document, Documents, JsonObject, Parts, is_array, is_object
from evertoken.generate.problem import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

Place = tuple[str, Parts]
"""Name of the document, and where in it."""

_SCHEMAS: Final = ("components", "schemas")
# What says nothing about the values that a schema allows.
ANNOTATIONS: Final = frozenset(
    {
        "description", "title", "summary", "default", "example", "examples", "deprecated", "readOnly",
        "writeOnly", "externalDocs", "xml", "discriminator", "$comment", "$schema", "$id", "$anchor", "$defs",
        "definitions",
    }
)  # fmt: skip


def says_nothing(keyword: str) -> bool:
    """Tell whether a keyword of a schema is only a remark."""
    return keyword in ANNOTATIONS or keyword.startswith("x-")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A place that holds something."""

    document: Document
    parts: Parts
    raw: object

    @property
    def place(self) -> Place:
        """Where it is, as a key."""
        return self.document.name, self.parts

    def error(self, reason: str, *more: str) -> SpecError:
        """Return an error that names this place, or one below it."""
        return SpecError(self.document.place((*self.parts, *more)), reason)

    def below(self, *steps: str) -> Site:
        """Return what is under a key, or under several in turn."""
        value: Any = self.raw
        for step in steps:
            value = value[int(step)] if is_array(value) else value[step]
        return Site(self.document, (*self.parts, *steps), value)

    def object(self) -> JsonObject:
        """Return the object that is here, or raise."""
        if not is_object(self.raw):
            raise self.error("is not an object")
        return self.raw

    def object_at(self, key: str) -> JsonObject:
        """Return the object under a key: an empty one where there is none."""
        found: object = self.object().get(key, {})
        if not is_object(found):
            raise self.error("is not an object", key)
        return found

    def array_at(self, key: str) -> list[Any]:
        """Return the array under a key: an empty one where there is none."""
        found: object = self.object().get(key, [])
        if not is_array(found):
            raise self.error("is not an array", key)
        return found

    def texts_at(self, key: str) -> list[str]:
        """Return the texts under a key: none where it is not there."""
        found = self.array_at(key)
        for index, value in enumerate(found):
            if not isinstance(value, str):
                raise self.error("is not text", key, str(index))
        return found

    def flag(self, key: str) -> bool:
        """Tell whether true stands under a key."""
        found: object = self.object().get(key, False)
        if not isinstance(found, bool):
            raise self.error("is neither true nor false", key)
        return found


class Node:
    """A schema, or several that hold together (allOf).

    `chain` is every place that references lead through, the last among them; `key` tells schemas apart
    whatever they are called where they are used.
    """

    __slots__ = ("chain", "key", "sites")

    def __init__(self, sites: tuple[Site, ...], chain: tuple[Site, ...]) -> None:
        self.sites: tuple[Site, ...] = sites
        self.chain: tuple[Site, ...] = chain
        self.key: tuple[Place, ...] = tuple(site.place for site in sites)

    @property
    def start(self) -> tuple[Place, ...]:
        """Where it is used, by which additions and removals are told apart."""
        return (self.chain[0].place,)

    def joined(self, other: Node) -> Node:
        """Return the schema that is both."""
        known = set(self.key)
        more = tuple(site for site in other.sites if site.place not in known)
        return Node((*self.sites, *more), (*self.chain, *other.chain))


def node_at(documents: Documents, site: Site) -> Node:
    """Return the schema that stands at a place, its references followed."""
    chain = [site]
    met = {site.place}
    while is_object(site.raw) and "$ref" in site.raw:
        if any(not says_nothing(key) for key in site.raw if key != "$ref"):
            break  # a schema of its own that is the other one, too
        site = target(documents, site)
        chain.append(site)
        if site.place in met:
            raise chain[0].error("$ref leads back to itself")
        met.add(site.place)
    return Node((site,), tuple(chain))


def target(documents: Documents, site: Site) -> Site:
    """Return the place that a `$ref` names."""
    document, parts, raw = documents.resolve(site.document, (*site.parts, "$ref"), site.object()["$ref"])
    return Site(document, parts, raw)


def follow(documents: Documents, site: Site) -> Site:
    """Return the object that is here or, by `$ref`, elsewhere."""
    return Site(*documents.follow(site.document, site.parts, site.raw))


def lifecycle_of(raw: JsonObject) -> str:
    """Return how mature something is: `GA` where nothing is said."""
    return str(raw.get("x-release-lifecycle") or "GA")


def schema_of(places: Sequence[Place]) -> str | None:
    """Return the name of the schema that holds the first of these places."""
    for _, parts in places[:1]:
        if parts[: len(_SCHEMAS)] == _SCHEMAS and len(parts) > len(_SCHEMAS):
            return parts[len(_SCHEMAS)]
    return None


def is_named(site: Site) -> bool:
    """Tell whether a place is that of a named schema."""
    return site.parts[: len(_SCHEMAS)] == _SCHEMAS and len(site.parts) == len(_SCHEMAS) + 1
