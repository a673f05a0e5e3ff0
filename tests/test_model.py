"""What the base class of the models gives to all of them."""

from __future__ import annotations

import pickle

import pytest

from evertoken_api.clients import Client, GetClientResponseContent

SHOWN = "visible-value"
HIDDEN = "hidden-value"


@pytest.mark.parametrize(
    "fields",
    [
        {"client_secret": HIDDEN},
        {"signing_keys": [{"pkcs7": HIDDEN}]},
        {"encryption_key": {"pub": HIDDEN}},
        {"addons": {"azure_sb": {"sasKey": HIDDEN}}},
        {"addons": {"azure_blob": {"storageAccessKey": HIDDEN}}},
        {"addons": {"firebase": {"private_key": HIDDEN}}},
        {"unknown_to_the_spec": {}, "client_assertion": HIDDEN},
    ],
)
def test_secrets_are_masked_and_one_attribute_away(fields: dict[str, object]) -> None:
    """In repr and str, at any depth, in fields of the spec and in others; the wire form has them."""
    client = Client.model_validate({"name": SHOWN, **fields})
    assert SHOWN in repr(client)
    assert HIDDEN not in repr(client)
    assert HIDDEN not in str(client)
    assert HIDDEN in str(client.model_dump())


def test_a_setting_that_is_called_like_a_secret_is_shown() -> None:
    """An application's refresh_token is how its refresh tokens live."""
    settings = {"rotation_type": "rotating", "expiration_type": "expiring"}
    client = Client.model_validate({"refresh_token": settings})
    assert "rotating" in repr(client)


def test_what_get_returns_is_a_client() -> None:
    """A function that takes a Client takes it; both pickle and compare."""
    got = GetClientResponseContent.model_validate_json(b'{"client_id": "a", "new": [1]}')
    assert isinstance(got, Client)
    assert pickle.loads(pickle.dumps(got)) == got  # noqa: S301 - made within this line
    assert got.model_extra == {"new": [1]}
