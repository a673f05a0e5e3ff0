"""POST /oauth/token: the client credentials grant (RFC 6749, 4.4)."""

from __future__ import annotations

import base64
import binascii
import secrets
import urllib.parse
from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import MAX_BODY, Answer, Call, Json, Row, json_answer, load
from evertoken_tenant.refusal import RefusedError, refuse_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evertoken_tenant.applications import Application, Applications
    from evertoken_tenant.site import Site
    from evertoken_tenant.tokens import Tokens

_GRANT: Final = "client_credentials"
# What a real tenant has too, but not for this application.
_OTHER_GRANTS: Final = frozenset({"authorization_code", "refresh_token", "password", "implicit"})
_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}


def parse_form(call: Call) -> dict[str, str]:
    """Return the parameters of a token request, form-encoded or JSON. Raises RefusedError (400)."""
    if len(call.body) > MAX_BODY:
        raise refuse_token(413, "invalid_request", "The request is too large")
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media == "application/x-www-form-urlencoded":
            pairs = urllib.parse.parse_qsl(
                call.body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(call.body)
            )
        elif media == "application/json":
            pairs = list(_texts(load(call.body)).items())
        else:
            raise refuse_token(400, "invalid_request", f"Unsupported media type: {media or 'none'}")
    except (ValueError, RecursionError):
        raise refuse_token(400, "invalid_request", "The request body cannot be read") from None
    if len({name for name, _ in pairs}) != len(pairs):
        # RFC 6749, 3.2
        raise refuse_token(400, "invalid_request", "A parameter is given more than once")
    return dict(pairs)


def _texts(value: Json) -> dict[str, str]:
    if not isinstance(value, dict):
        raise NoTextError
    texts: dict[str, str] = {}
    for name, item in value.items():
        if not isinstance(item, str):
            raise NoTextError
        texts[name] = item
    return texts


class NoTextError(ValueError):
    """A JSON token request holds something else than strings."""


def parse_basic(header: str) -> tuple[str, str] | None:
    """Return id and secret of an Authorization header, None where it is not a good Basic one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_id, colon, secret = text.partition(":")
    # RFC 6749, 2.3.1: both are form-encoded before they are joined.
    return (urllib.parse.unquote_plus(client_id), urllib.parse.unquote_plus(secret)) if colon else None


def client_of(call: Call) -> str:
    """Return the id of the application that a token request names, empty where none can be read."""
    pair = parse_basic(call.headers.get("authorization", ""))
    try:
        return pair[0] if pair else parse_form(call).get("client_id", "")
    except RefusedError:
        return ""


def exchange(
    call: Call,
    *,
    site: Site,
    name: str,
    applications: Applications,
    tokens: Tokens,
    granted: Callable[[str], Sequence[str] | None],
    lifetime: int,
    now: float,
) -> Answer:
    """Return the answer with an access token. Raises RefusedError.

    `name` is the domain that was called; `granted` returns what an application may do, None where it has no
    grant.
    """
    if call.method != "POST":
        raise refuse_token(405, "method_not_allowed", "Use POST")
    form = parse_form(call)
    _check_grant_type(form)
    application = _authenticate(call, form, applications)
    audience = _check_audience(form, site)
    allowed = granted(application.client_id)
    if allowed is None:
        problem = f"Client is not authorized to access '{audience}': it has no grant for this API"
        raise refuse_token(403, "access_denied", problem)
    scope = " ".join(_scopes(form, allowed))
    claims = access_claims(
        site, name, client_id=application.client_id, scope=scope, now=now, lifetime=lifetime
    )
    if "organization" in form:
        organization = form["organization"]
        if not organization:
            raise refuse_token(400, "invalid_request", "organization is empty")
        claims["org_id" if organization.startswith("org_") else "org_name"] = organization
    body: Row = {
        "access_token": tokens.issue(claims),
        "scope": scope,
        "expires_in": lifetime,
        "token_type": "Bearer",
    }
    return json_answer(200, body, _NO_STORE)


def access_claims(site: Site, name: str, *, client_id: str, scope: str, now: float, lifetime: int) -> Row:
    """Return what an access token says, issued under the domain `name`."""
    return {
        "iss": site.issuer(name),
        "sub": f"{client_id}@clients",
        # Whatever name was used, a token is for the API of the canonical domain.
        "aud": site.audience,
        "iat": int(now),
        # Whole seconds (RFC 7519, 2), as Auth0 counts: a token may end up to one before `expires_in` is over.
        "exp": int(now) + lifetime,
        "scope": scope,
        "gty": "client-credentials",
        "azp": client_id,
    }


def _check_grant_type(form: Mapping[str, str]) -> None:
    grant_type = form.get("grant_type")
    if not grant_type:
        raise refuse_token(400, "invalid_request", "Missing required parameter: grant_type")
    if grant_type in _OTHER_GRANTS:
        raise refuse_token(
            403, "unauthorized_client", f"Grant type '{grant_type}' not allowed for the client."
        )
    if grant_type != _GRANT:
        raise refuse_token(403, "unsupported_grant_type", f"Unsupported grant type: {grant_type}")


def _authenticate(call: Call, form: Mapping[str, str], applications: Applications) -> Application:
    header = call.headers.get("authorization")
    if header is not None:
        if "client_secret" in form:
            problem = "The client authenticates in the header and in the body; use one of them"
            raise refuse_token(400, "invalid_request", problem)
        pair = parse_basic(header)
        if pair is None:
            raise refuse_token(401, "invalid_client", "The Authorization header is not a valid Basic one")
        client_id, secret = pair
        if form.get("client_id", client_id) != client_id:
            raise refuse_token(400, "invalid_request", "client_id differs from that of the header")
    else:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if not client_id:
        raise refuse_token(400, "invalid_request", "Missing required parameter: client_id")
    if not secret:
        raise refuse_token(401, "invalid_client", "The client did not authenticate: no client_secret")
    application = applications.get(client_id)
    # Unknown client and wrong secret look the same to whoever tries.
    known = "" if application is None else str(application.row.get("client_secret"))
    if application is None or not secrets.compare_digest(known.encode(), secret.encode()):
        raise refuse_token(401, "access_denied", "Unauthorized")
    return application


def _check_audience(form: Mapping[str, str], site: Site) -> str:
    audience = form.get("audience")
    if not audience:
        raise refuse_token(403, "access_denied", "No audience was given, and the tenant has no default one")
    if not site.is_audience(audience):
        raise refuse_token(403, "access_denied", f"Service not enabled within domain: {audience}")
    return audience


def _scopes(form: Mapping[str, str], granted: Sequence[str]) -> list[str]:
    wanted = form.get("scope", "").split()
    refused = [scope for scope in wanted if scope not in granted]
    if refused:
        raise refuse_token(403, "access_denied", f"Client has not been granted scopes: {', '.join(refused)}")
    return wanted or list(granted)
