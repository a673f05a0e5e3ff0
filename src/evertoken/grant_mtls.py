"""Mutual TLS client authentication (RFC 8705, 2)."""

from __future__ import annotations

import urllib.parse
from typing import ClassVar, cast

from evertoken.errors import TokenError
from evertoken.grant import TokenRequest, check_text, grant_fields, json_object
from evertoken.origin import is_loopback

_DOCUMENT = "/.well-known/openid-configuration"


class MutualTLS:
    """The application's certificate, shown in the TLS handshake; there is no secret to send.

    The certificate is not given here but to the httpx client, which makes the connection:
    `httpx.Client(verify=context)` with an `ssl.SSLContext` that has loaded it (`load_cert_chain`). The
    token endpoint is the one that the tenant's discovery document names for mTLS, which Auth0 has for
    custom domains with self-managed certificates only. Clients share a token if they are given the same
    object: two may stand for two certificates.
    """

    __slots__ = ("_client_id",)

    endpoint_from_discovery: ClassVar[bool] = True

    def __init__(self, client_id: str) -> None:
        self._client_id = check_text("client_id", client_id)

    @property
    def client_id(self) -> str:
        """The application's client id."""
        return self._client_id

    def request(
        self,
        *,
        issuer: str,
        audience: str,
        organization: str | None,
    ) -> TokenRequest:
        """Return the form with the client id alone (RFC 8705, 2)."""
        return TokenRequest({**grant_fields(audience, organization), "client_id": self._client_id})

    def __repr__(self) -> str:
        # An error tracker asks for it when the constructor has raised, too.
        return f"MutualTLS(client_id={getattr(self, '_client_id', None)!r})"


def mtls_token_endpoint(document: bytes, origin: str) -> str:
    """Return the token endpoint for mTLS that a tenant's discovery document names (RFC 8705, 5).

    `document` is the body of `{origin}/.well-known/openid-configuration`. Raises TokenError where it is
    another issuer's, or names no endpoint that credentials may be sent to.
    """
    fields = json_object(document)
    if not fields:
        raise _unfit(origin, "the body is no JSON object; check that domain is the tenant's")
    if fields.get("issuer") != f"{origin}/":
        # RFC 8414, 3.3: or whoever answers could have the application's certificate used elsewhere.
        raise _unfit(origin, f"its issuer is not {origin}/; give the custom domain as domain")
    aliases = fields.get("mtls_endpoint_aliases")
    named = cast("dict[str, object]", aliases).get("token_endpoint") if isinstance(aliases, dict) else None
    if named is None:
        raise _unfit(
            origin,
            "there is no mtls_endpoint_aliases.token_endpoint in it; mTLS needs a custom domain with "
            "self-managed certificates, and mTLS endpoint aliases enabled in the tenant's settings",
        )
    if not isinstance(named, str) or not _is_safe(named):
        raise _unfit(origin, "its mTLS token endpoint is no https URL; check that domain is the tenant's")
    return named


def _unfit(origin: str, problem: str) -> TokenError:
    return TokenError(f"GET {origin}{_DOCUMENT}: {problem}")


def _is_safe(url: str) -> bool:
    # urlsplit drops line ends without a word.
    if not all(33 <= ord(char) <= 126 for char in url):
        return False
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "#" in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
