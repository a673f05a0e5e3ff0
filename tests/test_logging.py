"""A logger for each concern, and silence until somebody listens."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx

import evertoken.setup
from evertoken import ManagementClient
from support import DOMAIN, FakeAuth0, FakeTime, api_error

if TYPE_CHECKING:
    import pytest


def test_each_concern_has_its_logger(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, time: FakeTime
) -> None:
    """One call that renews, is repeated, and is listened to by somebody who raises."""
    monkeypatch.setattr(evertoken.setup, "SYSTEM_CLOCK", time.clock())
    auth0 = FakeAuth0(api_answers=[api_error(503), httpx.Response(200, json={"client_id": "abc"})])
    client = ManagementClient(domain=DOMAIN, client_id="i", client_secret="s", httpx_client=auth0.client())

    def broken(attempt: object) -> None:
        raise ValueError(attempt)

    client.add_listener(broken)
    with caplog.at_level(logging.INFO, "evertoken"):
        client.clients.get("abc")
    told = [(one.name, one.levelname) for one in caplog.records if one.name.startswith("evertoken")]
    assert told == [
        ("evertoken.token", "INFO"),
        ("evertoken.transport", "INFO"),
        ("evertoken.listeners", "ERROR"),
        ("evertoken.listeners", "ERROR"),
    ]


def test_a_program_that_sets_up_no_logging_sees_nothing() -> None:
    """Neither at import, nor when a renewal fails, nor of another library's records."""
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
import logging
import httpx
import evertoken
assert not logging.getLogger().handlers
assert logging.getLogger("evertoken").level == logging.NOTSET
from support import FakeAuth0
auth0 = FakeAuth0(token_answers=[httpx.Response(401, json={{}})])
client = evertoken.ManagementClient(
    domain="t.example.com", client_id="i", client_secret="s", httpx_client=auth0.client()
)
client.token_source.add_listener(lambda event: 1 / 0)
try:
    client.clients.list(page=0)
except evertoken.TokenError:
    print("failed")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("failed\n", "")
