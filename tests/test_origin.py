"""Which domains, URLs and audiences are taken, and which are refused before anything is sent."""

from __future__ import annotations

import pytest

from evertoken import ArgumentError
from evertoken.origin import Origin, check_audience, is_loopback, origin_of, parse_base_url, parse_domain


@pytest.mark.parametrize(
    ("domain", "origin"),
    [
        ("tenant.eu.auth0.com", "https://tenant.eu.auth0.com"),
        ("Tenant.EU.Auth0.com", "https://tenant.eu.auth0.com"),
        ("https://tenant.eu.auth0.com", "https://tenant.eu.auth0.com"),
        ("https://tenant.eu.auth0.com/", "https://tenant.eu.auth0.com"),
        ("https://tenant.eu.auth0.com:443", "https://tenant.eu.auth0.com"),
        ("127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("login.example.com:8443", "https://login.example.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://tenant.localhost:80", "http://tenant.localhost"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_domain_becomes_an_origin(domain: str, origin: str) -> None:
    """Host names, host:port, and URLs without a path; http on loopback."""
    assert str(parse_domain(domain)) == origin


@pytest.mark.parametrize(
    ("domain", "problem"),
    [
        ("", "empty"),
        ("   ", "empty"),
        (None, "no string"),
        (b"tenant.eu.auth0.com", "no string"),
        (" tenant.eu.auth0.com", "white space"),
        ("tenant.eu.auth0.com\n", "white space"),
        ("tenant .eu.auth0.com", "white space"),
        ("tenant.eu.auth0.com\x7f", "white space"),
        ("https://tenant.eu.auth0.com/api/v2", "path"),
        ("tenant.eu.auth0.com/api/v2/", "path"),
        ("https://user:pass@tenant.eu.auth0.com", "user name"),
        ("https://tenant.eu.auth0.com?x=1", "query"),
        ("https://tenant.eu.auth0.com#x", "query"),
        ("https://tenant.eu.auth0.com?", "query"),
        ("https://", "host name"),
        ("-tenant.auth0.com", "host name"),
        ("tenant..auth0.com", "host name"),
        ("ten_ant!.auth0.com", "host name"),
        ("https://[::zz]/", "not a domain"),
        ("tenant.eu.auth0.com:port", "not a domain"),
        ("tenant.eu.auth0.com:70000", "not a domain"),
        ("tenant.eu.auth0.com:0", "port 0"),
        ("ftp://tenant.eu.auth0.com", "neither https nor http"),
        ("http://tenant.eu.auth0.com", "loopback only"),
        ("http://localhost.example.com", "loopback only"),
        ("http://128.0.0.1", "loopback only"),
        ("a" * 64 + ".auth0.com", "host name"),
        ("a." * 130 + "com", "host name"),
    ],
)
def test_a_malformed_domain_is_refused(domain: object, problem: str) -> None:
    """By an error that names the argument and the problem, and shows no password."""
    with pytest.raises(ArgumentError, match=problem) as caught:
        parse_domain(domain)
    assert caught.value.argument == "domain"
    assert isinstance(caught.value, ValueError)
    assert "pass" not in str(caught.value).replace("password", "")


def test_a_base_url_keeps_its_path() -> None:
    """Without the slash at its end."""
    assert parse_base_url("https://gateway.example/auth0/api/v2/") == (
        Origin("https", "gateway.example", 443),
        "/auth0/api/v2",
    )


@pytest.mark.parametrize("base_url", ["gateway.example/api", "", None, "http://gateway.example/api"])
def test_a_base_url_must_be_a_secure_url(base_url: object) -> None:
    """A whole URL, https or loopback."""
    with pytest.raises(ArgumentError, match="base_url"):
        parse_base_url(base_url)


@pytest.mark.parametrize("audience", ["https://tenant.eu.auth0.com/api/v2/", "http://127.0.0.1:80/api/v2/"])
def test_the_audience_of_a_management_api_is_taken(audience: str) -> None:
    """Unchanged: it is an identifier."""
    assert check_audience(audience) == audience


@pytest.mark.parametrize(
    ("audience", "problem"),
    [
        ("https://tenant.eu.auth0.com/api/v2", "lacks the slash"),
        ("https://api.example.com/", "another API"),
        ("https://tenant.eu.auth0.com/userinfo", "another API"),
        ("urn:my-api", "canonical"),
        ("", "canonical"),
        (None, "canonical"),
        ("https://tenant.eu.auth0.com/api/v2/?x", "query"),
    ],
)
def test_an_audience_of_another_api_is_refused(audience: object, problem: str) -> None:
    """Auth0 would issue a token that the Management API refuses."""
    with pytest.raises(ArgumentError, match=problem) as caught:
        check_audience(audience)
    assert caught.value.argument == "audience"


def test_only_names_and_addresses_of_this_machine_are_loopback() -> None:
    """RFC 6761, 6.3, and the address blocks."""
    assert all(map(is_loopback, ["localhost", "a.localhost", "127.9.9.9", "::1"]))
    assert not any(map(is_loopback, ["localhost.com", "0.0.0.0", "10.0.0.1", "::2", "example.com"]))  # noqa: S104


def test_requests_are_compared_by_scheme_host_and_port() -> None:
    """With default ports filled in; other schemes have no origin."""
    assert origin_of("https", "Tenant.auth0.com", None) == parse_domain("tenant.auth0.com")
    assert origin_of("https", "[::1]", 8443) == parse_domain("https://[::1]:8443")
    assert origin_of("ws", "tenant.auth0.com", None) is None
