"""The local tenant's applications: create, read, update, delete, and what the scopes show of them."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TypeAlias

import httpx
import pytest

from evertoken_tenant import Clock, Tenant, applications, seed

Row: TypeAlias = dict[str, object]
SECRET_FIELDS = {"client_secret", "signing_keys", "encryption_key"}
WRONG_TYPE = "'Expected type string but found type integer'"
MISSING = "'Missing required property: expiration_type'"
PEM = "-----BEGIN PUBLIC KEY-----\nnot a key\n-----END PUBLIC KEY-----\n"


def api(tenant: Tenant, *scopes: str) -> httpx.Client:
    token = tenant.issue_token(scopes=scopes or None)
    return httpx.Client(
        transport=httpx.MockTransport(tenant),
        base_url=f"{tenant.origin}/api/v2",
        headers={"authorization": f"Bearer {token}"},
    )


def make(count: int = 3) -> tuple[Tenant, httpx.Client]:
    tenant = Tenant(clients=count, clock=Clock())
    return tenant, api(tenant)


def create(client: httpx.Client, **fields: object) -> Row:
    response = client.post("/clients", json={"name": "Made", **fields})
    assert response.status_code == 201, response.text
    made: Row = response.json()
    return made


def ids(response: httpx.Response) -> list[str]:
    return [row["client_id"] for row in response.json()]


def test_seeded_applications_are_complete_varied_and_repeatable() -> None:
    """The same seed gives the same applications, of every kind, with the fields of a real tenant."""
    first = make(100)[1].get("/clients?per_page=100").json()
    again = make(100)[1].get("/clients?per_page=100").json()
    assert first == again
    assert api(Tenant(clients=100, seed=7)).get("/clients?per_page=100").json() != first
    assert min(len(row) for row in first) >= 50
    assert {row["app_type"] for row in first} == {"native", "spa", "regular_web", "non_interactive"}
    assert len({row["client_id"] for row in first}) == len({row["client_secret"] for row in first}) == 100
    assert {row["is_first_party"] for row in first} == {True, False}
    assert any(not row["description"].isascii() for row in first)


def test_own_application_can_be_read_but_is_in_no_list() -> None:
    """`clients` says how many are listed; the tenant's own application is there besides."""
    tenant, client = make(3)
    assert client.get("/clients?include_totals=true").json()["total"] == 3
    own = client.get(f"/clients/{tenant.client_id}").json()
    assert own["client_secret"] == tenant.client_secret
    assert tenant.client_id not in ids(client.get("/clients"))


def test_created_application_has_id_secret_and_defaults() -> None:
    """What was sent is kept, what was not gets the defaults, and it can be read at once."""
    tenant, client = make(0)
    made = create(client, app_type="spa", callbacks=["https://a.example/cb"], client_metadata={"k": "v"})
    assert made["name"] == "Made"
    assert made["callbacks"] == ["https://a.example/cb"]
    assert made["token_endpoint_auth_method"] == "none"
    assert made["grant_types"] == ["authorization_code", "implicit", "refresh_token"]
    assert len(str(made["client_secret"])) == 64
    assert client.get(f"/clients/{made['client_id']}").json() == made
    assert ids(client.get("/clients")) == [made["client_id"]]
    assert made["client_id"] != tenant.client_id


def test_created_secret_is_told_without_a_reading_scope() -> None:
    """Whoever creates an application learns its secret; nobody could use it else."""
    tenant, _ = make(0)
    assert create(api(tenant, "create:clients"))["client_secret"]


def test_new_application_authenticates_but_has_no_grant() -> None:
    """Its own id and secret are known to the token endpoint."""
    tenant, client = make(0)
    made = create(client, app_type="non_interactive")
    data = {
        "grant_type": "client_credentials",
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
        "audience": tenant.audience,
    }
    del client.headers["authorization"]
    response = client.post(f"{tenant.origin}/oauth/token", data=data)
    assert (response.status_code, response.json()["error"]) == (403, "access_denied")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Payload validation error: 'Missing required property: name'."),
        (
            {"name": 1},
            "Payload validation error: 'Expected type string but found type integer' on property name.",
        ),
        (
            {"name": "a", "colour": "red"},
            "Payload validation error: 'Additional properties not allowed: colour'.",
        ),
        (
            {"name": "a", "callbacks": ["https://a.example", 1]},
            f"Payload validation error: {WRONG_TYPE} on property callbacks[1].",
        ),
        (
            {"name": "a", "refresh_token": {"rotation_type": "rotating"}},
            f"Payload validation error: {MISSING} on property refresh_token.",
        ),
        (
            {"name": "a", "app_type": "toaster"},
            "Payload validation error: 'No enum match for: toaster' on property app_type.",
        ),
        ([], "Payload validation error: 'Expected type object but found type array'."),
    ],
)
def test_bad_body_is_told_by_place(body: object, message: str) -> None:
    """The error says what is wrong and where, with the code invalid_body; nothing is created."""
    _, client = make(0)
    response = client.post("/clients", json=body)
    assert response.json() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": message,
        "errorCode": "invalid_body",
    }
    assert client.get("/clients").json() == []


@pytest.mark.parametrize("content", [b"{", b'{"name": NaN}', b"[" * 100_000, b"\xff"])
def test_body_that_is_no_json_is_400(content: bytes) -> None:
    """Broken JSON is refused as such."""
    _, client = make(0)
    response = client.post("/clients", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["message"] == "Invalid request payload JSON format"


def test_body_types() -> None:
    """Other types than JSON are not supported; no body lacks the name."""
    _, client = make(0)
    assert client.post("/clients", data={"name": "From a form"}).status_code == 415
    assert client.post("/clients", content=b"a", headers={"content-type": "text/plain"}).status_code == 415
    assert client.post("/clients").json()["message"].endswith("'Missing required property: name'.")


def test_body_above_one_megabyte_is_413() -> None:
    """One byte too many is refused, the last one allowed is read."""
    _, client = make(0)
    limit = 1024 * 1024
    frame = len(json.dumps({"name": ""}))
    fits = client.post("/clients", content=json.dumps({"name": "n" * (limit - frame)}))
    too_large = client.post("/clients", content=json.dumps({"name": "n" * (limit - frame + 1)}))
    assert (fits.status_code, too_large.status_code) == (201, 413)


def test_identifier_of_a_resource_server_is_unique() -> None:
    """A second application for the same resource server conflicts, until the first is gone."""
    _, client = make(0)
    fields = {"app_type": "resource_server", "resource_server_identifier": "https://api.example"}
    made = create(client, **fields)
    conflict = client.post("/clients", json={"name": "Second", **fields})
    assert (conflict.status_code, conflict.json()["error"]) == (409, "Conflict")
    client.delete(f"/clients/{made['client_id']}")
    create(client, **fields)


def test_unknown_application_is_404() -> None:
    """Reading, changing or rotating what is not there is an error with its code."""
    _, client = make()
    for response in (
        client.get("/clients/unknown"),
        client.patch("/clients/unknown", json={"name": "x"}),
        client.post("/clients/unknown/rotate-secret"),
        client.get("/clients/unknown/connections"),
        client.get("/clients/unknown/credentials"),
    ):
        assert (response.status_code, response.json()["errorCode"]) == (404, "inexistent_client")


def test_update_merges_and_null_clears() -> None:
    """Fields not sent stay; null removes; metadata is merged by key; what is not nullable refuses null."""
    _, client = make(0)
    made = create(
        client, description="old", par_request_expiry=30, client_metadata={"keep": "1", "drop": "2"}
    )
    path = f"/clients/{made['client_id']}"
    body = {"name": "New", "par_request_expiry": None, "client_metadata": {"drop": None, "add": "3"}}
    changed = client.patch(path, json=body)
    assert changed.status_code == 200
    expected = {**made, "name": "New", "client_metadata": {"keep": "1", "add": "3"}}
    del expected["par_request_expiry"]
    assert changed.json() == expected
    assert client.get(path).json() == expected
    assert client.patch(path, json={"name": None}).status_code == 400
    assert client.patch(path, json={}).json()["message"].startswith("Payload validation error: 'Too few")


def test_update_of_a_seeded_application_keeps_its_place() -> None:
    """A change moves nothing in the list, and null fields of before stay null."""
    _, client = make(3)
    before = client.get("/clients").json()
    target = before[1]
    changed = client.patch(f"/clients/{target['client_id']}", json={"name": "Changed"}).json()
    assert changed == {**target, "name": "Changed"}
    assert client.get("/clients").json() == [before[0], changed, before[2]]


def test_metadata_has_ten_keys_at_most() -> None:
    """The limit counts what is there after the merge."""
    _, client = make(0)
    made = create(client, client_metadata={str(n): "x" for n in range(10)})
    response = client.patch(f"/clients/{made['client_id']}", json={"client_metadata": {"more": "x"}})
    assert (response.status_code, response.json()["errorCode"]) == (400, "invalid_body")
    full = {str(n): "x" for n in range(11)}
    assert client.post("/clients", json={"name": "a", "client_metadata": full}).status_code == 400


def test_old_name_of_oidc_logout_is_understood() -> None:
    """oidc_backchannel_logout is the former name of oidc_logout."""
    _, client = make(0)
    urls = {"backchannel_logout_urls": ["https://a.example/out"]}
    made = create(client, oidc_backchannel_logout=urls)
    assert made["oidc_logout"] == urls
    more: dict[str, list[str]] = {"backchannel_logout_urls": []}
    changed = client.patch(f"/clients/{made['client_id']}", json={"oidc_backchannel_logout": more}).json()
    assert changed["oidc_logout"] == more
    assert "oidc_backchannel_logout" not in changed


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        ({"name": "x"}, "update:clients"),
        ({"client_secret": "not-a-secret"}, "update:client_keys"),
        ({"encryption_key": None}, "update:client_keys"),
        ({"client_authentication_methods": None}, "update:client_credentials"),
        (
            {"token_vault_privileged_access": {"credentials": []}},
            "update:client_token_vault_privileged_access",
        ),
    ],
)
def test_update_of_a_field_needs_its_scope(body: Row, scope: str) -> None:
    """Each field has one scope that may change it; another one that opens the operation does not."""
    tenant, client = make(0)
    path = f"/clients/{create(client)['client_id']}"
    assert api(tenant, scope).patch(path, json=body).status_code == 200
    other = "update:client_keys" if scope == "update:clients" else "update:clients"
    refused = api(tenant, other).patch(path, json=body)
    assert (refused.status_code, refused.json()["errorCode"]) == (403, "insufficient_scope")
    assert scope in refused.json()["message"]


def test_set_secret_is_used() -> None:
    """A secret given by an update is the application's."""
    _, client = make(0)
    path = f"/clients/{create(client)['client_id']}"
    assert (
        client.patch(path, json={"client_secret": "not-a-secret"}).json()["client_secret"] == "not-a-secret"
    )


def test_rotated_secret_is_new_and_told() -> None:
    """Rotation changes the secret and nothing else."""
    _, client = make(0)
    made = create(client)
    rotated = client.post(f"/clients/{made['client_id']}/rotate-secret")
    assert rotated.status_code == 200
    assert rotated.json()["client_secret"] != made["client_secret"]
    assert {**rotated.json(), "client_secret": made["client_secret"]} == made


def test_deleting_is_204_also_when_there_is_nothing() -> None:
    """A deletion can be repeated."""
    _, client = make(2)
    target = ids(client.get("/clients"))[0]
    for _ in range(2):
        response = client.delete(f"/clients/{target}")
        assert (response.status_code, response.content) == (204, b"")
    assert client.get(f"/clients/{target}").status_code == 404
    assert target not in ids(client.get("/clients"))


@pytest.mark.parametrize("path", ["/clients", "/clients/{id}"])
@pytest.mark.parametrize(
    ("scope", "secrets_shown"),
    [("read:clients", False), ("read:client_keys", True), ("read:client_credentials", True)],
)
def test_secrets_need_their_scope(path: str, scope: str, *, secrets_shown: bool) -> None:
    """Secrets are left out, not emptied, unless the token may read keys or credentials."""
    tenant, client = make(1)
    target = ids(client.get("/clients"))[0]
    answer = api(tenant, scope).get(path.format(id=target)).json()
    row: Row = answer[0] if path == "/clients" else answer
    assert (row.keys() >= SECRET_FIELDS) is secrets_shown
    assert (not row.keys() & SECRET_FIELDS) is not secrets_shown
    assert "callbacks" in row


def test_summary_scope_shows_a_few_fields() -> None:
    """With read:client_summary alone there is enough to name an application, and no more."""
    tenant, _ = make(1)
    row = api(tenant, "read:client_summary").get("/clients").json()[0]
    assert row.keys() == {"client_id", "name", "description", "app_type", "logo_uri", "is_first_party"}


def test_update_shows_secrets_only_with_their_scope() -> None:
    """The answer to a change is no way around the reading scopes."""
    tenant, client = make(0)
    path = f"/clients/{create(client)['client_id']}"
    answer = api(tenant, "update:clients").patch(path, json={"name": "b"}).json()
    assert not answer.keys() & SECRET_FIELDS
    assert answer["name"] == "b"


def test_fields_select_or_leave_out() -> None:
    """`fields` names what is wanted, with include_fields=false what is not."""
    _, client = make(2)
    target = ids(client.get("/clients"))[0]
    wanted = client.get("/clients", params={"fields": "name, client_id,unknown"}).json()
    assert [row.keys() for row in wanted] == [{"name", "client_id"}] * 2
    left_out = client.get(f"/clients/{target}", params={"fields": "name,addons", "include_fields": "false"})
    whole = client.get(f"/clients/{target}").json()
    assert left_out.json() == {key: whole[key] for key in whole if key not in {"name", "addons"}}
    assert client.get(f"/clients/{target}?include_fields=false").json() == whole
    assert client.get(f"/clients/{target}?fields=").json() == whole


def test_percent_encoded_ids_are_decoded() -> None:
    """An id is taken as a value, not as a piece of path: an encoded slash does not split it."""
    _, client = make(1)
    target = ids(client.get("/clients"))[0]
    encoded = "".join(f"%{ord(char):02x}" for char in target)
    assert client.get(f"/clients/{encoded}").json()["client_id"] == target
    assert client.get("/clients/a%2Frotate-secret").json()["errorCode"] == "inexistent_client"


def test_applications_are_made_when_looked_at() -> None:
    """A tenant of many costs little until they are read, and all of them are there."""
    tenant = Tenant(clients=5_000, clock=Clock())
    unmade = [one for one in tenant._inside.applications._all.values() if isinstance(one, int)]
    assert len(unmade) == 5_000
    client = api(tenant)
    assert client.get("/clients?include_totals=true&per_page=1").json()["total"] == 5_000
    assert len([one for one in tenant._inside.applications._all.values() if isinstance(one, int)]) == 4_999


def test_application_made_by_another_thread_meanwhile_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that look first at one application get the same; one deleted meanwhile stays deleted."""
    tenant, client = make(2)
    first, second = (client_id for _, client_id in tenant._inside.applications.places())
    build = seed.seeded_row

    def patched_in_between(number: int, index: int) -> Row:
        monkeypatch.setattr(applications, "seeded_row", build)
        client.patch(f"/clients/{first}", json={"name": "Meanwhile"})
        return build(number, index)  # type: ignore[return-value]  # Row of this file is looser

    monkeypatch.setattr(applications, "seeded_row", patched_in_between)
    assert client.get(f"/clients/{first}").json()["name"] == "Meanwhile"

    def deleted_in_between(number: int, index: int) -> Row:
        client.delete(f"/clients/{second}")
        return build(number, index)  # type: ignore[return-value]  # the same

    monkeypatch.setattr(applications, "seeded_row", deleted_in_between)
    assert client.get(f"/clients/{second}").status_code == 404
    assert ids(client.get("/clients")) == [first]


def test_threads_lose_no_change() -> None:
    """Creations, merges and deletions from many threads all take effect."""
    tenant, client = make(0)
    shared = create(client)["client_id"]

    def work(number: int) -> None:
        made = create(client)
        client.patch(f"/clients/{shared}", json={"client_metadata": {str(number): "x"}})
        if number % 2:
            client.delete(f"/clients/{made['client_id']}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metadata = client.get(f"/clients/{shared}").json()["client_metadata"]
    assert set(metadata) == {str(number) for number in range(8)}
    assert client.get("/clients?include_totals=true").json()["total"] == 5
    assert repr(tenant._inside.applications.get(str(shared))).count(str(tenant.client_secret)) == 0


def test_in_process_async_client_is_served() -> None:
    """The same tenant answers an asynchronous client."""
    tenant, _ = make(2)

    async def count() -> int:
        transport = httpx.MockTransport(tenant)
        headers = {"authorization": f"Bearer {tenant.issue_token()}"}
        async with httpx.AsyncClient(transport=transport, base_url=tenant.origin, headers=headers) as client:
            return len((await client.get("/api/v2/clients")).json())

    assert asyncio.run(count()) == 2


def test_stored_credentials_become_references() -> None:
    """Keys sent with an application are kept as its credentials; bad ones create nothing."""
    _, client = make(0)
    methods = {"private_key_jwt": {"credentials": [{"credential_type": "public_key", "pem": PEM}]}}
    response = client.post("/clients", json={"name": "a", "client_authentication_methods": methods})
    assert (response.status_code, response.json()["errorCode"]) == (400, "invalid_body")
    assert client.get("/clients").json() == []


@pytest.mark.parametrize(
    "body",
    [r'{"name": "\ud800"}', r'{"name": "x", "\ud800": 1}', '{"name": "x", "client_metadata": {"a": 1e400}}'],
)
def test_what_no_answer_could_hold_is_refused(body: str) -> None:
    """A lone surrogate, a number beyond all bounds: 400, and the lists go on."""
    client = make()[1]
    response = client.post("/clients", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["errorCode"]) == (400, "invalid_body")
    assert client.get("/clients").status_code == 200


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a*c", True),
        ("*B*", True),
        ("a*", True),
        ("*c", True),
        ("*", True),
        ("abc", True),
        ("b", False),
        ("a*a*c", False),
        ("abc*c", False),
    ],
)
def test_stars_stand_for_anything(value: str, *, found: bool) -> None:
    """At any place of a search value, whatever the case."""
    client = make(0)[1]
    create(client, description="abc")
    assert bool(client.get("/clients", params={"q": f"description:{value}"}).json()) is found


def test_a_search_with_many_stars_ends_at_once() -> None:
    """In time that grows with the text, not with its combinations: this one would take days."""
    client = make(0)[1]
    create(client, description="e" * 140)
    assert client.get("/clients", params={"q": "description:" + "*e" * 60 + "*Z"}).json() == []
