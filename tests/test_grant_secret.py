"""Client id and secret, by post and by basic: the wire form, and which secret is tried when."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import functools
import gc
import inspect
import pickle
import threading
import urllib.parse
from typing import TYPE_CHECKING, cast

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertoken.errors import ArgumentError, TokenError
from evertoken.grant import ClientSecretBasic, ClientSecretPost, TokenRequest
from evertoken.rotation import MOST_SOURCES, Pending
from evertoken.secret import EnvironmentSecret, FileSecret, text_problem
from evertoken.token import Secret
from support import SECRET, locals_of

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Awaitable, Callable

    from evertoken.secret import GivenSecret, SecretSource

ISSUER = "https://tenant.example.com/"
AUDIENCE = "https://tenant.example.com/api/v2/"
TEXTS = st.text(min_size=1).filter(lambda text: text_problem(text) is None)
KINDS = pytest.mark.parametrize("kind", [ClientSecretPost, ClientSecretBasic])

Kind = type[ClientSecretPost]


def asked(grant: ClientSecretPost, organization: str | None = None) -> TokenRequest | Awaitable[TokenRequest]:
    return grant.request(issuer=ISSUER, audience=AUDIENCE, organization=organization)


def asked_at_once(grant: ClientSecretPost) -> TokenRequest:
    request = asked(grant)
    assert isinstance(request, TokenRequest)
    return request


def asked_again(request: TokenRequest) -> TokenRequest | None:
    assert request.again is not None
    other = request.again()
    assert other is None or isinstance(other, TokenRequest)
    return other


def fields_of(request: TokenRequest) -> dict[str, str]:
    pairs = urllib.parse.parse_qsl(
        request.body().decode("ascii"), strict_parsing=True, keep_blank_values=True
    )
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def basic_of(request: TokenRequest) -> tuple[str, str]:
    scheme, _, encoded = request.headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    client_id, _, secret = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    return urllib.parse.unquote_plus(client_id), urllib.parse.unquote_plus(secret)


def secret_of(request: TokenRequest | None) -> str | None:
    if request is None:
        return None
    return basic_of(request)[1] if request.headers else fields_of(request)["client_secret"]


@given(client_id=TEXTS, secret=TEXTS, organization=st.none() | TEXTS)
def test_post_sends_everything_in_the_form(client_id: str, secret: str, organization: str | None) -> None:
    """RFC 6749, 2.3.1 and appendix B: whatever characters an id or secret has."""
    request = asked(ClientSecretPost(client_id, secret), organization)
    assert isinstance(request, TokenRequest)
    assert fields_of(request) == {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
        "audience": AUDIENCE,
        **({} if organization is None else {"organization": organization}),
    }
    assert not request.headers


@given(client_id=TEXTS, secret=TEXTS, organization=st.none() | TEXTS)
def test_basic_sends_credentials_in_the_header_only(
    client_id: str, secret: str, organization: str | None
) -> None:
    """RFC 6749, 2.3.1: each is form-encoded before they are joined and encoded once more."""
    request = asked(ClientSecretBasic(client_id, secret), organization)
    assert isinstance(request, TokenRequest)
    assert basic_of(request) == (client_id, secret)
    assert fields_of(request) == {
        "grant_type": "client_credentials",
        "audience": AUDIENCE,
        **({} if organization is None else {"organization": organization}),
    }


@KINDS
def test_secret_from_the_environment_is_that_of_the_request(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grant is made before the variable is set, and outlives its change."""
    grant = kind("app", EnvironmentSecret("ROTATED"))
    for value in ("first", "second"):
        monkeypatch.setenv("ROTATED", value)
        assert secret_of(asked_at_once(grant)) == value


@KINDS
def test_secret_from_a_file_is_that_of_the_request(kind: Kind, tmp_path: pathlib.Path) -> None:
    """A grant is made before the file is there, and outlives its change."""
    path = tmp_path / "secret"
    grant = kind("app", FileSecret(path))
    for value in ("first", "second"):
        (tmp_path / "next").write_text(f"{value}\n")
        (tmp_path / "next").replace(path)
        assert secret_of(asked_at_once(grant)) == value


def test_secret_from_a_callable_is_asked_for_each_request() -> None:
    """A string or a Secret, as the callable likes."""
    secrets: list[str | Secret] = ["first", Secret("second")]
    grant = ClientSecretPost("app", lambda: secrets.pop(0))
    assert [secret_of(asked_at_once(grant)) for _ in range(2)] == ["first", "second"]


@pytest.mark.anyio
@pytest.mark.parametrize("plain", [False, True])
async def test_secret_from_an_async_callable_is_awaited(plain: bool) -> None:
    """An async function, or anything else that returns something to await."""

    async def fetch() -> str:
        await anyio.lowlevel.checkpoint()
        return SECRET

    request = asked(ClientSecretPost("app", functools.partial(fetch) if plain else fetch))
    assert inspect.isawaitable(request)
    assert secret_of(await request) == SECRET


def test_async_secret_that_nobody_can_await_is_put_away_without_a_warning() -> None:
    """For a synchronous client, which refuses it: warnings are errors here."""

    async def fetch() -> str:
        raise AssertionError

    request = asked(ClientSecretPost("app", fetch))
    assert isinstance(request, Pending)
    request.close()
    del request
    gc.collect()


@pytest.mark.anyio
async def test_sources_after_an_async_one_do_not_block_the_event_loop() -> None:
    """The second source is read once the first was awaited: in a thread, for it may block."""
    threads: list[threading.Thread] = []

    async def fetch() -> str:
        await anyio.lowlevel.checkpoint()
        raise OSError

    def read() -> str:
        threads.append(threading.current_thread())
        return SECRET

    request = asked(ClientSecretPost("app", [fetch, read]))
    assert inspect.isawaitable(request)
    assert secret_of(await request) == SECRET
    assert threads
    assert threads[0] is not threading.current_thread()


@pytest.mark.anyio
async def test_refused_async_secret_is_fetched_again() -> None:
    """Then the next source, async too."""
    secrets = ["old", "old", "new"]

    async def fetch() -> str:
        await anyio.lowlevel.checkpoint()
        return secrets.pop(0)

    async def spare() -> str:
        await anyio.lowlevel.checkpoint()
        return "spare"

    request = asked(ClientSecretPost("app", [fetch, spare]))
    assert inspect.isawaitable(request)
    refused = await request
    assert secret_of(refused) == "old"
    assert refused.again is not None
    other = refused.again()
    assert inspect.isawaitable(other)
    spared = await other
    assert spared is not None
    assert secret_of(spared) == "spare", "the first source still gives the refused one"
    assert spared.again is not None
    last = spared.again()
    assert inspect.isawaitable(last)
    assert secret_of(await last) == "new", "by now it gives another one"


def test_plain_secret_is_not_asked_for_again() -> None:
    """There is no other: a wrong secret costs one request."""
    assert asked_at_once(ClientSecretPost("app", SECRET)).again is None
    assert asked_at_once(ClientSecretPost("app", [SECRET])).again is None


@KINDS
def test_refused_secret_is_replaced_by_what_its_source_gives_now(kind: Kind) -> None:
    """Rotated between reading and sending, or served from a cache: asked again at once, once."""
    secrets = ["old", "new", "newer"]
    request = asked_at_once(kind("app", lambda: secrets.pop(0)))
    other = asked_again(request)
    assert secret_of(other) == "new"
    assert other is not None
    assert asked_again(other) is None
    assert secrets == ["newer"], "not asked for ever"


def test_refused_secret_is_not_tried_twice() -> None:
    """The source gives the same: that is the answer."""
    assert asked_again(asked_at_once(ClientSecretPost("app", lambda: SECRET))) is None


def test_source_that_fails_after_a_refusal_leaves_the_refusal_to_tell() -> None:
    """The refusal is the better error of the two."""
    secrets = [SECRET]
    assert asked_again(asked_at_once(ClientSecretPost("app", secrets.pop))) is None


@KINDS
def test_next_secret_is_tried_and_remembered(kind: Kind) -> None:
    """Rotation with no gap: once the current one is refused, the next one comes first."""
    grant = kind("app", ["current", "next"])
    request = asked_at_once(grant)
    assert secret_of(request) == "current"
    assert secret_of(asked_again(request)) == "next"
    assert secret_of(asked_at_once(grant)) == "next"


def test_both_secrets_refused_begins_as_before() -> None:
    """Then the reason is another one, such as a missing grant."""
    grant = ClientSecretPost("app", ["current", "next"])
    second = asked_again(asked_at_once(grant))
    assert second is not None
    assert asked_again(second) is None
    assert secret_of(asked_at_once(grant)) == "current"


def test_next_secret_that_is_not_there_yet_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time there is only a current one."""
    monkeypatch.setenv("CURRENT", "one")
    grant = ClientSecretPost("app", [EnvironmentSecret("CURRENT"), EnvironmentSecret("NEXT")])
    request = asked_at_once(grant)
    assert secret_of(request) == "one"
    assert asked_again(request) is None
    monkeypatch.setenv("NEXT", "two")
    assert secret_of(asked_again(asked_at_once(grant))) == "two"
    monkeypatch.delenv("NEXT")
    monkeypatch.setenv("CURRENT", "two")
    assert secret_of(asked_at_once(grant)) == "two", "the place that worked is empty now"


def test_rotation_in_a_file_and_its_spare() -> None:
    """The source of the refused secret comes first, then the others: each secret once."""
    secrets = {"current": "a", "next": "b"}
    grant = ClientSecretPost("app", [lambda: secrets["current"], lambda: secrets["next"]])
    request = asked_at_once(grant)
    secrets["current"] = "c"
    tried: list[str | None] = []
    following: TokenRequest | None = request
    while following is not None:
        tried.append(secret_of(following))
        following = asked_again(following)
    assert tried == ["a", "c", "b"]


def test_source_of_the_refused_secret_comes_before_the_others() -> None:
    """Also where another one could not be read at first."""
    secrets = {"second": "b"}
    grant = ClientSecretPost("app", [lambda: secrets["first"], lambda: secrets["second"]])
    request = asked_at_once(grant)
    secrets.update(first="a", second="c")
    other = asked_again(request)
    assert secret_of(other) == "c"
    assert other is not None
    assert secret_of(asked_again(other)) == "a"


@given(
    values=st.lists(st.none() | st.sampled_from("abc"), min_size=1, max_size=MOST_SOURCES),
    accepted=st.sets(st.sampled_from("abc")),
    times=st.integers(1, 3),
)
def test_a_secret_that_works_is_found(values: list[str | None], accepted: set[str], times: int) -> None:
    """Whatever can be read and is accepted; nothing is tried twice; the second time it comes first."""

    def source(value: str | None) -> str:
        if value is None:
            raise OSError
        return value

    grant = ClientSecretPost("app", [functools.partial(source, value) for value in values])
    readable = {value for value in values if value is not None}
    if not readable:
        with pytest.raises(TokenError):
            asked(grant)
        return
    for time in range(times):
        tried: list[str] = []
        request: TokenRequest | None = asked_at_once(grant)
        while request is not None:
            secret = secret_of(request)
            assert secret is not None
            tried.append(secret)
            request = None if secret in accepted else asked_again(request)
        assert len(set(tried)) == len(tried)
        assert (tried[-1] in accepted) == bool(readable & accepted)
        if not readable & accepted:
            assert set(tried) == readable
        elif time:
            assert len(tried) == 1


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "empty"),
        ("x\n", "line end"),
        (" x", "white space"),
        (7, "no string"),
        (None, "no string"),
        (b"x", "no string"),
    ],
)
def test_callable_that_gives_no_secret_is_named(value: object, problem: str) -> None:
    """By its name in the program; the value is not shown."""

    def fetch_it() -> str:
        return cast("str", value)

    with pytest.raises(TokenError, match=rf"client_secret: callable .*fetch_it: .*{problem}"):
        asked(ClientSecretPost("app", fetch_it))


def leaky(argument: str) -> str:
    held = f"{argument}-{SECRET}"
    raise RuntimeError(held)


async def leaky_async() -> str:
    await anyio.lowlevel.checkpoint()
    return leaky("async")


def tells_secret_with_a_line_end() -> str:
    return f"{SECRET}\n"


@KINDS
@pytest.mark.parametrize(
    "source",
    [
        functools.partial(leaky, SECRET),
        leaky_async,
        tells_secret_with_a_line_end,
        [leaky_async, functools.partial(leaky, SECRET)],
    ],
)
def test_source_that_fails_shows_no_secret(kind: Kind, source: GivenSecret) -> None:
    """Neither its error's text, nor its frames, nor the arguments bound to it."""

    async def ask() -> None:
        request = asked(kind("app", source))
        if inspect.isawaitable(request):
            await request

    with pytest.raises(TokenError, match="client_secret: ") as caught:
        asyncio.run(ask())
    assert SECRET not in locals_of(caught.value)
    assert caught.value.__context__ is None
    assert SECRET.encode() not in pickle.dumps(caught.value)


def test_failing_source_is_worth_another_attempt_and_is_asked_anew() -> None:
    """A vault may be away for a moment."""
    answers: list[str | Exception] = [ConnectionError("down"), SECRET]

    def fetch() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    grant = ClientSecretPost("app", fetch)
    with pytest.raises(TokenError, match="fetch: raised ConnectionError") as caught:
        asked(grant)
    assert caught.value.transient
    assert secret_of(asked_at_once(grant)) == SECRET


def test_every_source_that_fails_is_named(tmp_path: pathlib.Path) -> None:
    """So that the one which should work is found."""
    sources: list[SecretSource] = [EnvironmentSecret("NOT_SET_AT_ALL"), FileSecret(tmp_path / "missing")]
    with pytest.raises(TokenError, match=r"NOT_SET_AT_ALL.*missing") as caught:
        asked(ClientSecretPost("app", sources))
    assert caught.value.transient, "the file may come"


def test_interruption_of_a_source_is_not_swallowed() -> None:
    """Ctrl-C while a vault hangs ends the program."""

    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asked(ClientSecretPost("app", interrupted))


@pytest.mark.anyio
async def test_cancelling_an_async_source_cancels_it() -> None:
    """No TokenError for a task that was cancelled."""

    async def hang() -> str:
        await anyio.sleep_forever()
        raise AssertionError

    request = asked(ClientSecretPost("app", hang))
    assert inspect.isawaitable(request)
    with anyio.move_on_after(0) as scope:
        await request
    assert scope.cancelled_caught


@KINDS
@pytest.mark.parametrize(
    "bad",
    [
        "",
        f"{SECRET}\n",
        f" {SECRET}",
        [f"{SECRET}\n"],
        ["good", f"{SECRET}\x00"],
        [],
        [SECRET] * (MOST_SOURCES + 1),
        7,
        None,
        SECRET.encode(),
        [SECRET, 7],
        {SECRET: SECRET},
    ],
)
def test_plain_secret_that_cannot_be_one_is_refused_at_construction(kind: Kind, bad: object) -> None:
    """Before anything is sent, without showing it."""
    with pytest.raises(ArgumentError, match="client_secret") as caught:
        kind("app", bad)  # type: ignore[arg-type]  # what an untyped caller may pass
    if not isinstance(bad, bytes | dict):
        assert SECRET not in locals_of(caught.value)


@pytest.mark.parametrize(
    ("sources", "problem"), [([], "0 sources"), ([SECRET, ""], r"client_secret\[1\]: empty")]
)
def test_bad_list_tells_what_is_wrong_with_it(sources: list[str], problem: str) -> None:
    """How many, or which one."""
    with pytest.raises(ArgumentError, match=problem):
        ClientSecretPost("app", sources)


@KINDS
def test_bad_client_id_is_refused_without_showing_the_secret(kind: Kind) -> None:
    """The first argument is judged while the second one is in the frame."""
    given_secrets: list[GivenSecret] = [SECRET, [SECRET, "other"], (SECRET,)]
    for secret in given_secrets:
        with pytest.raises(ArgumentError, match="client_id") as caught:
            kind("", secret)
        assert SECRET not in locals_of(caught.value)


@KINDS
def test_nothing_shows_the_secret(kind: Kind) -> None:
    """repr, str, format; and neither grant nor request is pickled or copied to another process."""
    given_secrets: list[GivenSecret] = [SECRET, [SECRET, "next"], [EnvironmentSecret("X"), SECRET]]
    for given_secret in given_secrets:
        grant = kind("app", given_secret)
        assert repr(grant) == f"{kind.__name__}(client_id='app')"
        with pytest.raises(TypeError, match="pickled") as caught:
            pickle.dumps(grant)
        assert SECRET not in str(caught.value)
    request = asked_at_once(kind("app", [SECRET, "next"]))
    assert SECRET not in f"{request!r} {request} {request.again!r}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(request)


def test_secret_grants_use_the_plain_endpoint() -> None:
    """Only mTLS needs the discovery document."""
    assert not ClientSecretPost("app", SECRET).endpoint_from_discovery
    assert not ClientSecretBasic("app", SECRET).endpoint_from_discovery


def test_request_without_again_is_complete() -> None:
    """A grant of one's own need not know of it."""
    request = TokenRequest({"a": "b c"})
    assert request.body() == b"a=b+c"
    assert request.again is None
    assert dataclasses.replace(request, headers={"X": "y"}).headers == {"X": "y"}


def test_grants_are_shared_between_threads() -> None:
    """Each thread gets a request of its own; the secret that works is found by all."""
    grant = ClientSecretPost("app", ["current", "next"])
    found: list[str | None] = []

    def ask() -> None:
        request: TokenRequest | None = asked_at_once(grant)
        while request is not None and secret_of(request) != "next":
            request = asked_again(request)
        found.append(secret_of(request))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["next"] * 20


def typed_sources() -> list[Callable[[], ClientSecretPost]]:
    """What type checkers must accept; nothing here runs."""

    async def fetch() -> Secret:
        raise NotImplementedError

    def read() -> str:
        raise NotImplementedError

    return [
        lambda: ClientSecretPost("app", fetch),
        lambda: ClientSecretPost("app", read),
        lambda: ClientSecretPost("app", [fetch, read, "plain", Secret("x"), FileSecret("p")]),
        lambda: ClientSecretBasic("app", (EnvironmentSecret("A"), "plain")),
    ]
