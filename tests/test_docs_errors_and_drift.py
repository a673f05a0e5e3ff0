"""docs/errors.md and docs/drift.md: every Python block is run as it stands, but for the client id."""

from __future__ import annotations

import json
import pathlib
import re
from typing import TYPE_CHECKING

import httpx
import pytest
import respx

import evertoken
from evertoken import DriftWarning, drift
from evertoken_tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = pathlib.Path(__file__).parents[1] / "docs"
DOMAIN = "tenant.eu.auth0.com"


def examples(page: str) -> list[tuple[str, str]]:
    """Return the Python blocks of a page, each with the output that the page shows below it."""
    found = re.findall(
        r"^```python\n(.*?)^```\n(?:\n((?:^ {4}[^\n]*\n)+))?",
        (DOCS / page).read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return [(code, re.sub("^ {4}", "", shown, flags=re.MULTILINE)) for code, shown in found]


class World:
    """A tenant at the address that the pages name, whose answers to GET may differ from the spec."""

    def __init__(self) -> None:
        self.tenant = Tenant(domain=DOMAIN, clients=3)
        self.drifted = False
        self.written: list[dict[str, object]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            self.written.append(json.loads(request.content))
        answer = self.tenant(request)
        if self.drifted and request.method == "GET":
            return httpx.Response(200, json={**answer.json(), "callbacks": "https://app.example/"})
        return answer

    def run(self, example: tuple[str, str]) -> None:
        code = example[0].replace("your-client-id", self.tenant.client_id)
        exec(compile(code, "a page", "exec"), {"__name__": "example"})  # noqa: S102 - our own pages


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setenv("AUTH0_DOMAIN", DOMAIN)
    monkeypatch.setenv("AUTH0_CLIENT_ID", made.tenant.client_id)
    monkeypatch.setenv("AUTH0_CLIENT_SECRET", made.tenant.client_secret)
    monkeypatch.setenv("MY_CLIENT_SECRET", made.tenant.client_secret)
    monkeypatch.setattr(drift, "_told_here", drift.Told())
    with respx.mock(assert_all_called=False) as router:
        router.route().mock(side_effect=made.answer)
        yield made


def test_every_example_is_run_below() -> None:
    """Who adds one adds its test."""
    assert (len(examples("errors.md")), len(examples("drift.md"))) == (3, 5)


def test_every_error_is_in_the_table() -> None:
    """By its name, and none that does not exist."""
    page = (DOCS / "errors.md").read_text("utf-8")
    for name in evertoken.__all__:
        value = getattr(evertoken, name)
        if isinstance(value, type) and issubclass(value, evertoken.EvertokenError):
            assert f"`{name}`" in page or f"evertoken.{name}`" in page, name


def test_a_missing_application_is_handled(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """With the lines that the page shows."""
    example = examples("errors.md")[0]
    world.run(example)
    assert capsys.readouterr().out == example[1]
    assert example[1]


def test_the_view_of_an_answer_is_shown(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The API's refusal, its media type and its body."""
    world.run(examples("errors.md")[1])
    kind, media, body = capsys.readouterr().out.splitlines()
    assert kind.startswith("BadRequestError")
    assert media.startswith("application/json")
    assert '"statusCode": 400' in body


def test_a_group_of_errors_is_handled(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """By `except*`."""
    world.run(examples("errors.md")[2])
    assert re.fullmatch("[12] or more are missing\n", capsys.readouterr().out)


def test_drift_is_noted(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """With the lines and the warning that the page shows."""
    world.drifted = True
    example = examples("drift.md")[0]
    with pytest.warns(DriftWarning) as caught:
        world.run(example)
    assert capsys.readouterr().out == example[1]
    assert example[1]
    assert f"    {caught[0].message}\n" in (DOCS / "drift.md").read_text("utf-8")


def test_drift_is_an_error_where_it_is_to_be(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """With `strict=True`."""
    world.drifted = True
    world.run(examples("drift.md")[1])
    assert "$.callbacks: expected list or None, got str" in capsys.readouterr().out


def test_what_was_read_is_written_back(world: World) -> None:
    """The changed fields, the changed part of one of them, and nothing else."""
    world.run(examples("drift.md")[2])
    callbacks = ["https://app.example/", "https://new.example/"]
    (written,) = world.written
    assert written.keys() == {"callbacks", "jwt_configuration"}
    assert written["callbacks"] == callbacks
    configuration = written["jwt_configuration"]
    assert isinstance(configuration, dict)
    assert (configuration["alg"], configuration["lifetime_in_seconds"]) == ("RS256", 600)
    world.run(examples("drift.md")[3])
    assert world.written[1] == {"callbacks": callbacks}


def test_a_secret_is_one_attribute_away(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """And not in what is printed."""
    example = examples("drift.md")[4]
    world.run(example)
    assert capsys.readouterr().out == example[1] == "False True\n"
