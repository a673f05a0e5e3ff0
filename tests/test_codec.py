"""The headers that go with a request besides those of its operation."""

from __future__ import annotations

import re

import httpx
import pytest

from evertoken import ManagementClient, Operation
from support import DOMAIN, FakeAuth0

HONOURED = (
    "/jobs/verification-email",
    "/tickets/email-verification",
    "/tickets/password-change",
    "/organizations/{id}/invitations",
    "/users",
    "/users/{id}",
    "/guardian/enrollments/ticket",
    "/self-service-profiles/{id}/sso-ticket",
)
NEIGHBOURS = (
    "/jobs",
    "/jobs/users-imports",
    "/jobs/{id}",
    "/tickets",
    "/organizations",
    "/organizations/{id}",
    "/organizations/{id}/invitations/{invitation_id}",
    "/users/{id}/roles",
    "/users-by-email",
    "/guardian/enrollments/{id}",
    "/self-service-profiles",
    "/self-service-profiles/{id}",
    "/self-service-profiles/{id}/sso-ticket/{ticket}/revoke",
    "/clients",
    "/clients/{id}",
)


@pytest.fixture
def auth0() -> FakeAuth0:
    return FakeAuth0()


def operation(path: str, method: str = "GET") -> Operation[object]:
    names = re.findall(r"\{(\w+)\}", path)
    return Operation(
        name="things.do", method=method, path=path, path_params=dict.fromkeys(names, "users"), result=object
    )


@pytest.mark.parametrize("path", HONOURED)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_the_custom_domain_goes_to_the_paths_that_honour_it(auth0: FakeAuth0, path: str, method: str) -> None:
    """As a host name, however it was given; a client without one sends none."""
    for domain in ("login.example.com", "https://Login.example.com/", None):
        client = ManagementClient(
            domain=DOMAIN, token="fixed", custom_domain=domain, httpx_client=auth0.client()
        )
        client.send(operation(path, method))
    sent = [request.headers.get("auth0-custom-domain") for request in auth0.api_requests]
    assert sent == ["login.example.com", "login.example.com", None]


def test_the_custom_domain_goes_nowhere_else(auth0: FakeAuth0) -> None:
    """Not to neighbours of those paths, not to the operations there are, not to the token endpoint."""
    client = ManagementClient(
        domain=DOMAIN,
        client_id="i",
        client_secret="s",
        custom_domain="login.example.com",
        httpx_client=auth0.client(),
    )
    for path in NEIGHBOURS:
        client.send(operation(path, "POST"))
    client.clients.list(page=0)
    client.clients.delete("users")
    assert len(auth0.api_requests) == len(NEIGHBOURS) + 2
    for request in (*auth0.api_requests, *auth0.token_requests):
        assert "auth0-custom-domain" not in request.headers, request.url


def test_telemetry_is_as_the_client_was_told(auth0: FakeAuth0) -> None:
    """Left out, it leaves nothing behind, on writes and reads alike."""
    client = ManagementClient(domain=DOMAIN, token="fixed", client_info=False, httpx_client=auth0.client())
    client.clients.list(page=0)
    auth0.api_answers = [httpx.Response(204)]
    client.clients.delete("abc")
    assert not any("auth0-client" in request.headers for request in auth0.api_requests)
