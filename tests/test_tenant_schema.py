"""The local tenant's checks of JSON values, and that its tables know what the API documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evertoken_tenant import bodies
from evertoken_tenant.schema import Choice, Flag, Many, MismatchError, Null, Or, Schema, Shape, Text, Whole

if TYPE_CHECKING:
    from evertoken_tenant.call import Json


VALUES: list[tuple[Schema, list[Json], list[Json]]] = [
    (Text(2, 3), ["ab", "abc"], ["a", "abcd", 1, None, ["ab"]]),
    (Text(pattern="[a-z]+"), ["abc"], ["abC", "", "abc\n"]),
    (Text(form="uri"), ["https://a.example", "com.app://x"], ["a", "", "https://a b", "1:x"]),
    (Text(form="date-time"), ["2030-01-01T00:00:00Z"], ["2030-01-01T00:00:00", "now"]),
    (Text(form="https-uri-or-empty"), ["", "https://a.example/x"], ["http://a.example", "https://"]),
    (Whole(1, 3), [1, 3], [0, 4, 1.0, True, "1", None]),
    (Flag(), [True, False], [0, "true", None]),
    (Choice("a b"), ["a"], ["c", "a b", "", 1]),
    (Many(Flag(), least=1), [[True]], [[], [1], "x", {}]),
    (Or(Many(Text()), Text()), ["a", ["a"]], [1, [1]]),
    (Null(Flag()), [None, True], [0]),
    (
        Shape({"a!": Flag(), "b": Text()}),
        [{"a": True}, {"a": True, "b": ""}],
        [{}, {"a": 1}, {"a": True, "c": 1}],
    ),
    (
        Shape({}, open=True, least=1, most=2),
        [{"a": 1}, {"a": 1, "b": 2}],
        [{}, {"a": 1, "b": 2, "c": 3}, []],
    ),
]


@pytest.mark.parametrize(("schema", "good", "bad"), VALUES)
def test_values_fit_or_do_not(schema: Schema, good: list[Json], bad: list[Json]) -> None:
    """Each kind takes what it describes and nothing else."""
    for value in good:
        schema(value)
    for value in bad:
        with pytest.raises(MismatchError):
            schema(value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "boolean"), (1, "integer"), (1.5, "number"), ([], "array"), ({}, "object")],
)
def test_wrong_type_is_named(value: Json, kind: str) -> None:
    """The message names the JSON type that was found, and the place."""
    with pytest.raises(MismatchError) as caught:
        Shape({"a": Shape({"b": Many(Text())})})({"a": {"b": [value]}})
    expected = f"Payload validation error: 'Expected type string but found type {kind}' on property a.b[0]."
    assert caught.value.sentence("Payload") == expected


@pytest.mark.parametrize(
    "body",
    [
        {
            "addons": {
                "slack": {"team": "t"},
                "oag": None,
                "sharepoint": {"external_url": ["https://a.example"]},
            }
        },
        {"client_authentication_methods": {"tls_client_auth": {"credentials": []}}},
        {"token_quota": {"client_credentials": {"enforce": True, "per_hour": 1}}},
        {"native_social_login": {"apple": {"enabled": True}}},
        {"fedcm_login": {"google": {"is_enabled": True}}},
        {"session_transfer": {"delegation": {"enforce_device_binding": "asn"}}},
        {"token_exchange": {"allow_any_profile_of_type": ["custom_authentication"]}},
        {"default_organization": {"organization_id": "org_1", "flows": ["client_credentials"]}},
    ],
)
def test_documented_bodies_are_taken(body: dict[str, Json]) -> None:
    """Nested settings of an application fit."""
    bodies.CREATE_CLIENT({"name": "a", **body})


@pytest.mark.parametrize(
    "body",
    [
        {"addons": {"slack": {}}},
        {"addons": {"toaster": {}}},
        {"addons": {"aws": {"lifetime_in_seconds": 899}}},
        {"client_authentication_methods": {}},
        {
            "client_authentication_methods": {
                "tls_client_auth": {"credentials": []},
                "private_key_jwt": {"credentials": []},
            }
        },
        {"token_quota": {"client_credentials": {}}},
        {"token_quota": None},
        {"native_social_login": {}},
        {"native_social_login": {"apple": None}},
        {"organization_usage": None},
        {"par_request_expiry": 9},
        {"description": "d" * 141},
        {"name": "<b>"},
        {"client_secret": "not-a-secret"},
    ],
)
def test_bodies_beyond_the_limits_are_not_taken(body: dict[str, Json]) -> None:
    """Limits, required keys and unknown keys hold at every depth."""
    with pytest.raises(MismatchError):
        bodies.CREATE_CLIENT({"name": "a", **body})


@pytest.mark.parametrize(
    "body",
    [
        {"token_quota": None, "native_social_login": {"apple": None}, "organization_usage": None},
        {"token_exchange": None, "express_configuration": None, "cross_origin_loc": None},
        {"client_authentication_methods": None, "fedcm_login": {"google": None}},
    ],
)
def test_updates_may_clear(body: dict[str, Json]) -> None:
    """Where an update documents null, it is taken."""
    bodies.UPDATE_CLIENT(body)


def test_tables_have_every_documented_field() -> None:
    """A secret can only be set later, the resource server only at creation; the rest in both."""
    create = {name.rstrip("!") for name in bodies.CREATE_CLIENT.props}
    update = set(bodies.UPDATE_CLIENT.props)
    assert create - update == {"resource_server_identifier"}
    assert update - create == {"client_secret"}
    assert len(create) == len(update) == 55
