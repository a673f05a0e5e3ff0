"""Answers that differ from the spec: nothing is lost, and each place is told once."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import json
import logging
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence  # noqa: TC003 - pydantic resolves them
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from typing_extensions import TypeAliasType

from evertoken import drift, fit
from evertoken.drift import Drift, DriftWarning, Mismatch, NotJSON, Reports, decode
from evertoken.model import Model
from evertoken.wire import to_wire
from fuzzing import tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ModelT = TypeVar("ModelT", bound=Model)

Tree = TypeAliasType("Tree", "str | list[Tree] | dict[str, Tree] | None")


class Key(Model):
    kid: str
    alg: Literal["RS256", "PS256"] | None = None
    expires_at: dt.datetime | None = None


class Spa(Model):
    kind: Literal["spa"]
    callbacks: list[str] | None = None


class Native(Model):
    kind: Literal["native"]
    mobile: dict[str, Key] | None = None


Kind = TypeAliasType("Kind", "Spa | Native")


class Application(Model):
    client_id: str
    from_: Annotated[str | None, Field(alias="from", description="an alias")] = None
    app_type: Literal["spa", "native"] | str | None = None  # noqa: PYI051 - as the generated models have it
    callbacks: list[str] | None = None
    keys: Sequence[Key] | None = None
    kind: Kind | None = None
    tree: Tree | None = None
    numbers: Mapping[str, float] | None = None
    count: int | None = None
    sso: bool | None = None
    short: Annotated[str, Field(max_length=3)] | None = None
    created_at: dt.datetime | None = None
    anything: Any = None
    thing: object = None
    parent: Application | None = None
    tags: list[str] = Field(default_factory=lambda: ["default"])


class Labels(Model):
    __annotations__ = {"__pydantic_extra__": dict[str, Key]}
    title: str | None = None


class Page(Model):
    start: float | None = None
    total: float | None = None
    clients: list[Application] | None = None


FULL: dict[str, Any] = {
    "client_id": "abc",
    "from": "here",
    "app_type": "new_type",
    "callbacks": ["https://a.example", "https://b.example"],
    "keys": [{"kid": "1", "alg": "RS256", "expires_at": "2030-01-02T03:04:05.678Z"}, {"kid": "2"}],
    "kind": {"kind": "native", "mobile": {"ios": {"kid": "3"}}},
    "tree": ["a", {"b": [None, "c"]}],
    "numbers": {"one": 1, "half": 0.5},
    "count": 7,
    "sso": True,
    "short": "abc",
    "created_at": "2030-01-02T03:04:05",
    "anything": [1, {"x": None}],
    "thing": {"y": [True]},
    "parent": {"client_id": "def", "callbacks": ["c"]},
    "tags": ["x"],
    "unknown": {"z": 1},
}


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


def drifted(cls: type[ModelT], value: object) -> tuple[ModelT, list[str]]:
    """Return the decoded model and its mismatches as text."""
    model, mismatches = decode(cls, encode(value))
    assert isinstance(model, cls)
    return model, [str(mismatch) for mismatch in mismatches]


def changed(**fields: object) -> dict[str, object]:
    return {**copy.deepcopy(FULL), **fields}


# What fits


def test_fitting_answer_has_no_mismatch() -> None:
    """A body as the spec has it decodes to the models, unknown fields and values kept."""
    page, found = drifted(Page, {"clients": [FULL], "total": 1})

    assert found == []
    assert page.clients is not None
    application = page.clients[0]
    assert isinstance(application.kind, Native)
    assert application.app_type == "new_type"
    assert application.model_extra == {"unknown": {"z": 1}}
    assert application.keys is not None
    assert application.keys[0].expires_at == dt.datetime(2030, 1, 2, 3, 4, 5, 678_000, dt.UTC)


@pytest.mark.parametrize("field", [name for name in FULL if name != "client_id"])
def test_one_odd_field_changes_no_other(field: str) -> None:
    """All fields beside the odd one decode exactly as in an answer that fits."""
    whole, _ = drifted(Application, FULL)
    odd = "client_id" if field != "client_id" else "from"

    model, found = drifted(Application, changed(**{odd: 5}))

    assert found == [f"$.{odd}: expected str, got int"]
    name = {"from": "from_"}.get(field, field)
    assert getattr(model, name) == getattr(whole, name)
    assert type(getattr(model, name)) is type(getattr(whole, name))
    assert model.model_fields_set == whole.model_fields_set


# What does not


ODD_VALUES: list[tuple[str, object, str]] = [
    ("client_id", None, "$.client_id: expected str, got None"),
    ("from", 5, "$.from: expected str or None, got int"),
    ("app_type", 5, "$.app_type: expected 'spa' or 'native' or str or None, got int"),
    ("callbacks", "x", "$.callbacks: expected list or None, got str"),
    ("callbacks", ["a", 1, "b"], "$.callbacks[1]: expected str, got int"),
    ("keys", [{"kid": "1"}, {"kid": 2}], "$.keys[1].kid: expected str, got int"),
    ("keys", [{}], "$.keys[0].kid: expected str, got nothing"),
    ("keys", {"0": {}}, "$.keys: expected list or None, got dict"),
    (
        "keys",
        [{"kid": "1", "alg": "none"}],
        "$.keys[0].alg: expected 'RS256' or 'PS256' or None, got str",
    ),
    (
        "keys",
        [{"kid": "1", "expires_at": "soon"}],
        "$.keys[0].expires_at: expected datetime or None, got str",
    ),
    ("kind", {"kind": "spa", "callbacks": [1]}, "$.kind.callbacks[0]: expected str, got int"),
    ("kind", {"kind": "native", "mobile": 1}, "$.kind.mobile: expected dict or None, got int"),
    # Both variants have one odd field and know one more: the constant decides.
    (
        "kind",
        {"kind": "native", "callbacks": ["x"], "mobile": 1},
        "$.kind.mobile: expected dict or None, got int",
    ),
    (
        "kind",
        {"kind": "native", "mobile": {"ios": {"kid": 1}}},
        "$.kind.mobile.ios.kid: expected str, got int",
    ),
    ("kind", {"kind": "web"}, "$.kind.kind: expected 'spa', got str"),
    ("kind", 5, "$.kind: expected Spa or Native or None, got int"),
    ("tree", ["a", {"b": [1]}], "$.tree[1].b[0]: expected str or list or dict or None, got int"),
    ("numbers", {"a": "1", "b": 2}, "$.numbers.a: expected float, got str"),
    ("numbers", [], "$.numbers: expected dict or None, got list"),
    ("count", True, "$.count: expected int or None, got bool"),
    ("count", 1.5, "$.count: expected int or None, got float"),
    ("sso", 1, "$.sso: expected bool or None, got int"),
    ("short", "abcd", "$.short: expected str or None, got str"),
    ("created_at", 1_700_000_000, "$.created_at: expected datetime or None, got int"),
    ("parent", {"client_id": "x", "parent": {}}, "$.parent.parent.client_id: expected str, got nothing"),
    ("tags", None, "$.tags: expected list, got None"),
]


@pytest.mark.parametrize(("field", "value", "place"), ODD_VALUES)
def test_odd_value_is_kept_and_its_place_told(field: str, value: object, place: str) -> None:
    """The value that does not fit is there as it came, and the mismatch says where and of what type."""
    model, found = drifted(Application, changed(**{field: value}))

    assert found == [place]
    assert to_wire(model) == {
        **cast("dict[str, object]", to_wire(drifted(Application, FULL)[0])),
        field: value,
    }


def test_place_within_a_list_is_told() -> None:
    """The place in the middle of an envelope reads as one would write it."""
    clients = [changed(client_id=f"c{number}") for number in range(9)]
    clients[7]["callbacks"] = "x"

    page, found = drifted(Page, {"clients": clients})

    assert found == ["$.clients[7].callbacks: expected list or None, got str"]
    assert page.clients is not None
    assert all(isinstance(application, Application) for application in page.clients)
    assert cast("object", page.clients[7].callbacks) == "x"
    assert page.clients[7].client_id == "c7"


def test_missing_required_field_is_none_and_not_set() -> None:
    """A field that the API left out can be read, and is not sent back."""
    model, found = drifted(Application, {"count": 1})

    assert found == ["$.client_id: expected str, got nothing"]
    assert cast("object", model.client_id) is None
    assert model.model_fields_set == {"count"}
    assert model.tags == ["default"]
    assert to_wire(model) == {"count": 1}


def test_defaults_are_not_shared() -> None:
    """Two drifted models have lists of their own."""
    first, second = drifted(Application, {})[0], drifted(Application, {})[0]
    first.tags.append("mine")

    assert second.tags == ["default"]


def test_unknown_field_named_like_an_attribute_stays_unknown() -> None:
    """Only the API's name of a field is its name in JSON, in both ways of decoding."""
    for value in ({"client_id": "a", "from_": "x"}, {"client_id": 1, "from_": "x"}):
        model, _ = drifted(Application, value)
        assert model.from_ is None
        assert model.model_extra == {"from_": "x"}
        assert to_wire(model) == value


@pytest.mark.parametrize("client_id", ["a", 1], ids=["fits", "drifts"])
def test_null_beside_an_unknown_field_of_its_python_name_is_kept(client_id: object) -> None:
    """`from` and `from_` are two keys, and a null under either is no absence, at any depth."""
    both = {"client_id": client_id, "from": None, "from_": None}
    page, _ = drifted(Page, {"clients": [both, {**both, "parent": {**both, "from_": "x"}}]})

    assert to_wire(page) == {"clients": [both, {**both, "parent": {**both, "from_": "x"}}]}
    row = page.clients[0] if page.clients else None
    assert row is not None
    for value in ("y", None):
        row.from_ = value
        assert to_wire(row) == {**both, "from": value}


def test_typed_unknown_fields_are_checked() -> None:
    """Where the spec gives unknown fields a type, they decode to it, and drift in them is told."""
    labels, found = drifted(Labels, {"title": "t", "a": {"kid": "1"}, "b": {"kid": 2}, "c d": 5})

    assert found == ["$.b.kid: expected str, got int", '$["c d"]: expected Key, got int']
    assert labels.model_extra is not None
    assert [type(value) for value in labels.model_extra.values()] == [Key, Key, int]


class Strict(pydantic.BaseModel):
    """A model that forbids what it does not know; not one of ours."""

    model_config = pydantic.ConfigDict(extra="ignore")
    a: int


def test_models_of_other_settings_decode_too() -> None:
    """A model that keeps no unknown fields still keeps its odd ones."""
    value, found = decode(Strict, b'{"a": "x", "b": 1}')

    assert isinstance(value, Strict)
    assert cast("object", value.a) == "x"
    assert [str(m) for m in found] == ["$.a: expected int, got str"]


class Ordered(Model):
    low: int
    high: int

    @pydantic.model_validator(mode="after")
    def check(self) -> Ordered:
        if self.low > self.high:
            raise ValueError("order")
        return self


def test_rule_that_no_field_breaks_is_told_at_the_object() -> None:
    """Fields may fit one by one and not together: the model comes, and the place is its own."""
    value, found = decode(list[Ordered], b'[{"low": 2, "high": 1}]')

    assert [str(m) for m in found] == ["$[0]: expected Ordered, got dict"]
    assert [type(row) for row in cast("list[object]", value)] == [Ordered]


@pytest.mark.parametrize(
    ("result", "body", "place"),
    [
        (Page, "[1]", "$: expected Page, got list"),
        (Page, "null", "$: expected Page, got None"),
        (list[Application], '{"clients": []}', "$: expected list, got dict"),
        (Page | list[Application], '"text"', "$: expected Page or list, got str"),
        (dict[str, int], "true", "$: expected dict, got bool"),
        (type(None), "{}", "$: expected None, got dict"),
        (list, "{}", "$: expected list, got dict"),
        (tuple[int, int], "[1]", "$: expected tuple, got list"),
    ],
)
def test_answer_of_another_shape_is_kept_as_it_is(result: object, body: str, place: str) -> None:
    """At the top too, the value that came is what is returned."""
    value, found = decode(result, body.encode())

    assert value == json.loads(body)
    assert [str(m) for m in found] == [place]


def test_long_unions_are_told_in_short() -> None:
    """A mismatch names a few alternatives and counts the others."""
    union = Literal["a", "b", "c", "d", "e", "f", "g"]

    assert [m.expected for m in decode(union, b"1")[1]] == [
        "'a' or 'b' or 'c' or 'd' or 'e' or one of 2 others"
    ]


def test_mismatch_holds_no_value() -> None:
    """Neither text nor attributes tell what the API sent."""
    _, found = decode(Application, encode(changed(callbacks="not-a-secret", count="not-a-secret")))

    assert len(found) == 2
    assert "not-a-secret" not in f"{found!r} {[str(m) for m in found]}"


def test_metadata_that_cannot_be_hashed_is_no_hindrance() -> None:
    """Annotations are cached where they can be, and work where they cannot."""
    annotation: object = Annotated[list[int], {"any": "thing"}]

    assert decode(annotation, b"[1]") == ([1], [])
    assert [str(m) for m in decode(annotation, b'["x"]')[1]] == ["$[0]: expected int, got str"]


Lost = TypeAliasType("Lost", "list[NoSuchName]")  # type: ignore[name-defined]  # noqa: F821 - the case


def test_reference_to_nothing_stays_as_it_is() -> None:
    """An alias that cannot be resolved is described by what it says."""
    assert "NoSuchName" in fit.describe(Lost)


class Left(Model):
    l: Left | Right | None = None  # noqa: E741 - as short as the case


class Right(Model):
    l: Right | Left | None = None  # noqa: E741


def test_part_is_decoded_once_per_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work grows with the value, not with the ways through nested unions."""
    value: object = 1
    for _ in range(10):
        value = {"l": value}
    tried: list[object] = []

    walk = fit.Walk()
    monkeypatch.setattr(fit, "validate", functools.partial(_counted, fit.validate, tried))
    _, found = walk.fit(Left | Right, value)

    assert [str(m) for m in found] == ["$" + ".l" * 10 + ": expected Left or Right or None, got int"]
    assert len(tried) <= 7 * 11


def _counted(
    real: Callable[[object, bytes], object], tried: list[object], annotation: object, text: bytes
) -> object:
    tried.append(annotation)
    return real(annotation, text)


# Not JSON


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"<html>", "syntax error at 0"),
        (b'{"a": 1', "syntax error at 7"),
        (b'{"a": 1} x', "syntax error at 9"),
        (b'{"client_id": "\xff"}', "bad UTF-8 at 15"),
        (b'{"client_id": "a", "x": NaN}', "NaN is no JSON number"),
        (b'{"client_id": "a", "x": [Infinity]}', "Infinity is no JSON number"),
        (b'{"client_id": 1, "x": -Infinity}', "-Infinity is no JSON number"),
        (b'{"client_id": 1, "x": ' + b"9" * 5000 + b"}", "a number is too long"),
        (b'{"client_id": 1, "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_refused(body: bytes, problem: str) -> None:
    """The error tells what is wrong and where, and quotes nothing of the body."""
    with pytest.raises(NotJSON) as caught:
        decode(Application, body)

    assert str(caught.value) == problem
    assert caught.value.__context__ is None


def test_words_that_are_no_numbers_are_fine_in_strings() -> None:
    """NaN and Infinity as text are text."""
    model, found = drifted(Application, {"client_id": "NaN", "from": "Infinity"})

    assert (model.client_id, model.from_, found) == ("NaN", "Infinity", [])


def test_byte_order_mark_is_passed_over() -> None:
    """Some gateways put one before JSON (RFC 8259, 8.1 lets a reader ignore it)."""
    assert decode(list[int], b"\xef\xbb\xbf[1]") == ([1], [])


def test_repeated_key_has_its_last_value() -> None:
    """As in json, in both ways of decoding."""
    assert drifted_ids(b'{"client_id": "a", "client_id": "b"}') == "b"
    assert drifted_ids(b'{"client_id": "a", "client_id": "b", "count": "x"}') == "b"


def drifted_ids(body: bytes) -> object:
    return cast("Application", decode(Application, body)[0]).client_id


def test_lone_surrogates_are_kept_and_told() -> None:
    """JSON can spell them, UTF-8 cannot: the rest of the answer is not lost over one."""
    body = rb'{"client_id": "a\ud800", "callbacks": ["b"], "anything": "\udc00", "more": "\udfff"}'

    model, found = decode(Application, body)

    assert isinstance(model, Application)
    assert (model.client_id, model.callbacks) == ("a\ud800", ["b"])
    assert [str(m) for m in found] == [
        "$.client_id: expected str, got another str",
        "$.anything: expected interoperable JSON, got str",
        "$.more: expected interoperable JSON, got str",
    ]


def test_deeply_nested_values_are_kept() -> None:
    """What pydantic finds too deep is told, and the fields beside it decode."""
    deep: object = "x"
    for _ in range(300):
        deep = [deep]

    model, found = drifted(Application, {"client_id": "a", "anything": deep, "tags": ["t"]})

    assert model.anything == deep
    assert model.tags == ["t"]
    assert found == ["$.anything: expected interoperable JSON, got list"]


def test_nesting_beyond_the_stack_keeps_the_whole_answer_raw() -> None:
    """Where the typed part itself is too deep, the answer comes as plain JSON."""
    tree: object = 1
    for _ in range(sys.getrecursionlimit() // 4):
        tree = {"client_id": "a", "parent": tree}

    value, found = decode(Application, encode(tree))

    assert value == tree
    assert [str(m) for m in found] == ["$: expected Application, got JSON nested too deeply"]


# Any JSON


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["2030-01-02T03:04:05Z", "2030-01-02 03:04:05.123456789-01:30", "spa", "RS256", "NaN"])
)
NAMES = st.sampled_from([*FULL, "kid", "mobile", "alg", "from", "from_"]) | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    if isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield from places(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[object]", value)):
            yield from places(inner, (*at, index))


def replaced(value: object, at: tuple[str | int, ...], new: object) -> object:
    if not at:
        return new
    whole: Any = copy.copy(value)
    whole[at[0]] = replaced(whole[at[0]], at[1:], new)
    return cast("object", whole)


def same(sent: object, wire: object) -> bool:
    """Tell whether two JSON values are equal, but for the spelling of a datetime."""
    if isinstance(sent, bool) or isinstance(wire, bool):
        return sent is wire
    if isinstance(sent, dict) and isinstance(wire, dict):
        left, right = cast("dict[str, object]", sent), cast("dict[str, object]", wire)
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(sent, list) and isinstance(wire, list):
        rows = cast("list[object]", sent), cast("list[object]", wire)
        return len(rows[0]) == len(rows[1]) and all(map(same, *rows))
    return sent == wire or (isinstance(sent, str) and isinstance(wire, str) and moment(sent) == moment(wire))


def moment(text: str) -> dt.datetime:
    return pydantic.TypeAdapter(dt.datetime).validate_python(text)


@st.composite
def mutated(draw: st.DrawFn) -> object:
    value: object = {"total": 1, "clients": [FULL, {"client_id": "b", "parent": FULL}]}
    for _ in range(draw(st.integers(1, 4))):
        value = replaced(value, draw(st.sampled_from(list(places(value)))), draw(VALUES))
    return value


@given(value=mutated() | VALUES)
@tried(200)
def test_nothing_is_lost(value: object) -> None:
    """Whatever JSON comes, decoding gives a value from which the same JSON can be written again."""
    decoded, mismatches = decode(Page, encode(value))

    assert same(value, to_wire(decoded))
    assert bool(mismatches) == (not fits(Page, value))


def fits(result: object, value: object) -> bool:
    try:
        fit.validate(result, encode(value))
    except pydantic.ValidationError:
        return False
    return True


FREE = {"anything", "thing", "unknown"}
TYPED = [
    at
    for at in places({"clients": [FULL, {"client_id": "b", "parent": FULL}]})
    if at and not FREE & set(map(str, at))
]


@given(at=st.sampled_from(TYPED))
@tried(150)
def test_every_typed_place_is_found(at: tuple[str | int, ...]) -> None:
    """A value that no type of the spec takes is told at exactly its place, wherever it stands."""
    value = replaced({"clients": [FULL, {"client_id": "b", "parent": FULL}]}, at, [[12.5]])

    decoded, mismatches = decode(Page, encode(value))

    assert same(value, to_wire(decoded))
    # Within a value that fits in part the mismatch lies deeper, never elsewhere.
    assert {m.place[: len(at)] for m in mismatches} == {at}
    assert len(mismatches) == 1


# Reports


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "_told_here", drift.Told())


ODD = Mismatch(("clients", 7, "callbacks"), "list", "str")


def tell_all(tellers: Iterable[Reports], answers: list[tuple[str, Mismatch]]) -> None:
    for reports in tellers:
        for operation, mismatch in answers:
            reports.tell(operation, [mismatch])


def test_place_is_reported_once() -> None:
    """The same place in another row is no news; another operation or field is, another client is not."""
    answers = [
        ("clients.list", ODD),
        ("clients.list", Mismatch(("clients", 8, "callbacks"), "list", "int")),
        ("clients.list", ODD),
        ("clients.get", ODD),
        ("clients.list", Mismatch(("clients", 7, "name"), "str", "int")),
    ]

    with pytest.warns(DriftWarning) as caught:
        tell_all([Reports(), Reports()], answers)

    assert [str(warning.message).split(": ", 2)[::2] for warning in caught] == [
        ["clients.list", "$.clients[7].callbacks: expected list, got str"],
        ["clients.get", "$.clients[7].callbacks: expected list, got str"],
        ["clients.list", "$.clients[7].name: expected str, got int"],
    ]


def test_keys_of_free_choice_are_one_place() -> None:
    """Keys that are data, not names of the spec, do not each make a report."""
    _, found = decode(dict[str, int], b'{"a": "x", "b": "y"}')

    assert [m.pattern for m in found] == ["$[*]", "$[*]"]
    assert [str(m) for m in found] == ["$.a: expected int, got str", "$.b: expected int, got str"]
    assert ODD.pattern == "$.clients[*].callbacks"


def test_log_and_listener_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """The logger and the listener get what the warning says."""
    told: list[Drift] = []

    with pytest.warns(DriftWarning):
        Reports(told.append).tell("clients.list", [ODD, ODD])

    assert [str(one) for one in told] == ["clients.list: $.clients[7].callbacks: expected list, got str"]
    assert told[0].pattern == "$.clients[*].callbacks"
    assert [(r.name, r.levelno) for r in caplog.records] == [("evertoken.drift", logging.WARNING)]
    assert str(ODD) in caplog.text


def test_every_client_has_its_listener_told(caplog: pytest.LogCaptureFixture) -> None:
    """A listener hears of a place that the process was warned of before, and hears it once."""
    first: list[Drift] = []
    second: list[Drift] = []

    with pytest.warns(DriftWarning) as caught:
        tell_all([Reports(first.append), Reports(second.append)], [("clients.list", ODD)] * 2)

    assert len(first) == len(second) == len(caught) == len(caplog.records) == 1


def test_filter_that_makes_warnings_errors_loses_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """An error made of the warning is logged, not raised into the call."""
    told: list[Drift] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Reports(told.append).tell("clients.list", [ODD])

    assert [r.levelno for r in caplog.records] == [logging.WARNING, logging.ERROR]
    assert len(told) == 1


def test_listener_that_fails_loses_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """An error of the listener is logged, not raised into the call."""

    def fail(seen: Drift) -> None:
        raise RuntimeError(seen)

    with pytest.warns(DriftWarning):
        Reports(fail).tell("clients.list", [ODD])

    assert [r.levelno for r in caplog.records] == [logging.WARNING, logging.ERROR]
    assert "listener" in caplog.text


def test_reports_are_bounded() -> None:
    """Beyond a number of places no more are told, so that memory does not grow."""
    told: list[Drift] = []
    many = [Mismatch((f"field{number}",), "str", "int") for number in range(drift.MOST_REPORTS + 50)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Reports(told.append).tell("x.get", many)

    assert len(told) == drift.MOST_REPORTS


def test_threads_report_a_place_once_together() -> None:
    """Of many threads that meet the same place at once, one tells of it."""
    told: list[Drift] = []
    start = threading.Barrier(20)
    reports = Reports(told.append)

    def run() -> None:
        start.wait()
        reports.tell("x.get", [ODD])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=run) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(told) == 1


def test_fork_frees_the_lock_of_building() -> None:
    """A child of a process that was building a validator can build its own."""
    with fit._building.lock:
        held = fit._building.lock
        fit._building.reset_after_fork()
        assert fit._building.lock is not held
        assert decode(dict[str, list[tuple[int, str]]], b"{}") == ({}, [])
