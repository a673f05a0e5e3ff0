"""What the base class of the models gives to all of them."""

from __future__ import annotations

import copy
import datetime as dt
import io
import json
import pickle
import pprint
from typing import TYPE_CHECKING, Any, cast

import pydantic
import pytest
import rich.console
import rich.pretty
from _pytest._io.saferepr import saferepr

from evertoken import ArgumentError, drift
from evertoken.sent import SentDatetime, spell
from evertoken.wire import to_wire
from evertoken_api.clients import Client, ClientCredential, GetClientResponseContent, operations

if TYPE_CHECKING:
    from collections.abc import Callable

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
        # Unknown to the spec, in dicts and lists.
        {"credentials_of_a_kind": {"api_key": HIDDEN}},
        {"webhooks": [{"to": "x", "authorization": {"token": HIDDEN}}]},
        {"more": [[{"deep": {"smtp_pass": HIDDEN, "client-secret": [HIDDEN]}}]]},
        {"client_secrets": [HIDDEN, {"value": HIDDEN}]},
        {"access_tokens": [HIDDEN]},
        # Drifted: a dict, a list, a number or a text where the spec has something else.
        {"client_secret": {"value": HIDDEN}},
        {"signing_keys": {"current": [HIDDEN]}},
        {"encryption_key": HIDDEN},
        {"refresh_token": HIDDEN},
        {"refresh_token": [{"value": HIDDEN}]},
        {"access_token": {"value": HIDDEN}},
        {"addons": {"azure_sb": [{"sasKey": HIDDEN}]}},
        {"addons": [{"firebase": {"private_key": HIDDEN, "private_key_id": "x"}}]},
        {"client_metadata": {"password": HIDDEN}},
    ],
)
def test_secrets_are_masked_and_one_attribute_away(fields: dict[str, object]) -> None:
    """Wherever a model is printed, at any depth, known or not, drifted or not; the wire form has them."""
    client, _ = drift.decode(Client, json.dumps({"name": SHOWN, **fields}).encode())
    assert isinstance(client, Client)
    console = rich.console.Console(file=io.StringIO(), width=400)
    console.print(rich.pretty.Pretty(client))
    console.print(rich.pretty.Pretty([client]))
    console.print(client)
    assert isinstance(console.file, io.StringIO)
    for text in (
        repr(client),
        str(client),
        f"{client}",
        repr({"clients": [client]}),
        pprint.pformat([client]),
        saferepr(client, maxsize=100_000),
        "".join(str(part) for part in cast("Any", client).__pretty__(repr)),
        console.file.getvalue(),
    ):
        assert SHOWN in text
        assert HIDDEN not in text
    assert client.model_dump() == {"name": SHOWN, **fields}


def test_flags_that_are_called_like_a_secret_are_shown() -> None:
    """True, False and None tell no secret."""
    client = Client.model_validate({"allow_refresh_token": True, "client_secret": None})
    assert "allow_refresh_token=True" in repr(client)
    assert "client_secret=None" in repr(client)


def test_errors_of_pydantic_show_no_input() -> None:
    """Whoever makes a model of wrong data is told the place, not the value."""
    makers: list[Callable[[], object]] = [
        lambda: Client(client_secret=[HIDDEN]),  # type: ignore[arg-type]  # the case
        lambda: Client.model_validate({"client_secret": {"a": HIDDEN}}),
        lambda: Client.model_validate_json(json.dumps({"signing_keys": HIDDEN})),
        lambda: Client.model_validate({"addons": {"azure_sb": {"sasKey": {HIDDEN}}}}),
    ]
    for make in makers:
        with pytest.raises(pydantic.ValidationError) as caught:
            make()
        assert HIDDEN not in f"{caught.value} {caught.value!r}"
    with pytest.raises(AttributeError) as missing:
        _ = Client(client_secret=HIDDEN).no_such_field  # type: ignore[attr-defined]  # the case
    assert HIDDEN not in str(missing.value)


def test_secrets_in_arguments_show_nowhere() -> None:
    """Not in the repr of an operation, nor in the error for what JSON cannot carry."""
    operation = operations.update("id", client_secret=HIDDEN, encryption_key={"pub": HIDDEN})
    assert HIDDEN not in f"{operation} {operation!r}"
    with pytest.raises(ArgumentError) as caught:
        to_wire({"encryption_key": {"pub": HIDDEN.encode()}, "client_secret": HIDDEN})
    assert HIDDEN not in str(caught.value)


TEXTS = [
    "2030-01-02T03:04:05.678Z",
    "2030-01-02T03:04:05Z",
    "2030-01-02T03:04:05.678000Z",
    "2030-01-02T03:04:05.123456789Z",
    "2030-01-02T03:04:05.678+00:00",
    "2030-01-02T03:04:05.678-0130",
    "2030-01-02 03:04:05",
    "1700000000",
]


@pytest.mark.parametrize("text", TEXTS)
def test_datetimes_are_written_as_they_came(text: str) -> None:
    """To the letter, in every way of writing, and after pickle and copy; as values they are datetimes."""
    credential = ClientCredential.model_validate_json(json.dumps({"id": "a", "expires_at": text}))
    moment = credential.expires_at
    assert isinstance(moment, dt.datetime)
    plain = pydantic.TypeAdapter(dt.datetime).validate_python(text)
    assert (moment, moment.tzinfo, repr(moment.date())) == (plain, plain.tzinfo, repr(plain.date()))
    sent = {"id": "a", "expires_at": text}
    for twin in (
        credential,
        pickle.loads(pickle.dumps(credential)),  # noqa: S301 - made in this line
        copy.deepcopy(credential),
        credential.model_copy(deep=True),
        ClientCredential.model_validate(credential.model_dump(mode="python")),
    ):
        assert twin.model_dump() == sent
        assert json.loads(twin.model_dump_json()) == sent
        assert to_wire(twin) == sent


def test_moment_computed_from_one_that_was_sent_is_written_anew() -> None:
    """A sum, or one in another time zone, has no spelling from before."""
    moment = SentDatetime.of("2030-01-02T03:04:05Z")
    zone = dt.timezone(dt.timedelta(hours=1))
    assert spell(moment + dt.timedelta(days=1)) == "2030-01-03T03:04:05.000Z"
    assert spell(moment.replace(year=2031)) == "2031-01-02T03:04:05.000Z"
    assert spell(moment.astimezone(zone)) == "2030-01-02T04:04:05+01:00"
    later = moment + dt.timedelta(days=1)
    assert pickle.loads(pickle.dumps(later)) == later  # noqa: S301 - made in this line


def test_usual_datetimes_are_no_class_of_ours() -> None:
    """In Auth0's own spelling nothing is kept, and no Python has run."""
    credential = ClientCredential.model_validate_json('{"expires_at": "2030-01-02T03:04:05.678Z"}')
    assert type(credential.expires_at) is dt.datetime
    assert credential.model_dump_json() == '{"expires_at":"2030-01-02T03:04:05.678Z"}'


def test_date_in_the_document_of_a_model_is_a_date() -> None:
    """A JSON Schema made of a model says date-time."""
    schema = json.dumps(ClientCredential.model_json_schema())
    assert '"format": "date-time"' in schema


def test_model_dump_is_the_wire_form() -> None:
    """The API's names, what was set, unknown fields; pydantic's own arguments still work."""
    body = {"global": True, "name": "n", "new": {"a": [1]}, "jwt_configuration": {"alg": "RS256", "x": None}}
    client = Client.model_validate_json(json.dumps(body))
    assert client.global_ is True
    assert client.model_dump() == to_wire(client) == json.loads(client.model_dump_json()) == body
    client.description = "d"
    client.global_ = None
    assert client.model_dump(include={"global_", "description"}) == {"global": None, "description": "d"}
    assert client.model_dump(by_alias=False, exclude={"jwt_configuration", "new"}) == {
        "global_": None,
        "name": "n",
        "description": "d",
    }
    assert client.model_dump(exclude_unset=False)["client_secret"] is None


def test_unknown_key_that_is_spelled_like_a_field_in_python_is_written_back() -> None:
    """`global_` of the API is not the field `global_`, whose name is `global`."""
    bodies: list[dict[str, object]] = [
        {"global_": "x"},
        {"global_": "x", "global": True},
        {"addons": {}, "global_": None},
    ]
    for body in bodies:
        client, found = drift.decode(Client, json.dumps(body).encode())
        assert isinstance(client, Client)
        assert found == []
        assert client.model_dump() == to_wire(client) == json.loads(client.model_dump_json()) == body


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
