"""What a tenant publishes below /.well-known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evertoken_tenant.call import Answer, Call, json_answer
from evertoken_tenant.refusal import refuse

if TYPE_CHECKING:
    from evertoken_tenant.site import Site
    from evertoken_tenant.tokens import Tokens


def discover(call: Call, *, site: Site, name: str, tokens: Tokens) -> Answer:
    """Return the key set or the OpenID configuration. Raises RefusedError: 404, 405."""
    if call.path not in ("/.well-known/jwks.json", "/.well-known/openid-configuration"):
        raise refuse(404, "Not Found")
    if call.method != "GET":
        raise refuse(405, "Method Not Allowed", headers={"allow": "GET"})
    if call.path == "/.well-known/jwks.json":
        return json_answer(200, {"keys": [key.jwk() for key in tokens.accepted()]})
    issuer = site.issuer(name)
    return json_answer(
        200,
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}authorize",
            "token_endpoint": f"{issuer}oauth/token",
            "userinfo_endpoint": f"{issuer}userinfo",
            "jwks_uri": f"{issuer}.well-known/jwks.json",
            "response_types_supported": ["code", "token", "id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        },
    )
