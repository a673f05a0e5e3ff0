"""The local tenant keeps what belongs together consistent."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

from evertoken_tenant import Clock, Tenant

Json = dict[str, Any]
API = "https://orders.example.org/"
DATABASE = "Username-Password-Authentication"


def make() -> tuple[Tenant, httpx.Client]:
    tenant = Tenant(clients=3, clock=Clock())
    return tenant, caller(tenant)


def caller(tenant: Tenant, token: str = "") -> httpx.Client:
    return httpx.Client(
        transport=httpx.MockTransport(tenant),
        base_url=f"{tenant.origin}/api/v2",
        headers={"authorization": f"Bearer {token or tenant.issue_token()}"},
    )


def exchanged(tenant: Tenant, form: dict[str, str]) -> httpx.Response:
    with httpx.Client(transport=httpx.MockTransport(tenant)) as client:
        return client.post(f"{tenant.origin}/oauth/token", data=form)


def done(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def refused(answer: httpx.Response, status: int, words: str) -> None:
    body = done(answer, status)
    assert words in body["message"], body


def user(client: httpx.Client, name: str = "ada", **more: Any) -> str:
    body = {"connection": DATABASE, "email": f"{name}@example.org", **more}
    made: str = done(client.post("/users", json=body), 201)["user_id"]
    return made


def role(client: httpx.Client, name: str = "Reader") -> str:
    made: str = done(client.post("/roles", json={"name": name}), 200)["id"]
    return made


def organization(client: httpx.Client, name: str = "acme") -> str:
    made: str = done(client.post("/organizations", json={"name": name}), 201)["id"]
    return made


def resource_server(client: httpx.Client, *names: str) -> str:
    scopes = [{"value": name} for name in names]
    body = {"identifier": API, "name": "Orders", "scopes": scopes}
    made: str = done(client.post("/resource-servers", json=body), 201)["id"]
    return made


def permissions(*names: str) -> Json:
    return {"permissions": [{"resource_server_identifier": API, "permission_name": name} for name in names]}


def ids(rows: Any, field: str = "id") -> list[str]:
    return [row[field] for row in rows]


def test_ids_look_like_those_of_the_api_and_are_the_same_for_the_same_seed() -> None:
    """A role's id begins with rol_, an organization's with org_, a user's with its provider."""
    first, again = make()[1], make()[1]
    made = [role(first), organization(first), user(first)]
    assert made == [role(again), organization(again), user(again)]
    assert [one[:4] for one in made] == ["rol_", "org_", "auth"]
    assert made[2].startswith("auth0|")


def test_a_user_has_identity_name_and_times_and_no_password() -> None:
    """What was sent is kept, but for what only the connection is told."""
    _, client = make()
    given: Json = {"password": "secret-1", "user_metadata": {"a": 1}, "username": "ada"}
    one = done(client.get(f"/users/{user(client, **given)}"), 200)
    assert one["identities"] == [
        {"connection": DATABASE, "user_id": one["user_id"][6:], "provider": "auth0", "isSocial": False}
    ]
    assert (one["name"], one["nickname"], one["email_verified"]) == ("ada@example.org", "ada", False)
    assert one["created_at"] == one["updated_at"] == "2027-01-15T08:00:00.000Z"
    assert "password" not in one
    assert one["user_metadata"] == {"a": 1}


def test_an_address_is_taken_once_in_a_connection() -> None:
    """The same e-mail address is another user at another connection, and a conflict at the same one."""
    _, client = make()
    user(client)
    body = {"connection": DATABASE, "email": "ADA@example.org"}
    refused(client.post("/users", json=body), 409, "The user already exists.")
    user(client, connection="email")
    other = user(client, "grace")
    refused(client.patch(f"/users/{other}", json={"email": "ada@example.org"}), 409, "already exists")
    refused(
        client.post("/users", json={"connection": "nowhere", "email": "a@b.c"}), 400, "connection does not"
    )


def test_metadata_is_merged_and_null_removes() -> None:
    """PATCH merges metadata by key, and replaces everything else."""
    _, client = make()
    one = user(client, app_metadata={"a": {"b": 1}, "c": 2}, given_name="Ada")
    body = {"app_metadata": {"a": {"d": 3}, "c": None}, "given_name": None}
    changed = done(client.patch(f"/users/{one}", json=body), 200)
    assert changed["app_metadata"] == {"a": {"d": 3}}
    assert "given_name" not in changed


def test_users_are_found_by_search_connection_and_address() -> None:
    """`q` reads fields, nested ones too; /users-by-email compares addresses in any case."""
    _, client = make()
    ada, grace = user(client, user_metadata={"team": "a"}), user(client, "grace", connection="email")
    assert ids(client.get("/users", params={"q": 'email:"ada@example.org"'}).json(), "user_id") == [ada]
    assert ids(client.get("/users", params={"q": "user_metadata.team:a"}).json(), "user_id") == [ada]
    assert ids(client.get("/users", params={"q": "identities.connection:email"}).json(), "user_id") == [grace]
    assert ids(client.get("/users", params={"connection": DATABASE}).json(), "user_id") == [ada]
    assert ids(client.get("/users", params={"sort": "email:-1"}).json(), "user_id") == [grace, ada]
    found = client.get("/users-by-email", params={"email": "Ada@Example.org"}).json()
    assert ids(found, "user_id") == [ada]
    refused(client.get("/users-by-email"), 400, "Missing required property: email")


def test_identities_are_linked_and_parted() -> None:
    """The linked account is no user of its own any more, and is one again after it was unlinked."""
    _, client = make()
    ada, other = user(client), user(client, "ada2", connection="github")
    provider, _, own = other.partition("|")
    linked = done(client.post(f"/users/{ada}/identities", json={"provider": provider, "user_id": own}), 201)
    assert ids(linked, "provider") == ["auth0", "github"]
    assert linked[1]["profileData"]["email"] == "ada2@example.org"
    done(client.get(f"/users/{other}"), 404)
    left = done(client.delete(f"/users/{ada}/identities/{provider}/{own}"), 200)
    assert ids(left, "provider") == ["auth0"]
    assert done(client.get(f"/users/{other}"), 200)["email"] == "ada2@example.org"


def test_roles_and_users_are_linked_from_either_side() -> None:
    """A role that is given to a user is seen from both, until it is taken away."""
    _, client = make()
    ada, grace, reader = user(client), user(client, "grace"), role(client)
    done(client.post(f"/users/{ada}/roles", json={"roles": [reader]}), 204)
    done(client.post(f"/roles/{reader}/users", json={"users": [grace, ada]}), 200)
    assert ids(client.get(f"/roles/{reader}/users").json(), "user_id") == [ada, grace]
    assert ids(client.get(f"/users/{grace}/roles").json()) == [reader]
    assert client.get(f"/users/{ada}/roles?include_totals=true").json()["total"] == 1
    done(client.request("DELETE", f"/users/{ada}/roles", json={"roles": [reader]}), 204)
    assert client.get(f"/users/{ada}/roles").json() == []
    refused(client.post(f"/users/{ada}/roles", json={"roles": ["rol_unknown"]}), 404, "role does not exist")


def test_a_deleted_role_is_taken_from_users_and_members() -> None:
    """Nobody has a role that is not there."""
    _, client = make()
    ada, acme, reader = user(client), organization(client), role(client)
    done(client.post(f"/users/{ada}/roles", json={"roles": [reader]}), 204)
    done(client.post(f"/organizations/{acme}/members", json={"members": [ada]}), 204)
    done(client.post(f"/organizations/{acme}/members/{ada}/roles", json={"roles": [reader]}), 204)
    done(client.delete(f"/roles/{reader}"), 200)
    assert client.get(f"/users/{ada}/roles").json() == []
    assert client.get(f"/organizations/{acme}/members/{ada}/roles").json() == []
    assert role(client, "Reader") != reader


def test_a_deleted_user_leaves_roles_and_organizations() -> None:
    """Roles and organizations list no user who is not there."""
    tenant, client = make()
    ada, acme, reader = user(client), organization(client), role(client)
    done(client.post(f"/roles/{reader}/users", json={"users": [ada]}), 200)
    done(client.post(f"/organizations/{acme}/members", json={"members": [ada]}), 204)
    tenant.seed("sessions", [{"user_id": ada}])
    done(client.delete(f"/users/{ada}"), 204)
    assert client.get(f"/roles/{reader}/users").json() == []
    assert client.get(f"/organizations/{acme}/members").json() == []
    assert tenant.rows("sessions") == []
    done(client.delete(f"/users/{ada}"), 204)


def test_permissions_come_from_roles_and_directly() -> None:
    """A user's permissions name their sources; those of an API go with it, or with its scope."""
    _, client = make()
    ada, reader, api = user(client), role(client), resource_server(client, "read:orders", "write:orders")
    done(client.post(f"/roles/{reader}/permissions", json=permissions("read:orders", "write:orders")), 201)
    done(client.post(f"/users/{ada}/roles", json={"roles": [reader]}), 204)
    done(client.post(f"/users/{ada}/permissions", json=permissions("read:orders")), 201)
    found = client.get(f"/users/{ada}/permissions").json()
    assert {one["permission_name"]: ids(one["sources"], "source_type") for one in found} == {
        "read:orders": ["DIRECT", "ROLE"],
        "write:orders": ["ROLE"],
    }
    query = {"resource_server_identifier": API}
    effective = client.get(f"/users/{ada}/effective-permissions", params=query).json()["permissions"]
    assert {one["permission_name"]: one["sources"] for one in effective}["read:orders"] == ["direct", "roles"]
    refused(
        client.post(f"/roles/{reader}/permissions", json=permissions("no")), 404, "permission does not exist"
    )
    done(client.patch(f"/resource-servers/{api}", json={"scopes": [{"value": "read:orders"}]}), 201)
    assert ids(client.get(f"/roles/{reader}/permissions").json(), "permission_name") == ["read:orders"]
    done(client.delete(f"/resource-servers/{api}"), 204)
    assert client.get(f"/roles/{reader}/permissions").json() == []
    assert client.get(f"/users/{ada}/permissions").json() == []


def test_roles_of_groups_reach_their_members() -> None:
    """Effective roles tell whether they come from a group, for the tenant and for an organization."""
    tenant, client = make()
    ada, acme, reader = user(client), organization(client), role(client)
    [group] = tenant.seed("groups", [{"name": "Staff"}])
    tenant.seed(f"groups/{group}/members", [{"user_id": ada}])
    done(client.post(f"/groups/{group}/roles", json={"roles": [reader]}), 204)
    found = client.get(f"/users/{ada}/effective-roles").json()["roles"]
    assert [(one["id"], one["sources"]) for one in found] == [(reader, ["groups"])]
    query = {"role_id": reader}
    sources = client.get(f"/users/{ada}/effective-roles/sources/groups", params=query).json()["groups"]
    assert ids(sources) == [group]
    done(client.post(f"/organizations/{acme}/members", json={"members": [ada]}), 204)
    done(client.post(f"/organizations/{acme}/groups/{group}/roles", json={"roles": [reader]}), 204)
    of_member = client.get(f"/organizations/{acme}/members/{ada}/effective-roles").json()["roles"]
    assert [(one["id"], one["sources"]) for one in of_member] == [(reader, ["groups"])]
    assert ids(client.get(f"/organizations/{acme}/groups").json()["groups"]) == [group]
    done(client.delete(f"/groups/{group}"), 204)
    assert client.get(f"/users/{ada}/effective-roles").json()["roles"] == []


def test_organizations_have_members_with_roles_of_their_own() -> None:
    """A member's roles hold in one organization, and end with the membership."""
    _, client = make()
    ada, acme, reader = user(client), organization(client), role(client)
    path = f"/organizations/{acme}/members/{ada}/roles"
    refused(client.post(path, json={"roles": [reader]}), 404, "member does not exist")
    done(client.post(f"/organizations/{acme}/members", json={"members": [ada]}), 204)
    done(client.post(path, json={"roles": [reader]}), 204)
    assert ids(client.get(f"/users/{ada}/organizations").json()) == [acme]
    [member] = client.get(f"/organizations/{acme}/members?fields=user_id,roles").json()
    assert ids(member["roles"]) == [reader]
    assert client.get(f"/users/{ada}/roles").json() == []
    done(client.request("DELETE", f"/organizations/{acme}/members", json={"members": [ada]}), 204)
    done(client.post(f"/organizations/{acme}/members", json={"members": [ada]}), 204)
    assert client.get(path).json() == []


def test_organizations_are_found_by_name_which_is_unique() -> None:
    """Names tell organizations apart."""
    _, client = make()
    acme = organization(client)
    assert done(client.get("/organizations/name/acme"), 200)["id"] == acme
    refused(client.post("/organizations", json={"name": "acme"}), 409, "same name")
    done(client.get("/organizations/name/other"), 404)


def test_connections_of_an_organization_have_two_lists() -> None:
    """What is enabled by one name of the list is in the other, and goes with the connection."""
    _, client = make()
    acme = organization(client)
    body = {"name": "workforce", "strategy": "okta", "options": {"domain": "a.example.org"}}
    connection = done(client.post("/connections", json=body), 201)["id"]
    enabled = f"/organizations/{acme}/enabled_connections"
    made = done(client.post(enabled, json={"connection_id": connection}), 201)
    assert made["connection"] == {"name": "workforce", "strategy": "okta"}
    assert ids(client.get(f"/organizations/{acme}/connections").json(), "connection_id") == [connection]
    changed = client.patch(f"{enabled}/{connection}", json={"show_as_button": False})
    assert done(changed, 200)["show_as_button"] is False
    done(client.delete(f"/connections/{connection}"), 202)
    assert client.get(enabled).json() == []


def test_invitations_have_a_url_and_an_end() -> None:
    """An invitation ends after what was asked for, and can be read and withdrawn."""
    tenant, client = make()
    acme = organization(client)
    body = {
        "inviter": {"name": "Ada"},
        "invitee": {"email": "grace@example.org"},
        "client_id": tenant.client_id,
        "ttl_sec": 60,
    }
    made = done(client.post(f"/organizations/{acme}/invitations", json=body), 200)
    assert made["expires_at"] == "2027-01-15T08:01:00.000Z"
    assert f"organization={acme}" in made["invitation_url"]
    path = f"/organizations/{acme}/invitations/{made['id']}"
    assert done(client.get(path), 200) == made
    done(client.delete(path), 204)
    done(client.get(path), 404)
    refused(client.post(f"/organizations/{acme}/invitations", json=body | {"client_id": "x"}), 404, "client")


def test_client_grants_are_unique_and_give_tokens_their_scopes() -> None:
    """An application with a grant for the Management API gets tokens of that grant's scopes."""
    tenant, client = make()
    other = done(client.post("/clients", json={"name": "Other"}), 201)
    form = {
        "grant_type": "client_credentials",
        "client_id": other["client_id"],
        "client_secret": other["client_secret"],
        "audience": tenant.audience,
    }
    done(exchanged(tenant, form), 403)
    body = {"client_id": other["client_id"], "audience": tenant.audience, "scope": ["read:roles"]}
    made = done(client.post("/client-grants", json=body), 201)
    refused(client.post("/client-grants", json=body), 409, "client_id and audience")
    token = done(exchanged(tenant, form), 200)
    assert token["scope"] == "read:roles"
    as_other = caller(tenant, token["access_token"])
    done(as_other.get("/roles"), 200)
    refused(as_other.get("/users"), 403, "read:users")
    acme = organization(client)
    done(client.post(f"/organizations/{acme}/client-grants", json={"grant_id": made["id"]}), 201)
    assert ids(client.get(f"/client-grants/{made['id']}/organizations").json()) == [acme]
    done(client.delete(f"/clients/{other['client_id']}"), 204)
    done(client.get(f"/client-grants/{made['id']}"), 404)
    assert client.get(f"/organizations/{acme}/client-grants").json() == []
    refused(client.post("/client-grants", json=body), 404, "client does not exist")


def test_connections_are_switched_on_for_applications() -> None:
    """A new connection serves no application until it is told; those of the seed serve all."""
    tenant, client = make()
    first = client.get("/clients").json()[0]["client_id"]
    body = {"name": "own", "strategy": "auth0"}
    connection = done(client.post("/connections", json=body), 201)["id"]
    path = f"/connections/{connection}/clients"
    assert client.get(path).json()["clients"] == []
    done(client.patch(path, json=[{"client_id": first, "status": True}]), 204)
    assert ids(client.get(path).json()["clients"], "client_id") == [first]
    assert connection in ids(client.get(f"/clients/{first}/connections").json()["connections"])
    seeded = tenant.rows("connections")[0]["id"]
    assert len(client.get(f"/connections/{seeded}/clients").json()["clients"]) == 3
    done(client.patch(f"/connections/{seeded}/clients", json=[{"client_id": first, "status": False}]), 204)
    assert len(client.get(f"/connections/{seeded}/clients").json()["clients"]) == 2
    refused(client.post("/connections", json=body), 409, "same name")


def test_the_log_tells_what_was_done_and_by_whom() -> None:
    """Writes and tokens are in it, newest first by page, oldest first from an entry on."""
    tenant, client = make()
    ada = user(client)
    form = {"grant_type": "client_credentials", "client_id": tenant.client_id, "audience": tenant.audience}
    done(exchanged(tenant, form | {"client_secret": tenant.client_secret}), 200)
    done(exchanged(tenant, form | {"client_secret": "wrong"}), 401)
    done(client.patch(f"/users/{ada}", json={"name": "Ada"}), 200)
    assert ids(client.get("/logs").json(), "type") == ["sapi", "feccft", "seccft", "sapi"]
    entries = client.get("/logs", params={"take": 2}).json()
    assert ids(entries, "type") == ["sapi", "seccft"]
    later = client.get("/logs", params={"from": entries[1]["log_id"], "take": 10}).json()
    assert ids(later, "type") == ["feccft", "sapi"]
    assert client.get("/logs", params={"from": later[1]["log_id"]}).json() == []
    assert {one["client_id"] for one in entries} == {tenant.client_id}
    assert ids(client.get(f"/users/{ada}/logs").json(), "description") == ["Update users"]
    assert done(client.get(f"/logs/{later[1]['log_id']}"), 200)["user_id"] == ada
    assert client.get("/logs?include_totals=true&per_page=1").json()["total"] == 4
    text = json.dumps(tenant.rows("logs"))
    assert tenant.client_secret not in text
    assert "wrong" not in text


def test_refused_writes_are_not_in_the_log() -> None:
    """Only what was done is told."""
    tenant, client = make()
    done(client.post("/roles", json={}), 400)
    assert tenant.rows("logs") == []


def imported(client: httpx.Client, users: list[Json], **more: str) -> Json:
    connection = next(one["id"] for one in client.get("/connections").json() if one["name"] == DATABASE)
    files = {"users": ("users.json", json.dumps(users).encode(), "application/json")}
    data = {"connection_id": connection, **more}
    job: Json = done(client.post("/jobs/users-imports", files=files, data=data), 202)
    return job


def test_an_import_is_pending_then_done_and_its_users_are_there() -> None:
    """The first look finds it pending, the next one completed, with what became of each user."""
    _, client = make()
    user(client)
    job = imported(client, [{"email": "grace@example.org"}, {"email": "ada@example.org"}], external_id="x")
    path = f"/jobs/{job['id']}"
    assert job["status"] == client.get(path).json()["status"] == "pending"
    assert len(client.get("/users").json()) == 1
    finished = client.get(path).json()
    assert finished["status"] == "completed"
    assert finished["summary"] == {"failed": 1, "updated": 0, "inserted": 1, "total": 2}
    assert len(client.get("/users").json()) == 2
    [error] = done(client.get(f"{path}/errors"), 200)
    assert error["user"]["email"] == "ada@example.org"
    assert error["errors"][0]["code"] == "auth0_idp_error"


def test_an_import_may_change_users_that_are_there() -> None:
    """`upsert` changes the user with the address, and there are no errors to tell."""
    _, client = make()
    ada = user(client)
    job = imported(client, [{"email": "ada@example.org", "name": "Ada"}], upsert="true")
    assert [client.get(f"/jobs/{job['id']}").json()["status"] for _ in range(3)] == [
        "pending",
        "completed",
        "completed",
    ]
    assert client.get(f"/users/{ada}").json()["name"] == "Ada"
    done(client.get(f"/jobs/{job['id']}/errors"), 204)


def test_what_is_no_file_of_users_is_refused() -> None:
    """The file is a JSON array, within the size that the API takes."""
    _, client = make()
    connection = client.get("/connections").json()[0]["id"]
    for content in (b"{}", b"no", b"[" + b" " * 500_001 + b"]"):
        answer = client.post(
            "/jobs/users-imports", files={"users": ("u", content)}, data={"connection_id": connection}
        )
        assert answer.status_code in (400, 413)
    refused(client.post("/jobs/users-imports", json={"users": []}), 415, "Unsupported Media Type")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("json", '{"mail":"ada@example.org","nickname":"Ada"}\n'),
        ("csv", "mail,nickname\r\nada@example.org,Ada\r\n"),
    ],
)
def test_an_export_can_be_downloaded_when_it_is_done(kind: str, expected: str) -> None:
    """The finished job names a compressed file of the users, with the fields that were asked for."""
    tenant, client = make()
    user(client, nickname="Ada")
    fields = [{"name": "email", "export_as": "mail"}, {"name": "nickname"}]
    job = done(client.post("/jobs/users-exports", json={"format": kind, "fields": fields}), 200)
    client.get(f"/jobs/{job['id']}")
    location = client.get(f"/jobs/{job['id']}").json()["location"]
    assert location.startswith(tenant.origin)
    answer = client.get(location)
    assert gzip.decompress(answer.content).decode() == expected
    done(client.get(location.replace("job_", "job_x")), 404)


def test_tickets_are_urls_for_users_who_are_there() -> None:
    """A ticket names the tenant; without a user there is none."""
    tenant, client = make()
    ada = user(client)
    connection = next(one["id"] for one in tenant.rows("connections") if one["name"] == DATABASE)
    for body in ({"user_id": ada}, {"email": "ada@example.org", "connection_id": connection}):
        ticket = done(client.post("/tickets/password-change", json=body), 201)["ticket"]
        assert ticket.startswith(f"{tenant.origin}/")
    done(client.post("/tickets/email-verification", json={"user_id": "auth0|nobody"}), 404)
    refused(client.post("/tickets/password-change", json={"email": "ada@example.org"}), 400, "connection_id")


def test_sessions_and_refresh_tokens_are_revoked() -> None:
    """Revoking access ends a user's sessions, and the tokens that came with them unless they are spared."""
    tenant, client = make()
    ada = user(client)
    [first, second] = tenant.seed("sessions", [{"user_id": ada}, {"user_id": ada}])
    tenant.seed(
        "refresh-tokens", [{"user_id": ada, "session_id": one, "client_id": "c"} for one in (first, second)]
    )
    assert ids(client.get(f"/users/{ada}/sessions").json()["sessions"]) == [first, second]
    done(client.post(f"/sessions/{first}/revoke"), 202)
    assert len(client.get(f"/users/{ada}/refresh-tokens").json()["tokens"]) == 1
    body = {"session_id": second, "preserve_refresh_tokens": True}
    done(client.post(f"/users/{ada}/revoke-access", json=body), 202)
    assert client.get(f"/users/{ada}/sessions").json()["sessions"] == []
    assert len(client.get(f"/users/{ada}/refresh-tokens").json()["tokens"]) == 1
    done(client.post("/refresh-tokens/revoke", json={"client_id": "c"}), 202)
    assert tenant.rows("refresh-tokens") == []


def test_blocks_are_known_by_what_identifies_a_user() -> None:
    """A block is found by the address itself, or by the user who has it, and lifted by either."""
    tenant, client = make()
    ada = user(client)
    tenant.seed(
        "user-blocks", [{"identifier": "ada@example.org", "ip": "192.0.2.1"}, {"identifier": "other"}]
    )
    blocks = {"blocked_for": [{"identifier": "ada@example.org", "ip": "192.0.2.1"}]}
    assert client.get(f"/user-blocks/{ada}").json() == blocks
    assert client.get("/user-blocks", params={"identifier": "ada@example.org"}).json() == blocks
    done(client.delete(f"/user-blocks/{ada}"), 204)
    assert client.get(f"/user-blocks/{ada}").json() == {"blocked_for": []}
    assert len(tenant.rows("user-blocks")) == 1


def test_signing_keys_are_those_that_sign() -> None:
    """Rotating makes another key sign, and revoking one refuses its tokens."""
    tenant, client = make()
    [before] = client.get("/keys/signing").json()
    rotated = done(client.post("/keys/signing/rotate"), 201)
    assert ids(client.get("/keys/signing").json(), "kid") == [rotated["kid"], before["kid"]]
    jwks = client.get(f"{tenant.origin}/.well-known/jwks.json").json()["keys"]
    assert ids(jwks, "kid") == [rotated["kid"], before["kid"]]
    other = caller(tenant)
    done(other.put(f"/keys/signing/{before['kid']}/revoke"), 200)
    done(client.get("/roles"), 401)
    done(other.get("/roles"), 200)


def test_actions_have_versions_and_bindings() -> None:
    """A deployed action has a version, secrets have no value, and bindings name actions."""
    _, client = make()
    body = {
        "name": "greet",
        "supported_triggers": [{"id": "post-login", "version": "v3"}],
        "code": "// 1",
        "secrets": [{"name": "KEY", "value": "hidden"}],
    }
    made = done(client.post("/actions/actions", json=body), 201)
    assert "hidden" not in json.dumps(made)
    path = f"/actions/actions/{made['id']}"
    first = done(client.post(f"{path}/deploy"), 202)
    done(client.patch(path, json={"code": "// 2"}), 200)
    assert client.get(path).json()["all_changes_deployed"] is False
    done(client.post(f"{path}/deploy"), 202)
    done(client.post(f"{path}/versions/{first['id']}/deploy", json={"update_draft": True}), 202)
    versions = client.get(f"{path}/versions").json()
    assert [(one["number"], one["code"], one["deployed"]) for one in versions["versions"]] == [
        (1, "// 1", False),
        (2, "// 2", False),
        (3, "// 1", True),
    ]
    assert client.get(path).json()["code"] == "// 1"
    bindings = "/actions/triggers/post-login/bindings"
    done(client.patch(bindings, json={"bindings": [{"ref": {"type": "action_name", "value": "greet"}}]}), 200)
    assert [one["action"]["id"] for one in client.get(bindings).json()["bindings"]] == [made["id"]]
    found = client.get("/actions/actions", params={"triggerId": "post-login"}).json()
    assert found["total"] == 1
    assert client.get("/actions/actions", params={"actionName": "other"}).json()["total"] == 0


def test_the_secrets_of_a_hook_are_named_and_not_shown() -> None:
    """Their names can be read, their values cannot."""
    tenant, client = make()
    [hook] = tenant.seed("hooks", [{"name": "h"}])
    done(client.post(f"/hooks/{hook}/secrets", json={"A": "hidden", "B": "hidden"}), 201)
    done(client.request("DELETE", f"/hooks/{hook}/secrets", json=["A"]), 204)
    shown = client.get(f"/hooks/{hook}/secrets").json()
    assert list(shown) == ["B"]
    assert "hidden" not in shown.values()


def test_an_api_is_known_by_its_identifier_too() -> None:
    """Reading, changing and deleting take either; grants for it go with it."""
    tenant, client = make()
    api = resource_server(client, "read:orders")
    path = f"/resource-servers/{API.replace('/', '%2F')}"
    assert done(client.get(path), 200)["id"] == api
    assert ids(client.get("/resource-servers", params={"identifiers": API}).json()) == [api]
    body = {"client_id": tenant.client_id, "audience": API, "scope": ["read:orders"]}
    grant = done(client.post("/client-grants", json=body), 201)["id"]
    done(client.delete(path), 204)
    done(client.get(f"/client-grants/{grant}"), 404)
    refused(client.post("/client-grants", json=body), 404, "resource server does not exist")


def test_the_default_domain_is_the_tenants_own_until_another_is_named() -> None:
    """Only domains of the tenant can be the default one."""
    tenant, client = make()
    assert done(client.get("/custom-domains/default"), 200)["domain"] == tenant.domain
    body = {"domain": "login.example.org", "type": "auth0_managed_certs"}
    made = done(client.post("/custom-domains", json=body), 201)
    path = f"/custom-domains/{made['custom_domain_id']}"
    assert done(client.post(f"{path}/test"), 200)["success"] is False
    assert done(client.post(f"{path}/verify"), 200)["status"] == "ready"
    assert done(client.post(f"{path}/test"), 200)["success"] is True
    assert done(client.get("/custom-domains/default"), 200)["domain"] == "login.example.org"
    chosen = client.patch("/custom-domains/default", json={"domain": tenant.domain})
    assert done(chosen, 200)["domain"] == tenant.domain
    refused(client.patch("/custom-domains/default", json={"domain": "no.example.org"}), 400, "domain")


def test_a_user_of_a_connection_is_deleted_by_address() -> None:
    """The one of the connection goes, with roles and all; a namesake at another connection stays."""
    tenant, client = make()
    ada, other, reader = user(client), user(client, connection="email"), role(client)
    done(client.post(f"/roles/{reader}/users", json={"users": [ada, other]}), 200)
    connection = next(one["id"] for one in tenant.rows("connections") if one["name"] == DATABASE)
    query = {"email": "ada@example.org"}
    done(client.delete(f"/connections/{connection}/users", params=query), 204)
    done(client.get(f"/users/{ada}"), 404)
    assert ids(client.get(f"/roles/{reader}/users").json(), "user_id") == [other]
    done(client.delete(f"/connections/{connection}/users", params=query), 404)


def test_a_module_is_published_and_rolled_back() -> None:
    """A version keeps the code that it was made of."""
    _, client = make()
    made = done(client.post("/actions/modules", json={"name": "m", "code": "1", "publish": True}), 201)
    assert (made["latest_version_number"], made["all_changes_published"]) == (1, True)
    path = f"/actions/modules/{made['id']}"
    assert done(client.patch(path, json={"code": "2"}), 200)["all_changes_published"] is False
    [version] = client.get(f"{path}/versions").json()["versions"]
    back = client.post(f"{path}/rollback", json={"module_version_id": version["id"]})
    assert done(back, 200)["code"] == "1"


def test_the_status_of_a_flag_changes_by_a_call_of_its_own() -> None:
    """What is sent to /status is the flag's status."""
    tenant, client = make()
    [flag] = tenant.seed("experimentation/feature-flags", [{"name": "f", "type": "self", "status": "draft"}])
    path = f"/experimentation/feature-flags/{flag}"
    done(client.post(f"{path}/status", json={"status": "active"}), 200)
    assert client.get(path).json()["status"] == "active"
