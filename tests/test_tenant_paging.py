"""Lists of the local tenant: offset and checkpoint paging, filters, and queries that are refused."""

from __future__ import annotations

import base64

import httpx
import pytest

from evertoken_tenant import Clock, Tenant


def make(count: int) -> tuple[Tenant, Clock, httpx.Client]:
    clock = Clock()
    tenant = Tenant(clients=count, clock=clock)
    client = httpx.Client(
        transport=httpx.MockTransport(tenant),
        base_url=f"{tenant.origin}/api/v2",
        headers={"authorization": f"Bearer {tenant.issue_token()}"},
    )
    return tenant, clock, client


def walk(client: httpx.Client, path: str = "/clients", key: str = "clients", **query: str) -> list[str]:
    """Return the ids of all rows, page by page."""
    name = "client_id" if key == "clients" else "id"
    found: list[str] = []
    while True:
        page = client.get(path, params=query).json()
        found += [row[name] for row in page[key]]
        if "next" not in page:
            return found
        query["from"] = page["next"]


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["errorCode"]


def test_list_without_parameters_is_an_array_of_fifty() -> None:
    """The default is the first 50 rows, bare."""
    _, _, client = make(60)
    rows = client.get("/clients").json()
    assert [type(row) for row in rows] == [dict] * 50


def test_totals_wrap_the_rows() -> None:
    """start, limit, length and total tell where the rows stand."""
    _, _, client = make(25)
    query: dict[str, int | str] = {"page": 2, "per_page": 10, "include_totals": "true"}
    page = client.get("/clients", params=query).json()
    assert {key: page[key] for key in page if key != "clients"} == {
        "start": 20,
        "limit": 10,
        "length": 5,
        "total": 25,
    }
    assert len(page["clients"]) == 5


def test_pages_cover_everything_once_in_order() -> None:
    """Offset pages and checkpoint pages agree."""
    _, _, client = make(25)
    pages = [client.get("/clients", params={"page": page, "per_page": 10}).json() for page in range(4)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    rows = [row["client_id"] for page in pages for row in page]
    assert len(set(rows)) == 25
    assert walk(client, take="10") == rows


def test_rows_beyond_one_thousand_need_checkpoints() -> None:
    """The wall stands at row 1,000 of the window, however many rows there are."""
    _, _, client = make(3)
    assert client.get("/clients", params={"page": 9, "per_page": 100}).status_code == 200
    assert refusal(client.get("/clients", params={"page": 10, "per_page": 100})) == (400, "invalid_paging")
    assert client.get("/clients", params={"page": 19}).status_code == 200
    assert refusal(client.get("/clients", params={"page": 20})) == (400, "invalid_paging")


def test_empty_pages_have_the_shape_of_full_ones() -> None:
    """No rows are an empty array in each of the three forms; per_page=0 asks for the total alone."""
    _, _, client = make(0)
    assert client.get("/clients").json() == []
    assert client.get("/clients?take=1").json() == {"clients": []}
    assert client.get("/clients?include_totals=true&per_page=0").json() == {
        "start": 0,
        "limit": 0,
        "length": 0,
        "total": 0,
        "clients": [],
    }


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_next_is_absent_on_the_last_page(count: int, pages: int) -> None:
    """A last page that is full has no `next` either: nobody asks for an empty one."""
    tenant, _, client = make(count)
    assert len(walk(client, take="3")) == count
    assert tenant.api_requests == pages


def test_checkpoints_hold_while_rows_come_and_go() -> None:
    """No row comes twice and none is lost, also when the row of the checkpoint itself is deleted."""
    _, _, client = make(9)
    everything = walk(client, take="100")
    first = client.get("/clients", params={"take": 3}).json()
    for gone in (everything[0], everything[2], everything[4]):
        client.delete(f"/clients/{gone}")
    made = client.post("/clients", json={"name": "Late"}).json()["client_id"]
    rest = walk(client, take="2", **{"from": first["next"]})
    assert rest == [everything[3], *everything[5:], made]


def test_checkpoint_mode_wins_over_offset() -> None:
    """`from` alone is enough, and page parameters beside it do not count."""
    _, _, client = make(120)
    first = client.get("/clients", params={"take": 60, "include_totals": "true", "page": 1}).json()
    assert first.keys() == {"clients", "next"}
    second = client.get("/clients", params={"from": first["next"]}).json()
    assert len(second["clients"]) == 50


def test_bad_checkpoints_are_400() -> None:
    """Made up, altered, of another list, other filters or another tenant: none is taken."""
    _, _, client = make(5)
    _, _, stranger = make(5)
    good = client.get("/clients?take=1").json()["next"]
    some = client.get("/clients?take=1&is_global=false").json()["next"]
    own = client.get("/clients").json()[0]["client_id"]
    connections = client.get(f"/clients/{own}/connections?take=1").json()["next"]
    altered = base64.urlsafe_b64encode(b"\0" * 32).decode().rstrip("=")
    foreign = stranger.get("/clients?take=1").json()["next"]
    bad = ["x", "", "é", "a" * 5, good[:-2], some, connections, altered, foreign]
    answers = [refusal(client.get("/clients", params={"from": one, "take": 1})) for one in bad]
    assert set(answers) == {(400, "invalid_query_string")}
    assert client.get("/clients", params={"from": good, "take": 2, "fields": "name"}).status_code == 200
    assert "=" not in good


def test_checkpoint_expires_after_a_day() -> None:
    """It is good for 24 hours."""
    tenant, clock, client = make(5)
    tenant.token_lifetime = 10 * 86_400
    client.headers["authorization"] = f"Bearer {tenant.issue_token()}"
    query = {"from": client.get("/clients?take=1").json()["next"]}
    clock.advance(86_399)
    assert client.get("/clients", params=query).status_code == 200
    clock.advance(1)
    assert refusal(client.get("/clients", params=query)) == (400, "invalid_query_string")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("colour=red", "'Additional properties not allowed: colour'."),
        ("per_page=101", "'Value 101 is greater than maximum 100' on property per_page."),
        ("per_page=-1", "'Value -1 is less than minimum 0' on property per_page."),
        ("page=x", "'Expected type integer but found type string' on property page."),
        ("page=%D9%A3", "'Expected type integer but found type string' on property page."),
        ("page=", "'Expected type integer but found type string' on property page."),
        ("page=1&page=2", "'Expected one value but found several' on property page."),
        ("take=0", "'Value 0 is less than minimum 1' on property take."),
        ("take=101", "'Value 101 is greater than maximum 100' on property take."),
        ("include_totals=yes", "'Expected type boolean but found type string' on property include_totals."),
        ("external_client_id=", "'String is too short (0 chars), minimum 1' on property external_client_id."),
    ],
)
def test_bad_query_is_told_by_parameter(query: str, problem: str) -> None:
    """Unknown parameters and values outside their limits are 400 invalid_query_string."""
    _, _, client = make(1)
    response = client.get(f"/clients?{query}")
    assert response.json() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": f"Query validation error: {problem}",
        "errorCode": "invalid_query_string",
    }


def test_unknown_parameters_are_refused_everywhere() -> None:
    """Also operations that take no query say so."""
    _, _, client = make(1)
    own = client.get("/clients").json()[0]["client_id"]
    for response in (client.get(f"/clients/{own}?page=1"), client.delete(f"/clients/{own}?really=true")):
        assert refusal(response) == (400, "invalid_query_string")


@pytest.mark.parametrize(
    ("query", "field", "values"),
    [
        ({"is_first_party": "false"}, "is_first_party", {False}),
        ({"is_global": "false"}, "global", {False}),
        ({"app_type": "spa, native"}, "app_type", {"spa", "native"}),
        ({"q": "app_type:spa AND is_first_party:true"}, "app_type", {"spa"}),
        ({"q": 'name:"billing*"'}, "tenant", {"tenant"}),
        ({"q": "portal"}, "app_type", {"regular_web"}),
    ],
)
def test_filters_select_rows(query: dict[str, str], field: str, values: set[object]) -> None:
    """Rows, total and checkpoints are those of the filter."""
    _, _, client = make(100)
    page = client.get("/clients", params={**query, "include_totals": "true", "per_page": 3}).json()
    everything = client.get("/clients", params={**query, "per_page": 100}).json()
    assert {row[field] for row in everything} == values
    assert page["clients"] == everything[:3]
    assert page["total"] == len(everything)
    assert 3 <= len(everything) <= 100
    assert walk(client, take="2", **query) == [row["client_id"] for row in everything]


@pytest.mark.parametrize(
    "query",
    [
        {"is_global": "true"},
        {"app_type": "box"},
        {"external_client_id": "https://a.example/x"},
        {"q": "client_grant.organization_id:org_1"},
        {"q": "callbacks:x"},
    ],
)
def test_filters_may_select_nothing(query: dict[str, str]) -> None:
    """A filter that nothing meets gives no rows."""
    _, _, client = make(20)
    assert client.get("/clients", params=query).json() == []


@pytest.mark.parametrize("search", ["a:b:c", "name:", '"', "two words"])
def test_unreadable_search_is_400(search: str) -> None:
    """A `q` that is not made of terms is refused."""
    _, _, client = make(1)
    assert refusal(client.get("/clients", params={"q": search})) == (400, "invalid_query_string")


def test_row_deleted_while_a_list_is_made_is_left_out() -> None:
    """A row that goes between reading the places and the rows is no error."""
    tenant, _, client = make(3)
    applications = tenant._inside.applications
    gone = client.get("/clients").json()[1]["client_id"]
    places = applications.places()
    applications.remove(gone)
    applications._places = list(places)
    assert gone not in [row["client_id"] for row in client.get("/clients").json()]


def test_connections_page_by_checkpoint() -> None:
    """An application's connections come in pages, each once, with the fields of a list."""
    _, _, client = make(1)
    own = client.get("/clients").json()[0]["client_id"]
    everything = client.get(f"/clients/{own}/connections").json()
    assert "next" not in everything
    rows = [row["id"] for row in everything["connections"]]
    assert len(set(rows)) == len(rows) >= 3
    assert walk(client, f"/clients/{own}/connections", "connections", take="3") == rows
    one = client.get(f"/clients/{own}/connections?fields=name&take=1").json()["connections"]
    assert one == [{"name": "Username-Password-Authentication"}]


def test_connections_are_filtered_by_strategy() -> None:
    """`strategy` may be repeated; one that does not exist is refused."""
    _, _, client = make(1)
    own = client.get("/clients").json()[0]["client_id"]
    path = f"/clients/{own}/connections"
    rows = client.get(path, params={"strategy": ["github", "waad", "yahoo"]}).json()["connections"]
    assert [row["strategy"] for row in rows] == ["github", "waad"]
    assert refusal(client.get(path, params={"strategy": "smoke"})) == (400, "invalid_query_string")
