"""Named schemas that are themselves, by way of alternatives or bases: what says nothing is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evertoken.generate.normal import NULL, references

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.generate.document import JsonObject
    from evertoken.generate.library import Schema
    from evertoken.generate.notes import Notes


def straighten(schemas: Mapping[str, Schema], notes: Notes) -> None:
    """Leave out what leads back; a schema that is nothing else may be anything."""
    walk = _Walk(schemas, notes)
    for name in schemas:
        walk.visit(name, ())


def open_endless(schemas: Mapping[str, Schema], notes: Notes) -> None:
    """Let an array or map that holds nothing but the same again hold anything."""
    for name, schema in schemas.items():
        if schema.shape.get("type") in {"array", "object"} and _is_endless(schemas, name):
            notes.tell(schema.place, "holds nothing but itself, so it may hold anything")
            keyword = "items" if schema.shape["type"] == "array" else "additionalProperties"
            schema.shape = {**schema.shape, keyword: {}}


def _is_endless(schemas: Mapping[str, Schema], name: str) -> bool:
    met: set[str] = set()
    while name not in met:
        met.add(name)
        shape = schemas[name].shape
        while "$ref" not in shape:
            shape = _held(shape)
            if not shape:
                return False
        name = shape["$ref"]
    return True


def _held(shape: JsonObject) -> JsonObject:
    """Return the one schema that a value of this one is, or holds; an empty one where there is none."""
    members: list[JsonObject] = [member for member in shape.get("anyOf", ()) if member != NULL]
    if members:
        return members[0] if len(members) == 1 else {}
    held: JsonObject = shape.get("items") or shape.get("additionalProperties") or {}
    return held


def meant(schemas: Mapping[str, Schema]) -> dict[str, str]:
    """Return what stands for names of other schemas that lead back to them: the names of those schemas."""
    found: dict[str, str] = {}
    for name, schema in schemas.items():
        target = name
        while schemas[target].shape.keys() - {"description"} == {"$ref"}:
            target = schemas[target].shape["$ref"]
        if target != name and _leads_to(schemas, schema.shape, name):
            found[name] = target
    return found


def _leads_to(schemas: Mapping[str, Schema], start: JsonObject, name: str) -> bool:
    met: set[str] = set()
    todo = references(start)
    while todo:
        one = todo.pop()
        if one == name:
            return True
        if one not in met:
            met.add(one)
            todo += references(schemas[one].shape)
    return False


class _Walk:
    def __init__(self, schemas: Mapping[str, Schema], notes: Notes) -> None:
        self._schemas = schemas
        self._notes = notes
        self._done: set[str] = set()

    def visit(self, name: str, above: tuple[str, ...]) -> None:
        """Straighten a schema, those that it is made of first."""
        if name not in self._done:
            schema = self._schemas[name]
            schema.shape = self._straight(schema.shape, (*above, name)) or {}
            self._done.add(name)

    def _straight(self, shape: JsonObject, above: tuple[str, ...]) -> JsonObject | None:
        """Return the schema without what leads back to those above, or None where nothing else is in it."""
        if "$ref" in shape:
            if shape["$ref"] in above:
                place = self._schemas[above[-1]].place
                self._notes.tell(place, f"is made of itself, by way of {shape['$ref']}: that is left out")
                return None
            self.visit(shape["$ref"], above)
        for keyword in ("anyOf", "allOf"):
            if keyword in shape:
                members = [
                    found for one in shape[keyword] if (found := self._straight(one, above)) is not None
                ]
                one_is_left = members[0] if len(members) == 1 else None
                return one_is_left or ({**shape, keyword: members} if members else None)
        return shape
