"""Read, modify, write: what was read goes back as it came, but for what was changed."""

from __future__ import annotations

import copy
import json
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from evertoken import ManagementClient
from evertoken.testing import forget_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evertoken_api.clients import Client

# Fields that the spec does not know, values of other types than its own, nulls, aliases, datetimes and keys
# that hold them.
STORED: dict[str, Any] = {
    "client_id": "abc",
    "name": "before",
    "global": False,
    "callbacks": ["https://a.example/", {"odd": "entry"}],
    "jwt_configuration": {
        "alg": "RS256",
        "lifetime_in_seconds": "36000",
        "secret_encoded": None,
        "new_setting": {"since": "2030-01-02T03:04:05Z", "from": [1, 1.0, 12345678901234567890]},
    },
    "refresh_token": {
        "rotation_type": "some-new-kind",
        "expiration_type": "expiring",
        "leeway": 0.5,
        "policies": [{"audience": "https://api.example/", "scope": ["read:x"], "issued": "later"}],
    },
    "client_authentication_methods": {
        "private_key_jwt": {"credentials": [{"id": "cred_1", "expires_at": "2031-01-01T00:00:00+01:00"}]}
    },
    "mobile": "not an object any more",
    "native_social_login": {"apple": {"enabled": True, "from_": "x"}, "weibo": {"enabled": False}},
    "addons": {"samlp": {"audience": "urn:x", "mappings": {"a": "b"}, "odd": {}}, "slack": {"team": None}},
    "token_quota": {"client_credentials": {"per_day": 100, "per_month": 1000}},
    "client_metadata": {"team": "billing"},
}


class Stored:
    """A tenant with one application, which notes what is written."""

    def __init__(self) -> None:
        self.writes: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            self.writes.append(json.loads(request.content))
        return httpx.Response(200, json=STORED)


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def client(stored: Stored) -> Iterator[ManagementClient]:
    forget_tokens()
    http = httpx.Client(transport=httpx.MockTransport(stored))
    with (
        ManagementClient(domain="tenant.example.com", token="fixed", httpx_client=http) as made,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # the drift of STORED
        yield made


def test_a_list_goes_back_with_one_more_entry(client: ManagementClient, stored: Stored) -> None:
    """Only the field that was changed is sent, and of it nothing else differs."""
    application = client.clients.get("abc")
    assert application.callbacks is not None
    application.callbacks.append("https://b.example/")
    client.clients.update("abc", callbacks=application.callbacks)
    assert stored.writes == [{"callbacks": [*STORED["callbacks"], "https://b.example/"]}]


def change_algorithm(application: Client) -> None:
    assert application.jwt_configuration is not None
    application.jwt_configuration.alg = "PS256"


def test_an_object_goes_back_with_one_field_changed(client: ManagementClient, stored: Stored) -> None:
    """Unknown fields, drifted values, nulls and numbers stay as they came, at any depth."""
    application = client.clients.get("abc")
    change_algorithm(application)
    client.clients.update("abc", jwt_configuration=application.jwt_configuration or {})
    assert stored.writes == [{"jwt_configuration": {**STORED["jwt_configuration"], "alg": "PS256"}}]


@pytest.mark.parametrize("name", [name for name in STORED if name not in {"client_id", "global"}])
def test_what_was_not_changed_goes_back_to_the_letter(
    client: ManagementClient, stored: Stored, name: str
) -> None:
    """Every field that can be written: read, sent, the same JSON; numbers keep their kind."""
    client.clients.update("abc", **{name: getattr(client.clients.get("abc"), name)})
    assert json.dumps(stored.writes, sort_keys=True) == json.dumps([{name: STORED[name]}], sort_keys=True)


def test_several_fields_go_back_by_way_of_model_dump(client: ManagementClient, stored: Stored) -> None:
    """`include` names what is sent."""
    application = client.clients.get("abc")
    application.name = "after"
    change_algorithm(application)
    client.clients.update("abc", **application.model_dump(include={"name", "jwt_configuration"}))
    assert stored.writes == [
        {"name": "after", "jwt_configuration": {**STORED["jwt_configuration"], "alg": "PS256"}}
    ]


def test_the_whole_model_is_what_came(client: ManagementClient) -> None:
    """All of it, changed in one place only after a change; the model that was read is no part of the copy."""
    application = client.clients.get("abc")
    assert application.model_dump() == STORED
    application.name = "after"
    dumped = application.model_dump()
    assert dumped == {**STORED, "name": "after"}
    dumped["addons"]["samlp"]["mappings"]["a"] = "changed"
    assert application.model_dump() == {**STORED, "name": "after"}
    assert copy.deepcopy(application).model_dump() == application.model_copy(deep=True).model_dump()
