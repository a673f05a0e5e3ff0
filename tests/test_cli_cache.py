"""The command's token is kept for its next run, and shared by all its runs on a host."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import json
import os
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import platformdirs
import pytest

from evertoken.__main__ import main
from evertoken_tenant import Server, Tenant, serve

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator
    from importlib.machinery import ModuleSpec

PROGRAM = [sys.executable, "-m", "evertoken"]


@pytest.fixture
def cache(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "cache"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, cache: pathlib.Path) -> Iterator[Server]:
    """A tenant of a test's own, in the environment."""
    with serve(Tenant(clients=3, token_lifetime=86400)) as running:
        settings = {
            "AUTH0_DOMAIN": running.url,
            "AUTH0_CLIENT_ID": running.tenant.client_id,
            "AUTH0_CLIENT_SECRET": running.tenant.client_secret,
            "EVERTOKEN_CACHE": str(cache),
            "PYTHONWARNINGS": "error",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield running


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def printed_token(*arguments: str, **settings: str) -> str:
    """Return what `evertoken token` prints; nothing else is to be seen."""
    done = run("token", *arguments, **settings)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def files_below(folder: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# --- shared


def test_two_runs_print_the_same_token(server: Server) -> None:
    """The second asks nobody, and the API takes it."""
    first, second = printed_token(), printed_token()
    assert first == second
    assert server.tenant.token_requests == 1
    headers = {"authorization": f"Bearer {second}"}
    assert httpx.get(f"{server.url}/api/v2/clients", headers=headers).status_code == 200


def test_all_commands_share_one_token(server: Server) -> None:
    """Those that call the API, too."""
    for arguments in (["token"], ["clients", "list"], ["exec", "true"], ["clients", "list", "--json"]):
        assert run(*arguments).returncode == 0
    assert server.tenant.token_requests == 1


def test_cold_starts_at_once_cause_few_token_requests(server: Server) -> None:
    """Ten commands of a parallel script wait for the one that renews."""
    show = [sys.executable, "-c", "import os; print(os.environ['AUTH0_API_TOKEN'])"]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        running = [pool.submit(run, "exec", "--", *show) for _ in range(10)]
        done = [one.result() for one in running]
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * 10
    assert len({one.stdout for one in done}) <= server.tenant.token_requests <= 2


def test_token_endpoint_may_be_down_after_the_first_run(server: Server) -> None:
    """A cron job goes on with the token that is kept."""
    first = printed_token()
    server.tenant.drop_token_requests(99)
    assert printed_token() == first
    assert run("clients", "list").returncode == 0
    assert run("token", "--no-cache").returncode == 1


def test_printed_token_has_a_quarter_of_its_life_before_it(server: Server, cache: pathlib.Path) -> None:
    """Or two hours: a kept one that has less is replaced, though the API would take it still."""
    first = printed_token()
    for left, kept in ((7300, True), (7100, False)):
        make_older(cache, server.tenant.token_lifetime - left)
        assert (printed_token() == first) is kept
    assert server.tenant.token_requests == 2


def make_older(cache: pathlib.Path, age: float) -> None:
    """Let the one kept token be that many seconds old."""
    (file,) = cache.glob("*.json")
    form = json.loads(file.read_text("utf-8"))
    life = form["expires_at"] - form["issued_at"]
    issued_at = time.time() - age
    file.write_text(json.dumps({**form, "issued_at": issued_at, "expires_at": issued_at + life}), "utf-8")


def test_other_application_has_another_token(server: Server) -> None:
    """Its credentials are its own."""
    printed_token()
    done = run("token", AUTH0_CLIENT_ID="nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1


# --- where


def test_token_is_kept_where_the_variable_says_and_only_this_user_reads_it(
    server: Server, cache: pathlib.Path
) -> None:
    """The token is there; the client secret is not."""
    token = printed_token()
    texts = [path.read_text("utf-8") for path in files_below(cache)]
    assert any(token in text for text in texts)
    assert not any(server.tenant.client_secret in text for text in texts)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files_below(cache)} == {0o600}


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of caches is set as on Linux")
@pytest.mark.parametrize("unset", [True, False])
def test_token_is_kept_in_the_users_caches(
    server: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *, unset: bool
) -> None:
    """Where nothing else is said; an empty variable says nothing."""
    if unset:
        monkeypatch.delenv("EVERTOKEN_CACHE")
    else:
        monkeypatch.setenv("EVERTOKEN_CACHE", "")
    caches = tmp_path / "caches"
    assert printed_token(XDG_CACHE_HOME=str(caches)) == printed_token(XDG_CACHE_HOME=str(caches))
    assert server.tenant.token_requests == 1
    assert list(caches.glob("evertoken/*.json"))


def test_option_wins_over_the_variable(server: Server, cache: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """`--cache FOLDER` names another one."""
    printed_token("--cache", str(tmp_path / "other"))
    assert list((tmp_path / "other").glob("*.json"))
    assert not cache.exists()


def test_tilde_is_the_home_folder(
    server: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No shell sees to it after an equals sign, nor in a crontab."""
    monkeypatch.chdir(tmp_path)
    printed_token(EVERTOKEN_CACHE="~/tokens", HOME=str(tmp_path), USERPROFILE=str(tmp_path))
    printed_token("--cache=~/tokens", HOME=str(tmp_path), USERPROFILE=str(tmp_path))
    assert list((tmp_path / "tokens").glob("*.json"))
    assert server.tenant.token_requests == 1


# --- nowhere


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (["--no-cache"], {}),
        (["--cache", "off"], {}),
        ([], {"EVERTOKEN_CACHE": "off"}),
    ],
)
def test_nothing_is_kept_where_that_is_asked_for(
    server: Server, tmp_path: pathlib.Path, arguments: list[str], settings: dict[str, str]
) -> None:
    """Each run has a token of its own, and writes nothing."""
    homes = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA")}
    tokens = {printed_token(*arguments, **homes, **settings) for _ in range(2)}
    assert len(tokens) == server.tenant.token_requests == 2
    assert list(tmp_path.iterdir()) == []


def test_no_cache_leaves_a_kept_token_as_it_is(server: Server) -> None:
    """It is neither used nor replaced."""
    first = printed_token()
    assert printed_token("--no-cache") != first
    assert printed_token() == first


# --- where it cannot be kept


def a_file(folder: pathlib.Path) -> None:
    folder.write_text("not a folder", "utf-8")


def below_a_file(folder: pathlib.Path) -> None:
    folder.parent.rmdir()
    folder.parent.write_text("not a folder", "utf-8")


def open_to_others(folder: pathlib.Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)


def read_only(folder: pathlib.Path) -> None:
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("this user may write anywhere")
    folder.mkdir(0o500)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (a_file, ["token"]),
        (below_a_file, ["exec", "--", sys.executable, "-c", "print('done')"]),
        (open_to_others, ["clients", "list", "--json", "--fields", "name"]),
        (read_only, ["token"]),
    ],
)
def test_unusable_folder_costs_nothing_but_the_sharing(
    server: Server, tmp_path: pathlib.Path, make: Callable[[pathlib.Path], None], arguments: list[str]
) -> None:
    """One line on stderr says what to do; stdout and status are as ever."""
    folder = tmp_path / "parent" / "cache"
    folder.parent.mkdir()
    make(folder)
    done = run(*arguments, EVERTOKEN_CACHE=str(folder))
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr.startswith("evertoken: note: the token is not kept: ")
    assert str(folder.parent) in done.stderr
    assert "EVERTOKEN_CACHE" in done.stderr
    assert done.stderr.count("\n") == 1
    assert server.tenant.token_requests == 1


@pytest.mark.parametrize("library", ["filelock", "platformdirs"])
def test_missing_library_is_named(
    server: Server, library: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what to install, and the command does its work."""
    real = importlib.util.find_spec

    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == library else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    assert main(["token"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert library in err
    assert "pip install 'evertoken[cli]'" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [RuntimeError("text"), OSError(13, "Permission denied", "a-folder")])
def test_user_without_a_home_is_told(
    server: Server, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a container that runs as a number: the command does its work."""

    def user_cache_path(*_: object, **__: object) -> pathlib.Path:
        raise error

    monkeypatch.delenv("EVERTOKEN_CACHE")
    monkeypatch.setattr(platformdirs, "user_cache_path", user_cache_path)
    assert main(["token"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert err.startswith("evertoken: note: the token is not kept: ")
    assert "EVERTOKEN_CACHE" in err
    assert err.count("\n") == 1


def test_broken_file_is_written_anew(server: Server, cache: pathlib.Path) -> None:
    """Without a word: whatever is in it is as good as nothing."""
    printed_token()
    (file,) = cache.glob("*.json")
    file.write_text('{"v": 1, "val', "utf-8")
    assert printed_token() == printed_token()
    assert server.tenant.token_requests == 2


# --- a token that the API refuses


def test_refused_token_is_replaced_for_all(server: Server) -> None:
    """After a revoked key: the next call renews, and what follows has the new token."""
    first = printed_token()
    server.tenant.revoke_tokens()
    assert run("clients", "list").returncode == 0
    assert printed_token() not in ("", first)
    assert server.tenant.token_requests == 2


# --- the program


def test_help_loads_no_store() -> None:
    """It is there at once."""
    program = "import sys; from evertoken.__main__ import main; main(['token', '--help']); main(['exec'])\n"
    program += "print([name for name in ('filelock', 'platformdirs') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
