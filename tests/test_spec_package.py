"""The documents that the wheel carries, `evertoken_spec`: whole, current, and free of texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import evertoken_spec
from evertoken.generate import carried, names, output
from evertoken.generate.__main__ import main
from evertoken.generate.document import is_array, is_object

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "generated" / "evertoken_spec"
METHODS = {"get", "post", "put", "patch", "delete"}


def written() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the operations of spec/ by method and path, those of the token endpoint left out."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in (ROOT / "spec").glob("*.yaml"):
        if path.name in {"overlay.yaml", "token.yaml"}:
            continue
        content = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
        for place, item in content["paths"].items():
            found |= {(method.upper(), place): raw for method, raw in item.items() if method in METHODS}
    return found


def test_carried_documents_are_those_of_the_spec() -> None:
    """What is checked in is what scripts/generate would write, twice the same."""
    files = carried.build(ROOT / "spec")
    assert files == carried.build(ROOT / "spec")
    assert output.differences(files, PACKAGE) == []


def test_the_index_has_every_operation_of_the_api_once() -> None:
    """Method, path, group, name and scopes are those of spec/."""
    entries = evertoken_spec.index()
    described = written()
    assert {(entry.method, entry.path) for entry in entries} == described.keys()
    assert len({entry.key for entry in entries}) == len(entries) == len(described)
    for entry in entries:
        raw = described[entry.method, entry.path]
        assert entry.key.rpartition(".")[2] == names.snake(raw["x-operation-name"])
        assert set(entry.scopes) == {scope for one in raw.get("security", ()) for scope in one["management"]}


def test_fixed_paths_come_before_those_with_parameters() -> None:
    """The first path that fits a call is the one that is meant."""
    paths = [entry.path for entry in evertoken_spec.index()]
    assert paths.index("/organizations/name/{name}") < paths.index("/organizations/{id}")
    assert paths.index("/custom-domains/default") < paths.index("/custom-domains/{id}")


def test_every_reference_leads_somewhere_within_the_package() -> None:
    """References between documents are kept, as names of the files."""

    def check(name: str, node: object) -> None:
        if is_object(node):
            reference = node.get("$ref")
            if isinstance(reference, str):
                target, _, pointer = reference.partition("#")
                found: Any = evertoken_spec.document(target or name)
                for step in pointer.split("/")[1:]:
                    found = found[step.replace("~1", "/").replace("~0", "~")]
            for value in node.values():
                check(name, value)
        elif is_array(node):
            for value in node:
                check(name, value)

    for name in {entry.document for entry in evertoken_spec.index()}:
        check(name, evertoken_spec.document(name))


def test_texts_are_left_out_but_properties_of_that_name_are_not() -> None:
    """A schema's description is for readers; a property called description is a fact."""
    role = evertoken_spec.document("roles.json")["components"]["schemas"]["GetRoleResponseContent"]
    assert "description" not in role
    assert "description" in role["properties"]
    assert "Provisional" not in "".join(path.read_text("utf-8") for path in PACKAGE.glob("*.json"))


def test_unknown_documents_are_an_error() -> None:
    """A name that no document has is told."""
    with pytest.raises(FileNotFoundError):
        evertoken_spec.document("nothing.json")


def test_another_document_brings_no_second_package(tmp_path: Path) -> None:
    """--out writes the API's package alone."""
    spec = tmp_path / "api.json"
    spec.write_text(
        json.dumps(
            {
                "openapi": "3.1.0",
                "info": {"title": "t", "version": "1"},
                "paths": {
                    "/things": {
                        "get": {
                            "operationId": "a",
                            "x-operation-group": "things",
                            "x-operation-name": "list",
                            "responses": {"204": {"description": "d"}},
                        }
                    }
                },
            }
        )
    )
    assert main(["--spec", str(spec), "--out", str(tmp_path / "api")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["api", "api.json"]
