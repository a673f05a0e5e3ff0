"""What the local tenant makes of a row for an answer, by the answer's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evertoken_tenant.described import by_key, describe
from evertoken_tenant.fitting import fit, made_up
from evertoken_tenant.judge import is_valid

if TYPE_CHECKING:
    from evertoken_tenant.call import Json, Row

PET: Row = {
    "oneOf": [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["kind", "wings"],
            "properties": {"kind": {"const": "bird"}, "wings": {"type": "integer", "minimum": 2}},
        },
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["kind", "name"],
            "properties": {"kind": {"const": "dog"}, "name": {"type": "string"}},
        },
        {"type": "string"},
    ]
}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "string"}, "a", "a"),
        ({"type": "string"}, 7, "text"),
        ({"type": ["string", "null"]}, 7, None),
        ({"type": "number"}, 1.5, 1.5),
        ({"type": "array", "items": {"type": "integer"}}, [1, "a"], [1, 0]),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"b": 1}, {"b": 1}),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
            {"a": "1", "b": 1},
            {"a": "1"},
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": "x"}, {"a": 0}),
        ({"type": "object", "maxProperties": 0}, {"a": 1}, {}),
        ({"type": "object", "minProperties": 1, "properties": {"a": {"type": "boolean"}}}, {}, {"a": False}),
        ({"allOf": [{"type": "object", "required": ["a"], "properties": {"a": {"const": 1}}}]}, {}, {"a": 1}),
        (PET, {"kind": "dog", "wings": 2}, {"kind": "dog", "name": "text"}),
        (PET, {"kind": "bird", "name": "b"}, {"kind": "bird", "wings": 2}),
        (PET, 7, {"kind": "bird", "wings": 2}),
        (PET, "a", "a"),
        ({}, {"a": [None]}, {"a": [None]}),
    ],
)  # fmt: skip
def test_what_fits_stays_and_the_rest_is_made_to_fit(schema: Row, value: Json, expected: Json) -> None:
    """Undescribed names go, missing ones are made up, and of alternatives the one that was meant is taken."""
    assert fit(schema, value) == expected
    assert is_valid(schema, fit(schema, value))


@pytest.mark.parametrize("pattern", ["^rol_[A-Za-z0-9]{16}$", "^[A-Z]{2}$", "^\\+[0-9]{8, 20}", "^\\d{12}$"])
def test_made_up_texts_have_the_pattern_that_is_asked_for(pattern: str) -> None:
    """Ids, countries, numbers of phones and of accounts."""
    schema: Row = {"type": "string", "pattern": pattern}
    assert is_valid(schema, made_up(schema))


def test_every_answer_can_be_made_up() -> None:
    """From nothing, and from a row of nothing that is known; always the same."""
    # Requires a property that it does not allow.
    impossible = {f"branding.phone.providers.{name}" for name in ("create", "get", "update")}
    for key in by_key().keys() - impossible:
        for success in describe(key).successes:
            if success.schema is not None:
                assert made_up(success.schema) == made_up(success.schema)
                assert is_valid(success.schema, made_up(success.schema)), key
                assert is_valid(success.schema, fit(success.schema, {"unknown": 1})), key
