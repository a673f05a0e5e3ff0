"""The local tenant's token endpoint and its keys, against the rules of OAuth 2.0 and Auth0's answers."""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse

import httpx
import jwt
import pytest

from evertoken_tenant import Clock, Tenant


def make(**settings: object) -> tuple[Tenant, Clock, httpx.Client]:
    clock = Clock()
    tenant = Tenant(clients=3, clock=clock, **settings)  # type: ignore[arg-type]  # settings of a test
    return tenant, clock, httpx.Client(transport=httpx.MockTransport(tenant), base_url=tenant.origin)


def form(tenant: Tenant, **changes: str | None) -> dict[str, str]:
    fields: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "client_id": tenant.client_id,
        "client_secret": tenant.client_secret,
        "audience": tenant.audience,
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def ask(client: httpx.Client, tenant: Tenant, **changes: str | None) -> httpx.Response:
    return client.post("/oauth/token", data=form(tenant, **changes))


def refusal(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["cache-control"] == "no-store"
    assert set(response.json()) <= {"error", "error_description", "error_uri"}
    assert response.json()["error_description"]
    return response.status_code, response.json()["error"]


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = f"{urllib.parse.quote_plus(client_id)}:{urllib.parse.quote_plus(secret)}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def test_form_encoded_request_gets_a_bearer_token() -> None:
    """The answer has the fields of RFC 6749, 5.1, and must not be stored."""
    tenant, _, client = make(token_lifetime=600)
    response = ask(client, tenant)
    body = response.json()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 600
    assert set(body["scope"].split()) == set(tenant.scopes)
    assert "read:clients" in tenant.scopes
    assert "update:client_keys" in tenant.scopes
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}


def test_token_is_an_rs256_jwt_of_the_published_key() -> None:
    """Anyone can verify the token with the key set, and its claims are those of an M2M token."""
    tenant, clock, client = make(token_lifetime=600)
    token = ask(client, tenant).json()["access_token"]
    keys = jwt.PyJWKSet.from_dict(client.get("/.well-known/jwks.json").json())
    header = jwt.get_unverified_header(token)
    assert header["alg"] == "RS256"
    claims = jwt.decode(
        token,
        keys[header["kid"]].key,
        algorithms=["RS256"],
        audience=tenant.audience,
        issuer=f"{tenant.origin}/",
        # Its times are those of a clock that stands in the year 2027.
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims.pop("jti")
    assert claims.pop("scope").split() == list(tenant.scopes)
    assert claims == {
        "iss": "https://tenant.localhost/",
        "sub": f"{tenant.client_id}@clients",
        "aud": "https://tenant.localhost/api/v2/",
        "iat": int(clock()),
        "exp": int(clock()) + 600,
        "azp": tenant.client_id,
        "gty": "client-credentials",
    }


def test_two_tokens_are_never_the_same() -> None:
    """Each token has an id of its own, even within one second."""
    tenant, _, client = make()
    assert ask(client, tenant).json()["access_token"] != ask(client, tenant).json()["access_token"]


def test_json_request_is_accepted() -> None:
    """The endpoint takes JSON as well as a form."""
    tenant, _, client = make()
    assert client.post("/oauth/token", json=form(tenant)).status_code == 200


def test_client_secret_basic_is_accepted() -> None:
    """Id and secret may come in the Authorization header."""
    tenant, _, client = make()
    data = form(tenant, client_id=None, client_secret=None)
    headers = basic(tenant.client_id, tenant.client_secret)
    assert client.post("/oauth/token", data=data, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("header", "status", "error"),
    [
        ("Basic !!!", 401, "invalid_client"),
        ("Basic " + base64.b64encode(b"no colon").decode(), 401, "invalid_client"),
        ("Bearer abc", 401, "invalid_client"),
        ("Basic " + base64.b64encode(b":secret").decode(), 400, "invalid_request"),
        ("Basic " + base64.b64encode(b"someone:wrong").decode(), 401, "access_denied"),
    ],
)
def test_bad_authorization_header_is_refused(header: str, status: int, error: str) -> None:
    """A header that is no Basic one, or names nobody, gets no token."""
    tenant, _, client = make()
    data = form(tenant, client_id=None, client_secret=None)
    response = client.post("/oauth/token", data=data, headers={"authorization": header})
    assert refusal(response) == (status, error)


def test_two_ways_of_authentication_at_once_are_refused() -> None:
    """RFC 6749, 2.3: one method per request; and the two ids must agree."""
    tenant, _, client = make()
    headers = basic(tenant.client_id, tenant.client_secret)
    both = client.post("/oauth/token", data=form(tenant), headers=headers)
    assert refusal(both) == (400, "invalid_request")
    other = client.post("/oauth/token", data=form(tenant, client_id="x", client_secret=None), headers=headers)
    assert refusal(other) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 403, "unauthorized_client"),
        ({"grant_type": "made_up"}, 403, "unsupported_grant_type"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"client_id": "nobody"}, 401, "access_denied"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "access_denied"),
        ({"client_secret": "wröng"}, 401, "access_denied"),
        ({"audience": None}, 403, "access_denied"),
        ({"audience": "https://tenant.localhost/api/v2"}, 403, "access_denied"),
        ({"audience": "https://other.example/api/v2/"}, 403, "access_denied"),
        ({"scope": "read:clients read:everything"}, 403, "access_denied"),
        ({"organization": ""}, 400, "invalid_request"),
    ],
)
def test_bad_request_is_refused(changes: dict[str, str | None], status: int, error: str) -> None:
    """Each mistake gets the status and the error that Auth0 has for it."""
    tenant, _, client = make()
    assert refusal(ask(client, tenant, **changes)) == (status, error)
    assert tenant.token_requests == 1


@pytest.mark.parametrize(
    ("media", "content"),
    [
        ("text/plain", b"grant_type=client_credentials"),
        ("application/x-www-form-urlencoded", b"grant_type"),
        ("application/x-www-form-urlencoded", b"\xff"),
        ("application/x-www-form-urlencoded", b""),
        ("application/x-www-form-urlencoded", b"grant_type=a&grant_type=b"),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'{"grant_type": 1}'),
        ("application/json", b"[" * 100_000),
    ],
)
def test_unreadable_body_is_refused(media: str, content: bytes) -> None:
    """A body of another type, or one that breaks its type's rules, is an invalid request."""
    _, _, client = make()
    response = client.post("/oauth/token", content=content, headers={"content-type": media})
    assert refusal(response) == (400, "invalid_request")


def test_missing_content_type_is_refused() -> None:
    """A body of no told type is not guessed at."""
    _, _, client = make()
    assert refusal(client.post("/oauth/token", content=b"a=b")) == (400, "invalid_request")


def test_huge_token_request_is_refused() -> None:
    """More than 1 MB is not read."""
    tenant, _, client = make()
    assert refusal(ask(client, tenant, scope="x" * 1024 * 1024)) == (413, "invalid_request")


def test_only_post_asks_for_tokens() -> None:
    """A GET does not, whatever it carries."""
    _, _, client = make()
    assert refusal(client.get("/oauth/token")) == (405, "method_not_allowed")


def test_other_applications_have_no_grant() -> None:
    """A seeded application's right secret is not enough: 403, not 401."""
    tenant, _, client = make()
    headers = {"authorization": f"Bearer {tenant.issue_token()}"}
    other = client.get("/api/v2/clients", headers=headers).json()[0]
    response = ask(client, tenant, client_id=other["client_id"], client_secret=other["client_secret"])
    assert refusal(response) == (403, "access_denied")


def test_scope_narrows_the_token() -> None:
    """A token request may ask for fewer scopes than are granted."""
    tenant, _, client = make()
    assert ask(client, tenant, scope="read:clients").json()["scope"] == "read:clients"


@pytest.mark.parametrize(("organization", "claim"), [("org_abc", "org_id"), ("acme", "org_name")])
def test_organization_is_in_the_token(organization: str, claim: str) -> None:
    """The organization asked for, by id or by name, becomes a claim."""
    tenant, _, client = make()
    token = ask(client, tenant, organization=organization).json()["access_token"]
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims[claim] == organization


def test_new_grant_needs_a_new_token() -> None:
    """A token keeps the scopes it was issued with; after a change of the grant only a new one differs."""
    tenant, _, client = make(scopes=["read:clients"])
    old = ask(client, tenant).json()
    tenant.scopes = ["read:clients", "delete:clients"]
    new = ask(client, tenant).json()
    path = "/api/v2/clients/unknown"
    statuses = [
        client.delete(path, headers={"authorization": f"Bearer {answer['access_token']}"}).status_code
        for answer in (old, new)
    ]
    assert (old["scope"], new["scope"]) == ("read:clients", "read:clients delete:clients")
    assert statuses == [403, 204]


def test_lifetime_can_be_changed() -> None:
    """New tokens have the lifetime that is set; less than a second is none."""
    tenant, _, client = make()
    tenant.token_lifetime = 5
    assert ask(client, tenant).json()["expires_in"] == tenant.token_lifetime == 5
    with pytest.raises(ValueError, match="token_lifetime"):
        tenant.token_lifetime = 0


def test_rotated_secret_replaces_the_old_one() -> None:
    """The token endpoint wants the new secret at once; tokens of the old one stay good."""
    tenant, _, client = make()
    old_secret = tenant.client_secret
    headers = {"authorization": f"Bearer {ask(client, tenant).json()['access_token']}"}
    rotated = client.post(f"/api/v2/clients/{tenant.client_id}/rotate-secret", headers=headers)
    assert rotated.json()["client_secret"] == tenant.client_secret != old_secret
    assert ask(client, tenant, client_secret=old_secret).status_code == 401
    assert ask(client, tenant).status_code == 200
    assert client.get("/api/v2/clients", headers=headers).status_code == 200


def test_deleted_application_gets_no_token() -> None:
    """Without the application nobody is known, though its last secret can still be read."""
    tenant, _, client = make()
    secret = tenant.client_secret
    headers = {"authorization": f"Bearer {tenant.issue_token()}"}
    assert client.delete(f"/api/v2/clients/{tenant.client_id}", headers=headers).status_code == 204
    assert refusal(ask(client, tenant)) == (401, "access_denied")
    assert tenant.client_secret == secret


def test_secrets_are_random_and_hidden() -> None:
    """Two tenants share no secret, and neither shows its own."""
    one, two = Tenant(clients=0), Tenant(clients=0)
    assert one.client_secret != two.client_secret
    assert one.client_id != two.client_id
    assert len(one.client_secret) >= 32
    assert one.client_secret not in repr(one) + repr(one.requests)


def test_custom_domain_issues_tokens_for_itself() -> None:
    """The audience stays canonical; a token is good on the domain that issued it and on no other."""
    tenant, _, client = make(custom_domains=["login.example.com"])
    token = client.post("https://login.example.com/oauth/token", data=form(tenant)).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["iss"] == "https://login.example.com/"
    assert claims["aud"] == "https://tenant.localhost/api/v2/"
    assert client.get("https://login.example.com/api/v2/clients", headers=headers).status_code == 200
    assert client.get("/api/v2/clients", headers=headers).status_code == 401


def test_openid_configuration_names_the_endpoints() -> None:
    """Discovery tells where tokens and keys are, on the domain that was asked."""
    _, _, client = make()
    found = client.get("/.well-known/openid-configuration").json()
    assert found["issuer"] == "https://tenant.localhost/"
    assert found["token_endpoint"] == "https://tenant.localhost/oauth/token"
    assert client.get(found["jwks_uri"]).json()["keys"][0].keys() == {"kty", "use", "alg", "kid", "n", "e"}
    assert client.post("/.well-known/jwks.json").status_code == 405
    assert client.get("/.well-known/other").status_code == 404
    assert client.get("/").status_code == 404


def test_token_endpoint_has_a_limit_of_its_own() -> None:
    """Beyond it the answer is 429 with the time to wait, and it refills by the clock."""
    tenant, clock, client = make(token_rate_limit=0.5, token_rate_burst=1)
    assert ask(client, tenant).status_code == 200
    limited = ask(client, tenant)
    assert refusal(limited) == (429, "too_many_requests")
    assert limited.headers["retry-after"] == "2"
    assert limited.headers["x-ratelimit-limit"] == "1"
    clock.advance(2)
    assert ask(client, tenant).status_code == 200


def test_threads_share_a_tenant() -> None:
    """Tokens asked for by many threads at once are all good: one key signs them."""
    tenant, _, client = make()
    tokens: list[str] = []

    def work() -> None:
        tokens.append(ask(client, tenant).json()["access_token"])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for token in tokens:
        response = client.get("/api/v2/clients", headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 200
    assert len(set(tokens)) == tenant.token_requests == 8
    assert tenant.api_requests == 8
