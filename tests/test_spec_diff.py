"""scripts/spec-diff: what changed between two documents, and what it means for a caller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from evertoken.specdiff.__main__ import main
from evertoken.specdiff.rules import RULES
from spec_pairs import Spec, compared, document, operation, received, sent, told

if TYPE_CHECKING:
    from pathlib import Path

TEXT: Spec = {"type": "string"}
NUMBER: Spec = {"type": "number"}
WHOLE: Spec = {"type": "integer"}


def having(properties: Spec, *required: str, **more: object) -> Spec:
    return {"type": "object", "properties": properties, "required": [*required], **more}


def one_of(*members: object) -> Spec:
    return {"oneOf": [*members]}


def tagged(kind: str, **properties: object) -> Spec:
    return having({"kind": {"const": kind}, **properties}, "kind")


ID = {"id": TEXT}
# Rule, its verdicts for what is sent and for what comes back, and the schemas before and after.
VALUES: list[tuple[str, str, str, object, object]] = [
    ("field-added", "minor", "minor", having(ID), having({**ID, "a": TEXT})),
    ("field-added-required", "breaking", "minor", having(ID), having({**ID, "a": TEXT}, "a")),
    ("field-removed", "breaking", "breaking", having({**ID, "a": TEXT}), having(ID)),
    ("field-required", "breaking", "minor", having(ID), having(ID, "id")),
    ("field-optional", "minor", "breaking", having(ID, "id"), having(ID)),
    ("null-added", "minor", "breaking", TEXT, {"type": ["string", "null"]}),
    ("null-removed", "breaking", "minor", {"type": ["string", "null"]}, TEXT),
    ("type-widened", "minor", "breaking", WHOLE, NUMBER),
    ("type-narrowed", "breaking", "minor", NUMBER, WHOLE),
    ("type-widened", "minor", "breaking", TEXT, {"type": ["string", "integer"]}),
    ("type-narrowed", "breaking", "minor", one_of(TEXT, having(ID)), TEXT),
    ("type-widened", "minor", "breaking", TEXT, {}),
    ("type-narrowed", "breaking", "minor", True, TEXT),
    ("type-changed", "breaking", "breaking", TEXT, WHOLE),
    ("type-changed", "breaking", "breaking", TEXT, {"type": "array", "items": TEXT}),
    ("alternative-added", "minor", "breaking", one_of(tagged("a"), tagged("b")),
     one_of(tagged("a"), tagged("b"), tagged("c"))),
    ("alternative-removed", "breaking", "minor", one_of(tagged("a"), tagged("b"), tagged("c")),
     one_of(tagged("a"), tagged("c"))),
    ("enum-gained", "minor", "minor", {"enum": ["a"]}, {"enum": ["a", "b"]}),
    ("enum-lost", "breaking", "minor", {"enum": ["a", "b"]}, {"enum": ["b"]}),
    ("enum-opened", "minor", "minor", {**TEXT, "enum": ["a"]}, TEXT),
    ("enum-closed", "breaking", "minor", TEXT, {**TEXT, "enum": ["a"]}),
    ("limit-tightened", "breaking", "patch", {**TEXT, "maxLength": 9}, {**TEXT, "maxLength": 8}),
    ("limit-loosened", "minor", "patch", {**TEXT, "maxLength": 9}, {**TEXT, "maxLength": 10}),
    ("limit-tightened", "breaking", "patch", TEXT, {**TEXT, "minLength": 1}),
    ("limit-loosened", "minor", "patch", {**TEXT, "minLength": 1}, TEXT),
    ("limit-tightened", "breaking", "patch", {**WHOLE, "minimum": 1}, {**WHOLE, "minimum": 2}),
    ("limit-loosened", "minor", "patch", {**WHOLE, "exclusiveMinimum": 2}, {**WHOLE, "exclusiveMinimum": 1}),
    ("limit-loosened", "minor", "patch", {**WHOLE, "multipleOf": 4}, {**WHOLE, "multipleOf": 2}),
    ("limit-tightened", "breaking", "patch", {**WHOLE, "multipleOf": 2}, {**WHOLE, "multipleOf": 3}),
    ("limit-changed", "breaking", "patch", {**TEXT, "pattern": "a"}, {**TEXT, "pattern": "b"}),
    ("limit-changed", "breaking", "patch", {**TEXT, "format": "uri"}, {**TEXT, "format": "url"}),
    ("limit-tightened", "breaking", "patch", TEXT, {**TEXT, "format": "uri"}),
    ("limit-tightened", "breaking", "patch", {"type": "array"}, {"type": "array", "maxItems": 3}),
    ("limit-tightened", "breaking", "patch", {"type": "array"}, {"type": "array", "uniqueItems": True}),
    ("limit-tightened", "breaking", "patch", TEXT, {**TEXT, "not": {"const": "a"}}),
    ("keys-closed", "breaking", "patch", having(ID), having(ID, additionalProperties=False)),
    ("keys-opened", "minor", "patch", having(ID, additionalProperties=False), having(ID)),
    ("deprecated", "minor", "minor", having(ID), having({"id": {**TEXT, "deprecated": True}})),
    ("undeprecated", "patch", "patch", having({"id": {**TEXT, "deprecated": True}}), having(ID)),
    ("lifecycle", "minor", "minor", having({"id": {**TEXT, "x-release-lifecycle": "EA"}}), having(ID)),
]  # fmt: skip


def same(schema: object) -> object:
    return schema


def in_an_array(schema: object) -> object:
    return having({"deep": {"type": "array", "items": schema}})


def in_a_map(schema: object) -> object:
    return {"type": "object", "additionalProperties": {"allOf": [schema]}}


def in_an_alternative(schema: object) -> object:
    return one_of({"type": "null"}, having({"x": schema}))


ALONE_AND_DEEPER = (same, in_an_array, in_a_map, in_an_alternative)


@pytest.mark.parametrize(
    ("rule", "request_verdict", "response_verdict", "old", "new"),
    VALUES,
    ids=[f"{rule}-{n}" for n, (rule, *_) in enumerate(VALUES)],
)
def test_each_side_is_judged_by_what_it_means_for_it(  # noqa: PLR0917  # the columns of the table
    rule: str, request_verdict: str, response_verdict: str, old: object, new: object, tmp_path: Path
) -> None:
    """One change is one change, whose verdict is that of its side; deeper in, it is the same."""
    for wrap, verdict in ((sent, request_verdict), (received, response_verdict)):
        for around in ALONE_AND_DEEPER:
            ((found, _, judged),) = told(tmp_path, wrap(around(old)), wrap(around(new)))
            assert (found, judged) == (rule, verdict)


def test_a_datetime_is_another_type_of_what_comes_back_only(tmp_path: Path) -> None:
    """Models hold datetimes; arguments take text too."""
    date = {**TEXT, "format": "date-time"}
    assert told(tmp_path, received(TEXT), received(date)) == [("datetime-changed", "response", "breaking")]
    assert told(tmp_path, received(date), received(TEXT)) == [("datetime-changed", "response", "breaking")]
    assert told(tmp_path, sent(TEXT), sent(date)) == [("limit-tightened", "request", "breaking")]
    assert told(tmp_path, sent(date), sent(TEXT)) == [("limit-loosened", "request", "minor")]


def test_a_map_that_gets_fields_is_another_type_of_what_comes_back(tmp_path: Path) -> None:
    """A dict becomes a model; a caller who sends a dict goes on."""
    free: Spec = {"type": "object"}
    assert told(tmp_path, sent(free), sent(having(ID))) == [
        ("field-added", "request.id", "minor"),
        ("form-changed", "request", "minor"),
    ]
    assert ("form-changed", "response", "breaking") in told(tmp_path, received(free), received(having(ID)))


def with_parameter(**more: object) -> Spec:
    return operation(parameters=[{"name": "page", "in": "query", "schema": WHOLE, **more}])


def answering(status: str, schema: object = None) -> Spec:
    content = {"content": {"application/json": {"schema": schema}}} if schema is not None else {}
    return operation(responses={status: {"description": "Done.", **content}})


def answers(**schemas: object) -> Spec:
    found: Spec = {}
    for status in schemas:
        found |= answering(status.removeprefix("s"), schemas[status])["responses"]
    return operation(responses=found)


def taking(*media: str, required: bool = False, schema: object = TEXT) -> Spec:
    return operation(
        requestBody={"content": {name: {"schema": schema} for name in media}, "required": required}
    )


def needing(*scopes: str) -> Spec:
    none: list[str] = []
    return operation(security=[{"bearer": none}, {"oauth": [*scopes]}])


JSON, FORM = "application/json", "application/x-www-form-urlencoded"
# Rule, verdict, the operation before and after.
CALLS: list[tuple[str, str, Spec | None, Spec | None]] = [
    ("operation-added", "minor", None, operation()),
    ("operation-removed", "breaking", operation(), None),
    ("operation-renamed", "breaking", operation(), operation(**{"x-operation-name": "make"})),
    ("operation-deprecated", "minor", operation(), operation(deprecated=True)),
    ("operation-undeprecated", "patch", operation(deprecated=True), operation()),
    ("operation-lifecycle", "minor", operation(**{"x-release-lifecycle": "EA"}),
     operation(**{"x-release-lifecycle": "GA"})),
    ("scope-needed", "breaking", needing("a"), needing("b")),
    ("scope-needed", "breaking", operation(security=[]), needing("b")),
    ("scope-removed", "breaking", needing("a", "b"), needing("b")),
    ("scope-added", "minor", needing("a"), needing("a", "b")),
    ("scope-free", "minor", needing("a"), needing()),
    ("parameter-added", "minor", operation(), with_parameter()),
    ("parameter-added-required", "breaking", operation(), with_parameter(required=True)),
    ("parameter-removed", "breaking", with_parameter(), operation()),
    ("parameter-required", "breaking", with_parameter(), with_parameter(required=True)),
    ("parameter-optional", "minor", with_parameter(required=True), with_parameter()),
    ("parameter-style", "patch", with_parameter(), with_parameter(explode=False)),
    ("deprecated", "minor", with_parameter(), with_parameter(deprecated=True)),
    ("lifecycle", "minor", with_parameter(), with_parameter(**{"x-release-lifecycle": "beta"})),
    ("limit-tightened", "breaking", with_parameter(), with_parameter(schema={**WHOLE, "maximum": 100})),
    ("body-added", "minor", operation(), taking(JSON)),
    ("body-added-required", "breaking", operation(), taking(JSON, required=True)),
    ("body-added-required", "breaking", operation(), taking(JSON, schema=having(ID, "id"))),
    ("body-removed", "breaking", taking(JSON), operation()),
    ("body-required", "breaking", taking(JSON), taking(JSON, required=True)),
    ("body-optional", "minor", taking(JSON, required=True), taking(JSON)),
    ("media-added", "minor", taking(JSON), taking(JSON, FORM)),
    ("media-removed", "breaking", taking(JSON, FORM), taking(JSON)),
    ("body-added", "minor", answering("200"), answering("200", TEXT)),
    ("body-removed", "breaking", answering("200", TEXT), answering("200")),
    ("status-changed", "minor", answering("200", TEXT), answering("201", TEXT)),
    ("status-added", "minor", answering("200", TEXT), answers(s200=TEXT, s201=TEXT)),
    ("status-added-body", "breaking", answering("200", TEXT), answers(s200=TEXT, s202=None)),
    ("status-removed", "minor", answers(s200=TEXT, s201=TEXT), answering("200", TEXT)),
    ("error-added", "patch", answering("200"), answers(s200=None, s404=None)),
    ("error-removed", "patch", answers(s200=None, s404=None), answering("200")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "verdict", "old", "new"), CALLS, ids=[f"{rule}-{n}" for n, (rule, *_) in enumerate(CALLS)]
)
def test_operations_are_judged(
    rule: str, verdict: str, old: Spec | None, new: Spec | None, tmp_path: Path
) -> None:
    """One change is one change, with its verdict."""
    ((found, _, judged),) = told(tmp_path, document(old), document(new))
    assert (found, judged) == (rule, verdict)


def test_every_rule_has_a_test() -> None:
    """Who adds one adds its case."""
    elsewhere = {"operation-moved", "parameter-renamed", "form-changed", "datetime-changed"}
    assert {rule for rule, *_ in VALUES} | {rule for rule, *_ in CALLS} | elsewhere == set(RULES)


def test_an_operation_is_known_by_its_name_before_its_path(tmp_path: Path) -> None:
    """A caller of the SDK sees no path; what is called otherwise under the same path was renamed."""
    old, new = document(operation()), document(operation())
    new["paths"]["/stuff/{id}"] = new["paths"].pop("/things/{id}")
    assert told(tmp_path, old, new) == [("operation-moved", "", "patch")]


def test_a_renamed_variable_of_a_path_is_a_renamed_keyword(tmp_path: Path) -> None:
    """And not one parameter that went and one that came."""
    path = {"in": "path", "required": True, "schema": TEXT}
    old = document(operation(parameters=[{"name": "id", **path}]))
    new = document(operation(parameters=[{"name": "thing_id", **path}]))
    new["paths"]["/things/{thing_id}"] = new["paths"].pop("/things/{id}")
    assert told(tmp_path, old, new) == [("parameter-renamed", "", "breaking")]


def test_parameters_of_a_path_hold_for_its_operations(tmp_path: Path) -> None:
    """Wherever a parameter is written, by reference or not, it is the same."""
    page = {"name": "page", "in": "query", "schema": WHOLE}
    old = document(operation(parameters=[page]))
    new = document(operation())
    new["paths"]["/things/{id}"]["parameters"] = [{"$ref": "#/components/parameters/Page"}]
    new["components"]["parameters"] = {"Page": page}
    assert told(tmp_path, old, new) == []


SAME: list[tuple[str, object, object]] = [
    ("nullable", {**TEXT, "nullable": True}, {"type": ["string", "null"]}),
    ("null as an alternative", {**TEXT, "nullable": True}, one_of(TEXT, {"type": "null"})),
    ("nullable enum", {**TEXT, "nullable": True, "enum": ["a"]},
     {"type": ["string", "null"], "enum": ["a", None]}),
    ("nullable reference", {"allOf": [{"$ref": "#/components/schemas/A"}], "nullable": True},
     {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/A"}]}),
    ("const", {"const": "a"}, {**TEXT, "enum": ["a"]}),
    ("enum in parts", one_of({"const": "a"}, {"const": "b"}), {"enum": ["b", "a"]}),
    ("exclusive", {**WHOLE, "minimum": 1, "exclusiveMinimum": True}, {**WHOLE, "exclusiveMinimum": 1}),
    ("no limit", {**TEXT, "minLength": 0}, TEXT),
    ("whole limit", {**WHOLE, "minimum": 1.0}, {**WHOLE, "minimum": 1}),
    ("allOf", {"allOf": [having(ID, "id"), having({"a": TEXT})]}, having({**ID, "a": TEXT}, "id")),
    ("allOf of a reference and a limit", {"allOf": [{"$ref": "#/components/schemas/T"}, {"maxLength": 3}]},
     {**TEXT, "maxLength": 3}),
    ("a limit beside a reference", {"$ref": "#/components/schemas/T", "maxLength": 3},
     {**TEXT, "maxLength": 3}),
    ("the stricter limit", {"allOf": [{**TEXT, "maxLength": 5}, {"maxLength": 3}]}, {**TEXT, "maxLength": 3}),
    ("types as alternatives", {"type": ["string", "integer"]}, {"anyOf": [WHOLE, TEXT]}),
    ("in line", {"$ref": "#/components/schemas/A"}, having(ID)),
    ("one alternative", {"anyOf": [{"$ref": "#/components/schemas/A"}]}, having(ID)),
    ("nested alternatives", one_of(one_of(TEXT, WHOLE), {"type": "boolean"}),
     {"type": ["boolean", "integer", "string"]}),
    ("order of alternatives", one_of(tagged("a"), tagged("b")), one_of(tagged("b"), tagged("a"))),
    ("no type", {"properties": ID}, having(ID)),
    ("default and example", {**TEXT, "default": "a", "example": "b"}, {**TEXT, "default": "c"}),
    ("free keys", having(ID, additionalProperties=True), having(ID)),
    ("any items", {"type": "array"}, {"type": "array", "items": {}}),
    ("base64", {**TEXT, "format": "byte"}, {**TEXT, "contentEncoding": "base64"}),
    ("lifecycle GA", {**TEXT, "x-release-lifecycle": "GA"}, TEXT),
    ("a boolean's values", {"type": "boolean", "enum": [True, False]}, {"type": "boolean"}),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_spelling_is_no_change(old: object, new: object, tmp_path: Path) -> None:
    """OpenAPI 3.0 and 3.1, references and what they name: what means the same is the same."""
    schemas = {"A": having(ID), "T": TEXT}
    for wrap in (sent, received):
        assert told(tmp_path, wrap(old, schemas), wrap(new, schemas)) == []
        assert told(tmp_path, wrap(new, schemas), wrap(old, schemas)) == []


def test_a_renamed_schema_of_equal_content_is_no_change(tmp_path: Path) -> None:
    """Also where it is an alternative, and where it holds itself."""

    def spec(name: str, leaf: str) -> Spec:
        tree = having({"children": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}})
        schemas = {name: tree, leaf: having({"x": TEXT, "y": WHOLE}), "Other": having({"z": TEXT})}
        refs = [{"$ref": f"#/components/schemas/{one}"} for one in (name, leaf, "Other")]
        return received(having({"tree": refs[0], "any": one_of(*refs)}), schemas)

    assert told(tmp_path, spec("Tree", "Leaf"), spec("Branch", "Foliage")) == []


def test_a_schema_that_holds_itself_is_compared_once(tmp_path: Path) -> None:
    """The walk ends, and tells the first place."""

    def spec(**more: object) -> Spec:
        tree = having({"children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}, **more})
        return sent(having({"root": {"$ref": "#/components/schemas/Tree"}}), {"Tree": tree})

    assert told(tmp_path, spec(), spec(name=TEXT)) == [("field-added", "request.root.name", "minor")]


def test_a_change_in_a_shared_schema_is_told_once_for_each_side(tmp_path: Path) -> None:
    """With the operations that it touches, whether they name the schema or are made of it."""

    def spec(*values: str) -> Spec:
        schemas: Spec = {
            "Kind": {**TEXT, "enum": [*values]},
            "Base": having({"kind": {"$ref": "#/components/schemas/Kind"}}),
        }
        found = document(None, schemas)
        for number in range(9):
            made = {"allOf": [{"$ref": "#/components/schemas/Base"}, having({f"f{number}": TEXT})]}
            body = {"content": {"application/json": {"schema": made}}}
            call = operation(requestBody=body, responses={"200": {"description": "", **body}})
            call["x-operation-name"] = f"create{number}"
            found["paths"][f"/things{number}"] = {"post": call}
        return found

    changes = compared(tmp_path, spec("a", "b"), spec("a", "c")).changes
    assert sorted((change.rule, change.side, len(change.calls)) for change in changes) == [
        ("enum-gained", "request", 9),
        ("enum-gained", "response", 9),
        ("enum-lost", "request", 9),
        ("enum-lost", "response", 9),
    ]
    assert {(change.schema, change.calls[0].key) for change in changes} == {("Kind", "things.create_0")}
    assert {(change.before or change.after)[0] for change in changes} == {"b", "c"}  # type: ignore[index]  # lists


def test_alternatives_are_paired_by_what_tells_them_apart(tmp_path: Path) -> None:
    """A field in one of them is a change in that one."""
    old = one_of(tagged("a", x=TEXT), tagged("b", x=TEXT))
    new = one_of(tagged("b", x=TEXT, y=TEXT), tagged("a", x=TEXT))
    assert told(tmp_path, sent(old), sent(new)) == [("field-added", 'request<kind="b">.y', "minor")]


def test_a_tag_of_another_value_is_another_alternative(tmp_path: Path) -> None:
    """Not an enum that lost one value and gained one."""
    old, new = one_of(tagged("a"), tagged("b")), one_of(tagged("a"), tagged("c"))
    assert told(tmp_path, received(old), received(new)) == [
        ("alternative-added", "response", "breaking"),
        ("alternative-removed", "response", "minor"),
    ]


def test_alternatives_beside_fields_are_told_apart(tmp_path: Path) -> None:
    """Such as: either of two fields is required."""
    base = having({**ID, "a": TEXT, "b": TEXT})
    old = {**base, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    new = {**base, "oneOf": [{"required": ["a"]}]}
    assert told(tmp_path, sent(old), sent(new)) == [("alternative-removed", "request", "breaking")]


def test_descriptions_are_a_patch(tmp_path: Path) -> None:
    """They are counted."""
    old, new = sent(having({"id": {**TEXT, "description": "A"}})), sent(having({"id": TEXT}))
    new["paths"]["/things/{id}"]["post"]["summary"] = "B"
    comparison = compared(tmp_path, old, new)
    assert (comparison.changes, comparison.descriptions, comparison.step) == ((), 2, "patch")


@pytest.mark.parametrize(
    ("new", "step"),
    [
        (document(operation()), "none"),
        (answers(s204=None, s404=None), "patch"),
        (operation(deprecated=True), "minor"),
        (needing("other"), "major"),
    ],
)
def test_the_version_step_is_that_of_the_weightiest_change(new: Spec, step: str, tmp_path: Path) -> None:
    """Major, minor, patch or none."""
    new = new if "paths" in new else document(new)
    assert compared(tmp_path, document(operation()), new).step == step


def test_counts_tell_fields_values_and_marks_apart(tmp_path: Path) -> None:
    """The numbers that a release is summed up by."""
    kinds = {"kind": {"enum": ["a", "b", "c"]}}
    old = sent(having({**ID, **kinds, "gone": TEXT}))
    new = sent(having({**ID, "kind": {"enum": ["a", "d"]}, "one": TEXT, "two": TEXT}, "id", "two"))
    new["paths"]["/new"] = {"get": operation(**{"x-operation-name": "get"})}
    counts = compared(tmp_path, old, new).counts()
    assert counts["operations"] == {"added": 1, "removed": 0, "changed": 1}
    assert counts["request_fields"] == {
        "added": 2, "added_required": 1, "removed": 1, "newly_required": 1, "no_longer_required": 0,
    }  # fmt: skip
    assert counts["request_enum_values"] == {"gained": 1, "lost": 2}
    assert counts["response_fields"]["added"] == 0


A = "#/components/schemas/A"
WRONG: list[tuple[str, object, str]] = [
    ("no version", {"paths": {}}, "new.json#/openapi: is neither OpenAPI 3.0 nor 3.1"),
    ("Swagger", {"swagger": "2.0", "openapi": "2.0"}, "new.json#/openapi: is neither"),
    ("missing schema", sent({"$ref": "#/components/schemas/No"}), "schema/$ref: $ref names nothing"),
    ("missing file", sent({"$ref": "no.yaml#/A"}), "schema/$ref: $ref names a document that is not there"),
    ("a reference to itself", sent({"$ref": A}, {"A": {"$ref": A}}),
     "schema: $ref leads back to itself"),
    ("made of itself", sent({"$ref": A}, {"A": {"allOf": [{"$ref": A}]}}),
     f"{A}: is made of itself"),
    ("no schema", sent("text"), "/schema: is not an object"),
    ("no type", sent({"type": "file"}), "/schema/type: is no type of JSON: 'file'"),
    ("no list", sent({"required": True, **TEXT, "type": "object"}), "/schema/required: is not an array"),
    ("no limit", sent({**TEXT, "maxLength": "9"}), "/schema/maxLength: is not a number"),
    ("no paths", document(paths=[]), "#/paths: is not an object"),
    ("no parameter", document(operation(parameters=[{"in": "query"}])), "/parameters/0: a parameter needs"),
    ("no status", document(operation(responses={"ok": {}})), "/responses/ok: is no status"),
    ("too many", sent({"allOf": [one_of(*(having({f"a{n}{m}": TEXT}) for m in range(40))) for n in (1, 2)]}),
     "/schema: has more than 1,000 alternatives"),
    ("an array", [], "new.json: is empty or not an object"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "reason"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_document_is_one_line_with_its_place(
    content: object, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the exit status is 2."""
    new = tmp_path / "new.json"
    new.write_text(json.dumps(content), "utf-8")
    old = tmp_path / "old.json"
    old.write_text(json.dumps(sent(TEXT)), "utf-8")
    assert main([str(old), str(new)]) == 2
    shown = capsys.readouterr()
    assert not shown.out
    assert shown.err.count("\n") == 1
    assert reason in shown.err
    assert "new.json" in shown.err


def test_a_chain_too_long_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not a traceback."""
    schemas = {f"A{n}": {"allOf": [{"$ref": f"#/components/schemas/A{n + 1}"}]} for n in range(2000)}
    path = tmp_path / "deep.json"
    path.write_text(
        json.dumps(sent({"$ref": "#/components/schemas/A0"}, {**schemas, "A2000": TEXT})), "utf-8"
    )
    assert main([str(path), str(path)]) == 2
    assert "deep.json#/components/schemas/A50: is nested too deeply" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its name."""
    assert main([str(tmp_path / "no.json"), str(tmp_path / "no.json")]) == 2
    assert "no.json: cannot be read" in capsys.readouterr().err


def test_documents_without_paths_are_compared(tmp_path: Path) -> None:
    """They have no operations."""
    assert told(tmp_path, {"openapi": "3.1.0"}, {"openapi": "3.0.3"}) == []


def test_the_exit_status_tells_whether_a_caller_breaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 and 1, in whatever shape the answer is wanted."""
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(sent(having(ID))), "utf-8")
    new.write_text(json.dumps(sent(having(ID, "id"))), "utf-8")
    for options in ([], ["--json"], ["--changelog"]):
        assert main([str(old), str(new), *options]) == 1
        assert main([str(new), str(old), *options]) == 0
        assert main([str(old), str(old), *options]) == 0
    assert "Version step: none" not in capsys.readouterr().err


def test_a_change_in_many_operations_is_one_line_with_some_of_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under the group that all are in, or under several."""

    def spec(groups: list[str], **more: object) -> Spec:
        found = document(None, {"Thing": having({**ID, **more})})
        for group in groups:
            body = sent({"$ref": "#/components/schemas/Thing"})["paths"]["/things/{id}"]["post"]
            found["paths"][f"/{group}"] = {"post": {**body, "x-operation-group": group.split(".")}}
        return found

    old, new = tmp_path / "old.json", tmp_path / "new.json"
    for groups, title, line in (
        (["a.b", "a.c"], "a", "2 operations: a.b.create, a.c.create"),
        (["a", "b", "c", "d"], "several groups", "4 operations: a.create, b.create, c.create, ..."),
    ):
        old.write_text(json.dumps(spec(groups)), "utf-8")
        new.write_text(json.dumps(spec(groups, more=TEXT)), "utf-8")
        assert main([str(old), str(new)]) == 0
        assert capsys.readouterr().out.splitlines()[:3] == [
            title,
            f"  {line}",
            "    minor     request.more: new field, optional [Thing]",
        ]
    assert main([str(old), str(new), "--changelog"]) == 0
    assert "- `a.create`, `b.create`, `c.create` and 1 more: new field" in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    """Such as `head`: no traceback."""
    path = tmp_path / "same.json"
    path.write_text(json.dumps(sent(TEXT)), "utf-8")
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as output:
        command = [sys.executable, "-m", "evertoken.specdiff", str(path), str(path)]
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
    assert not done.stderr


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    """With the command that installs it."""
    program = (
        "import sys; sys.modules['yaml'] = None\n"
        "from evertoken.specdiff.__main__ import main; sys.exit(main(['a.yaml', 'b.yaml']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "spec-diff: yaml is not installed; pip install 'evertoken[generate]'\n"


def test_output_is_one_line_for_what_documents_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names of a document move no cursor and close no code."""
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(sent(having(ID))), "utf-8")
    new.write_text(json.dumps(sent(having({**ID, "a\nb\x1b[2J`c": TEXT}))), "utf-8")
    assert main([str(old), str(new)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "``" in shown
    assert "a?b?" in shown


def whole(least: int, most: int) -> Spec:
    limits = {"minimum": least or None, "maximum": most or None}
    return {**WHOLE, **{keyword: limit for keyword, limit in limits.items() if limit is not None}}


def text(most: int) -> Spec:
    return {**TEXT, "maxLength": most} if most else TEXT


def words(values: list[str]) -> Spec:
    return {**TEXT, "enum": values}


SCALARS: st.SearchStrategy[Spec] = st.one_of(
    st.builds(whole, st.integers(0, 2), st.integers(0, 4)),
    st.builds(text, st.integers(0, 2)),
    st.lists(st.sampled_from(["a", "bb", "c"]), min_size=1, unique=True).map(words),
    st.sampled_from([{"type": "boolean"}, NUMBER]),
)


Pair = tuple[Spec, Spec]
MARKS = st.sampled_from(["both", "old", "new", "none"])
EITHER = st.sampled_from(["both", "both", "both", "old", "new"])


def chosen(marked: dict[str, str], side: str) -> list[str]:
    return sorted(name for name, mark in marked.items() if mark in {"both", side})


def _objects(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    def built(fields: dict[str, Pair], there: dict[str, str], required: dict[str, str]) -> Pair:
        made: list[Spec] = []
        for index, side in enumerate(("old", "new")):
            names = chosen({name: there.get(name, "both") for name in fields}, side)
            marks = [name for name in chosen(required, side) if name in names]
            made.append(
                having({name: fields[name][index] for name in names}, *marks, additionalProperties=False)
            )
        return made[0], made[1]

    names = st.sampled_from("xyz")
    return st.builds(
        built,
        st.dictionaries(names, inner, min_size=1),
        st.dictionaries(names, EITHER),
        st.dictionaries(names, MARKS),
    )


def _unions(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    def built(members: list[tuple[Pair, str]]) -> Pair:
        sides = [
            [pair[index] for pair, there in members if there in {"both", side}]
            for index, side in enumerate(("old", "new"))
        ]
        return {"anyOf": sides[0] or [{"type": "null"}]}, {"anyOf": sides[1] or [{"type": "null"}]}

    return st.lists(st.tuples(inner, EITHER), min_size=1, max_size=3).map(built)


# A schema, and what became of it: the same, or something else in places.
PAIRS: st.SearchStrategy[Pair] = st.recursive(
    st.one_of(SCALARS.map(lambda schema: (schema, schema)), st.tuples(SCALARS, SCALARS)),
    lambda inner: st.one_of(
        _objects(inner),
        _unions(inner),
        inner.map(lambda pair: ({"type": "array", "items": pair[0]}, {"type": "array", "items": pair[1]})),
        inner.map(lambda pair: ({"anyOf": [pair[0], {"type": "null"}]}, pair[1])),
    ),
    max_leaves=5,
)
WORDS = st.sampled_from(["", "a", "bb", "c", "ddd"])
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "integer": st.integers(-1, 5),
    "number": st.sampled_from([0.5, 1, 2.5]),
    "string": WORDS,
}


def values_of(schema: Spec) -> st.SearchStrategy[Any]:
    """Return values that a schema may allow; a validator tells which it does."""
    if "anyOf" in schema:
        return st.one_of(*(values_of(member) for member in schema["anyOf"]))
    if schema["type"] == "array":
        return st.lists(values_of(schema["items"]), max_size=2)
    if schema["type"] == "object":
        fields = {name: values_of(field) for name, field in schema["properties"].items()}
        required = {name: fields.pop(name) for name in schema["required"]}
        return st.fixed_dictionaries(required, optional=fields)
    return PLAIN[schema["type"]]


QUICK = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
DUAL = {
    "gained": "lost",
    "added": "removed",
    "tightened": "loosened",
    "closed": "opened",
    "widened": "narrowed",
}


def valid(schema: Spec, value: object) -> bool:
    return bool(OAS31Validator(schema).is_valid(value))


@QUICK
@given(pair=PAIRS, data=st.data())
def test_what_was_accepted_is_accepted_unless_a_change_is_breaking(
    pair: Pair, data: st.DataObject, tmp_path: Path
) -> None:
    """A validator that knows nothing of this judges the same."""
    old, new = pair
    values = data.draw(st.lists(values_of(old), max_size=10))
    lost = [value for value in values if valid(old, value) and not valid(new, value)]
    if lost:
        assert compared(tmp_path, sent(old), sent(new)).breaking, lost
    assert told(tmp_path, sent(old), sent(old)) == []


@QUICK
@given(pair=PAIRS)
def test_the_way_back_is_the_opposite(pair: Pair, tmp_path: Path) -> None:
    """What came one way goes the other way; so do limits, enums and marks."""
    old, new = pair

    def opposite(rule: str) -> str:
        for one, other in [*DUAL.items(), ("required", "optional")]:
            head, _, last = rule.rpartition("-")
            if last in {one, other}:
                return f"{head}-{other if last == one else one}"
        return rule

    def plain(rule: str) -> str:
        return "field-added" if rule == "field-added-required" else rule

    there = sorted(opposite(plain(rule)) for rule, _, _ in told(tmp_path, received(old), received(new)))
    back = sorted(plain(rule) for rule, _, _ in told(tmp_path, received(new), received(old)))
    assert there == back
