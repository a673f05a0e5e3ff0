"""The local tenant serves every operation of the API as the documents have it."""

from __future__ import annotations

import urllib.parse
from typing import Any

import httpx
import pytest

from evertoken_tenant import Clock, Tenant
from samples import operation, problems, resolve
from tenant_stage import BODIES, BY_KEY, ENTRIES, KEYS, Stage, prepared

# The published schema requires a property that it does not allow, so that no value fits.
IMPOSSIBLE = {f"branding.phone.providers.{name}" for name in ("create", "get", "update")}


@pytest.fixture(scope="module")
def stage() -> Stage:
    """One tenant for all operations: each call brings along what it needs."""
    tenant = Tenant(clients=2, clock=Clock(), rate_limit=1e6, rate_burst=10**6)
    token = tenant.issue_token()
    return Stage(
        tenant,
        httpx.Client(
            transport=httpx.MockTransport(tenant),
            base_url=f"{tenant.origin}/api/v2",
            headers={"authorization": f"Bearer {token}"},
        ),
    )


def called(stage: Stage, key: str, *, whole: bool = False) -> httpx.Response:
    """Call an operation as it should be called."""
    entry, ready = BY_KEY[key], prepared(stage, key, whole=whole)
    path = entry.path.format(
        **{name: urllib.parse.quote(value, safe="") for name, value in ready.path.items()}
    )
    more: dict[str, Any] = {"json": ready.body} if ready.has_body else {}
    if ready.parts:
        parts = dict(ready.parts)
        more = {"files": {"users": ("users.json", parts.pop("users"), "application/json")}, "data": parts}
    return stage.client.request(entry.method, path, params=ready.query, **more)


def has_json(key: str) -> bool:
    """Tell whether an operation takes a JSON body."""
    return "application/json" in resolve(operation(BY_KEY[key]).get("requestBody", {})).get("content", {})


@pytest.mark.parametrize("key", KEYS)
def test_every_operation_answers_as_documented(stage: Stage, key: str) -> None:
    """A good call gets the documented success, and an answer that its schema allows."""
    if key == "events.subscribe":
        stage.tenant.follow_events = False
    check(key, called(stage, key))


@pytest.mark.parametrize("key", [key for key in KEYS if has_json(key) and key not in BODIES])
def test_every_body_may_have_all_that_is_documented(stage: Stage, key: str) -> None:
    """A body with every property is taken, and its answer is one that the schema allows."""
    check(key, called(stage, key, whole=True))


def check(key: str, answer: httpx.Response) -> None:
    """Raise AssertionError for an answer that is not documented."""
    responses = operation(BY_KEY[key])["responses"]
    documented = {
        int(status): resolve(response) for status, response in responses.items() if status[0] == "2"
    }
    assert answer.status_code in documented, f"{answer.status_code} {answer.text[:500]}"
    content = documented[answer.status_code].get("content")
    if not content or answer.status_code == 204:
        assert answer.content == b""
        return
    media, described = next(iter(content.items()))
    assert answer.headers["content-type"].partition(";")[0] == media
    if media == "application/json" and key not in IMPOSSIBLE:
        assert problems(described["schema"], answer.json()) == []


@pytest.mark.parametrize("key", [entry.key for entry in ENTRIES if entry.scopes])
def test_every_operation_needs_one_of_its_scopes(stage: Stage, key: str) -> None:
    """A token with all other scopes is refused, and told which would do."""
    entry = BY_KEY[key]
    others = [scope for scope in stage.tenant.scopes if scope not in entry.scopes]
    token = stage.tenant.issue_token(scopes=others)
    headers = {"authorization": f"Bearer {token}"}
    # Whether anything is there does not matter: scopes come first.
    path = "/".join("x1" if part.startswith("{") else part for part in entry.path.split("/"))
    answer = stage.client.request(entry.method, path, headers=headers)
    assert answer.status_code == 403
    refusal = answer.json()
    assert refusal["errorCode"] == "insufficient_scope"
    start, named = refusal["message"].split(": ")
    assert (start, set(named.split(","))) == ("Insufficient scope, expected any of", set(entry.scopes))
