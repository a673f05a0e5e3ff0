"""docs/cli.md tells all there is, and its examples run as they stand there."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from evertoken.cli import failure, handover
from evertoken.cli.commands import app
from evertoken_tenant import Server, Tenant, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "cli.md").read_text("utf-8")

shell_only = pytest.mark.skipif(os.name != "posix", reason="the examples are for a POSIX shell")
curl_only = pytest.mark.skipif(shutil.which("curl") is None, reason="the example needs curl")


def example(word: str, language: str = "sh") -> str:
    """Return the one example that has a word in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return str(found)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Tenant(clients=7), tls=True) as running:
        yield running


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    """A home folder, with the program where the examples have it."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    make_program(programs / "evertoken", f'exec {sys.executable} -m evertoken "$@"')
    return tmp_path


def make_program(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o700)


def credentials(server: Server) -> dict[str, str]:
    return {
        "AUTH0_DOMAIN": server.domain,
        "AUTH0_CLIENT_ID": server.tenant.client_id,
        "AUTH0_CLIENT_SECRET": server.tenant.client_secret,
    }


def run(
    script: str, server: Server, home: pathlib.Path, settings: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "caches"), "EVERTOKEN_CACHE": ""}
    path = os.pathsep.join([str(home / ".venv" / "bin"), os.environ["PATH"]])
    # The local tenant's authority, as httpx and curl are told of it.
    authority = dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE"), str(server.ca_file))
    return subprocess.run(
        ["/bin/sh", "-c", script],
        env={**os.environ, **places, **authority, "PATH": path, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@shell_only
@curl_only
def test_curl_has_a_token(server: Server, home: pathlib.Path) -> None:
    """Printed, and in the environment: one token request for both."""
    for word in ("$(evertoken token)", "sh -c"):
        done = run(example(word), server, home, credentials(server))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count('"client_id"') == 5
    assert server.tenant.token_requests == 1


@shell_only
def test_applications_are_made_and_listed(server: Server, home: pathlib.Path) -> None:
    """By options."""
    done = run(example("clients create"), server, home, credentials(server))
    assert (done.returncode, done.stdout.count("My app")) == (0, 1), done.stderr
    listed = run("evertoken clients list --all --json", server, home, credentials(server))
    (made,) = [row for row in json.loads(listed.stdout) if row["name"] == "My app"]
    assert made["app_type"] == "spa"
    assert made["callbacks"] == ["https://app.example.com/login", "https://app.example.com/other"]
    assert made["client_metadata"] == {"team": "blue"}
    assert made["jwt_configuration"]["alg"] == "RS256"


@shell_only
def test_an_application_is_changed_by_data(server: Server, home: pathlib.Path) -> None:
    """From stdin, with a null in it."""
    settings = {**credentials(server), "CLIENT": server.tenant.client_id}
    done = run(example("clients update"), server, home, settings)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sso"] is True


@shell_only
def test_terraform_has_a_token_and_no_client_id(server: Server, home: pathlib.Path) -> None:
    """Its provider refuses both at once."""
    make_program(home / ".venv" / "bin" / "terraform", 'echo "$1"; env')
    done = run(example("terraform plan"), server, home, credentials(server))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "plan"
    assert f"AUTH0_DOMAIN={server.domain}" in lines
    given = {line.partition("=")[0] for line in lines if line.startswith("AUTH0_")}
    assert given == {"AUTH0_DOMAIN", "AUTH0_API_TOKEN"}


@shell_only
def test_cron_job_has_a_token_and_goes_on_without_the_endpoint(server: Server, home: pathlib.Path) -> None:
    """With nothing from its environment but the home folder."""
    variables = example("auth0.env")
    for name, value in credentials(server).items():
        variables, count = re.subn(rf"^{name}=.*$", f"{name}={value}", variables, flags=re.MULTILINE)
        assert count == 1
    (home / "auth0.env").write_text(variables, "utf-8")
    make_program(home / "bin" / "sync-clients", 'test -z "$AUTH0_CLIENT_SECRET" && echo "$AUTH0_API_TOKEN"')
    schedule = example("sync-clients", "crontab").split(maxsplit=5)
    assert len(schedule) == 6
    first = run(schedule[5], server, home, {})
    assert (first.returncode, first.stderr) == (0, "")
    server.tenant.drop_token_requests(99)
    second = run(schedule[5], server, home, {})
    assert second.stdout == first.stdout != "\n"
    assert server.tenant.token_requests == 1


def test_every_command_variable_and_status_is_told() -> None:
    """Those of the program are those of the page."""
    for name in app.commands:
        assert f"`evertoken {name}" in PAGE
    options = [option for option in app.params if isinstance(option, click.Option)]
    for variable in [option.envvar for option in options if option.envvar] + ["AUTH0_CLIENT_SECRET"]:
        assert f"| `{variable}` |" in PAGE
    for option in (
        "--data",
        "--all",
        "--yes",
        "--json",
        "--jsonl",
        "--show-secrets",
        "--cache",
        "--no-cache",
    ):
        assert f"`{option}" in PAGE
    statuses = {int(status) for status in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    known = {value for module in (failure, handover) for value in vars(module).values() if type(value) is int}
    assert statuses == {0, *known}
