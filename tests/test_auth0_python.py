"""Calls of auth0-python's ManagementClient mean the same here: its methods and keywords, by `inspect`."""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import pathlib
from typing import TYPE_CHECKING, cast

from auth0.management import AsyncManagementClient as TheirAsyncClient
from auth0.management import ManagementClient as TheirClient

from evertoken import AsyncManagementClient, ManagementClient
from evertoken.paging import AsyncListCall, SyncPager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Methods = dict[str, "Callable[..., object]"]

# One a line: a method, or a method and a keyword, and why it is not here. A group stands for all its methods.
DIFFERENCES = pathlib.Path(__file__).with_name("auth0_python_differences.txt")


def methods(thing: object, path: str = "") -> Iterator[tuple[str, Callable[..., object]]]:
    """Return the methods of a client's groups by dotted name, in either library."""
    kind = type(thing)
    for name in dir(kind):
        if name.startswith("_") or name == "with_raw_response":
            continue
        member = inspect.getattr_static(kind, name)
        getter = member.fget if isinstance(member, property) else getattr(member, "func", None)
        # A group of methods, not a value that the client keeps.
        if getattr(getter, "__module__", "").startswith(("auth0.management.", "evertoken_api.")):
            yield from methods(getattr(thing, name), f"{path}{name}.")
        elif path and inspect.isfunction(member):
            yield f"{path}{name}", member


def theirs() -> Methods:
    return dict(methods(TheirClient(domain="tenant.example", token="t")))


def ours() -> Methods:
    return dict(methods(ManagementClient(domain="tenant.example", token="t")))


def parameters(method: Callable[..., object]) -> list[inspect.Parameter]:
    return [each for each in inspect.signature(method).parameters.values() if each.name != "self"]


def positional(method: Callable[..., object]) -> list[str]:
    return [each.name for each in parameters(method) if each.kind is each.POSITIONAL_OR_KEYWORD]


@functools.cache
def differences() -> dict[str, str]:
    lines = [line for line in DIFFERENCES.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    told = dict(cast("tuple[str, str]", tuple(line.split(": ", 1))) for line in lines)
    assert len(told) == len(lines), "a line is there twice"
    return told


def missing(known: Methods, offered: Methods) -> Iterator[str]:
    """Return what calls of `known` fail on in `offered`: methods, and keywords as `method keyword`."""
    for name, method in known.items():
        if name not in offered:
            yield name
            continue
        taken = {each.name for each in parameters(offered[name])}
        yield from (f"{name} {each.name}" for each in parameters(method) if each.name not in taken)
        # What has to be given here, and not there.
        given = {each.name for each in parameters(method) if each.default is each.empty}
        yield from (
            f"{name} {each.name}"
            for each in parameters(offered[name])
            if each.default is each.empty and each.name not in given
        )


def test_it_is_the_version_that_the_documentation_names() -> None:
    """Another version has other methods."""
    assert importlib.metadata.version("auth0-python").startswith("6.8.")


def test_every_method_and_keyword_is_here_or_has_a_reason() -> None:
    """No call of theirs fails for a name or for an argument left out; the list holds nothing that is here."""
    lacking = list(missing(theirs(), ours()))
    assert len(theirs()) > 450
    assert sorted(differences()) == sorted(lacking)
    assert all(len(reason) > 20 for reason in differences().values())


def test_whoever_calls_by_position_gets_the_same() -> None:
    """The values of the path come in the same order, and nothing else may be given so."""
    here = ours()
    differing = {
        name: (positional(method), positional(here[name]))
        for name, method in theirs().items()
        if name in here and positional(method) != positional(here[name])
    }
    assert differing == {}


def test_lists_that_page_there_page_here() -> None:
    """With the methods of its pagers."""
    here = ours()
    paging = [
        name
        for name, method in theirs().items()
        if name in here and "Pager" in str(inspect.signature(method).return_annotation)
    ]
    assert len(paging) > 70
    assert [
        name for name in paging if "SyncPager" not in str(inspect.signature(here[name]).return_annotation)
    ] == []
    for offered in ("items", "response", "has_next", "next_page", "iter_pages", "__iter__"):
        assert hasattr(SyncPager, offered)
    assert hasattr(AsyncListCall, "__await__")


def test_both_colours_take_the_same() -> None:
    """Every method, theirs and ours."""
    for tasks, threads in (
        (methods(AsyncManagementClient(domain="t.example", token="t")), ours()),
        (methods(TheirAsyncClient(domain="t.example", token="t")), theirs()),
    ):
        found = {name: [each.name for each in parameters(method)] for name, method in tasks}
        assert found == {name: [each.name for each in parameters(method)] for name, method in threads.items()}
