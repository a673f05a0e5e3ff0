"""What the local tenant does for every resource alike: checks, ids, paging, settings, seeding."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import evertoken_spec
from evertoken_tenant import Clock, Tenant
from samples import operation, resolve

ENTRIES = {entry.key: entry for entry in evertoken_spec.index()}

TYPE = "'Expected type string but found type integer'"
FLAG = "'Expected type boolean but found type string'"
ENUM = "'No enum match for"
FORMAT = "'Object didn't pass validation for format"
PATTERN = "'String does not match pattern: ^\\+[0-9]{1,15}$'"
ANY = "allow_any_organization"
LONG = "'String is too long"
SINK = {"httpEndpoint": "https://a.example.org"}


@pytest.fixture(scope="module")
def shared() -> httpx.Client:
    """An empty tenant that no test changes."""
    return make()[1]


def make() -> tuple[Tenant, httpx.Client]:
    tenant = Tenant(clients=0, clock=Clock())
    return tenant, httpx.Client(
        transport=httpx.MockTransport(tenant),
        base_url=f"{tenant.origin}/api/v2",
        headers={"authorization": f"Bearer {tenant.issue_token()}"},
    )


def message(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["message"])


def reads() -> list[str]:
    """Return the operations that read one row of a list, by an id of any text."""
    found: list[str] = []
    for entry in ENTRIES.values():
        described = operation(entry)
        last = entry.path.rpartition("{")[2][:-1]
        free = [one for one in map(resolve, described.get("parameters", ())) if one["name"] == last]
        if entry.method == "GET" and entry.path.endswith("}") and "404" in described["responses"]:
            found += [entry.key] if free and "enum" not in resolve(free[0]["schema"]) else []
    return found


@pytest.mark.parametrize("key", reads())
def test_what_is_not_there_is_told(shared: httpx.Client, key: str) -> None:
    """An id that nothing has gets 404, in the API's shape."""
    entry = ENTRIES[key]
    parameters = {one["name"]: resolve(one["schema"]) for one in map(resolve, operation(entry)["parameters"])}
    values = {
        name: "192.0.2.9" if "oneOf" in one else "x" * max(one.get("minLength", 0), 9)
        for name, one in parameters.items()
    }
    answer = shared.get(entry.path.format(**values))
    assert answer.status_code == 404, answer.text
    assert answer.json()["statusCode"] == 404
    assert answer.json()["error"] == "Not Found"
    assert answer.json()["message"]


def bodies() -> list[str]:
    """Return the operations that take a JSON object."""
    found: list[str] = []
    for entry in ENTRIES.values():
        content = resolve(operation(entry).get("requestBody", {})).get("content", {})
        if "application/json" in content and "{" not in entry.path:
            found.append(entry.key)
    return found


@pytest.mark.parametrize("key", bodies())
def test_a_body_of_another_type_is_refused(shared: httpx.Client, key: str) -> None:
    """Every operation that takes a body refuses a number in its place."""
    answer = shared.request(ENTRIES[key].method, ENTRIES[key].path, json=17)
    assert answer.status_code == 400, answer.text
    assert answer.json()["errorCode"] == "invalid_body"
    assert answer.json()["message"].startswith("Payload validation error: '")


@pytest.mark.parametrize(
    "key", [key for key, entry in ENTRIES.items() if entry.method == "GET" and "{" not in entry.path]
)
def test_an_unknown_query_parameter_is_refused(shared: httpx.Client, key: str) -> None:
    """A parameter that an operation does not know is told by its name."""
    answer = shared.get(ENTRIES[key].path, params={"no_such_parameter": "1"})
    expected = "Query validation error: 'Additional properties not allowed: no_such_parameter'."
    assert message(answer) == expected
    assert answer.json()["errorCode"] == "invalid_query_string"


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("/roles", {}, "'Missing required property: name'."),
        ("/roles", {"name": 7}, "'Expected type string but found type integer' on property name."),
        ("/roles", {"name": "a", "x": 1}, "'Additional properties not allowed: x'."),
        ("/users", {"connection": "c", "email": "no"}, f"{FORMAT} email: no' on property email."),
        ("/users", {"connection": ""}, "'String is too short (0 chars), minimum 1' on property connection."),
        ("/users", {"connection": "c", "phone_number": "1"}, f"{PATTERN} on property phone_number."),
        ("/organizations", {"name": "a" * 51}, f"{LONG} (51 chars), maximum 50' on property name."),
        (
            "/organizations",
            {"name": "a", "enabled_connections": [{"connection_id": 1}]},
            "'Expected type string but found type integer' on property enabled_connections[0].connection_id.",
        ),
        ("/log-streams", {"type": "http", "name": 1, "sink": SINK}, f"{TYPE} on property name."),
        ("/connections", {"name": "a", "strategy": "nothing"}, f"{ENUM}: nothing' on property strategy."),
    ],
)  # fmt: skip
def test_a_wrong_body_is_told_with_its_place(
    shared: httpx.Client, path: str, body: object, problem: str
) -> None:
    """The sentence is the API's: what was expected, what came, on which property."""
    assert message(shared.post(path, json=body)) == f"Payload validation error: {problem}"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/roles?page=x", "'Expected type integer but found type string' on property page."),
        ("/roles?per_page=101", "'Value 101 is greater than maximum 100' on property per_page."),
        ("/roles?include_totals=1", f"{FLAG} on property include_totals."),
        ("/roles?page=0&page=1", "'Expected one value but found several' on property page."),
        ("/client-grants?subject_type=no", "'No enum match for: no' on property subject_type."),
        ("/connections?strategy=auth0&strategy=no", "'No enum match for: no' on property strategy[1]."),
        ("/client-grants?allow_any_organization=false", f"{ENUM}: false' on property {ANY}."),
        ("/roles?page=20", None),
    ],
)  # fmt: skip
def test_a_wrong_query_is_told_with_its_place(shared: httpx.Client, path: str, problem: str | None) -> None:
    """Types, limits and values of parameters are those of the documents; pages end at 1,000 rows."""
    if problem is None:
        assert "reaches beyond the first 1000 records" in message(shared.get(path))
    else:
        assert message(shared.get(path)) == f"Query validation error: {problem}"


def test_a_value_that_no_path_has_is_refused(shared: httpx.Client) -> None:
    """Parameters of the path are checked too."""
    told = message(shared.get("/prompts/nothing/partials"))
    assert told == "Path validation error: 'No enum match for: nothing' on property prompt."


def test_bodies_have_a_limit_and_a_type(shared: httpx.Client) -> None:
    """More than 1 MB, and what is not JSON, is refused."""
    assert shared.post("/roles", content=b" " * (1024 * 1024 + 1)).status_code == 413
    assert message(shared.post("/roles", content=b"{")) == "Invalid request payload JSON format"
    assert shared.post("/roles", content=b"a", headers={"content-type": "text/plain"}).status_code == 415


def test_rows_are_listed_by_page_with_totals_and_by_cursor() -> None:
    """The three shapes of a list agree on rows and order."""
    tenant, client = make()
    ids = tenant.seed("organizations", [{"name": f"o{number}"} for number in range(7)])
    assert [one["id"] for one in client.get("/organizations").json()] == ids
    page = client.get("/organizations?include_totals=true&per_page=3&page=1").json()
    assert {name: value for name, value in page.items() if name != "organizations"} == {
        "start": 3,
        "limit": 3,
        "total": 7,
    }
    assert [one["id"] for one in page["organizations"]] == ids[3:6]
    found: list[str] = []
    query: dict[str, str] = {"take": "3"}
    while True:
        body = client.get("/organizations", params=query).json()
        found += [one["id"] for one in body["organizations"]]
        if "next" not in body:
            break
        query["from"] = body["next"]
    assert found == ids


def test_a_cursor_goes_on_where_rows_came_and_went() -> None:
    """Nothing is told twice or left out between pages."""
    tenant, client = make()
    ids = tenant.seed("organizations", [{"name": f"o{number}"} for number in range(5)])
    first = client.get("/organizations?take=2").json()
    client.delete(f"/organizations/{ids[0]}")
    [last] = tenant.seed("organizations", [{"name": "new"}])
    rest = client.get("/organizations", params={"take": "9", "from": first["next"]}).json()
    assert [one["id"] for one in rest["organizations"]] == [*ids[2:], last]
    assert client.get("/organizations?take=2&from=no").status_code == 400


def test_lists_are_filtered_sorted_and_cut_to_fields() -> None:
    """Filters compare properties; sort names one; fields select."""
    tenant, client = make()
    tenant.seed(
        "hooks",
        [
            {"name": "b", "enabled": True, "triggerId": "credentials-exchange"},
            {"name": "a", "enabled": False},
        ],
    )
    assert [one["name"] for one in client.get("/hooks?enabled=true").json()] == ["b"]
    assert [one["name"] for one in client.get("/hooks?triggerId=credentials-exchange").json()] == ["b"]
    assert client.get("/hooks?fields=name").json() == [{"name": "b"}, {"name": "a"}]
    assert "name" not in client.get("/connections?fields=name&include_fields=false").json()[0]
    names = [one["name"] for one in client.get("/connections?strategy=email&strategy=sms").json()]
    assert names == ["email", "sms"]
    tenant.seed("organizations", [{"name": "b"}, {"name": "c"}, {"name": "a"}])
    assert [one["name"] for one in client.get("/organizations?sort=name:1").json()] == ["a", "b", "c"]
    assert "Invalid sort" in message(client.get("/organizations?sort=name"))
    tenant.seed("roles", [{"name": "Admin"}, {"name": "Reader"}])
    assert [one["name"] for one in client.get("/roles?name_filter=adm").json()] == ["Admin"]


def test_rows_are_made_changed_and_deleted() -> None:
    """What is written can be read; times tell when; deleted is gone."""
    tenant, client = make()
    made = client.post("/rate-limit-policies", json={
        "resource": "oauth_authentication_api", "consumer": "client", "consumer_selector": "c",
        "configuration": {"action": "allow"},
    })  # fmt: skip
    assert made.status_code == 201, made.text
    path = f"/rate-limit-policies/{made.json()['id']}"
    assert client.get(path).json() == made.json()
    assert made.json()["created_at"] == made.json()["updated_at"]
    changed = client.patch(path, json={"configuration": {"action": "block", "limit": 1}})
    assert changed.status_code == 200, changed.text
    assert client.get(path).json() == changed.json()
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == client.delete(path).status_code == 404
    assert tenant.rows("rate-limit-policies") == []


def test_settings_keep_what_was_set() -> None:
    """PATCH merges, PUT replaces, and what can be deleted is not there before it is made."""
    _, client = make()
    assert (
        client.patch("/tenants/settings", json={"friendly_name": "A", "session_lifetime": 9}).status_code
        == 200
    )
    changed = client.patch("/tenants/settings", json={"friendly_name": "B"}).json()
    assert client.get("/tenants/settings").json() == changed
    assert (changed["friendly_name"], changed["session_lifetime"]) == ("B", 9)
    assert client.get("/tenants/settings?fields=session_lifetime").json() == {"session_lifetime": 9}
    provider: dict[str, Any] = {"name": "smtp", "credentials": {"smtp_host": "h"}}
    assert client.get("/emails/provider").status_code == 404
    assert client.post("/emails/provider", json=provider).status_code == 201
    assert client.post("/emails/provider", json=provider).status_code == 409
    assert client.get("/emails/provider").json()["name"] == "smtp"
    assert client.delete("/emails/provider").status_code == 204
    assert client.patch("/emails/provider", json={"enabled": True}).status_code == 404
    assert client.put("/guardian/policies", json=["all-applications"]).json() == ["all-applications"]
    assert client.get("/guardian/policies").json() == ["all-applications"]
    assert client.put("/guardian/factors/sms", json={"enabled": True}).json() == {"enabled": True}
    factors = {one["name"]: one["enabled"] for one in client.get("/guardian/factors").json()}
    assert (factors["sms"], factors["email"]) == (True, False)
    assert client.put("/prompts/login/custom-text/en", json={"login": {"title": "Hi"}}).status_code == 200
    assert client.get("/prompts/login/custom-text/en").json() == {"login": {"title": "Hi"}}
    assert client.get("/prompts/login/custom-text/de").json() == {}


def test_the_login_page_is_made_changed_and_deleted() -> None:
    """The first PUT makes it, the next changes it, as text or as an object."""
    _, client = make()
    path = "/branding/templates/universal-login"
    assert client.get(path).status_code == 404
    assert client.put(path, json="<html>1</html>").status_code == 201
    assert client.put(path, json={"template": "<html>2</html>"}).status_code == 204
    assert client.get(path).json() == {"body": "<html>2</html>"}
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_what_is_below_a_row_needs_the_row_and_goes_with_it() -> None:
    """Lists of a row that is not there are not there; a new row does not have those of an old one."""
    tenant, client = make()
    [flag] = tenant.seed("experimentation/feature-flags", [{"name": "f", "type": "self"}])
    path = f"/experimentation/feature-flags/{flag}"
    tenant.seed(f"{path}/variations", [{"name": "v"}])
    assert len(client.get(f"{path}/variations").json()["variations"]) == 1
    assert client.delete(path).status_code == 204
    assert client.get(f"{path}/variations").status_code == 404
    assert tenant.rows(f"{path}/variations") == []


def test_one_connection_has_settings_of_its_own_that_are_listed_for_all() -> None:
    """A SCIM configuration names its connection, alone and in the list of all."""
    tenant, client = make()
    connection = tenant.rows("connections")[6]
    path = f"/connections/{connection['id']}/scim-configuration"
    assert client.get(path).status_code == 404
    assert client.post(path, json={"user_id_attribute": "externalId"}).status_code == 201
    assert client.get(path).json()["connection_name"] == connection["name"]
    [one] = client.get("/connections-scim-configurations").json()["scim_configurations"]
    assert (one["connection_id"], one["user_id_attribute"]) == (connection["id"], "externalId")
    token = client.post(f"{path}/tokens", json={"scopes": ["get:users"]}).json()
    [listed] = client.get(f"{path}/tokens").json()
    assert token["token"]
    assert "token" not in listed
    assert client.delete(f"{path}/tokens/{token['token_id']}").status_code == 204
    assert client.get(f"{path}/tokens").json() == []


def test_rows_can_be_put_in_and_looked_at() -> None:
    """Seeded rows have ids and times, are not shared with the test, and are in no log."""
    tenant, client = make()
    given: dict[str, Any] = {"name": "Admin", "metadata": {"a": 1}}
    [made] = tenant.seed("/roles/", [given])
    tenant.rows("roles")[0]["name"] = given["name"] = "Other"
    assert client.get(f"/roles/{made}").json()["name"] == "Admin"
    assert tenant.rows("logs") == []
    [ada] = tenant.seed("users", [{"email": "ada@example.org", "logins_count": 7}])
    assert client.get(f"/users/{ada}").json()["logins_count"] == 7
    [application] = tenant.seed("clients", [{"client_id": "c1", "name": "Seeded"}])
    assert client.get(f"/clients/{application}").json()["name"] == "Seeded"
    assert tenant.rows("clients")[0]["client_id"] == "c1"
    tenant.seed(f"users/{ada}/roles", [{"id": made}])
    assert [one["id"] for one in client.get(f"/users/{ada}/roles").json()] == [made]
    tenant.set("tenants/settings", {"friendly_name": "Seeded"})
    assert client.get("/tenants/settings").json()["friendly_name"] == "Seeded"


@pytest.mark.parametrize("path", ["nowhere", "roles/rol_1/permissions", "logs", "organizations/org_1/groups"])
def test_only_lists_that_have_rows_can_be_seeded(path: str) -> None:
    """A path without rows of its own is a mistake of the test that names it."""
    with pytest.raises(ValueError, match=path.split("/", maxsplit=1)[0]):
        make()[0].seed(path, [{}])
