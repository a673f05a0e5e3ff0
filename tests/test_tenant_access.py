"""Who gets into the local tenant's API: bearers, scopes, limits, scripted faults, and what is noted."""

from __future__ import annotations

import base64
import json

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from evertoken_tenant import Clock, Tenant

PATH = "/api/v2/clients"


def make(**settings: object) -> tuple[Tenant, Clock, httpx.Client]:
    clock = Clock()
    tenant = Tenant(clients=2, clock=clock, sleep=clock.advance, **settings)  # type: ignore[arg-type]  # a test's
    client = httpx.Client(transport=httpx.MockTransport(tenant), base_url=tenant.origin)
    return tenant, clock, client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def forged(token: str, **claims: object) -> str:
    """Return the token with other claims, its signature as it was."""
    header, payload, signature = token.split(".")
    own = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    changed = base64.urlsafe_b64encode(json.dumps({**own, **claims}).encode()).rstrip(b"=").decode()
    return f"{header}.{changed}.{signature}"


def test_missing_token_is_401() -> None:
    """Without credentials the API says what is missing, in its own error shape."""
    _, _, client = make()
    response = client.get(PATH)
    assert response.json() == {
        "statusCode": 401,
        "error": "Unauthorized",
        "message": "Missing authentication",
        "attributes": {"error": "Missing authentication"},
    }
    assert client.get(PATH, headers={"authorization": "Basic abc"}).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer opaque", "Bearer a b", "Bearer a.b", "Bearer a.b.c.d"])
def test_malformed_bearer_is_400(header: str) -> None:
    """What cannot be a JWT is a bad request, not an unauthorized one."""
    _, _, client = make()
    response = client.get(PATH, headers={"authorization": header})
    assert response.json() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": "Bad HTTP authentication header format",
        "errorCode": "Bearer",
    }


def test_two_authorization_headers_are_malformed() -> None:
    """A second header does not replace the first."""
    tenant, _, client = make()
    headers = [("authorization", f"Bearer {tenant.issue_token()}"), ("authorization", "Bearer a.b.c")]
    assert client.get(PATH, headers=headers).status_code == 400


def test_expired_token_is_401_at_its_last_second() -> None:
    """A token is good before `exp` and not from then on, by the tenant's clock."""
    tenant, clock, client = make(token_lifetime=60)
    headers = bearer(tenant.issue_token())
    clock.advance(59.9)
    assert client.get(PATH, headers=headers).status_code == 200
    clock.advance(0.1)
    response = client.get(PATH, headers=headers)
    assert response.status_code == 401
    assert response.json()["message"] == "Expired token received for JSON Web Token validation"


def test_token_ends_with_a_whole_second() -> None:
    """Its times are whole seconds, rounded down: it may end up to one second before `expires_in` is over."""
    tenant, clock, client = make(token_lifetime=2)
    clock.advance(0.9)
    headers = bearer(tenant.issue_token())
    clock.advance(1.09)
    assert client.get(PATH, headers=headers).status_code == 200
    clock.advance(0.02)
    assert client.get(PATH, headers=headers).status_code == 401


def test_forged_tokens_are_401() -> None:
    """Changed claims, another key, no key, `none`, another tenant: none of them gets in."""
    tenant, clock, client = make()
    token = tenant.issue_token(scopes=["read:clients"])
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    neighbour = Tenant(clients=0, clock=clock)
    bad = [
        forged(token, scope="delete:clients"),
        jwt.encode(claims, stranger, "RS256", headers={"kid": kid}),
        jwt.encode(claims, stranger, "RS256", headers={"kid": "other"}),
        jwt.encode(claims, stranger, "RS256"),
        jwt.encode(claims, "", "none", headers={"kid": kid}),
        jwt.encode(claims, "not-a-secret" * 4, "HS256", headers={"kid": kid}),
        neighbour.issue_token(),
        "a.b.c",
    ]
    statuses = {client.get(PATH, headers=bearer(one)).status_code for one in bad}
    assert statuses == {401}
    assert client.get(PATH, headers=bearer(token)).status_code == 200


def test_token_of_another_address_is_401() -> None:
    """A tenant that moved accepts no token from where it was: issuer and audience are another's."""
    tenant, _, client = make(custom_domains=["custom.example"])
    token = tenant.issue_token()
    tenant.move_to("https://elsewhere.localhost")
    assert tenant.audience == "https://elsewhere.localhost/api/v2/"
    response = client.get(f"{tenant.origin}{PATH}", headers=bearer(token))
    assert (response.status_code, response.json()["message"]) == (401, "Invalid token")


def test_token_for_the_old_audience_is_401() -> None:
    """The issuer alone does not do: `aud` must be this API's identifier."""
    tenant, _, client = make(custom_domains=["custom.example"])
    data = {
        "grant_type": "client_credentials",
        "client_id": tenant.client_id,
        "client_secret": tenant.client_secret,
        "audience": tenant.audience,
    }
    token = client.post("https://custom.example/oauth/token", data=data).json()["access_token"]
    tenant.move_to("https://elsewhere.localhost")
    response = client.get(f"https://custom.example{PATH}", headers=bearer(token))
    assert response.status_code == 401
    assert response.json()["message"].startswith("Bad audience")


def test_revoked_tokens_are_401_and_new_ones_good() -> None:
    """Revoking ends what was issued before it, and nothing else."""
    tenant, _, client = make()
    old = tenant.issue_token()
    assert client.get(PATH, headers=bearer(old)).status_code == 200
    tenant.revoke_tokens()
    response = client.get(PATH, headers=bearer(old))
    assert (response.status_code, response.json()["message"]) == (401, "Invalid token")
    assert client.get(PATH, headers=bearer(tenant.issue_token())).status_code == 200


def test_rotated_key_signs_while_the_previous_one_is_still_good() -> None:
    """After a rotation the key set has both keys, the new one first."""
    tenant, _, client = make()
    old = tenant.issue_token()
    before = client.get("/.well-known/jwks.json").json()["keys"]
    tenant.rotate_signing_key()
    after = client.get("/.well-known/jwks.json").json()["keys"]
    assert after[1:] == before
    new = tenant.issue_token()
    assert jwt.get_unverified_header(new)["kid"] == after[0]["kid"]
    assert {client.get(PATH, headers=bearer(one)).status_code for one in (old, new)} == {200}


def test_revoked_key_ends_its_tokens() -> None:
    """A key that is revoked leaves the key set, and its tokens are worth nothing."""
    tenant, _, client = make()
    old = tenant.issue_token()
    assert client.get(PATH, headers=bearer(old)).status_code == 200
    tenant.rotate_signing_key(revoke_previous=True)
    assert len(client.get("/.well-known/jwks.json").json()["keys"]) == 1
    assert client.get(PATH, headers=bearer(old)).status_code == 401


def test_many_tokens_are_verified() -> None:
    """More tokens than are remembered stay good."""
    tenant, _, client = make()
    first = tenant.issue_token()
    tenant._inside.tokens._verified.update({f"old-{n}": {} for n in range(1024)})
    for token in (first, tenant.issue_token(), first):
        assert client.get(PATH, headers=bearer(token)).status_code == 200
    assert len(tenant._inside.tokens._verified) == 1024


SCOPES = [
    (
        "GET",
        "/clients",
        ["read:clients", "read:client_keys", "read:client_credentials", "read:client_summary"],
    ),
    ("POST", "/clients", ["create:clients"]),
    ("POST", "/clients/cimd/preview", ["read:clients"]),
    ("POST", "/clients/cimd/register", ["create:clients", "update:clients"]),
    ("GET", "/clients/x/credentials", ["read:client_credentials"]),
    ("POST", "/clients/x/credentials", ["create:client_credentials"]),
    ("GET", "/clients/x/credentials/y", ["read:client_credentials"]),
    ("PATCH", "/clients/x/credentials/y", ["update:client_credentials"]),
    ("DELETE", "/clients/x/credentials/y", ["delete:client_credentials"]),
    (
        "GET",
        "/clients/x",
        ["read:clients", "read:client_keys", "read:client_credentials", "read:client_summary"],
    ),
    (
        "PATCH",
        "/clients/x",
        [
            "update:clients",
            "update:client_keys",
            "update:client_credentials",
            "update:client_token_vault_privileged_access",
        ],
    ),
    ("DELETE", "/clients/x", ["delete:clients"]),
    ("GET", "/clients/x/connections", ["read:connections", "read:clients", "read:client_summary"]),
    ("POST", "/clients/x/rotate-secret", ["update:client_keys"]),
]


@pytest.mark.parametrize(("method", "path", "scopes"), SCOPES)
def test_operation_needs_any_one_of_its_scopes(method: str, path: str, scopes: list[str]) -> None:
    """Each one suffices; all the others together do not."""
    tenant, _, client = make()
    others = ["read:users", *(scope for scope in tenant.scopes if scope not in scopes)]
    for scope in scopes:
        token = tenant.issue_token(scopes=[scope])
        response = client.request(method, f"/api/v2{path}", headers=bearer(token))
        assert response.status_code in {200, 204, 400, 404}
    response = client.request(method, f"/api/v2{path}", headers=bearer(tenant.issue_token(scopes=others)))
    body = response.json()
    assert (response.status_code, body["error"], body["errorCode"]) == (
        403,
        "Forbidden",
        "insufficient_scope",
    )
    named = body["message"].removeprefix("Insufficient scope, expected any of: ").split(",")
    assert sorted(named) == sorted(scopes)


@pytest.mark.parametrize("path", ["/nothing", "/clients/", "/clients/a/b/c", "", "/clients//credentials"])
def test_unknown_path_is_404(path: str) -> None:
    """What the API does not have is not found, in the API's error shape."""
    tenant, _, client = make()
    response = client.get(f"/api/v2{path}", headers=bearer(tenant.issue_token()))
    assert response.json() == {"statusCode": 404, "error": "Not Found", "message": "Not Found"}


def test_wrong_method_is_405_and_tells_the_right_ones() -> None:
    """The Allow header lists what the path has."""
    tenant, _, client = make()
    response = client.put("/api/v2/clients/x", headers=bearer(tenant.issue_token()))
    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET, PATCH"


def test_foreign_host_is_misdirected() -> None:
    """A request for another host gets 421, and no token leads further."""
    tenant, _, client = make()
    response = client.get(f"https://evil.example{PATH}", headers=bearer(tenant.issue_token()))
    assert response.status_code == 421
    same = client.get(f"https://tenant.localhost:443{PATH}", headers=bearer(tenant.issue_token()))
    assert same.status_code == 200


def test_rate_limit_headers_tell_the_bucket() -> None:
    """Limit and remaining count requests; reset is the second when one more is added."""
    tenant, clock, client = make(rate_limit=2, rate_burst=3)
    headers = bearer(tenant.issue_token())
    remaining: list[str] = []
    for _ in range(3):
        response = client.get(PATH, headers=headers)
        assert response.status_code == 200
        assert response.headers["x-ratelimit-limit"] == "3"
        assert response.headers["x-ratelimit-reset"] == str(int(clock()) + 1)
        remaining.append(response.headers["x-ratelimit-remaining"])
    assert remaining == ["2", "1", "0"]
    limited = client.get(PATH, headers=headers)
    assert limited.status_code == 429
    assert limited.json()["errorCode"] == "too_many_requests"
    assert limited.json()["statusCode"] == 429
    assert limited.headers["retry-after"] == "1"
    assert limited.headers["x-ratelimit-remaining"] == "0"
    clock.advance(0.5)
    assert client.get(PATH, headers=headers).status_code == 200
    assert client.get(PATH, headers=headers).status_code == 429
    clock.advance(3600)
    assert client.get(PATH, headers=headers).headers["x-ratelimit-remaining"] == "2"


def test_clock_set_back_adds_nothing() -> None:
    """A clock that goes backwards neither fills the bucket nor digs a hole into it."""
    tenant, clock, client = make(rate_limit=1, rate_burst=1)
    client.get(PATH)
    clock.advance(-1000)
    assert client.get(PATH).status_code == 429
    clock.advance(1)
    assert client.get(PATH).status_code == 401
    assert tenant.api_requests == 3


def test_every_answer_has_request_ids() -> None:
    """Each answer has an id of its own; a correlation id of up to 64 characters comes back."""
    tenant, _, client = make()
    first = client.get(PATH, headers={"x-correlation-id": "c" * 64})
    second = client.get(PATH, headers={"x-correlation-id": "c" * 65})
    assert first.headers["x-correlation-id"] == "c" * 64
    assert "x-correlation-id" not in second.headers
    assert first.headers["x-auth0-requestid"] != second.headers["x-auth0-requestid"]
    assert "x-auth0-requestid" in client.get("/.well-known/jwks.json").headers
    assert tenant.api_requests == 2


def test_failing_api_requests_fail_as_often_as_told() -> None:
    """Faults come in the order in which they were asked for, then all is well."""
    tenant, _, client = make()
    headers = bearer(tenant.issue_token())
    tenant.fail_api_requests(2, 502)
    tenant.fail_api_requests(1, 429, headers={"Retry-After": "7"})
    statuses: list[int] = []
    last = None
    for _ in range(3):
        last = client.get(PATH, headers=headers)
        statuses.append(last.status_code)
        assert "x-ratelimit-limit" in last.headers
    assert statuses == [502, 502, 429]
    assert last is not None
    assert last.headers["retry-after"] == "7"
    assert last.json()["errorCode"] == "too_many_requests"
    assert client.get(PATH, headers=headers).status_code == 200
    assert tenant.api_requests == 4


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ("<html>", b"<html>"),
        (b"\xff", b"\xff"),
        ({"error": "x"}, b'{"error":"x"}'),
        ([1], b"[1]"),
    ],
)
def test_fault_bodies_are_sent_as_given(body: object, content: bytes) -> None:
    """Text and bytes go out as they are, other values as JSON."""
    tenant, _, client = make()
    tenant.fail_token_requests(1, 599, body=body, headers={"X-Extra": "1"})  # type: ignore[arg-type]  # any of four
    response = client.post("/oauth/token")
    assert (response.status_code, response.content, response.headers["x-extra"]) == (599, content, "1")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (503, "temporarily_unavailable"),
        (401, "access_denied"),
        (500, "server_error"),
        (429, "too_many_requests"),
    ],
)
def test_failing_token_requests_have_oauth_errors(status: int, error: str) -> None:
    """A scripted failure of the token endpoint looks like its own, and does not touch the API."""
    tenant, _, client = make()
    tenant.fail_token_requests(1, status)
    assert client.get(PATH, headers=bearer(tenant.issue_token())).status_code == 200
    response = client.post("/oauth/token")
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_unknown_fault_status_has_a_body_too() -> None:
    """A status that no standard has is still answered."""
    tenant, _, client = make()
    tenant.fail_api_requests(1, 599)
    assert client.get(PATH).json()["error"] == "Unknown"


def test_dropped_requests_raise_in_process() -> None:
    """A dropped connection is what httpx makes of one, and is noted with status 0."""
    tenant, _, client = make()
    tenant.drop_api_requests(1)
    tenant.drop_token_requests(1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(PATH)
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/oauth/token")
    assert [record.status for record in tenant.requests] == [0, 0]


def test_cleared_faults_do_not_come() -> None:
    """Clearing ends failures and delays."""
    tenant, clock, client = make()
    tenant.fail_api_requests(5)
    tenant.drop_token_requests(5)
    tenant.delay(api=3, token=3)
    tenant.clear_faults()
    before = clock()
    assert client.get(PATH, headers=bearer(tenant.issue_token())).status_code == 200
    assert client.post("/oauth/token").status_code == 400
    assert clock() == before


def test_delay_holds_answers_back_by_kind() -> None:
    """The delay passes after the request was counted, and only for its kind; None leaves it as it was."""
    tenant, clock, client = make()
    start = clock()
    tenant.delay(token=5)
    tenant.delay(api=0)
    client.get(PATH)
    client.get("/.well-known/jwks.json")
    assert clock() == start
    client.post("/oauth/token")
    assert clock() == start + 5
    assert tenant.requests[-1].time == start


def test_negative_counts_are_refused() -> None:
    """Settings that mean nothing are errors that name them."""
    with pytest.raises(ValueError, match="count"):
        Tenant(clients=0).fail_api_requests(-1)
    with pytest.raises(ValueError, match="clients"):
        Tenant(clients=-1)
    with pytest.raises(ValueError, match="token_lifetime"):
        Tenant(token_lifetime=0)
    with pytest.raises(ValueError, match="rate"):
        Tenant(rate_limit=0)
    with pytest.raises(ValueError, match="rate"):
        Tenant(rate_limit=float("inf"))
    with pytest.raises(ValueError, match="burst"):
        Tenant(rate_burst=0)
    with pytest.raises(ValueError, match="burst"):
        Tenant(token_rate_limit=1, token_rate_burst=0)


def test_records_hold_no_secret() -> None:
    """What is noted is where and when, never headers or bodies."""
    tenant, clock, client = make()
    token = tenant.issue_token()
    client.get(f"{PATH}?per_page=1", headers=bearer(token))
    client.post("/oauth/token", data={"client_secret": tenant.client_secret})
    first, second = tenant.requests
    assert (first.time, first.method, first.path, first.query, first.status) == (
        clock(),
        "GET",
        PATH,
        "per_page=1",
        200,
    )
    assert (second.path, second.status) == ("/oauth/token", 400)
    assert token not in repr(tenant.requests)
    assert tenant.client_secret not in repr(tenant.requests)


def test_counts_can_be_reset() -> None:
    """Counting begins anew."""
    tenant, _, client = make()
    client.get(PATH)
    client.post("/oauth/token")
    assert (tenant.api_requests, tenant.token_requests) == (1, 1)
    tenant.reset_counts()
    assert (tenant.api_requests, tenant.token_requests, tenant.requests) == (0, 0, ())


def test_clock_tells_what_it_was_set_to() -> None:
    """The clock moves only when told."""
    clock = Clock(10)
    clock.advance(2.5)
    assert (clock(), repr(clock)) == (12.5, "Clock(12.5)")
