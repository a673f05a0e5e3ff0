"""Operations of the API by the command: what is sent for a command line, and how answers are shown."""

from __future__ import annotations

import io
import json
import sys
import urllib.parse
from typing import TYPE_CHECKING

import pytest

from evertoken.__main__ import main
from scripted_server import ScriptedServer, api_error, json_reply, reply

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

    from scripted_server import Received

    Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    with ScriptedServer(tls=False) as served:
        monkeypatch.setenv("AUTH0_DOMAIN", served.domain)
        monkeypatch.setenv("AUTH0_CLIENT_ID", served.client_id)
        monkeypatch.setenv("AUTH0_CLIENT_SECRET", served.client_secret)
        monkeypatch.setenv("EVERTOKEN_CACHE", "off")
        served.api_default = json_reply({})
        yield served


@pytest.fixture
def run(server: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line: status, stdout, stderr."""

    def run_(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return run_


def sent(server: ScriptedServer) -> Received:
    """Return the one request to the API."""
    (request,) = server.api_requests
    return request


def query(request: Received) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(request.path.partition("?")[2])


# --- what is sent


def test_body_comes_from_options_and_data(run: Run, server: ScriptedServer) -> None:
    """By the API's names; options win, and kinds are those of the API."""
    server.api_default = json_reply({"id": "cgr_1"}, 201)
    status, out, err = run(
        *["client-grants", "create", "--client-id", "abc", "--audience", "https://api/"],
        *["--scope", "read:x", "--scope", "write:x", "--no-allow-any-organization", "--json"],
        *["--data", '{"audience": "not this", "organization_usage": "deny"}'],
    )
    assert (status, json.loads(out), err) == (0, {"id": "cgr_1"}, "")
    assert (sent(server).method, sent(server).path) == ("POST", "/api/v2/client-grants")
    assert json.loads(sent(server).body) == {
        "client_id": "abc",
        "audience": "https://api/",
        "scope": ["read:x", "write:x"],
        "allow_any_organization": False,
        "organization_usage": "deny",
    }


def test_objects_are_json_and_maps_are_pairs_too(run: Run, server: ScriptedServer) -> None:
    """Several make one object."""
    run(
        *["users", "update", "auth0|1", "--user-metadata", '{"age": 7}', "--user-metadata", "team=blue=1"],
        *["--app-metadata", "plan=x", "--json"],
    )
    assert sent(server).path == "/api/v2/users/auth0%7C1"
    assert json.loads(sent(server).body) == {
        "user_metadata": {"age": 7, "team": "blue=1"},
        "app_metadata": {"plan": "x"},
    }
    run("branding", "update", "--colors", '{"primary": "#fff"}')
    assert json.loads(server.api_requests[-1].body) == {"colors": {"primary": "#fff"}}


def test_null_is_given_by_data(run: Run, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stdin, where nobody sees it."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"nickname": null}')))
    assert run("users", "update", "u", "--data", "-")[0] == 0
    assert sent(server).method == "PATCH"
    assert json.loads(sent(server).body) == {"nickname": None}


def test_body_that_is_a_whole_value_is_data(run: Run, server: ScriptedServer, tmp_path: pathlib.Path) -> None:
    """An array here, from a file."""
    file = tmp_path / "methods.json"
    file.write_text('[{"type": "phone", "name": "n"}]', "utf-8")
    server.api_default = json_reply([])
    assert run("users", "authentication-methods", "set", "u", "--data", f"@{file}")[0] == 0
    assert sent(server).method == "PUT"
    assert json.loads(sent(server).body) == [{"type": "phone", "name": "n"}]


@pytest.mark.parametrize("prefix", ["", "@"])
def test_file_of_a_form_is_a_path(
    run: Run, server: ScriptedServer, tmp_path: pathlib.Path, prefix: str
) -> None:
    """With its name and content."""
    file = tmp_path / "users.json"
    file.write_bytes(b'[{"email": "a@example.com"}]')
    run(
        *["jobs", "users-imports", "create", "--users", f"{prefix}{file}", "--connection-id", "con_1"],
        *["--upsert", "--json"],
    )
    body = sent(server).body
    assert sent(server).headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="users"; filename="users.json"' in body
    assert b'[{"email": "a@example.com"}]' in body
    assert b'name="connection_id"\r\n\r\ncon_1' in body
    assert b'name="upsert"\r\n\r\ntrue' in body


def test_groups_are_as_deep_as_the_api_has_them(run: Run, server: ScriptedServer) -> None:
    """Four levels, two arguments in the path, one in the query."""
    server.api_default = json_reply({"groups": [{"id": "grp_1", "name": "G"}]})
    words = ["organizations", "members", "effective-roles", "sources", "groups", "list"]
    status, out, _ = run(*words, "org_1", "u 1", "--role-id", "rol_1", "--json")
    assert (status, json.loads(out)) == (0, [{"id": "grp_1", "name": "G"}])
    path, _, _ = sent(server).path.partition("?")
    assert path == "/api/v2/organizations/org_1/members/u%201/effective-roles/sources/groups"
    assert query(sent(server))["role_id"] == ["rol_1"]


def test_connection_options_stand_before_the_group_where_the_api_has_its_own(
    run: Run, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There they name the application, here a filter."""
    monkeypatch.delenv("AUTH0_CLIENT_ID")
    server.api_default = json_reply([])
    assert run("--client-id", "me", "client-grants", "list", "--client-id", "it")[0] == 0
    assert server.token_requests[0].form["client_id"] == "me"
    assert query(sent(server))["client_id"] == ["it"]


def test_deleting_needs_a_yes_and_has_a_body(run: Run, server: ScriptedServer) -> None:
    """Whatever is deleted."""
    server.api_default = reply(204)
    line = ["organizations", "members", "delete", "org_1", "--members", "a", "--members", "b"]
    status, out, err = run(*line)
    assert (status, out) == (2, "")
    assert "--yes" in err
    assert server.api_requests == []
    status, out, err = run(*line, "--yes")
    assert (status, out, err) == (0, "", "evertoken: done: organizations members delete org_1\n")
    assert (sent(server).method, json.loads(sent(server).body)) == ("DELETE", {"members": ["a", "b"]})
    assert run(*line, "-y", "--jsonl")[1] == "null\n"


# --- lists


def pages(count: int, size: int) -> list[object]:
    rows = [{"id": f"rol_{number}", "name": f"r{number}", "extra": {"x": 1}} for number in range(count)]
    return [
        {"roles": rows[start : start + size], "start": start, "limit": size, "total": count, "length": size}
        for start in range(0, count, size)
    ]


def test_list_is_one_page_and_says_so(run: Run, server: ScriptedServer) -> None:
    """Unless the page was asked for."""
    first, _ = pages(4, 2)
    server.api_script += [json_reply(first), json_reply(first)]
    status, out, err = run("roles", "list")
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [["id", "name"], ["rol_0", "r0"], ["rol_1", "r1"]]
    assert err == "evertoken: note: 2 rows of 4; --all fetches the others, too\n"
    assert query(sent(server))["per_page"] == ["50"]
    assert run("roles", "list", "--page", "0", "--per-page", "2")[2] == ""


def test_all_fetches_every_page_in_the_largest_size(run: Run, server: ScriptedServer) -> None:
    """As JSON lines, a line is a row as the API has it."""
    server.api_script += [json_reply(page) for page in pages(250, 100)]
    status, out, err = run("roles", "list", "--all", "--jsonl", "--name-filter", "r")
    assert (status, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["id"] for row in rows] == [f"rol_{number}" for number in range(250)]
    assert rows[0]["extra"] == {"x": 1}
    asked = [query(request) for request in server.api_requests]
    assert [(each["page"], each["per_page"], each["name_filter"]) for each in asked] == [
        ([f"{number}"], ["100"], ["r"]) for number in range(3)
    ]


def test_all_by_checkpoint(run: Run, server: ScriptedServer) -> None:
    """From page to page by what each says, in the largest size."""
    server.api_script += [
        json_reply({"tokens": [], "next": "n1"}),
        json_reply({"tokens": [{"id": "x"}]}),
    ]
    status, out, _ = run("users", "refresh-token", "list", "u", "--all", "--json")
    assert (status, json.loads(out)) == (0, [{"id": "x"}])
    first, second = (query(request) for request in server.api_requests)
    assert "from" not in first
    assert second["from"] == ["n1"]
    assert first["take"] == second["take"]
    assert int(first["take"][0]) > 50


# --- answers


def test_secrets_of_any_answer_are_masked(run: Run, server: ScriptedServer) -> None:
    """A note on what was made tells how to see them; reading needs none."""
    made = {"id": "h1", "name": "n", "options": {"apiKey": "s3cret", "token": "t0p"}}
    server.api_default = json_reply(made)
    line = ["log-streams", "create", "--data", '{"type": "datadog"}', "--json"]
    status, out, err = run(*line)
    assert status == 0
    assert "s3cret" not in out + err
    assert json.loads(out)["options"] == {"apiKey": "***", "token": "***"}
    assert "evertoken log-streams get h1 --show-secrets" in err
    assert json.loads(run(*line, "--show-secrets")[1]) == made
    assert run("log-streams", "get", "h1")[2] == ""
    server.api_default = json_reply({"ticket": "https://t/1"}, 201)
    status, out, err = run("tickets", "verify-email", "--user-id", "u", "--jsonl")
    assert (status, out) == (0, '{"ticket": "***"}\n')
    assert "--show-secrets" in err


def test_arrays_that_do_not_page_are_rows(run: Run, server: ScriptedServer) -> None:
    """With columns of what they have."""
    server.api_default = json_reply([{"kid": "k1", "current": True, "cert": {"x": 1}}, {"kid": "k2"}])
    status, out, _ = run("keys", "signing", "list")
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [["kid", "current"], ["k1", "true"], ["k2"]]


def test_events_are_a_line_each(run: Run, server: ScriptedServer) -> None:
    """As they come, with their type, until the API ends the stream."""
    events = (
        b'event: user.created\nid: 1\ndata: {"offset": "1", "new": {"x": [1]}}\n\n'
        b'event: error\ndata: {"error": {"code": "too_many_streams", "message": "no more"}}\n\n'
    )
    server.api_default = reply(200, events, headers={"Content-Type": "text/event-stream"})
    status, out, err = run("events", "subscribe", "--event-type", "user.created", "--event-type", "x")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"type": "user.created", "offset": "1", "new": {"x": [1]}}
    ]
    assert status == 1
    assert "no more" in err
    assert query(sent(server))["event_type"] == ["user.created", "x"]


def test_refusal_names_the_scope(run: Run, server: ScriptedServer) -> None:
    """Of any operation."""
    server.api_default = api_error(403, "insufficient_scope", "Insufficient scope")
    status, _, err = run("stats", "get-active-users-count")
    assert status == 1
    assert "read:stats" in err


# --- what is refused


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("user-blocks list-by-identifier", "--identifier: missing"),
        ("client-grants create --client-id x", "--audience: missing; give it, or audience in --data"),
        ("roles create --data {}", "--name"),
        ("roles list --per-page many", "--per-page"),
        ("roles update r", "nothing to change"),
        ("hooks secrets update h", "nothing to change; give --data"),
        ("users authentication-methods set u --data [", "line 1"),
        ("branding update --colors {", "--colors"),
        ("users update u --user-metadata nothing", "--user-metadata"),
        ("users update u --user-metadata {1}", "--user-metadata"),
        ("jobs users-imports create --users /nonexistent --connection-id x", "--users"),
        ("roles list --json --jsonl", "--jsonl"),
        ("roles nope", "nope"),
        ("roles permissions nope", "nope"),
        ("nope", "nope"),
        ("organizations members list", "ID"),
        ('event-streams test e --event-type x --data {"dat":1}', "did you mean data"),
    ],
)
def test_wrong_command_lines_name_what_is_wrong(
    run: Run, server: ScriptedServer, line: str, named: str
) -> None:
    """In one line, with status 2, before anything is sent."""
    status, out, err = run(*line.split())
    assert (status, out) == (2, "")
    assert named in err
    assert err.count("\n") == 1
    assert server.requests == []


def test_wrong_json_is_not_quoted(run: Run, server: ScriptedServer) -> None:
    """It may hold a secret."""
    for option in ("--options", "--data"):
        status, _, err = run("connections", "update", "c", option, '{"client_secret": "s3cret"')
        assert status == 2
        assert option in err
        assert "s3cret" not in err
