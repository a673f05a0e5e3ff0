"""Every schema by name, in normal form, as models and TypedDicts are made from it."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from evertoken.generate import circles, merge, names
from evertoken.generate.components import COMPONENTS, called, components
from evertoken.generate.normal import NULL, any_of, normal, references, transform
from evertoken.generate.problem import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evertoken.generate.document import Document, Documents, JsonObject, Parts
    from evertoken.generate.notes import Notes
    from evertoken.generate.overlay import Overlay


@dataclasses.dataclass(slots=True)
class Schema:
    """A named schema, and where it was written. It is never null itself: its references are."""

    shape: JsonObject
    document: Document
    parts: Parts

    @property
    def place(self) -> str:
        """Where it stands, as error messages show it."""
        return self.document.place(self.parts)


class Library:
    """The named schemas of all documents."""

    def __init__(self, documents: Documents, overlay: Overlay, notes: Notes) -> None:
        self._documents = documents
        self._notes = notes
        self._called = called(documents)
        self.schemas: dict[str, Schema] = {}
        for document in documents:
            self._read(document)
        circles.straighten(self.schemas, notes)
        self._nullable = _nullable(self.schemas)
        for name, schema in self.schemas.items():
            schema.shape = self._point(schema.shape)
            if name in self._nullable:
                members = [m for m in schema.shape.get("anyOf", [schema.shape]) if m != NULL]
                kept = {"description": schema.shape["description"]} if "description" in schema.shape else {}
                schema.shape = {**any_of(members), **kept}
        self._settled: set[str] = set()
        for name in self.schemas:
            self._named(name)
        for schema in self.schemas.values():
            schema.shape = transform(schema.shape, self._settle)
        circles.open_endless(self.schemas, notes)
        self._meant = circles.meant(self.schemas)
        for name in list(self.schemas):
            schema = self.schemas[name]
            schema.shape = self._part(name, transform(schema.shape, self._mean))
        self._correct(overlay)
        for name in list(self.schemas):
            schema = self.schemas[name]
            schema.shape = self._hoist_inside(schema.shape, name, schema)

    def take(self, schema: object, document: Document, parts: Parts, name: str) -> JsonObject:
        """Return a schema that stands in an operation; `name` is for what it defines in line."""
        shape = self._point(normal(schema, functools.partial(self._refer, document, parts)))
        shape = transform(transform(shape, self._settle), self._mean)
        return self._hoist(shape, names.type_name(name), Schema({}, document, parts))

    def reach(self, start: Iterable[JsonObject]) -> set[str]:
        """Return the names that schemas refer to, directly or through others."""
        found: set[str] = set()
        todo = [name for shape in start for name in references(shape)]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += references(self.schemas[name].shape)
        return found

    def properties(self, shape: JsonObject) -> tuple[dict[str, JsonObject], set[str]] | None:
        """Return an object's properties and which are required, or None where it has no named ones."""
        if "$ref" in shape:
            return self.properties(self.schemas[shape["$ref"]].shape)
        if "properties" in shape:
            return dict(shape["properties"]), set(shape["required"])
        if "anyOf" in shape:
            members = [member for member in shape["anyOf"] if member != NULL]
            return self.properties(members[0]) if len(members) == 1 else None
        if "allOf" not in shape:
            return None
        merged: dict[str, JsonObject] = {}
        required: set[str] = set()
        for member in shape["allOf"]:
            found = self.properties(member)
            if found is None:
                return None
            merged |= found[0]
            required |= found[1]
        return merged, required

    def is_nullable(self, shape: JsonObject) -> bool:
        """Tell whether a schema admits null."""
        return NULL in shape.get("anyOf", ()) or shape.get("$ref") in self._nullable

    def is_structured(self, name: str) -> bool:
        """Tell whether an object with named properties is in this schema."""
        shapes = [self.schemas[reached].shape for reached in {name, *self.reach([{"$ref": name}])}]
        return any("properties" in shape or "allOf" in shape for shape in shapes)

    def close(self) -> None:
        """Finish the schemas: nothing is taken after this."""
        for name, schema in self.schemas.items():
            # What was in line has names now, and what holds itself an end.
            schema.shape = self._settle(schema.shape)
            if "allOf" in schema.shape and self._holds_its_heirs(name):
                described = {key: schema.shape[key] for key in ("description",) if key in schema.shape}
                schema.shape = {**merge.flat(schema.shape["allOf"], self._named), **described}
        self._close_tags()

    def _holds_its_heirs(self, name: str) -> bool:
        """Tell whether a base needs the class while a TypedDict cannot be declared without the base."""
        bases = [base for base in self.schemas[name].shape["allOf"] if "$ref" in base]
        keys = (self.properties({"$ref": name}) or ({}, set()))[0]
        return not names.are_plain(keys) and name in self.reach(bases)

    def _close_tags(self) -> None:
        """Make the enums that tell the objects of a union apart admit their one value only.

        Every other enum is open, those of one value too: a second value is the likeliest change. But with
        open tags each member of such a union would take any of its objects.
        """
        variants: set[str] = set()

        def note(shape: JsonObject) -> JsonObject:
            refs = [member["$ref"] for member in shape.get("anyOf", ()) if "$ref" in member]
            if len(refs) > 1:
                variants.update(ref for ref in refs if "properties" in self.schemas[ref].shape)
            return shape

        for schema in self.schemas.values():
            transform(schema.shape, note)
        for name in sorted(variants):
            shape = self.schemas[name].shape
            for wire, property_ in shape["properties"].items():
                if "$ref" in property_ and wire in shape["required"]:
                    target = self.schemas[property_["$ref"]]
                    target.shape = _closed(target.shape)
                else:
                    shape["properties"][wire] = _closed(property_)

    def _read(self, document: Document) -> None:
        for raw, schema in components(document).items():
            parts = (*COMPONENTS, raw)
            name = self._called[document.name, raw]
            refer = functools.partial(self._refer, document, parts)
            self.schemas[name] = Schema(normal(schema, refer), document, parts)

    def _refer(
        self, document: Document, parts: Parts, reference: str, seen: tuple[tuple[str, Parts], ...] = ()
    ) -> JsonObject:
        target, steps, node = self._documents.resolve(document, parts, reference)
        if steps[:2] == COMPONENTS and len(steps) == len(COMPONENTS) + 1:
            return {"$ref": self._called[target.name, steps[-1]]}
        if (target.name, steps) in seen:
            # What has no name of its own cannot hold itself.
            self._notes.tell(
                document.place(parts), f"$ref leads back to itself, so it may be anything: {reference!r}"
            )
            return {}
        seen = (*seen, (target.name, steps))
        # A place within another schema has no name, so its text is repeated here.
        return normal(node, functools.partial(self._refer, target, steps, seen=seen))

    def _point(self, shape: JsonObject) -> JsonObject:
        def change(part: JsonObject) -> JsonObject:
            if part.get("$ref") in self._nullable:
                kept = {"description": part["description"]} if "description" in part else {}
                return {"anyOf": [{"$ref": part["$ref"]}, NULL], **kept}
            if "anyOf" in part:
                kept = {"description": part["description"]} if "description" in part else {}
                return {**any_of(part["anyOf"]), **kept}
            return part

        return transform(shape, change)

    def _named(self, name: str) -> JsonObject:
        """Return a schema that is no `allOf` but for a class with bases; its properties may hold others."""
        schema = self.schemas[name]
        if name not in self._settled:
            self._settled.add(name)
            schema.shape = self._settle_top(schema.shape)
        return schema.shape

    def _settle_top(self, shape: JsonObject) -> JsonObject:
        for keyword in ("anyOf", "allOf"):
            if keyword in shape:
                shape = {**shape, keyword: [self._settle_top(member) for member in shape[keyword]]}
        return self._settle(shape)

    def _settle(self, shape: JsonObject) -> JsonObject:
        if not shape.keys() & {"anyOf", "allOf"}:
            return shape
        described = {"description": shape["description"]} if "description" in shape else {}
        found = any_of(shape["anyOf"]) if "anyOf" in shape else merge.settled(shape, self._named)
        return {**found, **described}

    def _mean(self, shape: JsonObject) -> JsonObject:
        return {**shape, "$ref": self._meant[shape["$ref"]]} if shape.get("$ref") in self._meant else shape

    def _part(self, name: str, shape: JsonObject) -> JsonObject:
        """Give what an array or map holds a name where that may be the same again: an alias needs it."""
        for keyword, suffix in (("items", "Item"), ("additionalProperties", "Value")):
            members = shape.get(keyword, {}).get("anyOf", ())
            if any(member.get("$ref") == name for member in members):
                inner = names.free(f"{name}{suffix}", self.schemas)
                origin = self.schemas[name]
                self.schemas[inner] = Schema(shape[keyword], origin.document, origin.parts)
                return {**shape, keyword: {"$ref": inner}}
        return shape

    def _correct(self, overlay: Overlay) -> None:
        for raw, properties in overlay.optional.items():
            given = {found for (_, written), found in self._called.items() if written == raw}
            name = given.pop() if given else raw
            if name not in self.schemas:
                raise SpecError(overlay.place("schemas", raw), "no document has this schema")
            shape = self.schemas[name].shape
            for wire in properties:
                if wire not in shape.get("required", ()):
                    place = overlay.place("schemas", raw, "optional")
                    raise SpecError(place, f"{wire!r} is no required property of the schema")
                shape["required"] = [other for other in shape["required"] if other != wire]

    def _hoist(self, shape: JsonObject, name: str, origin: Schema) -> JsonObject:
        """Give an object that is defined in line a name, so that its class has one."""
        if "properties" not in shape and "allOf" not in shape:
            return self._hoist_inside(shape, name, origin)
        free = names.free(name, self.schemas)
        self.schemas[free] = Schema({}, origin.document, origin.parts)
        self.schemas[free].shape = self._hoist_inside(shape, free, origin)
        return {"$ref": free}

    def _hoist_inside(self, shape: JsonObject, name: str, origin: Schema) -> JsonObject:
        found = dict(shape)
        if "properties" in found:
            found["properties"] = {
                wire: self._hoist(value, name + (names.pascal(wire) or "Property"), origin)
                for wire, value in found["properties"].items()
            }
        for keyword, suffix in (("items", "Item"), ("additionalProperties", "Value")):
            if keyword in found:
                found[keyword] = self._hoist(found[keyword], name + suffix, origin)
        if "anyOf" in found:
            several = sum("properties" in member or "allOf" in member for member in found["anyOf"]) > 1
            found["anyOf"] = [
                self._hoist(member, f"{name}{number}" if several else name, origin)
                for number, member in enumerate(found["anyOf"], 1)
            ]
        if "allOf" in found:
            found["allOf"] = [self._hoist_inside(member, name, origin) for member in found["allOf"]]
        return found


def _nullable(schemas: dict[str, Schema]) -> set[str]:
    found: set[str] = set()
    while True:
        more = {
            name
            for name, schema in schemas.items()
            if name not in found
            and any(
                member == NULL or member.get("$ref") in found
                for member in schema.shape.get("anyOf", [schema.shape])
            )
        }
        if not more:
            return found
        found |= more


def _closed(shape: JsonObject) -> JsonObject:
    members: list[JsonObject] = shape.get("anyOf", [])
    tags = [member for member in members if len(member.get("enum", ())) == 1]
    if len(tags) != 1:
        return shape
    kept = [member for member in members if member != {"type": tags[0]["type"]}]
    description = {"description": shape["description"]} if "description" in shape else {}
    return {**any_of(kept), **description}
