"""`access_token()`: the client's token for a request that something else sends."""

from __future__ import annotations

import httpx
import pytest

from evertoken import ArgumentError, AsyncManagementClient, ManagementClient, TokenError
from support import DOMAIN, SECRET, FakeAuth0


def client(auth0: FakeAuth0, timeout: float | None = None) -> ManagementClient:
    return ManagementClient(
        domain=DOMAIN, client_id="id", client_secret=SECRET, httpx_client=auth0.client(), timeout=timeout
    )


def test_token_is_had_without_a_call_of_the_api() -> None:
    """One token request serves it and the calls after it."""
    auth0 = FakeAuth0()
    api = client(auth0)
    assert [api.access_token().value, api.access_token().value] == ["token-1", "token-1"]
    assert not auth0.api_requests
    list(api.clients.list())
    assert len(auth0.token_requests) == 1
    assert auth0.bearers == ["Bearer token-1"]


def test_token_request_takes_the_timeout_of_the_client() -> None:
    """As the token request of a call does."""
    auth0 = FakeAuth0()
    client(auth0, timeout=3.5).access_token()
    assert auth0.token_requests[0].extensions["timeout"]["connect"] <= 3.5


def test_unusable_credentials_are_a_token_error() -> None:
    """Without a token there is nothing to return."""
    answer = httpx.Response(401, json={"error": "access_denied", "error_description": "Unauthorized"})
    with pytest.raises(TokenError, match="access_denied") as caught:
        client(FakeAuth0(token_answers=[answer])).access_token()
    assert caught.value.status_code == 401


@pytest.mark.anyio
async def test_token_is_had_asynchronously() -> None:
    """The same in the other colour."""
    auth0 = FakeAuth0()
    async with AsyncManagementClient(
        domain=DOMAIN, client_id="id", client_secret=SECRET, httpx_client=auth0.async_client()
    ) as api:
        assert (await api.access_token()).value == "token-1"
        await api.clients.list()
    assert len(auth0.token_requests) == 1


@pytest.mark.anyio
async def test_client_that_was_given_a_token_hands_none_out() -> None:
    """It does not know how long that one is good."""
    with (
        ManagementClient(domain=DOMAIN, token="not-a-secret") as api,
        pytest.raises(ArgumentError, match="token"),
    ):
        api.access_token()
    async with AsyncManagementClient(domain=DOMAIN, token="not-a-secret") as other:
        with pytest.raises(ArgumentError, match="token"):
            await other.access_token()
