"""The examples of docs/paging.md run as they stand there."""

from __future__ import annotations

import pathlib
import re
from typing import TYPE_CHECKING

import pytest

from evertoken_tenant import Tenant, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "paging.md").read_text("utf-8")


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Iterator[Tenant]:
    """Serve 230 applications to clients of the environment, in a folder of their own."""
    tenant = Tenant(clients=230)
    with serve(tenant) as server:
        monkeypatch.setenv("AUTH0_DOMAIN", server.url)
        monkeypatch.setenv("AUTH0_CLIENT_ID", tenant.client_id)
        monkeypatch.setenv("AUTH0_CLIENT_SECRET", tenant.client_secret)
        monkeypatch.chdir(tmp_path)
        yield tenant


def example(word: str) -> str:
    """Return the one example that has a word in it."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return str(found)


def run(word: str, show: Callable[[str], None] | None = None) -> list[str]:
    """Run an example and return what it prints; `show` sees each line first."""
    lines: list[str] = []

    def take(*words: object) -> None:
        line = " ".join(map(str, words)).strip()
        if show is not None:
            show(line)
        lines.append(line)

    exec(compile(example(word), "paging.md", "exec"), {"__name__": "example", "print": take})  # noqa: S102 - our own page
    return lines


def test_every_example_is_run() -> None:
    """One that is added needs a test here."""
    assert len(re.findall(r"^```\w+$", PAGE, re.MULTILINE)) == 4


def test_the_example_of_a_pager(tenant: Tenant) -> None:
    """The first line is of the first page, the others are all rows; three requests."""
    first, *rows = run("page.has_next")

    assert first == "100 of 230 and more"
    assert len(set(rows)) == len(rows) == 230
    assert tenant.api_requests == 3


def test_the_example_of_both_ways_to_loop(tenant: Tenant) -> None:
    """Without await all rows come, with it the first page and those after it."""
    shown = run("asyncio.run")

    assert len(set(shown[:230])) == 230
    assert shown[230:] == ["230", "100", "100", "30"]
    assert tenant.api_requests == 6


def test_the_example_of_pages_at_the_same_time(tenant: Tenant) -> None:
    """The rows come in the order of the list, in five requests."""
    rows = run("concurrency")

    assert tenant.api_requests == 5
    assert rows == run("page.has_next")[1:]


class Stopped(Exception):  # noqa: N818 - stands for a program that ends
    """The process was stopped."""


def test_the_example_of_a_cursor(tenant: Tenant) -> None:
    """Stopped in the third page, it goes on with the third page, and the next run begins anew."""
    everything = run("page.has_next")[1:]
    before: list[str] = []

    def show(line: str) -> None:
        if len(before) == 130:
            raise Stopped
        before.append(line)

    with pytest.raises(Stopped):
        run("place.txt", show)
    requests = tenant.api_requests

    assert before == everything[:130]
    assert run("place.txt") == everything[100:]
    assert tenant.api_requests - requests == 3
    assert run("place.txt") == everything
