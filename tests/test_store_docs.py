"""The examples of docs/stores.md run as they stand there."""

from __future__ import annotations

import base64
import os
import pathlib
import re
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from evertoken_tenant import Tenant, serve
from redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the folder of caches is set as on Linux")

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "stores.md").read_text("utf-8")


def example(word: str, language: str = "python") -> str:
    """Return the one example that has a word in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return str(found)


def run(program: str, folder: pathlib.Path, environment: Mapping[str, str]) -> str:
    paths = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "XDG_CACHE_HOME": str(folder / "cache"), **environment},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def run_twice(program: str, folder: pathlib.Path, environment: Mapping[str, str]) -> None:
    """Run an example as two programs one after the other: the second finds the token of the first."""
    tenant = Tenant(clients=7)
    with serve(tenant) as server:
        auth0 = {
            "AUTH0_DOMAIN": server.url,
            "AUTH0_CLIENT_ID": tenant.client_id,
            "AUTH0_CLIENT_SECRET": tenant.client_secret,
        }
        shown = [run(program, folder, {**auth0, **environment}) for _ in range(2)]
    assert shown == ["7 applications\n"] * 2
    assert tenant.token_requests == 1


def test_every_example_is_run() -> None:
    """One that is added needs a test here."""
    assert len(re.findall(r"^```\w+$", PAGE, re.MULTILINE)) == 8


def test_the_example_with_files(tmp_path: pathlib.Path) -> None:
    """In the default folder."""
    run_twice(example("FileTokenStore"), tmp_path, {})


def test_the_example_with_redis(tmp_path: pathlib.Path) -> None:
    """With the user that the page recommends, and no other."""
    with running_redis() as server:
        line = example("SETUSER", "acl").replace("PASSWORD", "made-up")
        server.command(*line.split())
        server.command("ACL", "SETUSER", "default", "off")
        url = server.url.replace("//", "//evertoken:made-up@")
        run_twice(example("store = RedisTokenStore(os"), tmp_path, {"REDIS_URL": url})


def test_the_example_with_encryption(tmp_path: pathlib.Path) -> None:
    """With the key that the other example makes, as the second of two."""
    key = run(example("generate_key"), tmp_path, {}).strip()
    other = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    with running_redis() as server:
        environment = {"REDIS_URL": server.url, "TOKEN_STORE_KEYS": f"{other} {key}"}
        run_twice(example("EncryptedTokenStore("), tmp_path, environment)


def test_the_example_with_a_database(tmp_path: pathlib.Path) -> None:
    """It passes the conformance tests, and keeps the token of a client."""
    (tmp_path / "sqlite_store.py").write_text(example("# sqlite_store.py"))
    run(example("check_token_store(lambda"), tmp_path, {})
    database = {"TOKEN_DATABASE": str(tmp_path / "tokens.db")}
    run_twice(example('os.environ["TOKEN_DATABASE"]'), tmp_path, database)


def test_the_page_names_what_it_promises() -> None:
    """The figures in it are those of the code."""
    from evertoken import store_file, store_redis  # noqa: PLC0415 - only here

    for sentence, figure in (
        ("`longest_wait`, {:g} seconds", store_file.LONGEST_WAIT),
        ("{:g} seconds at most (`longest_wait`)", store_redis.LONGEST_WAIT),
        ("a lease after {:g} seconds", store_redis.LEASE_LIFETIME),
        ("left alone for {:g} seconds", store_redis.CIRCUIT_OPEN),
    ):
        assert sentence.format(figure) in PAGE
