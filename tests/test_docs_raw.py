"""docs/raw.md: every Python block in it is run as it stands."""

from __future__ import annotations

import json
import pathlib
import re
from typing import TYPE_CHECKING

import httpx
import pytest
import respx

from evertoken.body import LONGEST_BODY
from evertoken.content import LONGEST_JSON
from evertoken.sse import SILENCE
from evertoken.subscription import LONGEST_PAUSE
from evertoken_tenant import Tenant
from support import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "raw.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EVENTS = f"https://{DOMAIN}/api/v2/events"


@pytest.fixture
def router(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.Router]:
    """A tenant behind the address that the environment names, and a folder of its own."""
    monkeypatch.chdir(tmp_path)
    tenant = Tenant(domain=DOMAIN, clients=7)
    monkeypatch.setenv("AUTH0_DOMAIN", DOMAIN)
    monkeypatch.setenv("AUTH0_CLIENT_ID", tenant.client_id)
    monkeypatch.setenv("AUTH0_CLIENT_SECRET", tenant.client_secret)
    with respx.mock(assert_all_called=False) as mocked:
        mocked.route(url__startswith=EVENTS, name="events")
        mocked.route().mock(side_effect=tenant)
        yield mocked


def run(word: str) -> None:
    """Run the one block that has a word in it."""
    (code,) = [block for block in BLOCKS if word in block]
    exec(compile(code, "raw.md", "exec"), {"__name__": "example"})  # noqa: S102 - our own page


def test_every_block_is_run_by_a_test_below() -> None:
    """Who adds one adds its test."""
    assert len(BLOCKS) == 5


def test_the_answer_beside_the_value(router: respx.Router, capsys: pytest.CaptureFixture[str]) -> None:
    """Its headers are there."""
    run("on_response")
    assert int(capsys.readouterr().out) > 0


def test_a_request_by_hand(router: respx.Router, capsys: pytest.CaptureFixture[str]) -> None:
    """Created, read, deleted, and gone."""
    run("by hand")
    assert capsys.readouterr().out == "{'name': 'by hand'}\n404\n"


def test_content_from_a_file(router: respx.Router, capsys: pytest.CaptureFixture[str]) -> None:
    """It arrives whole."""
    pathlib.Path("client.json").write_text('{"name": "from a file"}')
    run("Content(file")
    assert capsys.readouterr().out == "201\n"


def test_a_download(router: respx.Router) -> None:
    """The file is what the API sent."""
    run("iter_bytes")
    rows = json.loads(pathlib.Path("clients.json").read_text())
    assert len(rows) >= 7
    assert set(rows[0]) == {"client_id", "name"}


def test_events(router: respx.Router, capsys: pytest.CaptureFixture[str]) -> None:
    """The second run goes on where the first has ended."""
    data = json.dumps({"offset": "o-1", "event": {"data": {"object": {"user_id": "auth0|1"}}}})
    stream = f":connected\n\nretry: 1\n\nevent: user.created\nid: o-1\ndata: {data}\n\n"
    stream += 'event: offset-only\nid: o-2\ndata: {"offset": "o-2"}\n\n'
    answers = [httpx.Response(200, headers={"content-type": "text/event-stream"}, text=stream)]
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("from"))
        return answers.pop() if answers else httpx.Response(204)

    router["events"].mock(side_effect=answer)
    run("stream_events")
    run("stream_events")
    assert capsys.readouterr().out == "user.created {'user_id': 'auth0|1'}\n"
    assert asked == [None, "o-2", "o-2"]


def test_the_page_names_the_figures_of_the_code() -> None:
    """Who changes one changes the other."""
    for sentence, figure in (
        ("JSON of more than {:,} bytes", LONGEST_JSON),
        ("`max_body` ({} MB", LONGEST_BODY // 2**20),
        ("{:.0f} seconds of silence", SILENCE),
    ):
        assert sentence.format(figure) in PAGE
    assert "at most a minute" in PAGE
    assert LONGEST_PAUSE == 60
