"""What a schema allows, in one spelling, however it is written.

A schema is a list of alternatives of one JSON type each. OpenAPI 3.0's `nullable`, a list of types, oneOf,
anyOf and `const` come to the same list; allOf is merged. Each fact keeps the place where it is stated, so
that a change in a schema that many others are made of is one change.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from evertoken.generate.document import is_array, is_object
from evertoken.specdiff import combine
from evertoken.specdiff.nodes import Node, Site, is_named, node_at, says_nothing, target
from evertoken.specdiff.scalars import KINDS, applying, kind_of, limits_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.generate.document import Documents
    from evertoken.specdiff.nodes import Place
    from evertoken.specdiff.scalars import Fact, Limits

MOST_ALTERNATIVES: Final = 1000  # of one schema; the API's largest union has fewer than 100
DEEPEST: Final = 50  # schemas made of schemas; the API's are 3 deep


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """One alternative of a schema: a JSON type, or "any", and what is said of it.

    `values` are an enum's, as JSON texts; `free` is the schema of further keys, None for anything, `closed`
    the place that refuses them. `name` is that of a named schema.
    """

    kind: str
    origin: Place
    name: str = ""
    values: Mapping[str, Place] | None = None
    limits: Limits = dataclasses.field(default_factory=dict["str", "Fact"])
    properties: Mapping[str, Node] = dataclasses.field(default_factory=dict[str, Node])
    required: Mapping[str, Place] = dataclasses.field(default_factory=dict["str", "Place"])
    free: Node | None = None
    closed: Place | None = None
    items: Node | None = None

    @property
    def plain(self) -> bool:
        """Tell whether every value of the type is allowed."""
        said = self.limits or self.properties or self.required or self.free or self.closed or self.items
        return self.values is None and not said


class Schemas:
    """The schemas of one set of documents."""

    def __init__(self, documents: Documents, interned: dict[object, int]) -> None:
        self.documents: Documents = documents
        self._shapes: dict[tuple[Place, ...], tuple[Shape, ...]] = {}
        self._open: set[tuple[Place, ...]] = set()
        self._prints: dict[tuple[tuple[Place, ...], int], int] = {}
        # Shared with the other documents, whose schemas are compared with these.
        self._interned = interned

    def node(self, site: Site) -> Node:
        """Return the schema that stands at a place."""
        return node_at(self.documents, site)

    def shapes(self, node: Node) -> tuple[Shape, ...]:
        """Return the alternatives of a schema, or raise `SpecError` where it is made of itself."""
        if node.key in self._shapes:
            return self._shapes[node.key]
        if node.key in self._open:
            raise node.sites[0].error("is made of itself")
        if len(self._open) >= DEEPEST:
            raise node.sites[0].error("is nested too deeply")
        self._open.add(node.key)
        try:
            found: list[Shape] | None = None
            for site in node.sites:
                more = self._at(site)
                found = more if found is None else self._product(found, more, site)
        finally:
            self._open.discard(node.key)
        self._shapes[node.key] = tuple(found or ())
        return self._shapes[node.key]

    def fingerprint(self, node: Node, depth: int) -> int:
        """Return a number that schemas of equal content share, as far as `depth` levels tell."""
        key = (node.key, depth)
        if key not in self._prints:
            prints = sorted(self.print_of(shape, depth) for shape in self.shapes(node)) if depth else []
            self._prints[key] = self._intern(tuple(prints))
        return self._prints[key]

    def print_of(self, shape: Shape, depth: int) -> int:
        """Return the same for one alternative."""
        children = sorted(shape.properties.items())
        return self._intern(
            (
                shape.kind,
                None if shape.values is None else tuple(sorted(shape.values)),
                tuple(sorted((keyword, str(fact[0])) for keyword, fact in shape.limits.items())),
                tuple((name, self.fingerprint(node, depth - 1)) for name, node in children),
                tuple(sorted(shape.required)),
                shape.closed is not None,
                *(
                    self.fingerprint(node, depth - 1) if node else None
                    for node in (shape.free, shape.items)
                ),
            )
        )  # fmt: skip

    def _intern(self, value: object) -> int:
        return self._interned.setdefault(value, len(self._interned))

    def _at(self, site: Site) -> list[Shape]:
        if site.raw is False:
            return []
        if site.raw is True:
            return [Shape(kind="any", origin=site.place)]
        raw = site.object()
        found = self._own(site)
        if "$ref" in raw:
            there = node_at(self.documents, target(self.documents, site))
            found = self._product(list(self.shapes(there)), found, site)
        members = [self._member(site, "allOf", index) for index in range(len(site.array_at("allOf")))]
        for member in members:
            found = self._product(found, list(self.shapes(member)), site)
        for keyword in ("oneOf", "anyOf"):
            if keyword in raw:
                union = [
                    shape
                    for index in range(len(site.array_at(keyword)))
                    for shape in self.shapes(self._member(site, keyword, index))
                ]
                found = self._product(found, combine.simplified(union, site.place), site)
        if self._is_nullable(site):
            found = [*found, Shape(kind="null", origin=site.place)]
        return self._named(combine.simplified(found, site.place), site)

    def _member(self, site: Site, keyword: str, index: int) -> Node:
        return self.node(site.below(keyword, str(index)))

    def _product(self, left: list[Shape], right: list[Shape], site: Site) -> list[Shape]:
        if len(left) * len(right) > MOST_ALTERNATIVES:
            raise site.error(f"has more than {MOST_ALTERNATIVES:,} alternatives")
        return combine.product(left, right)

    def _named(self, shapes: list[Shape], site: Site) -> list[Shape]:
        structured = [shape for shape in shapes if shape.kind != "null"]
        if not is_named(site) or len(structured) != 1:
            return shapes
        return [dataclasses.replace(shape, name=site.parts[-1]) for shape in shapes]

    def _is_nullable(self, site: Site) -> bool:
        # Beside an enum or alternatives without it too: that is what documents mean by it.
        return site.flag("nullable") or "null" in self._types(site)

    def _types(self, site: Site) -> list[str]:
        raw = site.object()
        declared: object = raw.get("type", [])
        types = [str(name) for name in (declared if is_array(declared) else [declared])]
        for name in types:
            if name not in KINDS:
                raise site.error(f"is no type of JSON: {name!r}", "type")
        if not types and not any(key in raw for key in ("$ref", "enum", "const")):
            if "properties" in raw or "additionalProperties" in raw:
                types = ["object"]
            elif "items" in raw:
                types = ["array"]
        return types

    def _own(self, site: Site) -> list[Shape]:
        """Return what the schema's own words allow, without those that it is made of; null is told apart."""
        raw = site.object()
        if all(says_nothing(key) for key in raw):
            return [Shape(kind="any", origin=site.place)]
        types = self._types(site)
        if "enum" in raw or "const" in raw:
            return self._enum(site, types)
        limits = limits_of(site)
        kinds = [name for name in types if name != "null"] if types else ["any"]
        if types == ["null"]:
            return []
        return [self._one(kind, site, limits) for kind in kinds]

    def _enum(self, site: Site, types: list[str]) -> list[Shape]:
        raw = site.object()
        values = [raw["const"]] if "const" in raw else site.array_at("enum")
        by_kind: dict[str, dict[str, Place]] = {}
        for value in values:
            kind = kind_of(value)
            if kind == "integer" and "number" in types and "integer" not in types:
                kind = "number"
            by_kind.setdefault(kind, {})[text_of(value)] = site.place
        # Published documents have booleans whose one value is the text "true": then the values tell the type.
        if by_kind.keys() & {*types}:
            by_kind = {kind: found for kind, found in by_kind.items() if kind in {*types, "null"}}
        return [
            Shape(kind=kind, origin=site.place, values=None if kind == "null" else found)
            for kind, found in by_kind.items()
        ]

    def _one(self, kind: str, site: Site, limits: Limits) -> Shape:
        shape = Shape(kind=kind, origin=site.place, limits=applying(limits, kind))
        raw = site.object()
        if kind in {"array", "any"} and "items" in raw:
            shape = dataclasses.replace(shape, items=self.node(site.below("items")))
        if kind not in {"object", "any"}:
            return shape
        further: object = raw.get("additionalProperties", True)
        return dataclasses.replace(
            shape,
            properties={
                name: self.node(site.below("properties", name)) for name in site.object_at("properties")
            },
            required=dict.fromkeys(site.texts_at("required"), site.place),
            free=self.node(site.below("additionalProperties")) if is_object(further) and further else None,
            closed=site.place if further is False else None,
        )
