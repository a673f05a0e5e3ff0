"""Mutual TLS: the request without a secret, and the endpoint that the discovery document names."""

from __future__ import annotations

import json
import pickle
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertoken.errors import ArgumentError, TokenError
from evertoken.grant_mtls import MutualTLS, mtls_token_endpoint

ORIGIN = "https://login.example.com"
AUDIENCE = "https://tenant.eu.auth0.com/api/v2/"
ENDPOINT = "https://mtls.login.example.com/oauth/token"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


def document(endpoint: object = ENDPOINT, issuer: object = f"{ORIGIN}/") -> bytes:
    found = {
        "issuer": issuer,
        "token_endpoint": f"{ORIGIN}/oauth/token",
        "mtls_endpoint_aliases": {"token_endpoint": endpoint},
    }
    return json.dumps(found).encode()


@pytest.mark.parametrize("organization", [None, "org_1"])
def test_request_has_the_client_id_and_no_secret(organization: str | None) -> None:
    """RFC 8705, 2: the certificate proves the rest."""
    request = MutualTLS("app").request(issuer=f"{ORIGIN}/", audience=AUDIENCE, organization=organization)
    expected = {"grant_type": "client_credentials", "client_id": "app", "audience": AUDIENCE}
    if organization is not None:
        expected["organization"] = organization
    assert dict(urllib.parse.parse_qsl(request.body().decode(), strict_parsing=True)) == expected
    assert not request.headers
    assert request.again is None


def test_endpoint_comes_from_discovery() -> None:
    """And a grant, holding no secret, may be pickled."""
    grant = MutualTLS("app")
    assert grant.endpoint_from_discovery
    assert repr(grant) == "MutualTLS(client_id='app')"
    assert pickle.loads(pickle.dumps(grant)).client_id == "app"  # noqa: S301 - pickled here


def test_client_id_is_checked() -> None:
    """As for every grant."""
    with pytest.raises(ArgumentError, match="client_id"):
        MutualTLS(" app")


@pytest.mark.parametrize(
    "endpoint",
    [
        ENDPOINT,
        "https://mtls.login.example.com:8443/oauth/token",
        "http://127.0.0.1:4000/oauth/token",
        "http://[::1]:4000/oauth/token",
        "http://mtls.tenant.localhost:4000/oauth/token",
    ],
)
def test_endpoint_is_the_one_of_the_aliases(endpoint: str) -> None:
    """Not the plain one beside it; http on loopback only."""
    assert mtls_token_endpoint(document(endpoint), ORIGIN) == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://mtls.login.example.com/oauth/token",
        "http://127.0.0.1.example.com/oauth/token",
        "http://127.0.0.1@mtls.example.com/oauth/token",
        "https://user:password@mtls.login.example.com/oauth/token",
        "https://mtls.login.example.com/oauth/token#x",
        "https://mtls.login.exa\nmple.com/oauth/token",
        "https://mtls.login.example.com:99999/oauth/token",
        "https://",
        "https:///oauth/token",
        "https://[::1/oauth/token",
        "ftp://mtls.login.example.com/oauth/token",
        "/oauth/token",
        "",
        7,
        ["https://mtls.login.example.com/oauth/token"],
    ],
)
def test_endpoint_that_credentials_must_not_go_to_is_refused(endpoint: object) -> None:
    """The error names the document, and quotes nothing of the address."""
    with pytest.raises(
        TokenError, match=r"GET https://login\.example\.com/\.well-known/.*https URL"
    ) as caught:
        mtls_token_endpoint(document(endpoint), ORIGIN)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize("issuer", [ORIGIN, "https://other.example.com/", None, f"{ORIGIN}/x", 7])
def test_document_of_another_issuer_is_refused(issuer: object) -> None:
    """RFC 8414, 3.3: it must be that of the origin it was fetched from, slash included."""
    with pytest.raises(TokenError, match=r"its issuer is not https://login\.example\.com/; give"):
        mtls_token_endpoint(document(issuer=issuer), ORIGIN)


@pytest.mark.parametrize(
    "aliases", [None, {}, [], "x", {"token_endpoint": None}, {"revocation_endpoint": ENDPOINT}]
)
def test_tenant_without_mtls_is_told_what_is_missing(aliases: object) -> None:
    """As most tenants are: the error says what mTLS needs."""
    body = json.dumps({"issuer": f"{ORIGIN}/", "mtls_endpoint_aliases": aliases}).encode()
    with pytest.raises(TokenError, match="custom domain with self-managed certificates"):
        mtls_token_endpoint(body, ORIGIN)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    """A proxy's page, or nothing."""
    with pytest.raises(TokenError, match="no JSON object"):
        mtls_token_endpoint(body, ORIGIN)


@given(JSON, JSON)
def test_any_document_gives_a_safe_address_or_a_token_error(endpoint: object, aliases: object) -> None:
    """Whatever JSON stands in it."""
    for body in (document(endpoint), json.dumps({"issuer": f"{ORIGIN}/", "mtls_endpoint_aliases": aliases})):
        try:
            found = mtls_token_endpoint(body if isinstance(body, bytes) else body.encode(), ORIGIN)
        except TokenError:
            continue
        assert found.startswith(("https://", "http://"))


@given(st.binary())
def test_any_bytes_give_a_token_error(body: bytes) -> None:
    """Nothing else is ever raised."""
    with pytest.raises(TokenError):
        mtls_token_endpoint(body, ORIGIN)
