"""The examples of docs/generating.md run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evertoken_tenant import Tenant, serve
from published import published

PAGE = (Path(__file__).parents[1] / "docs" / "generating.md").read_text("utf-8")
GROUPS = {"anomaly", "clients", "events", "logs"}


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(command: list[str], folder: Path, **environment: str) -> str:
    paths = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def generate(folder: Path, *more: str) -> Path:
    """Run the page's command on a part of a published document."""
    content = published()
    for path, item in list(content["paths"].items()):
        groups = {
            str(one["x-operation-group"]).strip("[]'").split("'")[0]
            for one in item.values()
            if is_operation(one)
        }
        if not groups <= GROUPS:
            del content["paths"][path]
    (folder / "management-api.json").write_text(json.dumps(content), encoding="utf-8")
    (command,) = examples("sh")
    run(["-m", *command.split(), *more], folder)
    return folder / "newer_api"


def is_operation(value: object) -> bool:
    return isinstance(value, dict) and "responses" in value


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("newer")
    generate(found)
    return found


def test_every_example_is_run() -> None:
    """One that is added needs a test here."""
    kinds = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert sorted(kinds) == ["python", "python", "sh", "yaml"]


@pytest.mark.parametrize("program", examples("python"), ids=["threads", "tasks"])
def test_the_package_works_by_a_client(program: str, folder: Path) -> None:
    """With the client's token, over a socket, in both colours."""
    tenant = Tenant(clients=7)
    with serve(tenant) as server:
        auth0 = {
            "AUTH0_DOMAIN": server.url,
            "AUTH0_CLIENT_ID": tenant.client_id,
            "AUTH0_CLIENT_SECRET": tenant.client_secret,
        }
        assert len(run(["-c", program], folder, **auth0).splitlines()) == 7
    assert tenant.token_requests == 1


def test_the_overlay_says_what_it_promises(tmp_path: Path) -> None:
    """Each of its entries is in the code."""
    (overlay,) = examples("yaml")
    (tmp_path / "fix.yaml").write_text(overlay, encoding="utf-8")
    package = generate(tmp_path, "--overlay", "fix.yaml")
    code = {path.parent.name: path.read_text("utf-8") for path in package.glob("*/operations.py")}
    assert 'key="client_id"' in code["clients"]
    assert 'from_key="log_id"' in code["logs"]
    assert 'cursor="from"' in code["events"]
    assert "check_ip" not in code["anomaly"]
    assert "unblock_ip" in code["anomaly"]
