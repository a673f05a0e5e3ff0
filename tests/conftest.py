"""Fixtures that several test files use."""

from __future__ import annotations

import pytest

from evertoken.testing import forget_tokens
from fuzzing import set_up
from support import FakeTime

set_up()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture(autouse=True)
def no_auth0_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's own tenant out of every test."""
    for name in ("DOMAIN", "CLIENT_ID", "CLIENT_SECRET", "AUDIENCE"):
        monkeypatch.delenv(f"AUTH0_{name}", raising=False)


@pytest.fixture(autouse=True)
def no_shared_token() -> None:
    """Keep the token of a client that an earlier test has left behind out of every test."""
    forget_tokens()
