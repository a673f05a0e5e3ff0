"""The local tenant's checks of JSON values by the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evertoken_tenant.described import describe
from evertoken_tenant.judge import check, is_valid
from evertoken_tenant.schema import MismatchError

if TYPE_CHECKING:
    from evertoken_tenant.call import Json, Row


def schema_of(key: str) -> Row:
    """Return the schema of an operation's body."""
    body = describe(key).body
    assert body is not None
    return body


VALUES: list[tuple[Row, list[Json], list[Json]]] = [
    ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab", "abc"], ["a", "abcd", 1, None, ["ab"]]),
    ({"type": "string", "pattern": "^[a-z]+$"}, ["abc"], ["abC", ""]),
    ({"format": "uri"}, ["https://a.example", "com.app://x"], ["a", "", "https://a b", "1:x"]),
    ({"format": "date-time"}, ["2030-01-01T00:00:00Z"], ["2030-01-01T00:00:00", "now"]),
    (
        {"format": "absolute-https-uri-or-empty"},
        ["", "https://a.example/x"],
        ["http://a.example", "https://"],
    ),
    ({"type": "integer", "minimum": 1, "maximum": 3}, [1, 3], [0, 4, 1.5, True, "1", None]),
    ({"type": "boolean"}, [True, False], [0, "true", None]),
    ({"enum": ["a", "b"]}, ["a"], ["c", "a b", "", 1]),
    ({"type": "array", "items": {"type": "boolean"}, "minItems": 1}, [[True]], [[], [1], "x", {}]),
    ({"type": ["boolean", "null"]}, [None, True], [0]),
    (
        {"type": "object", "minProperties": 1, "maxProperties": 2},
        [{"a": 1}, {"a": 1, "b": 2}],
        [{}, {"a": 1, "b": 2, "c": 3}, []],
    ),
]


@pytest.mark.parametrize(("schema", "good", "bad"), VALUES)
def test_values_fit_or_do_not(schema: Row, good: list[Json], bad: list[Json]) -> None:
    """Each schema takes what it describes and nothing else."""
    assert [value for value in good if not is_valid(schema, value)] == []
    assert [value for value in bad if is_valid(schema, value)] == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "boolean"), (1, "integer"), (1.5, "number"), ([], "array"), ({}, "object")],
)
def test_wrong_type_is_named(value: Json, kind: str) -> None:
    """The message names the JSON type that was found, and the place."""
    with pytest.raises(MismatchError) as caught:
        check(schema_of("clients.create"), {"name": "a", "callbacks": [value]})
    problem = f"Expected type string but found type {kind}"
    assert (
        caught.value.sentence("Payload") == f"Payload validation error: '{problem}' on property callbacks[0]."
    )


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
    check(schema_of("clients.create"), {"name": "a", **body})


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
        check(schema_of("clients.create"), {"name": "a", **body})


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
    check(schema_of("clients.update"), body)
