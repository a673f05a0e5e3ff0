"""scripts/spec-diff on the whole of spec/: nothing against itself, and every change in a changed copy."""

from __future__ import annotations

import collections
import copy
import json
import pathlib
import random
from typing import TYPE_CHECKING, Any

import pytest

from evertoken.generate.document import Document, is_array, is_object, read_all
from evertoken.specdiff.compare import compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evertoken.specdiff.changes import Change

SPEC = pathlib.Path(__file__).parents[1] / "spec"
Parts = tuple[str, ...]
Place = tuple[str, Parts]
Expected = tuple[str, str, str]
"""Rule, side, and where in the documents."""
Counts = dict[str, dict[str, int]]


def at(documents: dict[str, Any], place: Place) -> Any:
    node: Any = documents[place[0]]
    for step in place[1]:
        node = node[int(step)] if is_array(node) else node[step]
    return node


def reference(name: str, found: str) -> Place:
    """Return the place that a `$ref` in a document names."""
    target, _, fragment = found.partition("#")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in fragment.split("/")[1:]]
    return target or name, tuple(steps)


def schemas_below(documents: dict[str, Any], start: Place) -> Iterator[Place]:
    """Yield every schema that one leads to: written anew, so that a wrong walk does not agree with itself."""
    todo, met = [start], set[Place]()
    while todo:
        place = todo.pop()
        if place in met:
            continue
        met.add(place)
        yield place
        name, parts = place
        node = at(documents, place)
        if not is_object(node):
            continue
        if isinstance(node.get("$ref"), str):
            todo.append(reference(name, node["$ref"]))
        todo += [(name, (*parts, "properties", key)) for key in node.get("properties", {})]
        todo += [
            (name, (*parts, key)) for key in ("items", "additionalProperties") if is_object(node.get(key))
        ]
        for key in ("oneOf", "anyOf", "allOf"):
            todo += [(name, (*parts, key, str(index))) for index in range(len(node.get(key, ())))]


def operations(documents: dict[str, Any]) -> Iterator[Place]:
    for name, content in documents.items():
        for path, item in content.get("paths", {}).items():
            for method in item:
                if method in {"get", "put", "post", "patch", "delete"}:
                    yield name, ("paths", path, method)


def sides(documents: dict[str, Any]) -> dict[Place, set[str]]:
    """Return on which sides each schema is used."""
    found: dict[Place, set[str]] = collections.defaultdict(set)

    def reach(side: str, place: Place) -> None:
        for schema in schemas_below(documents, place):
            found[schema].add(side)

    def bodies(side: str, place: Place) -> None:
        name, parts = followed(documents, place)
        for media in at(documents, (name, parts)).get("content", {}):
            reach(side, (name, (*parts, "content", media, "schema")))

    for name, parts in operations(documents):
        call = at(documents, (name, parts))
        for index in range(len(call.get("parameters", ()))):
            where = followed(documents, (name, (*parts, "parameters", str(index))))
            reach("request", (where[0], (*where[1], "schema")))
        if "requestBody" in call:
            bodies("request", (name, (*parts, "requestBody")))
        for status in call["responses"]:
            bodies("response", (name, (*parts, "responses", status)))
    return found


def followed(documents: dict[str, Any], place: Place) -> Place:
    node = at(documents, place)
    return reference(place[0], node["$ref"]) if "$ref" in node else place


class Mutations:
    """Changes the documents in many places, at most one in each named schema, and knows what each means."""

    def __init__(self, documents: dict[str, Any], seed: int) -> None:
        self.documents = documents
        self.random = random.Random(seed)  # noqa: S311  # no secret
        self.sides = sides(documents)
        self.expected: list[Expected] = []
        self._used: set[Place] = set()
        self._parts = self._made_of()

    def run(self) -> None:
        """Make every kind of change in turn, over all schemas in random order, then change operations."""
        kinds = [
            self.add_field, self.add_required_field, self.remove_field, self.toggle_required, self.gain_value,
            self.lose_value, self.toggle_null, self.change_type, self.tighten, self.close, self.deprecate,
        ]  # fmt: skip
        places = sorted(self.sides)
        self.random.shuffle(places)
        turn = 0
        for place in places:
            owner = place[0], place[1][:3]
            if place[1][0] != "components" or owner in self._used or owner in self._parts:
                continue
            turn += 1
            if kinds[turn % len(kinds)](place, at(self.documents, place)):
                self._used.add(owner)
        self.change_operations()

    def _made_of(self) -> set[Place]:
        """Return the schemas that stand in a union or in allOf, or have one: a change there is several."""
        found: set[Place] = set()
        for name, parts in self.sides:
            node = at(self.documents, (name, parts))
            for key in ("oneOf", "anyOf", "allOf"):
                for index in range(len(node.get(key, ())) if is_object(node) else 0):
                    for member in ((name, (*parts, key, str(index))), (name, parts)):
                        found.add((member[0], member[1][:3]))
                        found |= set(self._aliases(member))
        return found

    def _aliases(self, place: Place) -> Iterator[Place]:
        node = at(self.documents, place)
        while is_object(node) and isinstance(node.get("$ref"), str):
            place = reference(place[0], node["$ref"])
            node = at(self.documents, place)
            yield place[0], place[1][:3]

    def _expect(self, rule: str, place: Place, more: Parts = ()) -> bool:
        name, parts = place
        where = "/".join((name, *parts, *more))
        self.expected += [(rule, side, where) for side in sorted(self.sides[place])]
        return True

    def _inline(self, node: Any) -> list[str]:
        """Return the fields whose removal takes nothing else away."""
        return [
            name
            for name, field in node.get("properties", {}).items()
            if field.get("type") in ("string", "boolean", "integer")
        ] if is_object(node) else []  # fmt: skip

    def add_field(self, place: Place, node: Any) -> bool:
        if not self._inline(node):
            return False
        node["properties"]["zz_new"] = {"type": "string"}
        return self._expect("field-added", place, ("properties", "zz_new"))

    def add_required_field(self, place: Place, node: Any) -> bool:
        if not self._inline(node):
            return False
        node["properties"]["zz_new"] = {"type": "string"}
        node["required"] = [*node.get("required", ()), "zz_new"]
        return self._expect("field-added-required", place, ("properties", "zz_new"))

    def remove_field(self, place: Place, node: Any) -> bool:
        names = self._inline(node)
        if len(node.get("properties", ())) < 2 or not names:
            return False
        name = self.random.choice(names)
        del node["properties"][name]
        node["required"] = [other for other in node.get("required", ()) if other != name]
        return self._expect("field-removed", place, ("properties", name))

    def toggle_required(self, place: Place, node: Any) -> bool:
        names = self._inline(node)
        if not names:
            return False
        name = self.random.choice(names)
        required = [*node.get("required", ())]
        rule = "field-optional" if name in required else "field-required"
        node["required"] = (
            [other for other in required if other != name] if name in required else [*required, name]
        )
        return self._expect(rule, place, ("properties", name))

    def gain_value(self, place: Place, node: Any) -> bool:
        if not (is_object(node) and "enum" in node and isinstance(node["enum"][0], str)):
            return False
        node["enum"] = [*node["enum"], "zz_new"]
        return self._expect("enum-gained", place)

    def lose_value(self, place: Place, node: Any) -> bool:
        if not (is_object(node) and len(node.get("enum", ())) > 1 and isinstance(node["enum"][1], str)):
            return False
        node["enum"] = node["enum"][1:]
        return self._expect("enum-lost", place)

    def toggle_null(self, place: Place, node: Any) -> bool:
        if not is_object(node) or "enum" in node:
            return False
        if isinstance(node.get("type"), str) and node["type"] != "null":
            node["type"] = [node["type"], "null"]
            return self._expect("null-added", place)
        if is_array(node.get("type")) and "null" in node["type"] and len(node["type"]) == 2:
            node["type"] = next(kind for kind in node["type"] if kind != "null")
            return self._expect("null-removed", place)
        return False

    def change_type(self, place: Place, node: Any) -> bool:
        if not (
            is_object(node) and node.get("type") in ("string", "integer", "boolean") and "enum" not in node
        ):
            return False
        if "const" in node:
            return False
        marks: tuple[str, ...] = ("description", "x-release-lifecycle", "deprecated")
        kept: dict[str, Any] = {key: node[key] for key in marks if key in node}
        other = "boolean" if node["type"] == "string" else "string"
        node.clear()
        node.update({**kept, "type": other})
        return self._expect("type-changed", place)

    def tighten(self, place: Place, node: Any) -> bool:
        if not (
            is_object(node) and node.get("type") == "string" and "enum" not in node and "const" not in node
        ):
            return False
        looser = "maxLength" in node
        node["maxLength"] = node["maxLength"] + 1 if looser else 7
        return self._expect("limit-loosened" if looser else "limit-tightened", place)

    def close(self, place: Place, node: Any) -> bool:
        if not self._inline(node) or is_object(node.get("additionalProperties")):
            return False
        closed = node.get("additionalProperties") is False
        node["additionalProperties"] = closed
        return self._expect("keys-opened" if closed else "keys-closed", place)

    def deprecate(self, place: Place, node: Any) -> bool:
        names = [name for name in self._inline(node) if not node["properties"][name].get("deprecated")]
        if not names:
            return False
        node["properties"][names[0]]["deprecated"] = True
        return self._expect("deprecated", place, ("properties", names[0]))

    def change_operations(self) -> None:
        places = [place for place in sorted(operations(self.documents)) if place[0] != "token.yaml"]
        for index, place in enumerate(self.random.sample(places, 60)):
            name, parts = place
            call = at(self.documents, place)
            where = "/".join((name, *parts))
            if index % 6 == 0:
                call["security"] = [{"management": ["zz:new"]}]
                self.expected.append(("scope-needed", "request", where))
            elif index % 6 == 1:
                call["security"] = [*call["security"], {"management": ["zz:new"]}]
                self.expected.append(("scope-added", "request", where))
            elif index % 6 == 2:
                call["parameters"] = [
                    *call.get("parameters", ()),
                    {"name": "zz", "in": "query", "required": True},
                ]
                last = str(len(call["parameters"]) - 1)
                self.expected.append(("parameter-added-required", "request", f"{where}/parameters/{last}"))
            elif index % 6 == 3:
                call["x-operation-name"] = f"zz_new_{index}"
                self.expected.append(("operation-renamed", "request", where))
            elif index % 6 == 4:
                rule = "operation-undeprecated" if call.get("deprecated") else "operation-deprecated"
                call["deprecated"] = not call.get("deprecated", False)
                self.expected.append((rule, "request", where))
            else:
                at(self.documents, (name, parts[:2]))["trace"] = {
                    **{key: copy.deepcopy(call[key]) for key in ("x-operation-group", "security")},
                    "x-operation-name": f"zz_added_{index}",
                    "responses": {"204": {"description": "Done."}},
                }
                self.expected.append(("operation-added", "request", "/".join((name, *parts[:2], "trace"))))


def written(documents: dict[str, Any], folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir()
    for name, content in documents.items():
        (folder / name).with_suffix(".json").write_text(
            json.dumps(content).replace(".yaml#", ".json#"), "utf-8"
        )
    return folder


def place_of(change: Change) -> str:
    where = (
        change.old if change.rule.endswith("-removed") and change.rule != "null-removed" else None
    ) or change.new
    assert where is not None
    name, _, fragment = where.partition("#")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in fragment.split("/")[1:]]
    return "/".join((f"{pathlib.Path(name).stem}.yaml", *steps))


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    found: list[Document] = read_all(SPEC)
    return {document.name: document.content for document in found}


def test_the_whole_spec_differs_not_from_itself() -> None:
    """Nothing is told."""
    comparison = compare(SPEC, SPEC)
    assert (comparison.changes, comparison.descriptions, comparison.step) == ((), 0, "none")


def test_every_change_in_a_copy_is_told_once_and_nothing_else(
    documents: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    """A thousand changes at random, each at its place, on each side on which the schema is used.

    And the other way round, what came is what went.
    """
    old = written(documents, tmp_path / "old")
    mutations = Mutations(copy.deepcopy(documents), seed=20260601)
    mutations.run()
    new = written(mutations.documents, tmp_path / "new")
    there = compare(old, new)

    expected = collections.Counter(mutations.expected)
    found = collections.Counter[Expected](
        (change.rule, change.side, place_of(change)) for change in there.changes
    )
    assert len(mutations.expected) > 300
    assert len({rule for rule, *_ in mutations.expected}) >= 17
    # Lists: what pytest shows of a difference is short.
    assert sorted(found - expected) == []
    assert sorted(expected - found) == []
    assert there.descriptions == 0
    assert_opposite(there.counts(), compare(new, old).counts())


def assert_opposite(there: Counts, back: Counts) -> None:
    for name in ("operations", "parameters", "request_fields", "response_fields"):
        assert there[name]["added"] == back[name]["removed"] > 0
        assert there[name]["removed"] == back[name]["added"]
    for name in ("request_fields", "response_fields"):
        assert there[name]["newly_required"] == back[name]["no_longer_required"] > 0
    for name in ("request_enum_values", "response_enum_values"):
        assert there[name] == {"gained": back[name]["lost"], "lost": back[name]["gained"]}
