"""The local tenant's event stream: what happened, in order, from any place on."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

import evertoken_spec
from evertoken_tenant import Clock, Tenant, feed, serve
from samples import operation, problems

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = "Username-Password-Authentication"


def make() -> tuple[Tenant, httpx.Client]:
    tenant = Tenant(clients=0, clock=Clock())
    return tenant, httpx.Client(**settings(tenant, tenant.origin), transport=httpx.MockTransport(tenant))


def settings(tenant: Tenant, origin: str) -> dict[str, Any]:
    return {
        "base_url": f"{origin}/api/v2",
        "headers": {"authorization": f"Bearer {tenant.issue_token()}"},
    }


def user(name: str) -> dict[str, str]:
    return {"connection": DATABASE, "email": f"{name}@example.org"}


def events(text: str) -> list[tuple[str, str, Any]]:
    """Return kind, id and data of the events in a text."""
    found: list[tuple[str, str, Any]] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], fields["id"], json.loads(fields["data"])))
    return found


def all_of(client: httpx.Client, **query: Any) -> list[tuple[str, str, Any]]:
    """Return what is there, from the beginning unless the query says otherwise."""
    answer = client.get("/events", params=query or {"from": feed.token(0)})
    assert answer.status_code == 200, answer.text
    return events(answer.text)


def test_events_tell_what_was_done_in_the_documented_shape() -> None:
    """Users, organizations and members make events, each of which its schema allows."""
    tenant, client = make()
    tenant.follow_events = False
    ada = client.post("/users", json=user("ada")).json()["user_id"]
    acme = client.post("/organizations", json={"name": "acme"}).json()["id"]
    reader = client.post("/roles", json={"name": "Reader"}).json()["id"]
    members = f"/organizations/{acme}/members"
    client.post(members, json={"members": [ada]})
    client.post(f"{members}/{ada}/roles", json={"roles": [reader]})
    client.request("DELETE", f"{members}/{ada}/roles", json={"roles": [reader]})
    client.request("DELETE", members, json={"members": [ada]})
    client.patch(f"/organizations/{acme}", json={"display_name": "Acme"})
    client.patch(f"/users/{ada}", json={"name": "Ada"})
    client.delete(f"/organizations/{acme}")
    client.delete(f"/users/{ada}")
    found = all_of(client)
    assert [kind for kind, _, _ in found] == [
        "user.created",
        "organization.created",
        "organization.member.added",
        "organization.member.role.assigned",
        "organization.member.role.deleted",
        "organization.member.deleted",
        "organization.updated",
        "user.updated",
        "organization.deleted",
        "user.deleted",
    ]
    entry = next(entry for entry in evertoken_spec.index() if entry.key == "events.subscribe")
    schema = operation(entry)["responses"]["200"]["content"]["text/event-stream"]["schema"]
    for kind, offset, data in found:
        assert (data["type"], data["offset"]) == (kind, offset)
        assert problems(schema, data) == []
    assert found[0][2]["event"]["data"]["object"]["email"] == "ada@example.org"


def test_a_reader_goes_on_after_the_last_event() -> None:
    """`from` names an event that was seen, `from_timestamp` a time; else only what comes is told."""
    clock = Clock()
    tenant = Tenant(clients=0, clock=clock)
    tenant.follow_events = False
    client = httpx.Client(**settings(tenant, tenant.origin), transport=httpx.MockTransport(tenant))
    client.post("/users", json=user("ada"))
    clock.advance(60)
    client.post("/users", json=user("grace"))
    first, second = all_of(client)
    assert all_of(client, **{"from": first[1]}) == [second]
    assert all_of(client, **{"from": second[1]}) == []
    assert all_of(client, from_timestamp="2027-01-15T08:00:30Z") == [second]
    assert client.get("/events").text == ""
    assert client.get("/events", params={"from": "x"}).status_code == 400
    assert client.get("/events", params={"from_timestamp": "x"}).status_code == 400


def test_only_the_kinds_asked_for_are_told_and_progress_is_marked() -> None:
    """What was left out is a mark without data, so that a reader does not meet it again."""
    tenant, client = make()
    tenant.follow_events = False
    client.post("/users", json=user("ada"))
    client.post("/organizations", json={"name": "acme"})
    query = {"from": feed.token(0), "event_type": "organization.created"}
    kinds = [(kind, list(data)) for kind, _, data in all_of(client, **query)]
    assert kinds == [
        ("offset-only", ["type", "offset"]),
        ("organization.created", ["type", "offset", "event"]),
    ]
    assert client.get("/events", params={"event_type": "no"}).status_code == 400


def test_a_place_that_is_too_old_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older events are forgotten, and whoever wants them is told."""
    monkeypatch.setattr(feed, "MOST", 2)
    tenant, client = make()
    tenant.follow_events = False
    for name in ("a", "b", "c", "d"):
        client.post("/users", json=user(name))
    assert client.get("/events", params={"from": feed.token(1)}).status_code == 410
    assert len(all_of(client, **{"from": feed.token(2)})) == 2


def test_a_stream_stays_open_for_what_comes() -> None:
    """A thread that reads gets the event that another one makes, and the end when it is told."""
    tenant, client = make()
    with client.stream("GET", "/events") as answer:
        chunks: Iterator[str] = answer.iter_text()
        made = threading.Thread(target=lambda: client.post("/users", json=user("ada")))
        made.start()
        assert events(next(chunks))[0][0] == "user.created"
        made.join()
        tenant.follow_events = False
        assert list(chunks) == []


def test_a_silent_stream_has_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment tells that the connection is alive."""
    monkeypatch.setattr("evertoken_tenant.streaming.HEARTBEAT", 0.001)
    _, client = make()
    with client.stream("GET", "/events") as answer:
        assert next(answer.iter_text()) == ": heartbeat\n\n"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_read_the_stream_too(backend: str) -> None:
    """A task that reads lets others go on, and gets what they make."""
    tenant = Tenant(clients=0, clock=Clock())

    async def main() -> None:
        client = httpx.AsyncClient(**settings(tenant, tenant.origin), transport=httpx.MockTransport(tenant))
        async with client, client.stream("GET", "/events") as answer, anyio.create_task_group() as group:
            chunks = answer.aiter_text()

            async def make_user() -> None:
                await client.post("/users", json=user("ada"))

            group.start_soon(make_user)
            assert events(await anext(chunks))[0][0] == "user.created"
            tenant.follow_events = False
            assert [chunk async for chunk in chunks] == []

    anyio.run(main, backend=backend)


def test_a_socket_carries_the_stream() -> None:
    """Events reach a reader over a connection, which ends with the stream, or with the server."""
    tenant = Tenant(clients=0, clock=Clock())
    with serve(tenant) as server, httpx.Client(**settings(tenant, server.url), timeout=30) as client:
        with client.stream("GET", "/events") as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            chunks = answer.iter_text()
            client.post("/users", json=user("ada"))
            assert events(next(chunks))[0][0] == "user.created"
            tenant.follow_events = False
            assert list(chunks) == []
        tenant.follow_events = True
        with client.stream("GET", "/events"):
            pass
        with client.stream("GET", "/events", params={"from": feed.token(0)}) as answer:
            chunks = answer.iter_text()
            assert events(next(chunks))[0][0] == "user.created"
            client.post("/users", json=user("grace"))
            assert events(next(chunks))[0][0] == "user.created"
