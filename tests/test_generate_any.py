"""The generator on documents that are not the project's own: published, odd, old and hostile ones."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings

import odd_documents
from evertoken import AsyncManagementClient, ManagementClient
from evertoken.__main__ import main as evertoken
from evertoken.generate import build, merge
from evertoken.generate.__main__ import main
from fuzzing import tried
from hostile_documents import hostile_documents
from odd_documents import LEFT_OUT, ODD_NAMES, ODD_SCHEMAS, Json, document, json_of, operation, ref
from published import published

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

ROOT = Path(__file__).parents[1]
ODD: dict[str, Callable[[], Json]] = {
    "odd_schemas": odd_documents.odd_schemas,
    "odd_names": odd_documents.odd_names,
    "odd_operations": odd_documents.odd_operations,
    "old": odd_documents.old,
}


def made(content: object, folder: Path, name: str, *more: str) -> Path:
    """Return the package of a document."""
    spec = folder / f"{name}.json"
    spec.write_text(json.dumps(content), encoding="utf-8")
    out = folder / f"{name}_api"
    assert main(["--spec", str(spec), "--out", str(out), *more]) == 0
    return out


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of each odd document."""
    folder = tmp_path_factory.mktemp("odd")
    for name, content in ODD.items():
        made(content(), folder, name)
    return folder


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], ModuleType]:
    """Import a module of a generated package."""

    def load(package: Path, module: str) -> ModuleType:
        monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
        importlib.invalidate_caches()
        return importlib.import_module(f"{package.name}.{module}" if module else package.name)

    return load


def modules(package: Path) -> list[str]:
    found = [path.relative_to(package).with_suffix("") for path in sorted(package.rglob("*.py"))]
    return [".".join(path.parts).removesuffix("__init__").rstrip(".") for path in found]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_document_becomes_a_package_that_imports(
    name: str, odd: Path, load: Callable[[Path, str], ModuleType]
) -> None:
    """Every module, and every model when it is first used."""
    package = odd / f"{name}_api"
    for module in modules(package):
        for value in list(vars(load(package, module)).values()):
            if isinstance(value, type) and issubclass(value, pydantic.BaseModel):
                value.model_rebuild()
                assert value.__pydantic_complete__


def test_the_packages_of_odd_documents_type_check(odd: Path) -> None:
    """By mypy and pyright, both strict."""
    paths = [str(ROOT / "src"), str(ROOT / "generated")]
    config = {
        "include": ["."],
        "extraPaths": paths,
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "reportPrivateUsage": False,
    }
    (odd / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    mypy = ["mypy", "--strict", "--cache-dir", str(odd / ".cache"), *(f"{name}_api" for name in ODD)]
    for command in (mypy, ["pyright", "--pythonpath", sys.executable]):
        run = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=odd,
            env={**os.environ, "MYPYPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-3000:]


def test_a_published_document_gives_the_whole_api(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], load: Callable[[Path, str], ModuleType]
) -> None:
    """One file of all operations: nothing is left out or renamed, and every module imports."""
    content = published()
    # What such documents carry besides: examples as defaults, other engines' patterns, what nobody uses.
    schemas = content["components"]["schemas"]
    for number, schema in enumerate(schemas.values()):
        for value in schema.get("properties", {}).values():
            if "$ref" not in value:
                value["default"] = ["", 0, {"a": 1}][number % 3]
                value.update({"pattern": "^(?<name>\\p{L})$"} if value.get("type") == "string" else {})
    schemas["Unreferenced-Schema"] = {"type": "object", "properties": {"x": ref("Unreferenced-Schema")}}
    package = made(content, tmp_path, "published")
    told = capsys.readouterr().err
    assert "note: " not in told
    assert "left out" not in told

    def keys(folder: Path) -> set[str]:
        code = "".join(path.read_text("utf-8") for path in folder.glob("*/operations.py"))
        return set(re.findall(r'^ {8}name="(.*)",$', code, re.MULTILINE))

    assert keys(package) == keys(ROOT / "generated" / "evertoken_api")
    for module in modules(package):
        load(package, module)


def test_whatever_it_is_called_the_wire_has_its_name(
    odd: Path, load: Callable[[Path, str], ModuleType]
) -> None:
    """Parameters and properties are sent, and fields read, by the names of the document."""
    operations = load(odd / "odd_names_api", "things.operations")
    listed = operations.list()
    assert list(listed.query) == ODD_NAMES
    body = operations.create(
        **dict.fromkeys(required(operations.create), "x")  # whatever they are called
    ).body
    assert list(body) == ODD_NAMES
    models = load(odd / "odd_names_api", "shared.models")
    fields = {field.alias or name for name, field in models.Odd.model_fields.items()}
    assert fields == set(ODD_NAMES)
    sent = dict.fromkeys(ODD_NAMES, "a")
    assert models.Odd.model_validate_json(json.dumps(sent)).model_dump() == sent
    named: Json = {f"p{index}": {} if index % 2 == 0 else "a" for index in range(len(ODD_SCHEMAS))}
    assert load(odd / "odd_names_api", "things.models").Named.model_validate_json(json.dumps(named))


def test_a_typed_dict_has_the_keys_of_the_wire(odd: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """They are sent as they are, whatever a class would call them."""
    params = load(odd / "odd_names_api", "shared.params")
    assert params.Odd.__annotations__.keys() == set(ODD_NAMES)
    assert set(load(odd / "odd_names_api", "things.params").Named.__annotations__) == {
        f"p{index}" for index in range(len(ODD_SCHEMAS))
    }


def required(function: Callable[..., object]) -> list[str]:
    found = inspect.signature(function).parameters.values()
    return [one.name for one in found if one.default is inspect.Parameter.empty]


def test_moments_are_kept_where_a_property_is_called_datetime(
    odd: Path, load: Callable[[Path, str], ModuleType]
) -> None:
    """A date that came is written back as it was spelled."""
    sent = {"datetime": "2026-01-02T03:04:05.6Z", "Datetime": "2026-01-02T03:04:05+02:00"}
    model = load(odd / "odd_names_api", "things.models").OddDate.model_validate_json(json.dumps(sent))
    assert model.datetime_.year == 2026
    assert model.model_dump() == sent


def test_names_are_spelled_as_they_are_sent_where_they_can_be(
    odd: Path, load: Callable[[Path, str], ModuleType]
) -> None:
    """Of those that come to the same name, the one that is spelled so has it; the others get more."""
    query = load(odd / "odd_names_api", "things.operations").list(
        a_b="exact", class_="keyword", field_1_st="digit", gro_e="letters", request_options_="taken"
    ).query  # fmt: skip
    assert {name: value for name, value in query.items() if value is not None} == {
        "a_b": "exact",
        "class": "keyword",
        "1st": "digit",
        "größe": "letters",
        "request_options": "taken",
    }


def test_what_cannot_be_sent_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its place, and how many; everything else is there."""
    package = made(odd_documents.odd_operations(), tmp_path, "odd")
    told = capsys.readouterr().err
    lines = [line for line in told.splitlines() if ": left out: " in line]
    assert len(lines) == len(LEFT_OUT)
    assert all(
        line.startswith(f"note: {os.path.relpath(tmp_path)}") or "odd.json#/paths/" in line for line in lines
    )
    assert f"{len(LEFT_OUT)} operations left out" in told
    assert not (package / "left").exists()
    assert "def upload" in (package / "kept" / "operations.py").read_text("utf-8")


def test_a_class_is_where_its_base_can_be_read(
    tmp_path: Path, load: Callable[[Path, str], ModuleType]
) -> None:
    """One that extends a schema of several groups has its annotations and its keys."""
    back: Json = {"type": "object", "properties": {"back": ref("Node")}}
    node: Json = {"type": "object", "properties": {"odd-key": {"type": "string"}, "inner": back}}
    heir: Json = {"allOf": [ref("Node"), {"type": "object", "properties": {"more": {"type": "string"}}}]}
    paths: Json = {
        f"/{group}": {
            "get": operation(group, "get", ref(name)),
            "put": operation(group, "put", ref(name), requestBody={"content": json_of(ref(name))}),
            "post": operation(
                group, "post", requestBody={"content": json_of({"type": "array", "items": ref(name)})}
            ),
        }
        for group, name in (("ones", "Node"), ("others", "Heir"))
    }
    package = made(document(paths, {"Node": node, "Heir": heir}), tmp_path, "based")
    models = load(package, "others")
    found = models.Heir.model_validate_json('{"inner": {"back": {"odd-key": "o"}}, "more": "m"}')
    assert isinstance(found.inner.back, load(package, "ones").Node)
    assert isinstance(found, load(package, "ones").Node)
    assert load(package, "shared.params").Heir.__annotations__.keys() == {"odd-key", "inner", "more"}


def test_what_is_made_of_itself_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An alternative that is the whole again says nothing, nor does an array of nothing but itself."""
    made(odd_documents.odd_schemas(), tmp_path, "odd")
    told = capsys.readouterr().err
    assert "#/components/schemas/Circle: is made of itself, by way of Shape: that is left out" in told
    assert "#/components/schemas/Endless: holds nothing but itself, so it may hold anything" in told


def test_a_list_with_a_body_pages(odd: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """The body is sent with every page; an argument of nothing but null takes text."""

    def api(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content) == {"size": 5}
        full = request.url.params["page"] == "0"
        return httpx.Response(200, json=[{"size": number} for number in range(2 if full else 1)])

    groups = load(odd / "odd_operations_api", "")
    http = httpx.Client(transport=httpx.MockTransport(api))
    with ManagementClient(domain="tenant.example.com", token="made-up", httpx_client=http) as client:
        found = groups.GroupsOfClient(client).kept.search(size=5, per_page=2, nothing=["x"])
        assert [row.size for row in found] == [0, 1, 0]


def test_operations_without_a_name_get_one(odd: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """By tag or path, operationId or method and path; a number tells two apart."""
    package = odd / "odd_operations_api"
    named = load(package, "no_names.operations")
    assert named.get_no_names_by_id_inner("x").name == "no_names.get_no_names_by_id_inner"
    assert load(package, "some_things.operations").add_one().name == "some_things.add_one"
    twice = load(package, "twice.operations")
    found = {
        value().name: (value().method, value().path) for name, value in vars(twice).items() if name in TWICE
    }
    assert found == {
        "twice.get": ("GET", "/twice/a"),
        "twice.get_2": ("POST", "/twice/a"),
        "twice.sub.get": ("GET", "/twice/b"),
        "twice.sub_get_2": ("POST", "/twice/b"),
        "twice.sub_2": ("PUT", "/twice/b"),
    }


TWICE = {"get", "get_2", "sub_get", "sub_get_2", "sub_2"}


def test_parameters_are_sent_as_their_style_says(odd: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """An object becomes an argument for each property; what is joined is given as text."""
    kept = load(odd / "odd_operations_api", "kept.operations")
    found = kept.parameters(
        filter_min_size=1,
        left="l",
        right=[1, 2],
        joined="1,2",
        piped="1|2",
        repeated=[3],
        where="{}",
        limit=2,
    )
    assert {name: value for name, value in found.query.items() if value is not None} == {
        "filter[min-size]": 1,
        "left": "l",
        "right": [1, 2],
        "joined": "1,2",
        "piped": "1|2",
        "repeated": [3],
        "where": "{}",
        "limit": 2,
    }
    assert found.limits == {"limit": (1, 10)}
    assert "free" not in found.query
    assert not {"X-Must", "X-May", "session"} & found.query.keys()
    assert kept.percent("a", "b", 3, "true").path_params == {
        "id": "a",
        "kind": "b",
        "number": "3",
        "flag": "true",
    }


def test_answers_have_the_type_of_what_comes(odd: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """A default stands for success where nothing else does; HEAD has no body."""
    kept = load(odd / "odd_operations_api", "kept.operations")
    part = load(odd / "odd_operations_api", "shared.models").Part
    assert [getattr(kept, name)().result for name in ("default", "range", "media")] == [part] * 3
    assert [getattr(kept, name)().result for name in ("nothing", "head")] == [type(None)] * 2
    assert kept.several().result == part | str | None
    assert kept.any().result is Any
    assert kept.events().result is part


def test_schemas_mean_what_they_say(odd: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """Unions, bases, recursion, and values that no type tells."""
    models = load(odd / "odd_schemas_api", "everything.models")
    everything = models.Everything.model_validate_json(
        json.dumps(
            {
                "never": {},
                "nulled": None,
                "undefined": 1,
                "sub": {"id": "i", "kind": "other"},
                "subsub": {"id": "i", "more": 1},
                "disjoint": {"id": "i", "size": 2},
                "mixed": {"size": 2, "x": "x"},
                "pet": {"pet": "dog"},
                "tree": {"children": [{"byName": {"a": {"anything": [{"b": "c"}]}}}]},
                "maps": {"a": 1},
                "narrow": "z",
                "tuple": ["a", 1, None],
                "nullable_ref": None,
                "nullable_all_of": None,
                "mixed_enum": {"x": 1},
                "by_place": [{}],
                "deep": [[{"deeper": [{"x": "z"}]}]],
                "words": '"""',
                "nest": [1, [2, [3]]],
                "endless": [[None]],
                "shape": {"side": 2},
                "heir": {"odd-key": "o", "heirs": [{"more": "m"}], "more": "n"},
                "renamed": {"again": {"again": {}}},
            }
        )
    )
    assert isinstance(everything.disjoint, models.Base)
    assert isinstance(everything.disjoint, models.Part)
    assert isinstance(everything.mixed, models.Mixed2)
    assert isinstance(everything.pet, models.Dog)
    assert everything.tree.children[0].byName["a"].anything == [{"b": "c"}]
    assert type(everything.by_place[0]) is models.Tree
    assert everything.nest == [1, [2, [3]]]
    assert type(everything.shape) is models.Square
    assert type(everything.heir.heirs[0]) is models.Heir
    assert type(everything.renamed.again) is type(everything.renamed)
    assert "undefined" in everything.model_extra


def test_openapi_3_0_is_read_as_it_means(
    odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], load: Callable[[Path, str], ModuleType]
) -> None:
    """Nullable, and limits that are exclusive; a document that is not valid 3.0 is refused."""
    models, operations = load(odd / "old_api", "old.models"), load(odd / "old_api", "old.operations")
    raw = '{"maybe": null, "maybe_part": null, "maybe_kind": null, "any": 1}'
    assert models.Old.model_validate_json(raw).maybe_part is None
    assert operations.get().limits == {"limit": (1, 9)}
    content = odd_documents.old()
    content["components"]["schemas"]["Old"]["properties"]["maybe"]["type"] = ["string", "null"]
    (tmp_path / "old.json").write_text(json.dumps(content), encoding="utf-8")
    assert main(["--spec", str(tmp_path / "old.json"), "--out", str(tmp_path / "api")]) == 1
    assert "is not valid OpenAPI 3.0" in capsys.readouterr().err


def test_paths_may_say_where_the_api_is(tmp_path: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """A path below /api/v2 is that of the client's base URL, unless the server has it too."""
    content = document({"/api/v2/things": {"get": operation("things", "get")}})
    bare = load(made(content, tmp_path, "bare"), "things.operations")
    assert bare.get().path == "/things"
    content["servers"] = [{"url": "https://{tenant}/api/v2/", "variables": {"tenant": {"default": "t"}}}]
    rooted = load(made(content, tmp_path, "rooted"), "things.operations")
    assert rooted.get().path == "/api/v2/things"


def test_a_document_without_operations_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And so is one of which none is left, after it told why."""
    text: Json = {"200": {"description": "Text.", "content": {"text/plain": {}}}}
    none: Json = {}
    for paths, notes in ((none, 0), ({"/text": {"get": operation("left", "text", responses=text)}}, 1)):
        (tmp_path / "api.json").write_text(json.dumps(document(paths)), encoding="utf-8")
        assert main(["--spec", str(tmp_path / "api.json"), "--out", str(tmp_path / "api")]) == 1
        told = capsys.readouterr().err
        assert "has no operation that could be a method" in told
        assert told.count("left out") == notes


def test_a_folder_that_cannot_be_imported_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is read."""
    (tmp_path / "api.json").write_text("{}", encoding="utf-8")
    assert main(["--spec", str(tmp_path / "api.json"), "--out", str(tmp_path / "newer-api")]) == 1
    assert "'newer-api' cannot be imported" in capsys.readouterr().err


def test_ctrl_c_ends_it_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is that of an interrupted program, and nothing is written."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "build", interrupted)
    (tmp_path / "api.json").write_text("{}", encoding="utf-8")
    assert main(["--spec", str(tmp_path / "api.json"), "--out", str(tmp_path / "api")]) == 130
    assert capsys.readouterr().err == ""
    assert not (tmp_path / "api").exists()


def test_the_command_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`evertoken generate`, which has no document of its own."""
    spec, out = tmp_path / "api.json", tmp_path / "api"
    spec.write_text(json.dumps(odd_documents.old()), encoding="utf-8")
    arguments = ["generate", "--spec", str(spec), "--out", str(out)]
    assert evertoken(arguments) == 0
    assert "run: evertoken generate --spec api.json --out FOLDER" in (out / "__init__.py").read_text("utf-8")
    assert evertoken([*arguments, "--check"]) == 0
    (out / "py.typed").unlink()
    assert evertoken([*arguments, "--check"]) == 1
    capsys.readouterr()
    assert evertoken(["generate"]) == 2
    assert "required: --spec, --out" in capsys.readouterr().err


def test_the_command_tells_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra, one line."""
    monkeypatch.setitem(sys.modules, "evertoken.generate.build", None)
    arguments = ["generate", "--spec", str(tmp_path), "--out", str(tmp_path / "api")]
    assert evertoken(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("pip install 'evertoken[generate]'")


def test_a_client_sends_what_another_package_has(odd: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """With its token; a group may be called as a method of the client is."""
    asked: list[httpx.Request] = []

    def api(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"size": 5})

    groups = load(odd / "odd_names_api", "")
    http = httpx.Client(transport=httpx.MockTransport(api))
    with ManagementClient(domain="tenant.example.com", token="made-up", httpx_client=http) as client:
        assert groups.GroupsOfClient(client).send.import_().size == 5
    assert asked[0].headers["authorization"] == "Bearer made-up"
    assert asked[0].url.path.startswith("/api/v2/groups/")


@pytest.mark.anyio
async def test_an_async_client_does_so_too(odd: Path, load: Callable[[Path, str], ModuleType]) -> None:
    """Awaited; and an event stream is one of its operations."""

    def api(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            kind = {"content-type": "text/event-stream"}
            return httpx.Response(200, headers=kind, content=b'data: {"size": 7}\n\n')
        return httpx.Response(200, json={"size": 5})

    groups = load(odd / "odd_operations_api", "")
    http = httpx.AsyncClient(transport=httpx.MockTransport(api))
    async with http, AsyncManagementClient(domain="d.example.com", token="t", httpx_client=http) as client:
        kept = groups.AsyncGroupsOfClient(client).kept
        assert (await kept.default()).size == 5
        async with kept.events() as events:
            async for event in events:
                assert event.size == 7
                break


def nothing(name: str) -> Json:
    raise KeyError(name)


X: Json = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
Y: Json = {"type": "object", "properties": {"y": {"type": "string"}}, "required": []}
TEXT: Json = {"type": "string"}
LOOSE: Json = {"type": "object", "properties": {"x": {}}, "required": []}
ENUM: Json = {"anyOf": [{"type": "string", "enum": ["a"]}, TEXT]}
FREE: Json = {"type": "object", "additionalProperties": {}}
TEXTS: Json = {"type": "object", "additionalProperties": TEXT}
EITHER: Json = {"anyOf": [X, Y]}
ANY: Json = {"anyOf": [X, Y, TEXT]}
BOTH: Json = {"allOf": [X, Y]}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([X, Y], BOTH),
        ([X, X], X),
        ([X, FREE, TEXT], X),
        ([FREE, TEXTS], TEXTS),
        ([TEXT, ENUM], ENUM),
        ([ANY, TEXT], EITHER),
        ([BOTH], BOTH),
        ([X, LOOSE], X),
        ([EITHER, EITHER, EITHER, EITHER, EITHER, EITHER], FREE),
    ],
)
def test_all_of_comes_to_one_schema(members: list[Json], expected: Json) -> None:
    """Classes with bases where nothing is in two of them, else what says most."""
    assert merge.settled({"allOf": members}, nothing) == expected


@settings(
    tried(20),
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=hostile_documents())
def test_hostile_documents_give_inert_code(content: Json, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever stands where: the package imports, runs nothing, and sends the document's own names."""
    folder = tmp_path_factory.mktemp("hostile")
    text = json.dumps(content).replace("MARK", str(folder / "executed"))
    package = made(json.loads(text), folder, folder.name)
    run = subprocess.run(
        [sys.executable, "-c", PROBE, package.name, *modules(package)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    sent = json.loads(text)["paths"]["/fine"]["get"]["parameters"][0]["name"]
    assert json.loads(run.stdout) == [sent]
    assert not (folder / "executed").exists()


PROBE = """
import importlib, json, sys
import pydantic
package, *modules = sys.argv[1:]
for module in modules:
    loaded = importlib.import_module(f"{package}.{module}" if module else package)
    for value in list(vars(loaded).values()):
        if isinstance(value, type) and issubclass(value, pydantic.BaseModel):
            value.model_rebuild()
print(json.dumps(list(importlib.import_module(f"{package}.fine.operations").list().query)))
"""
