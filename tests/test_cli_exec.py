"""`evertoken exec`: a command with a token in its environment, and otherwise as if it stood there alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from evertoken.__main__ import main
from evertoken.cli import handover
from evertoken_tenant import Server, Tenant, serve

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Generator, Iterator, Sequence

PROGRAM = [sys.executable, "-m", "evertoken", "exec"]
SHOW_ENVIRONMENT = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
SHOW_ARGUMENTS = [sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))"]

posix_only = pytest.mark.skipif(os.name != "posix", reason="the command takes over the process on POSIX")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(Tenant(clients=3)) as running:
        yield running


@pytest.fixture(autouse=True)
def tenant_in_the_environment(
    server: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "AUTH0_DOMAIN": server.url,
        "AUTH0_CLIENT_ID": server.tenant.client_id,
        "AUTH0_CLIENT_SECRET": server.tenant.client_secret,
        "EVERTOKEN_CACHE": str(tmp_path / "cache"),
        "PYTHONWARNINGS": "error",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AUTH0_API_TOKEN", raising=False)


def run(*arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **settings},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextlib.contextmanager
def started(program: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Run a Python program as the command; yield its process and the first line that it writes."""
    command = [*PROGRAM, "--", sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running, running.stdout.readline()
        finally:
            running.kill()


def environment_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert (done.returncode, done.stderr) == (0, "")
    return {str(name): str(value) for name, value in json.loads(done.stdout).items()}


# --- what the command gets


def test_command_has_a_token_that_the_api_takes(server: Server) -> None:
    """In AUTH0_API_TOKEN, whatever was there before."""
    seen = environment_of(run("--", *SHOW_ENVIRONMENT, AUTH0_API_TOKEN="an-older-one"))
    headers = {"authorization": f"Bearer {seen['AUTH0_API_TOKEN']}"}
    assert httpx.get(f"{server.url}/api/v2/clients", headers=headers).status_code == 200


def test_command_has_the_environment_without_the_credentials(server: Server) -> None:
    """Everything else is as it was."""
    seen = environment_of(run("--", *SHOW_ENVIRONMENT, AUTH0_AUDIENCE=server.tenant.audience, MINE="ä\n"))
    withheld = {"AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET"}
    assert not withheld & seen.keys()
    assert server.tenant.client_secret not in str(seen)
    assert seen["AUTH0_DOMAIN"] == server.url
    assert seen["AUTH0_AUDIENCE"] == server.tenant.audience
    assert seen["MINE"] == "ä\n"
    # Python adds the first one where the locale is C.
    added = {"LC_CTYPE", "AUTH0_API_TOKEN"}
    assert (
        os.environ.keys() - withheld <= seen.keys() <= os.environ.keys() | added | {"AUTH0_AUDIENCE", "MINE"}
    )


def test_domain_of_the_command_is_that_of_the_token(server: Server) -> None:
    """A token never travels with the domain of another tenant."""
    done = run("--domain", server.url, "--", *SHOW_ENVIRONMENT, AUTH0_DOMAIN="http://127.0.0.1:1")
    assert environment_of(done)["AUTH0_DOMAIN"] == server.url


@pytest.mark.parametrize("separator", [["--"], []])
def test_arguments_reach_the_command_as_they_are(separator: Sequence[str]) -> None:
    """Its options are its own, and another `--` too."""
    arguments = ["--help", "--domain", "x", "--", "-v", "", "two words", "*", "ä\n", "\udcff"]
    done = run(*separator, *SHOW_ARGUMENTS, *arguments)
    assert (done.returncode, done.stdout) == (0, f"{arguments!a}\n")


def test_standard_streams_are_those_of_the_command() -> None:
    """What goes in and comes out is not touched."""
    program = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('mine')"
    done = run("--", sys.executable, "-c", program, stdin="some\ntext")
    assert (done.returncode, done.stdout, done.stderr) == (0, "SOME\nTEXT", "mine")


@posix_only
def test_command_writes_to_a_terminal_as_if_alone() -> None:
    """It sees the terminal on all three streams."""
    pty = pytest.importorskip("pty")
    mine, its = pty.openpty()
    program = "import os; print([os.isatty(number) for number in range(3)])"
    running = subprocess.Popen(
        [*PROGRAM, "--", sys.executable, "-c", program], stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    assert running.wait(60) == 0
    shown = os.read(mine, 4096)
    os.close(mine)
    assert shown == b"[True, True, True]\r\n"


# --- how it ends


@pytest.mark.parametrize("status", [0, 1, 2, 42, 255])
def test_exit_status_is_that_of_the_command(status: int) -> None:
    """Whatever it means there."""
    done = run("--", sys.executable, "-c", f"raise SystemExit({status})")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_reaches_the_command(number: signal.Signals) -> None:
    """Which may answer it."""
    program = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    with started(program) as (running, _):
        running.send_signal(number)
        assert running.wait(60) == 7


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_by_a_signal_is_seen(number: signal.Signals) -> None:
    """As a shell or a supervisor sees that of the command itself."""
    with started("import time; print('ready', flush=True); time.sleep(60)") as (running, _):
        running.send_signal(number)
        assert running.wait(60) == -number


@posix_only
def test_command_is_the_process_that_was_started() -> None:
    """Its process id is the one that the caller knows."""
    with started("import os, time; print(os.getpid(), flush=True); time.sleep(60)") as (running, line):
        assert line == f"{running.pid}\n"


@posix_only
def test_command_ends_with_the_reader_of_its_output() -> None:
    """Python ignores SIGPIPE; the command does not inherit that."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        done = subprocess.run(
            [*PROGRAM, "--", "/bin/sh", "-c", "echo line; echo on >&2"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


# --- what cannot be run


def test_command_that_is_not_found_is_127() -> None:
    """And one line."""
    for name in ("no-such-command", "./no-such-command", "/dev/null/command", ""):
        done = run("--", name, "argument")
        assert (done.returncode, done.stdout) == (127, "")
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"evertoken: {name or repr(name)}: command not found")


@posix_only
def test_command_that_cannot_be_run_is_126(tmp_path: pathlib.Path) -> None:
    """A folder, and a file without its run bit or without a form that the system knows."""
    plain, garbage = tmp_path / "plain", tmp_path / "garbage"
    plain.write_text("#!/bin/sh\n", "utf-8")
    garbage.write_bytes(b"\x00\x01")
    garbage.chmod(0o700)
    for path in (tmp_path, plain, garbage):
        done = run("--", str(path))
        assert (done.returncode, done.stdout) == (126, "")
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"evertoken: {path}: cannot be run (")


def test_name_of_a_command_is_shown_and_not_obeyed() -> None:
    """Nothing in it steers a terminal."""
    done = run("--", "no\x1b[2J\ncommand")
    assert done.returncode == 127
    assert "\x1b" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"), [([], "COMMAND"), (["--"], "COMMAND"), (["--nope", "true"], "--nope")]
)
def test_wrong_command_line_is_refused(server: Server, arguments: list[str], named: str) -> None:
    """Status 2, one line, and no token request."""
    before = server.tenant.token_requests
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
    assert server.tenant.token_requests == before


def test_command_does_not_run_without_a_token(tmp_path: pathlib.Path) -> None:
    """Status 1, and one line that says why."""
    trace = tmp_path / "trace"
    program = f"open({str(trace)!r}, 'w')"
    done = run("--", sys.executable, "-c", program, AUTH0_CLIENT_SECRET="wr0ng-but-mine")
    assert (done.returncode, done.stdout) == (1, "")
    assert "access_denied" in done.stderr
    assert "wr0ng-but-mine" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert not trace.exists()


# --- where a process cannot be replaced (Windows)


@pytest.fixture
def without_replacing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "REPLACES", False)


@pytest.mark.usefixtures("without_replacing")
@pytest.mark.parametrize("status", [0, 42])
def test_program_of_its_own_has_the_same_environment_and_status(
    capfd: pytest.CaptureFixture[str], server: Server, status: int
) -> None:
    """Started and waited for; the status is passed on."""
    program = f"{SHOW_ENVIRONMENT[2]}; raise SystemExit({status})"
    interrupts = signal.getsignal(signal.SIGINT)
    assert main(["exec", "--", sys.executable, "-c", program]) == status
    assert signal.getsignal(signal.SIGINT) is interrupts
    seen = json.loads(capfd.readouterr().out)
    assert seen["AUTH0_DOMAIN"] == server.url
    assert seen["AUTH0_API_TOKEN"]
    assert "AUTH0_CLIENT_SECRET" not in seen


@pytest.mark.usefixtures("without_replacing")
def test_program_of_its_own_that_is_not_found_is_127(capfd: pytest.CaptureFixture[str]) -> None:
    """As where processes are replaced."""
    assert main(["exec", "--", "no-such-command"]) == 127
    assert "no-such-command: command not found" in capfd.readouterr().err


@posix_only
@pytest.mark.usefixtures("without_replacing")
def test_interrupt_is_the_affair_of_a_program_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C reaches both: this one waits for what the program makes of it."""
    # It sends the signal to its parent, too, as a terminal does.
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(9))\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "signal.raise_signal(signal.SIGINT)"
    )
    assert main(["exec", "--", sys.executable, "-c", program]) == 9
    assert capfd.readouterr() == ("", "")
