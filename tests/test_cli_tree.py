"""The commands of the API: every operation has one, which says what its method says."""

from __future__ import annotations

import functools
import inspect
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import click
import pytest

from evertoken.cli import table
from evertoken.cli.arguments import option_name
from evertoken.cli.body import operation_of
from evertoken.cli.commands import app
from evertoken.cli.options import option_names
from evertoken.cli.tree import ApiCommand
from evertoken_api._client import GroupsOfClient

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

    from evertoken.cli.table import Argument, Entry
    from evertoken.operation import EventsOperation, ListOperation, Operation

OPERATIONS = [f"{group}.{name}" for group in table.groups() for name in table.entries(group)]
CHECKPOINT = {"from_", "take"}
OFFSET = {"page", "per_page", "include_totals"}


class Captured(Exception):  # noqa: N818 - it is no error
    """What a method would have sent."""

    def __init__(self, operation: Operation[object]) -> None:
        super().__init__(operation.name)
        self.operation = operation


class Capture:
    """A sender that sends nothing."""

    def send(self, operation: Operation[Any], _: object = None) -> Any:
        raise Captured(operation)

    def send_list(self, operation: ListOperation[Any, Any], _: object = None) -> Any:
        raise Captured(operation)

    def stream_events(self, operation: EventsOperation[Any], _: object = None) -> Any:
        raise Captured(operation)


def method_of(operation: str) -> Callable[..., object]:
    found: object = functools.reduce(getattr, operation.split("."), cast("Any", GroupsOfClient(Capture())))
    return cast("Callable[..., object]", found)


def entry_of(operation: str) -> Entry:
    group, _, name = operation.partition(".")
    return table.entries(group)[name]


def words(operation: str) -> list[str]:
    return [table.spelled(part) for part in operation.split(".")]


def command_of(path: list[str]) -> click.Command:
    found: click.Command = app
    for word in path:
        assert isinstance(found, click.Group)
        below = found.get_command(click.Context(found), word)
        assert below is not None, path
        found = below
    return found


def all_groups(path: tuple[str, ...] = ()) -> Iterator[list[str]]:
    group = command_of([*path])
    if isinstance(group, click.Group):
        yield [*path]
        for name in group.list_commands(click.Context(group)):
            yield from all_groups((*path, name))


class Sample:
    """A value for an argument, as the command line has it and as the method does."""

    def __init__(self, argument: Argument, folder: pathlib.Path) -> None:
        name, kind = argument["name"], argument["kind"]
        file = folder / "rows.json"
        file.write_bytes(b"[]")
        texts: dict[str, tuple[str, object]] = {
            "text": (f"a {name}", f"a {name}"),
            "integer": ("7", 7),
            "number": ("2.5", 2.5),
            "flag": ("", True),
            "json": ('{"a": [1, null]}', {"a": [1, None]}),
            "map": ("key=a=b", {"key": "a=b"}),
            "any": ("auth0|1", "auth0|1"),
            "file": (f"@{file}", (file.name, b"[]")),
        }
        self.text, self.value = texts[kind]
        self.argument = argument
        if argument.get("many"):
            self.value = [self.value, self.value]

    def on_the_command_line(self, known: set[str]) -> list[str]:
        option = option_name(self.argument)
        if self.argument["place"] == "path":
            return [self.text]
        if option not in known or self.argument["place"] == "whole":
            return []
        if self.argument["kind"] == "flag":
            return [option]
        return [option, self.text] * (2 if self.argument.get("many") else 1)


@pytest.mark.parametrize("left_out", [frozenset(CHECKPOINT), frozenset(OFFSET)], ids=["page", "take"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_command_builds_what_the_method_sends(
    operation: str, left_out: frozenset[str], tmp_path: pathlib.Path
) -> None:
    """With every argument that there is, and by the same names; both ways of paging."""
    entry = entry_of(operation)
    names = {argument["name"] for argument in entry["arguments"]}
    if not (names & CHECKPOINT and names & OFFSET):
        left_out = frozenset()
    method = method_of(operation)
    keywords = list(inspect.signature(method).parameters)
    assert keywords[-1] == "request_options"
    assert {argument["name"] for argument in entry["arguments"]} == set(keywords[:-1])
    samples = [Sample(each, tmp_path) for each in entry["arguments"] if each["name"] not in left_out]
    command = command_of(words(operation))
    assert isinstance(command, ApiCommand)
    known = option_names(param for param in command.params if not (param.name or "_").startswith("_"))
    line = [part for sample in samples for part in sample.on_the_command_line(known)]
    data = {
        table.wire_name(sample.argument): sample.value
        for sample in samples
        if sample.argument["place"] == "body" and option_name(sample.argument) not in known
    }
    whole = [sample.value for sample in samples if sample.argument["place"] == "whole"]
    if data or whole:
        line += ["--data", json.dumps(whole[0] if whole else data)]
    context = command.make_context(words(operation)[-1], line)
    with pytest.raises(Captured) as captured:
        method(**{sample.argument["name"]: sample.value for sample in samples})
    made = operation_of(operation.partition(".")[0], entry, context.params, context.params.get("_data"))
    assert made == captured.value.operation
    assert made.method == entry["method"]
    assert made.path == entry["path"]
    assert list(made.scopes) == entry["scopes"]


def test_every_method_has_a_command() -> None:
    """Those of the resources and of the groups below them."""

    def methods(place: object, path: str) -> Iterator[str]:
        for name, member in inspect.getmembers_static(type(place)):
            if isinstance(member, functools.cached_property):
                yield from methods(getattr(place, name), f"{path}{name}.")
            elif inspect.isfunction(member) and not name.startswith("_"):
                yield f"{path}{name}"

    assert sorted(methods(GroupsOfClient(Capture()), "")) == sorted(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_help_of_a_command_tells_all_of_it(operation: str) -> None:
    """Its summary, arguments, options and scopes; no option stands for two things."""
    entry = entry_of(operation)
    command = command_of(words(operation))
    help_ = " ".join(command.get_help(click.Context(command, info_name="x")).split())
    assert " ".join(entry["help"].split("\n\n")[0].split()) in help_
    assert all(scope in help_ for scope in entry["scopes"])
    assert f"{entry['method']} {entry['path']}" in help_
    for argument in entry["arguments"]:
        if argument["place"] == "path":
            assert argument["name"].rstrip("_").upper() in help_
        else:
            assert option_name(argument) in help_
    names = [name for param in command.params for name in (*param.opts, *param.secondary_opts)]
    assert len(set(names)) == len(names)


def test_help_of_a_group_names_all_below_it() -> None:
    """Of the program, and of groups at any depth."""
    groups = list(all_groups())
    assert ["organizations", "members", "effective-roles", "sources", "groups"] in groups
    for path in groups:
        group = command_of(path)
        assert isinstance(group, click.Group)
        context = click.Context(group, info_name="x")
        help_ = group.get_help(context)
        names = group.list_commands(context)
        assert len(set(names)) == len(names)
        for name in names:
            assert re.search(rf"^  {name}( |$)", help_, re.MULTILINE), path


def test_lifecycle_is_told() -> None:
    """Of operations that Auth0 may change, or advises against."""
    entry: Entry = {**entry_of("users.list"), "deprecated": True}
    assert "Deprecated" in (ApiCommand(("users",), "list", entry).help or "")
    for operation in OPERATIONS:
        entry = entry_of(operation)
        text = command_of(words(operation)).help or ""
        assert entry.get("lifecycle", "") in text
        assert ("Deprecated: " in text) == entry.get("deprecated", False)
    assert any("lifecycle" in entry_of(operation) for operation in OPERATIONS)


@pytest.mark.parametrize("line", ["--help", "users --help", "organizations members roles list --help"])
def test_help_loads_neither_models_nor_clients(line: str) -> None:
    """It is there at once."""
    heavy = ("evertoken_api.", "httpx", "pydantic", "rich", "evertoken.client")
    program = (
        f"import sys; from evertoken.__main__ import main; main({line.split()!r})\n"
        f"print([name for name, module in sys.modules.items() if module and name.startswith({heavy!r})])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")


def test_a_command_loads_no_other_group() -> None:
    """Its own models are enough, and nothing is drawn where nobody looks."""
    program = (
        "import sys; from evertoken.__main__ import main\n"
        "main(['user-blocks', 'list', 'x', '--domain', 'http://127.0.0.1:1'])\n"
        "print(sorted({name.split('.')[1] for name in sys.modules if name.startswith('evertoken_api.')}))\n"
        "print([name for name in sys.modules if name.startswith('rich.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['_client', 'shared', 'user_blocks']", "[]"]
