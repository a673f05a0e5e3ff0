"""The command `evertoken`, against the local tenant over a socket."""

from __future__ import annotations

import dataclasses
import http.server
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import cast

import httpx
import pytest

from evertoken.__main__ import main
from evertoken._version import __version__
from evertoken.cli import call
from evertoken_tenant import Server, Tenant, serve

ROWS = 130
PROGRAM = [sys.executable, "-m", "evertoken"]


@dataclasses.dataclass
class Done:
    """What a command line came to."""

    status: int
    out: str
    err: str

    def json(self) -> object:
        return json.loads(self.out)

    def properties(self) -> dict[str, object]:
        value = self.json()
        assert isinstance(value, dict)
        return cast("dict[str, object]", value)

    def rows(self) -> list[dict[str, object]]:
        value = self.json()
        assert isinstance(value, list)
        return cast("list[dict[str, object]]", value)


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(Tenant(clients=ROWS)) as running:
        yield running


def environment(server: Server) -> dict[str, str]:
    return {
        "AUTH0_DOMAIN": server.url,
        "AUTH0_CLIENT_ID": server.tenant.client_id,
        "AUTH0_CLIENT_SECRET": server.tenant.client_secret,
    }


def whole_environment(server: Server) -> dict[str, str]:
    # Output is buffered unless a machine's settings say otherwise.
    return {**os.environ, **environment(server), "PYTHONWARNINGS": "error", "PYTHONUNBUFFERED": ""}


@pytest.fixture(autouse=True)
def cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own tokens out of every test, and those of a test out of the others."""
    monkeypatch.setenv("EVERTOKEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def run(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line; it checks what holds for every one."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)

    def run_(*arguments: str) -> Done:
        status = main(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert server.tenant.client_secret not in out + err
        return Done(status, out, err)

    return run_


@pytest.fixture
def made(run: Run) -> Iterator[str]:
    """The id of an application that a test may change."""
    client_id = str(run("clients", "create", "--name", "made", "--json").properties()["client_id"])
    yield client_id
    run("clients", "delete", client_id, "--yes")


def spawn(
    server: Server, *arguments: str, stdin: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**whole_environment(server), **settings},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


# --- token


def test_token_is_all_that_stands_on_stdout(server: Server) -> None:
    """`$(evertoken token)` in a header is a request that the API takes."""
    done = spawn(server, "token")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    headers = {"authorization": f"Bearer {done.stdout.strip()}"}
    assert httpx.get(f"{server.url}/api/v2/clients", headers=headers).status_code == 200


def test_options_win_over_the_environment(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the secret, which has no option."""
    monkeypatch.setenv("AUTH0_DOMAIN", "http://127.0.0.1:1")
    monkeypatch.setenv("AUTH0_CLIENT_ID", "nobody")
    tenant = server.tenant
    options = ["--domain", server.url, "--client-id", tenant.client_id, "--audience", tenant.audience]
    assert run("token", *options).status == 0
    assert run("token", "--client-secret", "x").status == 2


# --- clients list


def test_list_is_a_table_of_all_applications(run: Run) -> None:
    """One line each, below the names of the columns, nothing cut off."""
    done = run("clients", "list", "--all")
    lines = done.out.splitlines()
    assert lines[0].split() == ["client_id", "name", "app_type", "is_first_party"]
    rows = run("clients", "list", "--all", "--json").rows()
    assert len(rows) == len(lines) - 1 == ROWS
    for line, row in zip(lines[1:], rows, strict=True):
        assert line.startswith(str(row["client_id"]))
        assert str(row["name"]) in line
    assert done.err == ""
    assert "\x1b" not in done.out


def test_list_fetches_no_page_too_many(run: Run, server: Server) -> None:
    """Two pages hold them all."""
    before = server.tenant.api_requests
    run("clients", "list", "--all")
    assert server.tenant.api_requests - before == 2


def test_list_has_the_filters_of_the_operation(run: Run) -> None:
    """Each narrows the list."""
    rows = run("clients", "list", "--all", "--json").rows()
    spa = run("clients", "list", "--all", "--app-type", "spa", "--json").rows()
    assert [row["client_id"] for row in spa] == [row["client_id"] for row in rows if row["app_type"] == "spa"]
    third = run("clients", "list", "--all", "--no-is-first-party", "--json").rows()
    assert 0 < len(third) == sum(not row["is_first_party"] for row in rows)
    assert run("clients", "list", "--is-global", "--json").rows() == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], 50),
        (["--take", "7"], 7),
        (["--all"], ROWS),
        (["--all", "--take", "7"], ROWS),
        (["--all", "--per-page", "50"], ROWS),
        (["--page", "1", "--per-page", "100"], ROWS - 100),
        (["--page", "0", "--per-page", "3"], 3),
    ],
)
def test_list_pages_as_it_is_told(run: Run, options: list[str], expected: int) -> None:
    """One page, unless all are asked for."""
    assert len(run("clients", "list", *options, "--json").rows()) == expected


def test_fields_are_the_columns(run: Run) -> None:
    """In the order of the command line."""
    done = run("clients", "list", "--fields", "name, client_id", "--page", "0", "--per-page", "2")
    assert done.out.splitlines()[0].split() == ["name", "client_id"]
    rows = run("clients", "list", "--fields", "name", "--json").rows()
    assert all(set(row) == {"name"} for row in rows)
    without = run("clients", "list", "--fields", "name", "--exclude-fields", "--json").rows()
    assert all("name" not in row and "client_id" in row for row in without)


# --- get, create, update, delete, rotate-secret


def test_get_shows_every_property(run: Run, made: str) -> None:
    """As a table of two columns, and in the API's form."""
    properties = run("clients", "get", made, "--json").properties()
    lines = run("clients", "get", made).out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(properties)
    assert properties["name"] == "made"


def test_secrets_are_shown_on_request_only(run: Run, server: Server, made: str) -> None:
    """In tables and in JSON."""
    shown = run("clients", "get", made, "--json", "--show-secrets").properties()
    secret, keys = str(shown["client_secret"]), shown["signing_keys"]
    assert len(secret) > 20
    for options in (["--json"], []):
        done = run("clients", "get", made, *options)
        assert secret not in done.out
        assert "***" in done.out
        assert json.dumps(keys)[10:40] not in done.out
    assert secret in run("clients", "get", made, "--show-secrets").out
    everything = run("clients", "list", "--json").out + run("clients", "list").out
    assert secret not in everything


def test_settings_of_refresh_tokens_are_no_secret(run: Run, made: str) -> None:
    """An object that has a secret's name and holds none."""
    data = '{"refresh_token": {"rotation_type": "rotating", "expiration_type": "expiring", "leeway": 7}}'
    assert run("clients", "update", made, "--data", data).status == 0
    settings = run("clients", "get", made, "--json").properties()["refresh_token"]
    assert isinstance(settings, dict)
    assert settings["leeway"] == 7


def test_create_takes_options_and_data(run: Run) -> None:
    """Options win; properties without an option come in the data."""
    done = run(
        *["clients", "create", "--json", "--name", "Zoë [bold]", "--app-type", "spa"],
        *["--callbacks", "https://a.example/1", "--callbacks", "https://a.example/2"],
        *["--client-metadata", "team=blue", "--no-oidc-conformant"],
        *["--data", '{"name": "not this", "sso": true, "description": "d"}'],
    )
    created = done.properties()
    assert done.status == 0
    assert created["name"] == "Zoë [bold]"
    assert created["app_type"] == "spa"
    assert created["callbacks"] == ["https://a.example/1", "https://a.example/2"]
    assert created["client_metadata"] == {"team": "blue"}
    assert created["oidc_conformant"] is False
    assert created["sso"] is True
    assert created["description"] == "d"
    assert run("clients", "get", str(created["client_id"]), "--json").json() == created
    assert "Zoë [bold]" in run("clients", "get", str(created["client_id"])).out
    run("clients", "delete", str(created["client_id"]), "--yes")


@pytest.mark.parametrize("command", ["create", "rotate-secret"])
def test_new_secret_is_printed_on_request_only(run: Run, server: Server, made: str, command: str) -> None:
    """Else a line on stderr tells how to get it."""
    arguments = ["clients", command, *(["--name", "new"] if command == "create" else [made])]
    masked = run(*arguments, "--json")
    client_id = str(masked.properties()["client_id"])
    assert masked.properties()["client_secret"] == "***"
    assert f"evertoken clients get {client_id} --show-secrets" in masked.err
    secret = run("clients", "get", client_id, "--json", "--show-secrets").properties()["client_secret"]
    shown = run(*arguments, "--json", "--show-secrets")
    assert shown.err == ""
    assert shown.properties()["client_secret"] not in ("***", secret, None)
    for made_here in {client_id, str(shown.properties()["client_id"])} - {made}:
        run("clients", "delete", made_here, "--yes")


def test_data_comes_from_a_file_or_from_stdin(
    run: Run, made: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`@FILE` and `@-`."""
    file = tmp_path / "body.json"
    file.write_text('{"description": "from a file"}', "utf-8")
    changed = run("clients", "update", made, "--data", f"@{file}", "--json").properties()
    assert changed["description"] == "from a file"
    stdin = io.TextIOWrapper(io.BytesIO('{"description": "frøm stdin"}'.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    changed = run("clients", "update", made, "--data", "@-", "--json").properties()
    assert changed["description"] == "frøm stdin"


def test_update_leaves_the_rest_as_it_was(run: Run, made: str) -> None:
    """Only what is given is sent."""
    before = run("clients", "get", made, "--json").properties()
    after = run("clients", "update", made, "--name", "renamed", "--json").properties()
    assert after == {**before, "name": "renamed"}
    assert "renamed" in run("clients", "update", made, "--name", "renamed").out


def test_delete_needs_a_yes(run: Run, server: Server) -> None:
    """Where nobody can be asked, it is an option."""
    client_id = str(run("clients", "create", "--name", "x", "--json").properties()["client_id"])
    before = server.tenant.api_requests
    refused = run("clients", "delete", client_id)
    assert refused.status == 2
    assert "--yes" in refused.err
    assert server.tenant.api_requests == before
    done = run("clients", "delete", client_id, "--yes")
    assert (done.status, done.out) == (0, "")
    assert client_id in done.err
    assert run("clients", "get", client_id).status == 1


def test_delete_as_json_is_a_document_too(run: Run) -> None:
    """There is nothing to tell, and that is null."""
    client_id = str(run("clients", "create", "--name", "x", "--json").properties()["client_id"])
    done = run("clients", "delete", client_id, "--yes", "--json")
    assert (done.status, done.json(), done.err) == (0, None, "")


def test_json_is_escaped_where_stdout_has_no_unicode(server: Server, made: str) -> None:
    """And where it has, whatever a terminal would obey."""
    name = "Zoë \u202e\x9b31m"
    done = spawn(server, "clients", "update", made, "--name", name, "--json", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == name
    assert done.stdout.isascii()
    done = spawn(server, "clients", "get", made, "--json", PYTHONIOENCODING="utf-8")
    assert json.loads(done.stdout)["name"] == name
    assert "\u202e" not in done.stdout
    assert "\x9b" not in done.stdout
    assert "Zoë" in done.stdout
    table = spawn(server, "clients", "get", made, PYTHONIOENCODING="utf-8").stdout
    assert "Zoë \\u202e\\x9b31m" in table
    done = spawn(server, "clients", "get", made, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "\\x9b31m" in done.stdout


# --- what is refused


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["clients", "lst"], "lst"),
        (["clients", "create", "--data", "@/nonexistent/\x1b[2J\n"], "\\x1b[2J\\n"),
        (["clients", "list", "--nope"], "--nope"),
        (["clients", "list", "--per-page", "many"], "--per-page"),
        (["clients", "list", "--per-page", "1000"], "per_page"),
        (["clients", "list", "--page", "-1"], "page"),
        (["clients", "list", "--page", "2", "--take", "5"], "page"),
        (["clients", "list", "--from", ""], "from_"),
        (["clients", "get"], "ID"),
        (["clients", "get", ".."], "id"),
        (["clients", "create"], "--name"),
        (["clients", "create", "--data", '{"nmae": "x"}'], "did you mean name"),
        (["clients", "create", "--data", '{"id": "x", "name": "y"}'], "'id'"),
        (["clients", "create", "--data", '{"name": '], "line 1"),
        (["clients", "create", "--data", '{"name": NaN}'], "NaN"),
        (["clients", "create", "--data", "[1]"], "array"),
        (["clients", "create", "--data", '"x"'], "string"),
        (["clients", "create", "--data", "null"], "null"),
        (["clients", "create", "--data", "true"], "boolean"),
        (["clients", "create", "--data", "7"], "number"),
        (["clients", "create", "--data", "@/nonexistent/body"], "/nonexistent/body"),
        (["clients", "create", "--name", "x", "--client-metadata", "novalue"], "--client-metadata"),
        (["clients", "update", "abc"], "nothing to change"),
        (["token", "--domain", "not a domain"], "domain"),
        (["token", "--domain", "http://tenant.eu.auth0.com"], "domain"),
        (["token", "--audience", "https://other.example.com/"], "audience"),
    ],
)
def test_wrong_command_lines_are_refused_before_anything_is_sent(
    run: Run, server: Server, arguments: list[str], named: str
) -> None:
    """Status 2, and one line that names what is wrong."""
    before = server.tenant.api_requests
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("evertoken: ")
    assert done.err.count("\n") == 1
    assert named in done.err
    assert server.tenant.api_requests == before


def test_data_that_is_not_utf8_is_refused(run: Run, tmp_path: pathlib.Path) -> None:
    """By its name, not by a traceback."""
    file = tmp_path / "body.json"
    file.write_bytes(b'{"name": "\xff"}')
    done = run("clients", "create", "--data", f"@{file}")
    assert done.status == 2
    assert "UTF-8" in done.err


@pytest.mark.parametrize("name", ["AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET"])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_variable_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    """An empty one is missing too."""
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    done = run("token")
    assert (done.status, done.out) == (2, "")
    assert name in done.err
    assert done.err.count("\n") == 1


# --- what fails


def test_error_of_the_api_is_one_line(run: Run) -> None:
    """Status 1, and what the API says."""
    done = run("clients", "get", "nobody")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("evertoken: GET /api/v2/clients/nobody: 404")
    assert done.err.count("\n") == 1


def test_wrong_secret_is_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1, and what to check."""
    monkeypatch.setenv("AUTH0_CLIENT_SECRET", "wr0ng-but-mine")
    done = run("clients", "list")
    assert (done.status, done.out) == (1, "")
    assert "access_denied" in done.err
    assert "wr0ng-but-mine" not in done.err
    assert done.err.count("\n") == 1


def test_mistake_of_ours_is_told_by_its_place(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its text, which could hold anything."""

    def fail(*_: object) -> None:
        raise RuntimeError("text-of-the-error")

    monkeypatch.setattr(call, "show_rows", fail)
    done = run("clients", "list", "--page", "0")
    assert done.status == 1
    assert "internal error: RuntimeError at " in done.err
    assert "test_cli:" in done.err
    assert "text-of-the-error" not in done.err


class Odd:
    """An API that answers as it is told, over a socket."""

    def __init__(self, url: str, answers: dict[str, tuple[int, bytes]]) -> None:
        self.url = url
        self.answers = answers
        self.asked = threading.Event()
        self.hold: threading.Event | None = None


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api.asked.set()
            if api.hold is not None:
                api.hold.wait(20)
            status, body = api.answers[self.path.partition("?")[0]]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden one's
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    token = b'{"access_token": "t0ken", "token_type": "Bearer", "expires_in": 60}'
    api = Odd(f"http://127.0.0.1:{running.server_port}", {"/oauth/token": (200, token)})
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings = {
        "AUTH0_DOMAIN": api.url,
        "AUTH0_CLIENT_ID": "id",
        "AUTH0_CLIENT_SECRET": "not-a-secret",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield api
    if api.hold is not None:
        api.hold.set()
    running.shutdown()
    running.server_close()
    thread.join()


def test_texts_of_the_api_are_shown_and_not_obeyed(odd: Odd, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither markup nor escape sequences, and one line whatever they hold."""
    message = "[red]no[/] \x1b[2J\r\nevertoken: all is well"
    odd.answers["/api/v2/clients/a"] = (400, json.dumps({"message": message}).encode())
    assert main(["clients", "get", "a"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "[red]no[/]" in err
    assert "\x1b" not in err
    assert err.count("\n") == 1


def test_answer_that_differs_from_the_spec_is_shown_with_a_note(
    odd: Odd, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is lost, and nobody is left in the dark."""
    odd.answers["/api/v2/clients/a"] = (200, b'{"client_id": "a", "name": 7, "new": {"x": [1]}, "odd": null}')
    assert main(["clients", "get", "a", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"client_id": "a", "name": 7, "new": {"x": [1]}, "odd": None}
    assert err.startswith("evertoken: note: ")
    assert "name" in err
    assert err.count("\n") == 1


def test_rows_that_are_no_objects_are_shown(odd: Odd, capsys: pytest.CaptureFixture[str]) -> None:
    """A table has a place for whatever came."""
    odd.answers["/api/v2/clients"] = (200, b'["x", {"client_id": "y", "name": "Y"}]')
    assert main(["clients", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:]] == [["x"], ["y", "Y"]]


def test_answer_that_is_not_json_is_a_failed_call(odd: Odd, capsys: pytest.CaptureFixture[str]) -> None:
    """A proxy's page, say."""
    odd.answers["/api/v2/clients"] = (200, b"<html>sign in</html>")
    assert main(["clients", "list"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "not JSON" in err


def test_failing_token_endpoint_is_told_once(odd: Odd) -> None:
    """The log of the library adds no line of its own."""
    odd.answers["/oauth/token"] = (403, b'{"error": "access_denied", "error_description": "no grant"}')
    done = subprocess.run([*PROGRAM, "token"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no grant" in done.stderr


def test_interrupt_ends_quietly(odd: Odd) -> None:
    """Ctrl-C in the middle of a call: status 130, and not a word."""
    odd.hold = threading.Event()
    # Whoever runs the tests in the background may have them, and all they start, ignore interrupts.
    heed = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    program = [sys.executable, "-c", heed, *PROGRAM, "token"]
    running = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert odd.asked.wait(20)
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=20) == ("", "")
    assert running.returncode == 130


# --- streams


@pytest.mark.parametrize("arguments", [["clients", "list"], ["clients", "list", "--json"], ["token"]])
def test_reader_that_goes_away_ends_it_quietly(server: Server, arguments: list[str]) -> None:
    """`| head`: the status of a program that SIGPIPE ended, and not a word."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env=whole_environment(server),
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["token"], ["clients", "--help"]])
def test_full_disk_is_one_line(server: Server, arguments: list[str]) -> None:
    """Half a document is no success."""
    with pathlib.Path("/dev/full").open("w") as stdout:
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env=whole_environment(server),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert done.stderr.count("\n") == 1


def test_closed_streams_are_no_failure(server: Server) -> None:
    """`>&-`, as a daemon has it."""
    command = f"{sys.executable} -m evertoken clients list >&- 2>&- <&-"
    done = subprocess.run(["/bin/sh", "-c", command], env=whole_environment(server), check=False)
    assert done.returncode == 0


def on_terminal(server: Server, *arguments: str, answer: str = "") -> tuple[int, str]:
    """Run a command line on a pseudo-terminal of 80 columns."""
    pty = pytest.importorskip("pty")
    mine, its = cast("tuple[int, int]", pty.openpty())
    settings = {**whole_environment(server), "TERM": "xterm-256color", "COLUMNS": "80"}
    running = subprocess.Popen(
        [*PROGRAM, *arguments], env=settings, stdin=its, stdout=its, stderr=its, close_fds=True
    )
    os.close(its)
    shown = b""
    try:
        while True:
            try:
                piece = os.read(mine, 65536)
            except OSError:  # the end of a terminal
                break
            if not piece:
                break
            shown += piece
            if answer and b"[y/N]" in shown:
                os.write(mine, f"{answer}\n".encode())
                answer = ""
    finally:
        os.close(mine)
    return running.wait(20), shown.decode()


def test_terminal_shows_a_table_and_progress(server: Server) -> None:
    """Both fit its width; ids are whole."""
    client_id = str(server.tenant.client_id)
    status, shown = on_terminal(server, "clients", "get", client_id)
    assert status == 0
    assert client_id in shown
    assert "─" in shown
    status, shown = on_terminal(server, "clients", "list", "--all", "--per-page", "5")
    assert status == 0
    assert "Fetching" in shown
    assert "***" not in shown
    table = shown[shown.rindex("client_id") :]
    assert all(len(line) <= 80 for line in table.splitlines() if "\x1b" not in line)


def test_terminal_shows_markup_as_it_stands(run: Run, server: Server, made: str) -> None:
    """What the API sends is text."""
    assert run("clients", "update", made, "--name", "[red]n[/red]").status == 0
    assert "[red]n[/red]" in on_terminal(server, "clients", "get", made)[1]


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 0)])
def test_terminal_asks_before_it_deletes(run: Run, server: Server, answer: str, status: int) -> None:
    """Anything but yes leaves the application; `--yes` asks nothing."""
    client_id = str(run("clients", "create", "--name", "x", "--json").properties()["client_id"])
    options = [] if answer else ["--yes"]
    shown_status, shown = on_terminal(server, "clients", "delete", client_id, *options, answer=answer)
    assert shown_status == status
    assert ("[y/N]" in shown) == bool(answer)
    assert run("clients", "get", client_id).status == (1 if status == 0 else 0)
    if status:
        run("clients", "delete", client_id, "--yes")


# --- the program


def test_version_and_help(run: Run) -> None:
    """On stdout, with status 0; help without a command too."""
    assert run("--version").out == f"evertoken {__version__}\n"
    for arguments in (["--help"], [], ["clients"], ["clients", "--help"], ["clients", "list", "--help"]):
        done = run(*arguments)
        assert (done.status, done.err) == (0, "")
        assert "Usage: evertoken" in done.out


def test_help_loads_no_group_of_the_api() -> None:
    """It is there at once."""
    program = "import sys; from evertoken.__main__ import main; main(['clients', 'list', '--help'])\n"
    program += "print([name for name in sys.modules if name.startswith('evertoken_api.clients')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_missing_extra_is_named() -> None:
    """One line tells what to install."""
    program = (
        "import sys; sys.modules['click'] = None\n"
        "from evertoken.__main__ import main; sys.exit(main(['--version']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'evertoken[cli]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_missing_tenant_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its extra is another one."""
    for name in [name for name in sys.modules if name.startswith("evertoken_tenant")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = run("tenant")
    assert (done.status, done.out) == (1, "")
    assert "pip install 'evertoken[tenant]'" in done.err


def test_tenant_serves_what_the_other_commands_use() -> None:
    """It takes its options, prints what to export, and ends with Ctrl-C."""
    running = subprocess.Popen(
        [*PROGRAM, "tenant", "--clients", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    try:
        lines = [running.stdout.readline() for _ in range(3)]
        settings = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        done = subprocess.run(
            [*PROGRAM, "clients", "list", "--json"],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert len(json.loads(done.stdout)) == 3
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=20)
    assert running.returncode == 0


def test_tenant_has_a_help_and_an_exit_status_of_its_own(run: Run) -> None:
    """What it refuses is a wrong command line."""
    assert "--token-lifetime" in run("tenant", "--help").out
    assert run("tenant", "--clients", "-1").status == 2
    assert run("tenant", "--nope").status == 2
