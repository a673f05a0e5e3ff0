"""The documents in spec/ are valid OpenAPI and described throughout."""

from __future__ import annotations

import functools
import itertools
import pathlib
import re
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import pytest
import yaml
from openapi_spec_validator import validate

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

SPEC = pathlib.Path(__file__).parents[1] / "spec"
# The overlay corrects documents; it is none itself.
PATHS = [path for path in sorted(SPEC.glob("*.yaml")) if path.name != "overlay.yaml"]
METHODS = {"get", "put", "post", "patch", "delete", "head", "options"}
SAYS_NOTHING = {"a", "an", "and", "for", "is", "it", "its", "of", "or", "the", "this", "to"}
PLACEHOLDER = re.compile(
    r"\b(todo|tbd|fixme|xxx|lorem|provisional|description (of|for))\b|\.\.\.", re.IGNORECASE
)

Node: TypeAlias = dict[str, object]
each_document = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


class CoreLoader(yaml.SafeLoader):
    """Reads as YAML 1.2 says (core schema), where PyYAML itself goes by 1.1; refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT002 - PyYAML's signature
        keys = [str(key.value) for key, _ in node.value]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        assert not twice, f"{node.start_mark}: {twice}"
        return super().construct_mapping(node, deep)


# None: whatever the scalar begins with.
CoreLoader.yaml_implicit_resolvers = {
    None: [
        (f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{expression})\Z"))
        for tag, expression in {
            "null": r"~|null|Null|NULL|",
            "bool": r"true|True|TRUE|false|False|FALSE",
            "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
            "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)",
        }.items()
    ]
}


@functools.cache
def read(path: pathlib.Path) -> Node:
    return cast("Node", yaml.safe_load(path.read_text(encoding="utf-8")))


def child(node: object, *keys: str) -> Node:
    """Return what stands below the keys, or nothing."""
    below = cast("Node", node)
    for key in keys:
        below = cast("Node", below.get(key, {}))
    return below


def nodes(value: object) -> Iterator[Node]:
    """Return every mapping of a document."""
    if isinstance(value, dict):
        node = cast("Node", value)
        yield node
        for below in node.values():
            yield from nodes(below)
    elif isinstance(value, list):
        for below in cast("list[object]", value):
            yield from nodes(below)


def operations(document: Node) -> Iterator[tuple[str, Node]]:
    for path, item in child(document, "paths").items():
        for method, operation in cast("Node", item).items():
            if method in METHODS:
                yield f"{method} {path}", cast("Node", operation)


def properties(place: str, schema: object) -> Iterator[tuple[str, str, Node]]:
    """Return place, name and schema of each property, those of inline schemas too."""
    if isinstance(schema, list):
        for part in cast("list[object]", schema):
            yield from properties(place, part)
    elif isinstance(schema, dict):
        node = cast("Node", schema)
        for name, below in child(node, "properties").items():
            yield f"{place}.{name}", name, cast("Node", below)
            yield from properties(f"{place}.{name}", below)
        for key in ("items", "contains", "additionalProperties", "not", "oneOf", "anyOf", "allOf"):
            yield from properties(place, node.get(key))


def described(document: Node) -> Iterator[tuple[str, str, object]]:
    """Return place, name and description of everything that needs one."""
    for place, operation in operations(document):
        yield place, str(operation["operationId"]), operation.get("description")
        for parameter in cast("list[Node]", operation.get("parameters", [])):
            yield f"{place} {parameter['name']}", str(parameter["name"]), parameter.get("description")
        answers = cast("dict[str, Node]", child(operation, "responses"))
        parts = [answer for answer in answers.values() if "$ref" not in answer]
        headers = [child(answer, "headers") for answer in parts]
        for name, header in itertools.chain.from_iterable(named.items() for named in headers):
            if "$ref" not in child(header):
                yield f"{place} {name}", name, child(header).get("description")
        for part in [*parts, *filter(None, [child(operation, "requestBody")])]:
            yield place, "", part.get("description")
    for kind in ("responses", "headers", "parameters", "requestBodies", "securitySchemes"):
        for name, component in child(document, "components", kind).items():
            yield f"{kind} {name}", name, child(component).get("description")
    for name, schema in child(document, "components", "schemas").items():
        # The names of many schemas, and of what is inside an inline one, say what they are.
        if "description" in child(schema):
            yield f"schemas {name}", name, child(schema)["description"]
        inside = [(place, key, inner.get("description")) for place, key, inner in properties(name, schema)]
        yield from (told for told in inside if told[0].count(".") == 1 or told[2] is not None)


def words(text: str) -> list[str]:
    """Return the words of a sentence or of a name in snake_case or camelCase."""
    return re.findall(r"[a-z]+|[0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower())


def fault(name: str, description: object) -> str | None:
    """Return what is wrong with a description."""
    if not isinstance(description, str):
        return "no description"
    told = words(description)
    if len(told) < 3 or not set(told) - set(words(name)) - SAYS_NOTHING:
        return f"says no more than the name: {description!r}"
    if PLACEHOLDER.search(description):
        return f"looks like a placeholder: {description!r}"
    if re.search(r"[<>]\w|\n|\]\(", description) or not description.endswith("."):
        return f"is not one line of plain sentences: {description!r}"
    return None


@each_document
def test_document_is_valid(path: pathlib.Path) -> None:
    """Each document is valid OpenAPI as it is written, but for the patterns that Python cannot read."""
    validate(readable(read(path)), base_uri=path.as_uri())


def is_python(pattern: object) -> bool:
    """Tell whether a pattern is a Python regular expression; a property may be called pattern too."""
    try:
        re.compile(str(pattern))
    except re.error:
        return False
    return True


def readable(value: object) -> Any:
    """Return a document without the published patterns that are JavaScript's alone."""
    if isinstance(value, dict):
        node = cast("Node", value)
        return {key: readable(below) for key, below in node.items() if key != "pattern" or is_python(below)}
    return [readable(below) for below in cast("list[object]", value)] if isinstance(value, list) else value


@each_document
def test_references_resolve(path: pathlib.Path) -> None:
    """Each reference names something that exists, in its own file or beside it."""
    for reference in (str(node["$ref"]) for node in nodes(read(path)) if "$ref" in node):
        file, _, pointer = reference.partition("#/")
        target = child(read(SPEC / file if file else path), *pointer.split("/"))
        assert target, reference


@each_document
def test_everything_is_described(path: pathlib.Path) -> None:
    """Operations, parameters, answers and properties of schemas say more than their name."""
    told = [(place, fault(name, description)) for place, name, description in described(read(path))]
    assert [(place, wrong) for place, wrong in told if wrong] == []


@each_document
def test_operations_say_where_they_belong(path: pathlib.Path) -> None:
    """Each operation has a group, a method name and scopes; only the token endpoint needs no token."""
    document = read(path)
    for place, operation in operations(document):
        group = cast("list[str]", operation["x-operation-group"])
        assert group, place
        assert operation["summary"], place
        for name in [*group, cast("str", operation["x-operation-name"])]:
            assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name), place
        security = cast("list[dict[str, list[str]]]", operation["security"])
        assert bool(security) != (place == "post /oauth/token"), place
        for scheme, scopes in itertools.chain.from_iterable(one.items() for one in security):
            known = child(
                document, "components", "securitySchemes", scheme, "flows", "clientCredentials", "scopes"
            )
            assert len(scopes) == 1, place
            assert known.get(scopes[0]), place


def test_operations_differ() -> None:
    """No two operations have the same id, or the same group and name."""
    found = [operation for path in PATHS for _, operation in operations(read(path))]
    ids = [operation["operationId"] for operation in found]
    names = [f"{operation['x-operation-group']} {operation['x-operation-name']}" for operation in found]
    assert len(set(ids)) == len(ids) >= 15
    assert len(set(names)) == len(names)


@each_document
def test_yaml_versions_agree(path: pathlib.Path) -> None:
    """A YAML 1.1 reader and a YAML 1.2 reader see the same values, and no key is given twice."""
    text = path.read_text(encoding="utf-8")
    # By repr, since 1, 1.0 and True are equal.
    assert repr(yaml.load(text, CoreLoader)) == repr(read(path))  # noqa: S506 - a SafeLoader


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("client_id", None),
        ("client_id", "The client id."),
        ("signResponse", "Sign the response."),
        ("name", "TODO say what this is."),
        ("name", "Name shown in the <b>dashboard</b>."),
    ],
)
def test_poor_descriptions_are_found(name: str, description: str | None) -> None:
    """The check of descriptions refuses one that is missing, empty of meaning, unfinished or marked up."""
    assert fault(name, description)


@pytest.mark.parametrize("text", ["on", "no", "1e3", "0o17", "1:30", "2026-01-01", "1_000"])
def test_ambiguous_scalars_are_found(text: str) -> None:
    """The check of YAML versions tells apart what they read differently."""
    assert repr(yaml.load(text, CoreLoader)) != repr(yaml.safe_load(text))  # noqa: S506 - a SafeLoader
