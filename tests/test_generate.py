"""The generator: from OpenAPI documents to the typed package."""

from __future__ import annotations

import ast
import copy
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
import yaml

from evertoken.generate import __main__ as program
from evertoken.generate import commands, inert, output
from evertoken.generate.__main__ import main
from evertoken.generate.document import Documents
from evertoken.generate.library import Library
from evertoken.generate.normal import any_of, normal, text
from evertoken.generate.notes import Notes
from evertoken.generate.overlay import load as load_overlay
from evertoken.generate.problem import SpecError
from evertoken.generate.render import docstring

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "src" / "evertoken" / "generate" / "__main__.py"
Spec = dict[str, Any]


def small() -> Spec:
    """Return a document with one list, one read, one write."""
    schemas: Spec = {
        "Thing": {
            "type": "object",
            "description": "A thing.",
            "required": ["id"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "string", "description": "Which one."},
                "kind": {"$ref": "#/components/schemas/Kind"},
                "part": {"$ref": "#/components/schemas/Part"},
                "made_at": {"type": "string", "format": "date-time", "default": "2020-01-01T00:00:00Z"},
            },
        },
        "Kind": {"type": ["string", "null"], "enum": ["big", "small", None]},
        "Part": {"type": "object", "properties": {"size": {"type": "number"}}},
        "ListThings": {
            "type": "object",
            "properties": {
                "next": {"type": "string"},
                "things": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
            },
        },
        "NewThing": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "description": "What to call it."},
                "from": {"type": ["string", "null"]},
                "part": {"$ref": "#/components/schemas/Part"},
                "made_at": {"type": "string", "format": "date-time"},
            },
        },
    }
    schemas["GetThingResponse"] = {**copy.deepcopy(schemas["Thing"]), "description": "The thing asked for."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {
            "/things": {
                "get": {
                    **_operation("list", "ListThings"),
                    "parameters": [_parameter("from", "string"), _parameter("take", "integer", maximum=100)],
                },
                "post": {
                    **_operation("create", "Thing", status="201"),
                    "requestBody": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}}
                    },
                },
            },
            "/things/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": _operation("get", "GetThingResponse"),
                "delete": {
                    **_operation("delete", "Thing"),
                    "responses": {"204": {"description": "Gone."}},
                },
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"management": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(name: str, schema: str, status: str = "200") -> Spec:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "operationId": f"{name}_things",
        "summary": f"The {name} of things",
        "x-operation-group": "things",
        "x-operation-name": name,
        "security": [{"management": ["read:things"]}, {"management": ["read:all"]}],
        "responses": {
            status: {"description": "What was asked for.", "content": content},
            "404": {"description": "No such thing."},
        },
    }


def _parameter(name: str, kind: str, **limits: int) -> Spec:
    return {"name": name, "in": "query", "schema": {"type": kind, **limits}, "description": f"The {name}."}


def write(spec: Spec, path: Path) -> Path:
    path.write_text(json.dumps(spec), encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own package, generated anew from another folder by the program itself."""
    folder = tmp_path_factory.mktemp("own")
    out = folder / "evertoken_api"
    run = subprocess.run(
        [sys.executable, "-P", PROGRAM, "--out", out],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return out


@pytest.fixture(scope="session")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the small document."""
    folder = tmp_path_factory.mktemp("small")
    assert (
        main(["--spec", str(write(small(), folder / "api.json")), "--out", str(folder / "things_api")]) == 0
    )
    return folder / "things_api"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], ModuleType]:
    """Import a module of a generated package."""

    def load(package: Path, module: str) -> ModuleType:
        monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
        importlib.invalidate_caches()
        return importlib.import_module(f"{package.name}.{module}")

    return load


def fails(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """Return the one line by which the program ends; the folder of an earlier run stays as it was."""
    return ends(["--spec", str(spec), *more], tmp_path, capsys)


def fails_as_own(
    spec: Spec,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *more: str,
) -> str:
    """Return the same for a document that takes the place of the project's own."""
    (tmp_path / "spec").mkdir()
    write(spec, tmp_path / "spec" / "api.json")
    monkeypatch.setattr(program, "_ROOT", tmp_path)
    return ends([*more], tmp_path, capsys)


def ends(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    (out / "__init__.py").write_text("# Generated by scripts/generate before\n", encoding="utf-8")
    before = contents(tmp_path)
    capsys.readouterr()
    assert main([*arguments, "--out", str(out)]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("generate: ")]
    assert len(lines) == 1, lines
    assert contents(tmp_path) == before
    return lines[0].removeprefix("generate: ")


def test_checked_in_code_is_that_of_the_spec(own: Path) -> None:
    """A run in another folder, with another hash seed, gives the checked-in files byte for byte."""
    assert contents(own) == contents(ROOT / "generated" / "evertoken_api")


def test_the_command_line_has_a_table_of_each_group(things: Path) -> None:
    """Names, kinds and places of arguments, and what is to be told of each."""
    assert json.loads((things / "commands.json").read_text("utf-8"))["groups"] == {
        "things": "Operations of `things`."
    }
    found = json.loads((things / "things" / "commands.json").read_text("utf-8"))["commands"]
    assert list(found) == ["list", "create", "get", "delete"]
    assert found["list"]["kind"] == "list"
    assert found["create"]["method"] == "POST"
    assert found["create"]["scopes"] == ["read:things", "read:all"]
    assert found["create"]["arguments"] == [
        {"name": "name", "place": "body", "kind": "text", "required": True, "help": "What to call it."},
        {"name": "from_", "place": "body", "kind": "text", "wire": "from", "help": ""},
        {"name": "part", "place": "body", "kind": "json", "help": ""},
        {"name": "made_at", "place": "body", "kind": "text", "help": ""},
    ]
    assert found["get"]["arguments"] == [
        {"name": "id", "place": "path", "kind": "text", "required": True, "help": ""}
    ]


KINDS: list[tuple[Spec, Spec]] = [
    ({"type": "string", "enum": ["a", "b"]}, {"kind": "text", "choices": ["a", "b"]}),
    ({"type": ["integer", "null"]}, {"kind": "integer"}),
    ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, {"kind": "number"}),
    ({"type": "array", "items": {"type": "string"}}, {"kind": "text", "many": True}),
    ({"type": "array", "items": {"type": "array", "items": {}}}, {"kind": "json", "many": True}),
    ({"type": "object", "additionalProperties": True}, {"kind": "map"}),
    ({"type": "object", "properties": {"a": {"type": "string"}}}, {"kind": "json"}),
    ({"oneOf": [{"type": "string"}, {"type": "object"}]}, {"kind": "any"}),
    ({"oneOf": [{"type": "boolean"}, {"type": "array", "items": {}}]}, {"kind": "json"}),
    ({}, {"kind": "any"}),
]


@pytest.mark.parametrize(("schema", "expected"), KINDS)
def test_kind_of_an_argument_follows_its_schema(schema: Spec, expected: Spec) -> None:
    """One way to write each value on a command line."""
    library = Library(Documents([]), load_overlay(None), Notes(strict=True))
    assert commands.value(library, normal(schema, lambda _: {})) == expected


def test_every_module_tells_where_it_comes_from(own: Path) -> None:
    """Each Python file names its source, the source's hash, and the command to run."""
    for path, content in contents(own).items():
        head = content.decode().split("\n\n")[0]
        if path != "py.typed":
            assert "Generated by scripts/generate from spec/" in head, path
            assert "sha256" in head, path
            assert "run: scripts/generate" in head, path


def test_check_passes_on_what_was_just_written(things: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check is silent and succeeds when nothing differs."""
    spec = things.parent / "api.json"
    capsys.readouterr()
    assert main(["--check", "--spec", str(spec), "--out", str(things)]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_lists_what_differs_and_changes_nothing(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check names each stale, missing and unexpected file, fails, and leaves the folder alone."""
    out = tmp_path / "things_api"
    shutil.copytree(things, out)
    (out / "things" / "models.py").write_text("x = 1\n", encoding="utf-8")
    (out / "things" / "params.py").unlink()
    (out / "things" / "old.py").write_text("", encoding="utf-8")
    before = contents(out)
    assert main(["--check", "--spec", str(things.parent / "api.json"), "--out", str(out)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"stale: {out / 'things/models.py'}",
        f"unexpected: {out / 'things/old.py'}",
        f"missing: {out / 'things/params.py'}",
    ]
    assert contents(out) == before


def test_writing_again_removes_what_is_gone(things: Path, tmp_path: Path) -> None:
    """A run replaces the folder: a module that the document no longer gives does not stay."""
    out = tmp_path / "things_api"
    shutil.copytree(things, out)
    stale = out / "things" / "old.py"
    stale.write_text("# Generated by scripts/generate from an older document\n", encoding="utf-8")
    assert main(["--spec", str(things.parent / "api.json"), "--out", str(out)]) == 0
    assert contents(out) == contents(things)


def test_a_folder_of_other_things_is_not_replaced(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--out never deletes files that were not generated."""
    note = tmp_path / "notes.txt"
    note.write_text("mine", encoding="utf-8")
    assert main(["--spec", str(things.parent / "api.json"), "--out", str(tmp_path)]) == 1
    assert "was not generated" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [note]


def test_a_changed_property_reaches_model_method_and_typed_dict(tmp_path: Path) -> None:
    """A property that is added to the project's spec is in the model, the method and the TypedDict."""
    spec = tmp_path / "spec"
    shutil.copytree(ROOT / "spec", spec)
    document = yaml.load((spec / "clients.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    added = {"type": ["integer", "null"], "description": "Shoe size."}
    for name in ("Client", "UpdateClientRequestContent"):
        document["components"]["schemas"][name]["properties"]["shoe_size"] = copy.deepcopy(added)
    (spec / "clients.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    assert main(["--spec", str(spec), "--out", str(tmp_path / "api")]) == 0
    files = {path: content.decode() for path, content in contents(tmp_path / "api").items()}
    assert "    shoe_size: int | None = None\n" in files["clients/models.py"]
    assert "    shoe_size: NotRequired[int | None]\n" in files["clients/params.py"]
    assert "    shoe_size: int | Unset | None = UNSET,\n" in files["clients/operations.py"]
    assert files["clients/resources.py"].count("shoe_size: Shoe size.") == 2
    # An unrelated group is the same but for the command in its header.
    unchanged = (ROOT / "generated" / "evertoken_api" / "token" / "models.py").read_text(encoding="utf-8")
    assert files["token/models.py"].splitlines()[1] == unchanged.splitlines()[1]
    assert files["token/models.py"].splitlines()[3:] == unchanged.splitlines()[3:]


def test_what_reading_gives_may_be_written_back(tmp_path: Path) -> None:
    """An update takes the model that it answers with, one level down; what makes a thing may want another."""
    assert main(["--spec", str(ROOT / "spec"), "--out", str(tmp_path)]) == 0
    code = (tmp_path / "clients" / "operations.py").read_text(encoding="utf-8")
    both = "token_quota: shared_params.UpdateTokenQuota | shared_models.TokenQuota | Unset | None = UNSET,"
    assert both in code
    assert "token_quota: shared_params.CreateTokenQuota | Unset = UNSET," in code
    # What is read as whole or broken number, and as a moment, is kept as it came.
    models = (tmp_path / "clients" / "models.py").read_text(encoding="utf-8")
    assert "    total: int | float | None = None\n" in models
    assert "from evertoken.model import Datetime as datetime\n" in models


def test_answers_that_say_the_same_are_the_same(
    load: Callable[[Path, str], ModuleType], things: Path
) -> None:
    """An answer with the structure of another schema is a subclass of it, with its own description."""
    models = load(things, "things.models")
    assert issubclass(models.GetThingResponse, models.Thing)
    assert models.GetThingResponse.__doc__ == "The thing asked for."
    assert not issubclass(models.ListThings, models.Thing)


@pytest.mark.parametrize("ahead", ["Thing", "GetThingResponse"])
def test_a_schema_that_is_ahead_by_a_property_is_still_of_its_kind(
    tmp_path: Path, load: Callable[[Path, str], ModuleType], ahead: str
) -> None:
    """Auth0 adds to one of two before the other: whoever takes the one goes on taking the other."""
    spec = small()
    schemas = spec["components"]["schemas"]
    for name in ("Thing", "GetThingResponse"):
        schemas[name]["properties"] |= {f"more_{number}": {"type": "string"} for number in range(8)}
    schemas[ahead]["properties"]["new"] = {"type": "integer", "description": "What is new."}
    out = tmp_path / f"ahead_{ahead.lower()}"
    assert main(["--spec", str(write(spec, tmp_path / "spec.json")), "--out", str(out)]) == 0
    models = load(out, "things.models")
    assert issubclass(models.GetThingResponse, models.Thing)
    assert ("new" in models.Thing.model_fields) is (ahead == "Thing")
    assert models.GetThingResponse.model_validate_json('{"id": "1", "new": 5}').new == 5


def test_a_property_of_another_type_makes_another_kind(
    tmp_path: Path, load: Callable[[Path, str], ModuleType]
) -> None:
    """A subclass whose property has another type would be none."""
    spec = small()
    spec["components"]["schemas"]["GetThingResponse"]["properties"]["part"] = {"type": "string"}
    out = tmp_path / "other"
    assert main(["--spec", str(write(spec, tmp_path / "spec.json")), "--out", str(out)]) == 0
    models = load(out, "things.models")
    assert not issubclass(models.GetThingResponse, models.Thing)


def test_models_take_what_comes(load: Callable[[Path, str], ModuleType], things: Path) -> None:
    """Strict JSON decoding takes dates, whole numbers for numbers, unknown enum values and unknown keys."""
    models = load(things, "things.models")
    raw = b'{"id": "t", "kind": "huge", "part": {"size": 3}, "made_at": "2026-01-02T03:04:05Z", "new": 1}'
    thing = models.GetThingResponse.model_validate_json(raw)
    assert (thing.kind, thing.part.size, thing.made_at.year, thing.new) == ("huge", 3, 2026, 1)
    assert models.Thing.model_validate_json(b'{"id": "t", "kind": null}').kind is None
    # A published default is an example, not a value that came.
    assert models.Thing.model_validate_json(b'{"id": "t"}').made_at is None
    with pytest.raises(pydantic.ValidationError):
        models.Thing.model_validate_json(b"{}")


def test_operations_are_values(load: Callable[[Path, str], ModuleType], things: Path) -> None:
    """A generated function returns what is sent, by wire names, and what comes back."""
    operations, models = load(things, "things.operations"), load(things, "things.models")
    created = load(things, "things.operations").create(name="n", from_=None)
    assert (created.name, created.method, created.path) == ("things.create", "POST", "/things")
    assert {key: value for key, value in created.body.items() if value is None or value} == {
        "name": "n",
        "from": None,
    }
    assert created.scopes == ("read:things", "read:all")
    assert operations.get("x").path_params == {"id": "x"}
    assert operations.delete("x").result is type(None)
    listed = operations.list(from_="abc")
    assert listed.query == {"from": "abc", "take": 50}
    assert listed.limits == {"take": (None, 100)}
    assert (listed.paging.items, listed.paging.bare, listed.paging.offset) == ("things", False, None)
    assert listed.paging.item.__name__ == models.Thing.__name__
    with pytest.raises(TypeError):
        operations.create(name="n", nmae="typo")


def test_methods_read_well(things: Path) -> None:
    """Both colours have the same methods; the docstrings tell arguments, scopes, statuses and path."""
    tree = ast.parse((things / "things" / "resources.py").read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    assert list(classes) == ["Things", "AsyncThings"]
    methods = [
        {n.name: n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        for node in classes.values()
    ]
    assert list(methods[0]) == list(methods[1]) == ["__init__", "list", "create", "get", "delete"]
    # A list is not awaited as such: what it returns can be awaited or iterated over.
    assert isinstance(methods[1]["list"], ast.FunctionDef)
    assert isinstance(methods[1]["get"], ast.AsyncFunctionDef)
    create = ast.get_docstring(methods[1]["create"]) or ""
    for part in (
        "The create of things.\n\nArgs:\n    name: What to call it.\n",
        "    request_options: ",
        "Any one of the scopes: `read:things`, `read:all`",
        "- 404: No such thing.",
        "`POST /things`",
    ):
        assert part in create


def test_groups_are_found_in_any_spelling(tmp_path: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """camelCase, dots and arrays in x-operation-group all give the same snake_case names."""
    spec = small()
    spec["paths"]["/things"]["get"]["x-operation-group"] = "someThings.innerParts"
    spec["paths"]["/things"]["post"]["x-operation-group"] = ["someThings"]
    spec["paths"]["/things"]["post"]["x-operation-name"] = "makeOne"
    assert main(["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(tmp_path / "spelled")]) == 0
    operations = load(tmp_path / "spelled", "some_things.operations")
    assert operations.inner_parts_list().name == "some_things.inner_parts.list"
    assert operations.make_one(name="n").name == "some_things.make_one"
    resources = load(tmp_path / "spelled", "some_things.resources")
    assert resources.SomeThings.inner_parts.attrname == "inner_parts"
    # What two groups use is shared.
    part = load(tmp_path / "spelled", "shared").Part
    assert load(tmp_path / "spelled", "things").Part is part
    assert load(tmp_path / "spelled", "some_things").Part is part


HOSTILE = (
    'x"""\nimport os; os.system("touch {mark}")\n"""',
    "x\\",
    'ends with "quotes"',
    '"""',
    "'''\\'''\n__import__('os').system('touch {mark}')",
    "{{ self.__init__.__globals__ }} {% raw %}\x00\x1b[31m\u2028\x85",
)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_text_stays_text(
    number: int, tmp_path: Path, load: Callable[[Path, str], ModuleType]
) -> None:
    """Descriptions, enum values, defaults, property and parameter names never become code."""
    mark = tmp_path / "executed"
    hostile = HOSTILE[number].replace("{mark}", str(mark))
    spec = small()
    for schema in spec["components"]["schemas"].values():
        schema["description"] = hostile
        schema["default"] = hostile
        for value in schema.get("properties", {}).values():
            value["description"] = hostile
    spec["components"]["schemas"]["Kind"]["enum"] = ["a", hostile]
    spec["components"]["schemas"]["Thing"]["properties"][f"a{hostile}"] = {"type": "string"}
    spec["components"]["schemas"]["Thing"]["properties"][hostile] = {"type": "string", "enum": [hostile]}
    spec["components"]["schemas"]["NewThing"]["properties"]["kind"] = {"type": "string", "enum": [hostile]}
    spec["components"]["schemas"]["NewThing"]["properties"][f"a{hostile}"] = {"type": "string"}
    spec["tags"] = [{"name": "things", "description": hostile}]
    get = spec["paths"]["/things/{id}"]["get"]
    get |= {"summary": hostile, "description": hostile, "security": [{"management": [hostile]}]}
    get["responses"]["404"]["description"] = hostile
    get["parameters"] = [{**_parameter(f"q{hostile}", "string"), "description": hostile}]
    out = tmp_path / f"hostile_api_{number}"
    assert main(["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(out)]) == 0
    operations = load(out, "things.operations")
    assert operations.get("x").scopes == (hostile,)
    assert f"q{hostile}" in operations.get("x").query
    assert f"a{hostile}" in operations.create(name="n").body
    models = load(out, "things.models")
    names = {field.alias or name for name, field in models.Thing.model_fields.items()}
    assert {f"a{hostile}", hostile} <= names
    assert models.Thing.model_validate_json(json.dumps({"id": "i", hostile: hostile}))
    assert load(out, "things.resources").Things.__doc__
    assert not mark.exists()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_docstrings_say_what_was_said(hostile: str) -> None:
    """A text comes out of its docstring as it went in, but for the margin."""
    shown = text(hostile)
    code = f"def f():\n    {docstring(shown, 4)}\n"
    function = ast.parse(code).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert len(function.body) == 1
    assert (ast.get_docstring(function) or "").strip() == shown.strip()


def at(*path: str, value: object = None) -> Callable[[Spec], None]:
    """Return a change: the value at a path of the document replaced, or removed where there is none."""

    def change(spec: Spec) -> None:
        node = spec
        for step in path[:-1]:
            node = node[step]
        node.pop(path[-1], None)
        if value is not None:
            node[path[-1]] = value

    return change


def all_of(*changes: Callable[[Spec], None]) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        for one in changes:
            one(spec)

    return change


def schema(*path: str) -> tuple[str, ...]:
    return ("components", "schemas", *path)


KIND = schema("Thing", "properties", "kind")
LIST, GET = ("paths", "/things", "get"), ("paths", "/things/{id}", "get")
BODY = ("paths", "/things", "post", "requestBody", "content")
BROKEN = {
    "unresolved": at(*KIND, value={"$ref": "#/components/schemas/Nothing"}),
    "elsewhere": at(*KIND, value={"$ref": "other.yaml#/components/schemas/Kind"}),
    "circle": all_of(
        at(*KIND, value={"$ref": "#/components/schemas/Part/properties/size"}),
        at(
            *schema("Part", "properties", "size"),
            value={"$ref": "#/components/schemas/Thing/properties/kind"},
        ),
    ),
    "invalid": at(*schema("Thing", "type"), value="thing"),
    "old": at("openapi", value="2.0"),
    "twice": at(*GET, "x-operation-name", value="list"),
    "function": all_of(
        at(*LIST, "x-operation-group", value="things.part"), at(*GET, "x-operation-name", value="part_list")
    ),
    "subgroup": all_of(
        at(*LIST, "x-operation-group", value="things.part"), at(*GET, "x-operation-name", value="part")
    ),
    "no group": at(*LIST, "x-operation-group"),
    "shared": at(*LIST, "x-operation-group", value="shared"),
    "path": at(*GET[:2], "parameters"),
    "surrogate": at(*schema("Kind", "enum"), value=["\ud800"]),
    "answer": at(*GET, "responses", "200", "content", value={"text/csv": {"schema": {"type": "string"}}}),
    "class": all_of(
        at(*schema("Things"), value={"type": "object", "properties": {"a": {"type": "string"}}}),
        at(*schema("Thing", "properties", "all"), value={"$ref": "#/components/schemas/Things"}),
    ),
    "no name": at(*LIST, "x-operation-name"),
    "no pointer": at(*KIND, value={"$ref": "#Kind"}),
    "media": at(*BODY, value={"application/xml": {"schema": {"type": "string"}}}),
}


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        ("unresolved", "#/components/schemas/Thing/properties/kind/$ref", "names nothing"),
        ("elsewhere", "#/components/schemas/Thing/properties/kind/$ref", "document that is not there"),
        ("circle", "#/components/schemas/", "leads back to itself"),
        ("invalid", "#/components/schemas/Thing", "is not valid OpenAPI 3.1"),
        ("old", "#/openapi", "is not OpenAPI 3.0 or 3.1 but '2.0'"),
        ("path", "#", "Path parameter 'id'"),
        ("surrogate", "#/components/schemas/Kind/enum/0", "half of a surrogate pair"),
        ("no pointer", "#/components/schemas/Thing/properties/kind/$ref", "is not a JSON pointer"),
    ],
)
def test_a_broken_document_is_named_and_changes_nothing(
    change: str, place: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line tells file, place and reason; what was generated before stays."""
    spec = small()
    BROKEN[change](spec)
    message = fails(write(spec, tmp_path / "api.json"), tmp_path, capsys)
    assert f"api.json{place}" in message
    assert reason in message


@pytest.mark.parametrize(
    "case",
    [
        ("twice", "#/paths/~1things~1{id}/get", "things.list is there twice, also at"),
        ("function", "#/paths/~1things", "the function part_list is there twice"),
        ("subgroup", "#/paths/~1things~1{id}/get", "has part twice, as method or subgroup"),
        ("no group", "#/paths/~1things/get/x-operation-group", "names no group"),
        ("shared", "#/paths/~1things/get/x-operation-group", "module for common schemas"),
        ("circle", "#/components/schemas/", "leads back to itself"),
        ("answer", "#/paths/~1things~1{id}/get/responses/200/content", "text/csv, not JSON"),
        ("class", "#/paths/", "two classes are called as `things` is"),
        ("no name", "#/paths/~1things/get/x-operation-name", "has no name"),
        ("media", "#/paths/~1things/post/requestBody/content", "application/xml, not JSON"),
    ],
)
def test_our_own_document_has_to_say_everything(
    case: tuple[str, str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is renamed or left out of others is an error in spec/."""
    change, place, reason = case
    spec = small()
    BROKEN[change](spec)
    message = fails_as_own(spec, tmp_path, capsys, monkeypatch)
    assert f"api.json{place}" in message
    assert reason in message


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("api.yaml", "openapi: 3.1.0\npaths:\n  a: [1,\n", ("api.yaml:4:1", "")),
        ("api.yaml", "openapi: 3.1.0\ninfo: {}\ninfo: {}\n", ("api.yaml:3:1", "'info' is there twice")),
        ("api.yaml", "a: &x [1]\nb: *x\n", ("api.yaml", "aliases are not used here")),
        ("api.yaml", "- 1\n", ("api.yaml", "is empty or not an object")),
        ("api.yaml", "", ("api.yaml", "is empty or not an object")),
        ("api.yaml", b"a: \xff\n", ("api.yaml", "is not UTF-8")),
        ("api.json", '{\n  "openapi": }', ("api.json:2:14", "")),
        ("api.json", '{"a": 1, "a": 2}', ("api.json", "'a' is there twice")),
        ("api.json", "[" * 100_000, ("api.json", "nested too deeply")),
    ],
)
def test_a_file_that_is_no_document_is_named(
    name: str,
    content: str | bytes,
    expected: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Broken YAML or JSON ends in one line with line and column."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = fails(path, tmp_path, capsys)
    place, reason = expected
    assert f"{place}: " in message
    assert reason in message


@pytest.mark.parametrize(
    ("overlay", "place", "reason"),
    [
        ("groups: {stuff: {models_only: true, reason: r}}", "#/groups/stuff", "no document has this group"),
        ("groups: {things: {model_only: true, reason: r}}", "#/groups/things/model_only", "unknown key"),
        ("operations: {things.lost: {skip: true, reason: r}}", "#/operations/things.lost", "no document"),
        ("operations: {things.list: {paging: {key: id}}}", "#/operations/things.list", "has no reason"),
        ("schemas: {Lost: {optional: [id], reason: r}}", "#/schemas/Lost", "no document has this schema"),
        ("schemas: {Thing: {optional: [kind], reason: r}}", "#/schemas/Thing", "no required property"),
        ("extra: {}", "#/extra", "unknown key"),
    ],
)
def test_an_overlay_entry_has_to_match(
    overlay: str, place: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A correction of nothing, or without its reason, is an error."""
    path = tmp_path / "fix.yaml"
    path.write_text(overlay, encoding="utf-8")
    message = fails(write(small(), tmp_path / "api.json"), tmp_path, capsys, "--overlay", str(path))
    assert f"fix.yaml{place}" in message
    assert reason in message


def test_the_overlay_corrects(tmp_path: Path) -> None:
    """Entries leave operations out, make properties optional, and tell how a list pages."""
    overlay = {
        "operations": {
            "things.delete": {"skip": True, "reason": "r"},
            "things.list": {"paging": {"key": "id"}, "reason": "r"},
        },
        "schemas": {"NewThing": {"optional": ["name"], "reason": "r"}},
    }
    (tmp_path / "fix.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    arguments = ["--spec", str(write(small(), tmp_path / "api.json")), "--out", str(tmp_path / "fixed")]
    assert main([*arguments, "--overlay", str(tmp_path / "fix.yaml")]) == 0
    code = (tmp_path / "fixed" / "things" / "operations.py").read_text(encoding="utf-8")
    assert "def delete" not in code
    assert 'key="id"' in code
    assert "name: str | Unset = UNSET" in code


def test_single_values_are_closed_only_where_they_tell_apart(tmp_path: Path) -> None:
    """An enum of one value is open too, unless it is the tag of a union's member."""
    spec = small()
    tagged: Spec = {
        "type": "object",
        "required": ["tag"],
        "properties": {"tag": {"type": "string", "enum": ["a"]}},
    }
    other = copy.deepcopy(tagged)
    other["properties"]["tag"]["enum"] = ["b"]
    spec["components"]["schemas"] |= {
        "A": tagged,
        "B": other,
        "Alone": {"type": "object", "properties": {"only": {"type": "string", "enum": ["one"]}}},
    }
    spec["components"]["schemas"]["Thing"]["properties"] |= {
        "either": {"oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]},
        "alone": {"$ref": "#/components/schemas/Alone"},
        "inner": {"type": "array", "items": {"type": "object", "properties": {"deep": {"type": "boolean"}}}},
    }
    assert main(["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(tmp_path / "tags")]) == 0
    code = (tmp_path / "tags" / "things" / "models.py").read_text(encoding="utf-8")
    assert '    tag: Literal["a"]\n' in code
    assert '    only: Literal["one"] | str | None = None\n' in code
    assert "    either: A | B | None = None\n" in code
    assert "    inner: list[ThingInnerItem] | None = None\n" in code


def nowhere(reference: str) -> Spec:
    return {"$ref": reference}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "format": "uri", "default": "x", "pattern": "("}, {"type": "string"}),
        ({"type": "object", "additionalProperties": True}, {"type": "object", "additionalProperties": {}}),
        ({"$ref": "X", "default": 1, "description": "d"}, {"$ref": "X", "description": "d"}),
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "string", "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            {"type": "integer", "enum": [1, 2]},
            {"anyOf": [{"type": "integer", "enum": [1, 2]}, {"type": "integer"}]},
        ),
        ({"const": "x"}, {"type": "string", "enum": ["x"]}),
        ({"type": "string", "oneOf": [{"format": "ipv4"}, {"format": "ipv6"}]}, {"type": "string"}),
        ({"allOf": [{"$ref": "X"}, {"maxLength": 3}]}, {"$ref": "X"}),
        ({}, {}),
        (True, {}),
    ],
)
def test_a_schema_is_brought_to_its_shape(schema: object, expected: Spec) -> None:
    """Only what shapes the code is left of a schema."""
    assert normal(schema, nowhere) == expected


def test_a_union_with_anything_is_anything() -> None:
    """A member without limits makes the others pointless."""
    assert any_of([{"type": "string"}, {}]) == {}


def test_the_program_needs_no_generated_code(tmp_path: Path) -> None:
    """It runs by path where the package that it writes is missing or broken, as after a failed merge."""
    source = tmp_path / "src" / "evertoken"
    shutil.copytree(ROOT / "src" / "evertoken" / "generate", source / "generate")
    (source / "__init__.py").write_text("import evertoken_api._client\n<<<<<<<\n", encoding="utf-8")
    spec = write(small(), tmp_path / "api.json")
    program = source / "generate" / "__main__.py"
    run = subprocess.run(
        [sys.executable, "-P", program, "--spec", spec, "--out", tmp_path / "api"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Validating api.json" in run.stderr


def unusual() -> Spec:
    """Return a document with what is rare: in-line schemas, parts by pointer, odd bodies and lists."""
    spec = small()
    schemas, paths = spec["components"]["schemas"], spec["paths"]
    schemas["Extended"] = {
        "allOf": [
            {"$ref": "#/components/schemas/NewThing"},
            {"type": "object", "required": ["more"], "properties": {"more": {"type": "boolean"}}},
        ]
    }
    schemas["Offset"] = {
        "type": "object",
        "properties": {
            "total": {"type": "integer"},
            "things": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Thing"}},
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
    }
    schemas["Alias"] = {"$ref": "#/components/schemas/Kind"}
    schemas["Kinds"] = {"type": "array", "items": {"$ref": "#/components/schemas/Alias"}}
    schemas["Thing"]["properties"] |= {
        "kinds": {"$ref": "#/components/schemas/Kinds"},
        "same_size": {"$ref": "#/components/schemas/Part/properties/size"},
        "by_name": {"type": "object", "additionalProperties": {"properties": {"x": {"type": "integer"}}}},
        "any_of_two": {
            "oneOf": [{"properties": {"l": {"type": "string"}}}, {"properties": {"r": {"type": "string"}}}]
        },
    }
    listing = paths["/things"]["get"]
    listing["parameters"] += [
        _parameter("page", "integer", minimum=0),
        _parameter("per_page", "integer", minimum=1, maximum=50),
        _parameter("include_totals", "boolean"),
        {"name": "sort", "in": "query", "required": True, "schema": {"type": ["string", "null"]}},
        {"name": "kinds", "in": "query", "schema": {"$ref": "#/components/schemas/Kinds"}},
        {"name": "since", "in": "query", "schema": {"type": "string", "format": "date-time"}},
        {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
    ]
    references = [{"$ref": f"#/components/schemas/{name}"} for name in ("ListThings", "Offset")]
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
    listing["responses"]["200"]["content"]["application/json"]["schema"] = {"oneOf": [rows, *references]}
    body = paths["/things"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"]["$ref"] = "#/components/schemas/Extended"
    extra: Spec = {**_operation("replaceAll", "Thing"), "deprecated": True, "x-release-lifecycle": "EA"}
    extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": rows}}}
    extra["responses"]["204"] = {"description": "Nothing to tell."}
    bodies = {"content": {"application/json": {"schema": {"type": "object"}}}}
    paths["/things/{id}/versions/{number}"] = {
        "parameters": [
            *paths["/things/{id}"]["parameters"],
            {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}},
        ],
        "put": extra,
        "patch": {**_operation("annotate", "Thing"), "operationId": "annotate", "requestBody": bodies},
    }
    return spec


def test_what_is_rare_has_a_shape_too(tmp_path: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """In-line objects get names, odd bodies are `request`, both paging modes are told apart."""
    out = tmp_path / "unusual_api"
    assert main(["--spec", str(write(unusual(), tmp_path / "api.json")), "--out", str(out)]) == 0
    operations, models = load(out, "things.operations"), load(out, "things.models")
    code = (out / "things" / "operations.py").read_text(encoding="utf-8")
    for part in (
        "more: bool,",
        "from_: str | Unset | None = UNSET",
        "part: params.Part | models.Part | Unset = UNSET",
        "made_at: datetime | str | Unset = UNSET",
        "sort: str,",
        "kinds: Sequence[params.Alias] | None = None",
        "since: str | None = None",
        "number: int",
        "request: Sequence[params.Thing | models.Thing]",
        "request: Mapping[str, Any] | Unset = UNSET",
        ") -> Operation[models.Thing | None]:",
    ):
        assert part in code, part
    assert "trace" not in code.lower()
    replaced = operations.replace_all("a", 3, request=[])
    assert (replaced.path_params, replaced.body) == ({"id": "a", "number": "3"}, [])
    listed = operations.list(sort="s")
    assert (listed.paging.bare, listed.paging.items) == (True, "things")
    assert (listed.paging.offset, listed.paging.checkpoint) == (models.Offset, models.ListThings)
    assert listed.query["per_page"] == 50
    assert "from" not in listed.query
    assert listed.result is models.Offset
    assert operations.list(sort="s", take=2).result is models.ListThings
    raw = b'{"id": "i", "kinds": ["big", null], "same_size": 2.5, '
    raw += b'"by_name": {"k": {"x": 1}}, "any_of_two": {"r": "s"}}'
    thing = models.Thing.model_validate_json(raw)
    assert thing.kinds == ["big", None]
    assert thing.by_name["k"].x == 1
    assert thing.any_of_two.r == "s"
    document = load(out, "things.resources").AsyncThings.replace_all.__doc__
    assert "Early access" in document
    assert "Deprecated" in document


@pytest.mark.parametrize(
    ("change", "entry", "reason"),
    [
        (at(*LIST, "x-operation-name", value="list"), "{key: nope}", "'nope' is no property of the rows"),
        (
            at(*LIST, "x-operation-name", value="list"),
            "{from_key: nope}",
            "'nope' is no property of the rows",
        ),
        (at(*LIST, "x-operation-name", value="list"), "{from_key: id}", "is for answers in arrays"),
        (at(*LIST, "x-operation-name", value="list"), "{items: lost}", "which array holds the rows"),
        (at(*LIST, "x-operation-name", value="list"), "{items: 1}", "is not text"),
        (at(*LIST, "x-operation-name", value="list"), "yes please", "is not an object"),
    ],
)
def test_a_list_that_cannot_be_told_is_an_error(
    change: Callable[[Spec], None],
    entry: str,
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where the rows are and what tells them apart must be there."""
    spec = unusual()
    change(spec)
    path = tmp_path / "fix.yaml"
    path.write_text(f"operations: {{things.list: {{paging: {entry}, reason: r}}}}", encoding="utf-8")
    message = fails(write(spec, tmp_path / "api.json"), tmp_path, capsys, "--overlay", str(path))
    assert reason in message


def test_our_own_lists_have_their_rows_in_one_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two envelopes with different keys do not page; of spec/ that is an error."""
    spec = unusual()
    at(*schema("Offset", "properties", "things"))(spec)
    assert "different keys" in fails_as_own(spec, tmp_path, capsys, monkeypatch)
    arguments = ["--spec", str(tmp_path / "spec" / "api.json"), "--out", str(tmp_path / "plain")]
    assert main(arguments) == 0
    assert "different keys; it does not page" in capsys.readouterr().err


def test_rows_may_tell_where_an_array_goes_on(
    tmp_path: Path, load: Callable[[Path, str], ModuleType]
) -> None:
    """The overlay's `from_key` names the property of the last row that is the next `from`."""
    spec = unusual()
    answer = spec["paths"]["/things"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    del answer["oneOf"][1]
    path = tmp_path / "fix.yaml"
    path.write_text("operations: {things.list: {paging: {from_key: id}, reason: r}}", encoding="utf-8")
    arguments = ["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(tmp_path / "logs_api")]
    assert main([*arguments, "--overlay", str(path)]) == 0

    listed = load(tmp_path / "logs_api", "things.operations").list(sort="s", from_="x", take=5)

    assert (listed.paging.from_key, listed.paging.checkpoint, listed.paging.bare) == ("id", None, True)


def test_a_list_may_be_declared_plain(tmp_path: Path) -> None:
    """`paging: false` makes a plain operation of a list; so does an answer without rows."""
    spec = small()
    path = tmp_path / "fix.yaml"
    path.write_text("operations: {things.list: {paging: false, reason: r}}", encoding="utf-8")
    arguments = ["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(tmp_path / "plain")]
    assert main([*arguments, "--overlay", str(path)]) == 0
    code = (tmp_path / "plain" / "things" / "operations.py").read_text(encoding="utf-8")
    assert "ListOperation" not in code
    spec["components"]["schemas"]["ListThings"]["properties"]["things"] = {"type": "string"}
    assert main(["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(tmp_path / "plain")]) == 0
    assert (tmp_path / "plain" / "things" / "operations.py").read_text(encoding="utf-8").splitlines()[4:] == (
        code.splitlines()[4:]
    )


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "from os import system",
        "open('x')",
        "f()",
        "x = [print(1) for _ in (1,)]",
        "while True: pass",
        "if x:\n    pass",
        "y = lambda: 1",
        "1 + 1",
        "not python",
    ],
)
def test_nothing_but_declarations_is_written(code: str) -> None:
    """A module that would run anything when imported is refused, whoever wrote it there."""
    with pytest.raises(SpecError, match=r"m\.py.*would"):
        inert.check("m.py", code)


def test_a_schema_may_hold_itself(tmp_path: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """A tree, in what comes back and in what is sent."""
    spec = small()
    schemas = spec["components"]["schemas"]
    reference = {"$ref": "#/components/schemas/Tree"}
    schemas["Tree"] = {"type": "object", "properties": {"branches": {"type": "array", "items": reference}}}
    schemas["Thing"]["properties"]["tree"] = schemas["NewThing"]["properties"]["tree"] = reference
    out = tmp_path / "trees"
    assert main(["--spec", str(write(spec, tmp_path / "spec.json")), "--out", str(out)]) == 0
    things = load(out, "things")
    thing = things.Thing.model_validate_json('{"id": "1", "tree": {"branches": [{"branches": []}]}}')
    assert type(thing.tree.branches[0]) is type(thing.tree)


@pytest.mark.parametrize("more", [[], [{"type": "object", "properties": {"x": {"type": "string"}}}]])
def test_a_schema_that_is_made_of_itself_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[Spec]
) -> None:
    """Two that extend each other have no end."""
    spec = small()
    schemas = spec["components"]["schemas"]
    schemas["One"] = {"allOf": [{"$ref": "#/components/schemas/Other"}, *more]}
    schemas["Other"] = {"allOf": [{"$ref": "#/components/schemas/One"}, *more]}
    told = fails(write(spec, tmp_path / "spec.json"), tmp_path, capsys)
    assert "spec.json#/components/schemas/One: is made of itself" in told


@pytest.mark.parametrize(("name", "text_"), [("deep.yaml", "a: " + "[" * 3000), ("deep.json", "[" * 200_000)])
def test_a_document_of_a_folder_that_is_nested_too_deeply_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text_: str
) -> None:
    """Which one, not just the folder."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / name).write_text(text_ + "]" * text_.count("["), encoding="utf-8")
    assert f"{name}: is nested too deeply" in fails(folder, tmp_path, capsys)


def test_a_group_may_be_called_groups(tmp_path: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """As one of Auth0's is: its class is not that by which the client has every group."""
    spec = small()
    for item in spec["paths"].values():
        for operation in item.values():
            if "x-operation-group" in operation:
                operation["x-operation-group"] = "groups"
    out = tmp_path / "grouped"
    assert main(["--spec", str(write(spec, tmp_path / "spec.json")), "--out", str(out)]) == 0
    client = load(out, "_client").GroupsOfClient(object())
    assert type(client.groups).__name__ == "Groups"
    assert callable(client.groups.get)


@pytest.mark.parametrize(
    ("group", "called"),
    [(["class"], "class_"), (["things", "import"], "things.import_"), (["7things"], "call_7_things")],
)
def test_a_group_that_no_module_can_be_called_gets_another_name(
    tmp_path: Path, group: list[str], called: str
) -> None:
    """A keyword has an underscore after it, a digit a word before it."""
    spec = small()
    spec["paths"]["/things"]["get"]["x-operation-group"] = group
    out = tmp_path / "called"
    assert main(["--spec", str(write(spec, tmp_path / "spec.json")), "--out", str(out)]) == 0
    root = called.partition(".")[0]
    assert f'name="{called}.list"' in (out / root / "operations.py").read_text(encoding="utf-8")


def test_marks_of_a_property_reach_its_docstring(tmp_path: Path) -> None:
    """Early access and deprecation: nothing else could tell of them."""
    spec = small()
    properties = spec["components"]["schemas"]["Thing"]["properties"]
    properties["id"]["deprecated"] = True
    properties["part"]["x-release-lifecycle"] = "EA"
    out = tmp_path / "marked"
    assert main(["--spec", str(write(spec, tmp_path / "spec.json")), "--out", str(out)]) == 0
    code = (out / "things" / "models.py").read_text(encoding="utf-8")
    assert '"""Which one. Deprecated."""' in code
    assert '"""Early access."""' in code


def test_check_compares_bytes_and_links(things: Path, tmp_path: Path) -> None:
    """Other line ends, a link in place of a file, and what hides among Python's caches."""
    copy_ = tmp_path / "things"
    shutil.copytree(things, copy_)
    files = {name: content.decode() for name, content in contents(things).items()}
    assert not output.differences(files, copy_)
    models = copy_ / "things" / "models.py"
    models.write_bytes(models.read_bytes().replace(b"\n", b"\r\n"))
    (copy_ / "py.typed").unlink()
    (copy_ / "py.typed").symlink_to(things / "py.typed")
    (copy_ / "__pycache__").mkdir(exist_ok=True)
    (copy_ / "__pycache__" / "odd.py").touch()
    found = [line.replace(f"{copy_}/", "") for line in output.differences(files, copy_)]
    assert found == ["unexpected: __pycache__/odd.py", "stale: py.typed", "stale: things/models.py"]


def test_an_interrupt_between_the_renames_loses_nothing(
    things: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C when the old folder is aside and the new one not yet there."""
    copy_ = tmp_path / "things"
    shutil.copytree(things, copy_)
    before = contents(copy_)
    rename, calls = Path.rename, iter(range(9))

    def interrupted(path: Path, target: Path) -> Path:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        output.replace({"py.typed": ""}, copy_)
    assert contents(copy_) == before
    assert [path.name for path in tmp_path.iterdir()] == ["things"]


def test_a_failed_swap_leaves_the_old_folder(
    things: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the new folder cannot take its place, the old one is back."""
    out = tmp_path / "things_api"
    shutil.copytree(things, out)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError(13, "no", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(PermissionError):
        output.replace({"__init__.py": output.MARK}, out)
    assert contents(out) == contents(things)
    assert list(tmp_path.iterdir()) == [out]


def test_arguments_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file, an empty folder and --spec without --out end in one line."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    spec = str(write(small(), tmp_path / "api.json"))
    for arguments, reason in (
        (["--spec", spec], "needs --out"),
        (["--spec", str(tmp_path / "lost.yaml"), "--out", "x"], "is not there"),
        (["--spec", str(tmp_path / "empty"), "--out", "x"], "holds no YAML or JSON document"),
        (["--spec", spec, "--out", str(tmp_path / "file")], "is no folder"),
        (["--spec", spec, "--out", str(tmp_path / "file" / "below")], "file: "),
        (["--spec", spec, "--out", "x", "--overlay", str(tmp_path / "lost.yaml")], "cannot be read"),
    ):
        assert main(arguments) == 1
        (line,) = (x for x in capsys.readouterr().err.splitlines() if x.startswith("generate: "))
        assert reason in line


def test_a_terminal_shows_the_step(
    things: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the current step is shown in place, not a line each."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["--spec", str(things.parent / "api.json"), "--out", str(things)]) == 0
    shown = capsys.readouterr().err
    assert "Validating" not in shown.splitlines()
    assert "files in" in shown


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra, one line tells what to install."""
    monkeypatch.setitem(sys.modules, "evertoken.generate.build", None)
    assert main(["--check"]) == 1
    assert "pip install 'evertoken[generate]'" in capsys.readouterr().err


def test_bodies_that_are_no_plain_object(tmp_path: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """Forms with files take a file, a body that may be null is given whole, digits are words of their own."""
    spec = small()
    post = spec["paths"]["/things"]["post"]
    form = {
        "type": "object",
        "required": ["p12File"],
        "properties": {
            "p12File": {"type": "string", "format": "binary"},
            "keep": {"type": "boolean"},
        },
    }
    post["requestBody"] = {"content": {"multipart/form-data": {"schema": form}}}
    nullable = {"type": ["object", "null"], "properties": {"on": {"type": "boolean"}}}
    spec["components"]["schemas"]["Switch"] = nullable
    spec["paths"]["/things/{id}"]["patch"] = {
        **_operation("switch_2fa", "Thing"),
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Switch"}}}},
    }
    out = tmp_path / "forms_api"
    assert main(["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(out)]) == 0

    operations = load(out, "things.operations")
    body = operations.create(p_12_file=b"x", keep=True).body
    assert (body.fields, body.files) == ({"p12File": b"x", "keep": True}, ("p12File",))
    assert operations.switch_2_fa("7", request={"on": True}).body == {"on": True}
    assert operations.switch_2_fa("7", request=None).body is None
    assert "p_12_file: File," in (out / "things" / "resources.py").read_text(encoding="utf-8")


def test_an_event_stream_is_subscribed_to(tmp_path: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """The overlay tells how it goes on; each event is of the answer's schema."""
    spec = small()
    get = spec["paths"]["/things"]["get"]
    get["responses"]["200"]["content"] = {
        "text/event-stream": {"schema": {"$ref": "#/components/schemas/Part"}}
    }
    path = tmp_path / "fix.yaml"
    path.write_text(
        "operations: {things.list: {events: {cursor: from, start: [take]}, reason: r}}", encoding="utf-8"
    )
    arguments = ["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(tmp_path / "stream_api")]
    assert main([*arguments, "--overlay", str(path)]) == 0

    followed = load(tmp_path / "stream_api", "things.operations").list(from_="x")

    assert (followed.cursor, followed.start, followed.result.__name__) == ("from", ("take",), "Part")
    code = (tmp_path / "stream_api" / "things" / "resources.py").read_text(encoding="utf-8")
    assert "-> EventStream[models.Part]:" in code
    assert "-> AsyncEventStream[models.Part]:" in code


def test_what_is_required_and_may_be_null_may_be_left_out(
    tmp_path: Path, load: Callable[[Path, str], ModuleType]
) -> None:
    """It is sent as null."""
    spec = small()
    new = spec["components"]["schemas"]["NewThing"]
    new["required"] = ["name", "from"]
    out = tmp_path / "null_api"
    assert main(["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(out)]) == 0
    assert load(out, "things.operations").create(name="n").body["from"] is None


def test_a_page_is_no_larger_than_allowed(tmp_path: Path) -> None:
    """Without arguments too: 50 rows, or as many as there may be."""
    spec = small()
    spec["paths"]["/things"]["get"]["parameters"] = [
        _parameter("from", "string"),
        _parameter("take", "integer", maximum=10),
    ]
    out = tmp_path / "few_api"
    assert main(["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(out)]) == 0
    assert "take: int | None = 10" in (out / "things" / "operations.py").read_text(encoding="utf-8")


def test_one_envelope_may_serve_both_modes(tmp_path: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """It counts the rows where pages have numbers, and names the next one by checkpoint."""
    spec = small()
    spec["paths"]["/things"]["get"]["parameters"] += [
        _parameter("page", "integer"),
        _parameter("per_page", "integer"),
        _parameter("include_totals", "boolean"),
    ]
    spec["components"]["schemas"]["ListThings"]["properties"]["total"] = {"type": "integer"}
    out = tmp_path / "both_api"
    assert main(["--spec", str(write(spec, tmp_path / "api.json")), "--out", str(out)]) == 0
    paging = load(out, "things.operations").list().paging
    assert paging.offset is paging.checkpoint is not None
