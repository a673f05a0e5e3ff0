"""What stands in a request body, and what is refused before it is sent."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import json
from collections.abc import Iterator, Mapping
from typing import Annotated

import pytest
from pydantic import Field

from evertoken.errors import ArgumentError
from evertoken.model import Model
from evertoken.operation import UNSET
from evertoken.wire import to_wire


class Inner(Model):
    to: str | None = None
    at: dt.datetime | None = None


class Outer(Model):
    from_: Annotated[str | None, Field(alias="from")] = None
    inner: Inner | None = None
    many: list[Inner] | None = None


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


class View(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "é\u2028", [], {}, [[{"a": [None]}]], 10**400])
def test_json_stays_as_it_is(value: object) -> None:
    """Plain JSON types come out as they went in."""
    assert to_wire(value) == value


def test_containers_become_lists_and_dicts() -> None:
    """Tuples, sequences and mappings of any kind have the JSON of a list and a dict."""
    value = {"t": (1, (2,)), "q": collections.deque([3]), "m": View(), "r": range(2)}

    assert to_wire(value) == {"t": [1, [2]], "q": [3], "m": {"a": 1}, "r": [0, 1]}


def test_enumerations_and_subclasses_become_plain() -> None:
    """A str or int of another class is written as its value."""
    wire = to_wire({Colour.RED: Colour.RED, "level": Level.HIGH, "loud": Loud("quiet")})

    assert wire == {"red": "red", "level": 3, "loud": "quiet"}
    assert isinstance(wire, dict)
    assert {type(value) for value in wire.values()} == {str, int}


def test_unset_keys_are_left_out_at_every_level() -> None:
    """UNSET means no key; None means null."""
    wire = to_wire({"a": UNSET, "b": None, "c": [{"d": UNSET, "e": {"f": UNSET}}]})

    assert wire == {"b": None, "c": [{"e": {}}]}


def test_models_give_what_was_set_by_the_names_of_the_api() -> None:
    """Only fields that were set, under their aliases, and the unknown ones."""
    model = Outer(from_="a", inner=Inner(to=None), new="field")  # type: ignore[call-arg]  # unknown to the spec

    assert to_wire({"x": [model]}) == {"x": [{"from": "a", "inner": {"to": None}, "new": "field"}]}
    model.many = [Inner.model_construct(to=UNSET)]
    assert to_wire(model) == {"from": "a", "inner": {"to": None}, "new": "field", "many": [{}]}


def test_drifted_values_go_back_unchanged() -> None:
    """What a model holds in another type than the spec's is sent as it came, without a warning."""
    model = Outer.model_construct({"inner", "many"}, inner="text", many={"a": 1})

    assert to_wire(model) == {"inner": "text", "many": {"a": 1}}


def test_datetimes_have_their_offset() -> None:
    """ISO 8601: UTC as Auth0 writes it, where milliseconds can tell it; others with the offset they have."""
    zone = dt.timezone(dt.timedelta(hours=-3))

    assert to_wire(dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)) == "2030-01-02T03:04:05.000Z"
    assert to_wire(dt.datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)) == "2030-01-02T03:04:05.000006+00:00"
    assert to_wire([dt.datetime(2030, 1, 2, 3, tzinfo=zone)]) == ["2030-01-02T03:00:00-03:00"]


def test_naive_datetime_that_the_api_sent_goes_back() -> None:
    """In a model, a datetime without a time zone is the API's own; beside it, it is refused."""
    naive = dt.datetime(2030, 1, 2, 3, 4, 5)  # noqa: DTZ001 - the case of the test

    assert to_wire([Inner(at=naive)]) == [{"at": "2030-01-02T03:04:05"}]
    with pytest.raises(ArgumentError, match=r"^body\[1\]: a datetime without a time zone"):
        to_wire([Inner(at=naive), naive])


@pytest.mark.parametrize(
    ("value", "place", "advice"),
    [
        ({"callbacks": ["a", "b", "c", b"x"]}, "body.callbacks[3]", "decode it"),
        ({"a": bytearray()}, "body.a", "decode it"),
        ({"a": {1}}, "body.a", "make it a list"),
        ({"a": frozenset({1})}, "body.a", "make it a list"),
        ({"a": dt.date(2030, 1, 1)}, "body.a", "datetime with a time zone"),
        ({"a": object()}, "body.a", "object has no JSON"),
        ({"a": iter([1])}, "body.a", "list_iterator has no JSON"),
        ({"a": 1j}, "body.a", "complex has no JSON"),
        ({"a": float("nan")}, "body.a", "NaN"),
        ([float("-inf")], "body[0]", "infinity"),
        ({"a": {1: 2}}, "body.a", "key of type int"),
        ({None: 2}, "body", "key of type NoneType"),
        ({Level.HIGH: 2}, "body", "key of type Level"),
        ({"a": "\ud800"}, "body.a", "surrogate"),
        ({"\udfff": 1}, "body", "surrogate"),
        ([UNSET], "body[0]", "UNSET"),
        (UNSET, "body", "UNSET"),
        (Outer.model_construct({"inner"}, inner=b"x"), "body.inner", "bytes"),
        (Outer.model_construct({"from_"}, from_={1}), "body.from", "set"),
        ({"odd key": {'"\n': b""}}, r'body["odd key"]["\u0022\u000a"]', "bytes"),
        ({"k" * 90: b""}, 'body["' + "k" * 63 + '…"]', "bytes"),
    ],
)
def test_what_json_cannot_carry_is_refused(value: object, place: str, advice: str) -> None:
    """The error names the place and what to do, never the value."""
    with pytest.raises(ArgumentError) as caught:
        to_wire(value)

    assert caught.value.argument == place
    assert str(caught.value).startswith(f"{place}: ")
    assert advice in str(caught.value)


def test_value_that_holds_itself_is_refused() -> None:
    """A circle is an error at the place where it closes; the same value twice is none."""
    twice = ["x"]
    assert to_wire([twice, twice]) == [["x"], ["x"]]
    circle: dict[str, object] = {}
    circle["a"] = [circle]

    with pytest.raises(ArgumentError, match=r"^body\.a\[0\]: holds itself"):
        to_wire(circle)


def test_too_deep_a_value_is_refused() -> None:
    """Nesting beyond the stack is an error of ours, not a RecursionError."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(ArgumentError, match="nested too deeply"):
        to_wire(deep, "body")


def test_result_is_a_copy() -> None:
    """What is sent does not change with the caller's containers."""
    callbacks = ["https://app.example"]

    wire = to_wire({"callbacks": callbacks})
    callbacks.append("x")

    assert json.dumps(wire) == '{"callbacks": ["https://app.example"]}'
