"""Promises 26 and 27: what nobody gets to see, and that every exception survives pickle."""

from __future__ import annotations

import base64
import copy
import dataclasses
import functools
import html
import importlib
import json
import logging
import pathlib
import pickle
import pkgutil
import secrets
import subprocess
import sys
import traceback
import urllib.parse
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

import evertoken
from callers import AUTHS, CREATE, READ, Options, calling
from evertoken import (
    AccessToken,
    APIError,
    ArgumentError,
    AsyncManagementClient,
    BearerAuth,
    ClientSecretBasic,
    ClientSecretPost,
    DecodeError,
    EncryptedTokenStore,
    EventStreamError,
    EvertokenError,
    FileSecret,
    FileTokenStore,
    ForbiddenError,
    Grant,
    InternalServerError,
    ManagementAuth,
    ManagementClient,
    MemoryTokenStore,
    MutualTLS,
    NotFoundError,
    PaginationLimitError,
    PrivateKeyJWT,
    RateLimit,
    RateLimitError,
    RedisTokenStore,
    ResponseView,
    Secret,
    ServerError,
    StoreError,
    TokenError,
    TokenEvent,
    TransportError,
    UnauthorizedError,
)
from evertoken.testing import forget_tokens
from scripted_server import (
    ScriptedServer,
    cut_short,
    drop,
    hang,
    json_reply,
    redirect,
    reply,
)
from support import locals_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from callers import Kind
    from evertoken import Operation
    from scripted_server import Answer, Exchange, Received

# 26. repr, str, exceptions with their causes and attributes, tracebacks, frame locals as error trackers
# capture them, and DEBUG logs of evertoken, httpx and httpcore show neither secret nor token.


def new_secret() -> str:
    """Return a secret whose halves stay as they are whatever escapes the rest, and differ for each test."""
    return f'{secrets.token_hex(12)}+&%" \\/{secrets.token_hex(12)}'


@functools.cache
def private_key() -> tuple[str, str]:
    """Return an encrypted PEM and its passphrase."""
    passphrase = new_secret()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encryption = BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode(), passphrase


@dataclasses.dataclass(frozen=True, slots=True)
class Confidential:
    """What a test knows and nobody may see; a part of it is as bad as the whole."""

    pieces: frozenset[str]

    @classmethod
    def of(cls, *texts: str) -> Confidential:
        """Return the beginnings and ends of texts: what is cut is noticed too."""
        return cls(frozenset(piece for text in texts for piece in (text[:12], text[-12:]) if text))

    def seen_in(self, shown: str) -> list[str]:
        return [piece for piece in self.pieces if piece in shown]


def confidential_of(server: ScriptedServer, secret: str) -> Confidential:
    """Return what a server was shown and gave out, with the credentials of the client."""
    pem, passphrase = private_key()
    texts = [secret, passphrase, *pem.split("\n")[2:6], *server.issued]
    for request in server.token_requests:
        # The first part of an assertion is no secret: it names the algorithm.
        texts += [part for part in request.form.get("client_assertion", "").split(".")[1:] if part]
        texts.append(request.headers.get("authorization", "").removeprefix("Basic "))
    return Confidential.of(*texts)


def attributes_of(value: object) -> list[str]:
    """Return what an error tracker shows that looks into objects, one level deep."""
    if type(value).__module__.partition(".")[0] not in {"evertoken", "evertoken_api"}:
        return []
    held = cast("dict[str, object]", getattr(value, "__dict__", {}))
    return [f"{name}={item!r}" for name, item in held.items()]


def shown_by(error: BaseException) -> str:
    """Return everything that is to be seen of an error: see `locals_of`; attributes of locals, too."""
    seen = [locals_of(error), *traceback.format_exception(error)]
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is None:
            continue
        seen += attributes_of(current)
        for frame, _ in traceback.walk_tb(current.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                seen += [text for value in frame.f_locals.values() for text in attributes_of(value)]
        todo += [current.__cause__, current.__context__]
    return "\n".join(seen)


class Everything(logging.Handler):
    """Keeps all that is logged, as text and as an error tracker would find it in the records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.shown: list[str] = []
        self.loggers: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.loggers.add(record.name.partition(".")[0])
        self.shown += [record.getMessage(), repr(record.args), repr(vars(record))]
        for value in cast("tuple[object, ...]", record.args or ()):
            self.shown += attributes_of(value)
        if record.exc_info and record.exc_info[1]:
            self.shown.append(shown_by(record.exc_info[1]))


@pytest.fixture
def logs() -> Iterator[Everything]:
    """Yield what takes all logs of all loggers, at DEBUG."""
    root, handler = logging.getLogger(), Everything()
    named = [logging.getLogger(name) for name in ("evertoken", "httpx", "httpcore")]
    before = [(logger, logger.level) for logger in (root, *named)]
    root.addHandler(handler)
    for logger, _ in before:
        logger.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    for logger, level in before:
        logger.setLevel(level)


def make_grant(name: str, secret: str) -> Grant:
    match name:
        case "client_secret_post":
            return ClientSecretPost("app", secret)
        case "client_secret_basic":
            return ClientSecretBasic("app", secret)
        case "private_key_jwt":
            pem, passphrase = private_key()
            return PrivateKeyJWT("app", pem, passphrase=passphrase)
        case _:
            return MutualTLS("app")


def echoed(request: Received) -> str:
    """Return all that a request carried, as servers quote it that should not."""
    header = request.headers.get("authorization", "")
    shown = header.partition(" ")[2]
    pair = base64.b64decode(shown).decode() if header.startswith("Basic ") else ""
    form = " ".join(f"{value} {name}={value}" for name, value in request.form.items())
    return f"{shown} {pair} {urllib.parse.unquote_plus(pair)} {header} {form} {request.body.decode()}"


def echo(status: int, kind: str = "json", headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with what was sent, in every field in which our own errors take something over.

    `kind` is json, escaped (JSON that spells no sign as it is), html or escaped html.
    """

    def answer(exchange: Exchange) -> None:
        text = echoed(exchange.request)
        if kind == "escaped html":
            text = html.escape(text)
        if kind.endswith("html"):
            page = f"<html><body>{text}</body></html>".encode()
            reply(status, page, headers={"Content-Type": "text/html", **(headers or {})})(exchange)
            return
        body = {
            "statusCode": status,
            "error": f"quoting {text}",
            "error_description": text,
            "message": text,
            "errorCode": f"quoting {text}",
        }
        if kind == "escaped":
            # JSON may spell any character by its number.
            quoted = "".join(char if char.isalnum() else f"\\u{ord(char):04x}" for char in text)
            escaped = "{" + ",".join(f'"{name}":"{quoted}"' for name in body) + "}"
            merged = {"Content-Type": "application/json", **(headers or {})}
            reply(status, escaped.encode(), headers=merged)(exchange)
            return
        json_reply(body, status, headers=headers)(exchange)

    return answer


def giving_token(shape: Callable[[str], Answer]) -> Answer:
    """Answer with something that holds a token, and is none of the answers that were promised."""
    return lambda exchange: shape(exchange.server.issue())(exchange)


def token_json(token: str, kind: str = "Bearer") -> bytes:
    return json.dumps({"access_token": token, "token_type": kind, "expires_in": 60}).encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    """What the server does, for how long it is waited for, and what a client makes of it.

    With a plain httpx client `auth_error` comes instead, None where it returns a response.
    """

    error: type[EvertokenError] | None
    auth_error: type[EvertokenError] | None = None
    token: Answer | None = None
    api: Answer | None = None
    timeout: float | None = None
    operation: Operation[object] = READ


def of_token(answer: Answer, timeout: float | None = None) -> Scenario:
    return Scenario(TokenError, TokenError, token=answer, timeout=timeout)


def of_api(
    error: type[EvertokenError],
    answer: Answer,
    operation: Operation[object] = READ,
    timeout: float | None = None,
) -> Scenario:
    return Scenario(error, api=answer, operation=operation, timeout=timeout)


SHORT = 0.4
"""Seconds: no second attempt is begun within them."""

HOUR = {"Retry-After": "3600"}

# Nothing is repeated for a POST, so that a failing API costs no time.
SCENARIOS = {
    "all well": Scenario(None),
    "refusal": of_token(echo(401)),
    "refusal in HTML": of_token(echo(403, "html")),
    "refusal in escaped HTML": of_token(echo(403, "escaped html")),
    "refusal in escaped JSON": of_token(echo(401, "escaped")),
    "bad request": of_token(echo(400)),
    "another token type": of_token(giving_token(lambda token: reply(200, token_json(token, "mac")))),
    "half an answer": of_token(giving_token(lambda token: reply(200, token_json(token)[:-3]))),
    "no JSON": of_token(giving_token(lambda token: reply(200, b"<p>" + token_json(token)))),
    "a list": of_token(giving_token(lambda token: json_reply([token]))),
    "a token with a line end": of_token(
        giving_token(lambda token: reply(200, token_json(f"{token}\r\nX: y")))
    ),
    "an answer that breaks off": of_token(giving_token(lambda token: cut_short(token_json(token))), SHORT),
    "failure": of_token(echo(500), SHORT),
    "failure in HTML": of_token(echo(502, "html"), SHORT),
    "too many requests": of_token(echo(429, headers=HOUR)),
    "a redirect": of_token(redirect("https://127.0.0.1:9/elsewhere")),
    "a dropped connection": of_token(drop(), SHORT),
    "silence": of_token(hang(), 0.1),
    "API: 401 for ever": of_api(UnauthorizedError, echo(401)),
    "API: 403": of_api(ForbiddenError, echo(403)),
    "API: 404": of_api(NotFoundError, echo(404)),
    "API: 404 in escaped JSON": of_api(NotFoundError, echo(404, "escaped")),
    "API: 418": of_api(APIError, echo(418, "html")),
    "API: 500": of_api(InternalServerError, echo(500), CREATE),
    "API: 502 in HTML": of_api(ServerError, echo(502, "html"), CREATE),
    "API: 429": of_api(RateLimitError, echo(429, headers=HOUR), CREATE),
    "API: no JSON": of_api(DecodeError, echo(200, "html")),
    "API: a redirect": of_api(APIError, redirect("https://127.0.0.1:9/elsewhere")),
    "API: a dropped connection": of_api(TransportError, drop(), CREATE),
    "API: silence": of_api(TransportError, hang(), CREATE, 0.3),
    "API: an answer that breaks off": of_api(TransportError, cut_short(b'[{"client_id":'), CREATE),
}
GRANTS = ["client_secret_post", "client_secret_basic", "private_key_jwt", "tls_client_auth"]
KINDS: list[Kind] = ["sync", "asyncio", "httpx", "httpx-asyncio"]
CALLERS: list[tuple[Kind, str]] = [
    *((kind, grant) for kind in KINDS for grant in GRANTS),
    ("trio", GRANTS[0]),
    ("httpx-trio", GRANTS[0]),
]


def play(scenario: Scenario, server: ScriptedServer, kind: Kind, grant: Grant) -> EvertokenError | None:
    """Make a call, and return what it raised; check that it is what the scenario is about."""
    if scenario.token is not None:
        server.token_default = scenario.token
    if scenario.api is not None:
        server.api_default = scenario.api
    caught: EvertokenError | None = None
    foreign: httpx.TransportError | None = None
    with calling(kind, server, Options(credentials=grant, timeout=scenario.timeout)) as caller:
        try:
            caller.send(scenario.operation)
        except EvertokenError as error:
            caught = error
        except httpx.TransportError as error:
            foreign = error
    # What httpx raises for the API's own request has passed through its frames, and is its own.
    assert (foreign is None) == (kind not in AUTHS or scenario.error is not TransportError)
    assert foreign is None or foreign.request.url.path != "/oauth/token"
    expected = scenario.auth_error if kind in AUTHS else scenario.error
    assert type(caught) is (expected or type(None)), repr(caught)
    return caught


def shown_of(scenario: Scenario, kind: Kind, grant: Grant, secret: str) -> tuple[str, Confidential]:
    """Play a scenario; return all that its error shows, and what that must not hold.

    On a busy machine a short timeout may end another step than the one that it is about: then again.
    """
    for rounds_left in reversed(range(1 if scenario.timeout is None else 5)):
        # Ports are used again, so that another server may have the origin of an earlier one.
        forget_tokens()
        with ScriptedServer() as server:
            try:
                error = play(scenario, server, kind, grant)
                assert server.token_requests
            except AssertionError:
                if not rounds_left:
                    raise
            else:
                return "" if error is None else shown_by(error), confidential_of(server, secret)
    raise AssertionError  # the last round returns or raises


@pytest.mark.parametrize(("kind", "name"), CALLERS)
def test_promise_26_no_error_and_no_log_shows_a_secret(kind: Kind, name: str, logs: Everything) -> None:
    """Whatever token endpoint and API do, even if they quote what they were sent."""
    found: dict[str, list[str]] = {}
    secret = new_secret()
    grant = make_grant(name, secret)
    for title, scenario in SCENARIOS.items():
        shown, confidential = shown_of(scenario, kind, grant, secret)
        if seen := confidential.seen_in(shown):
            found[title] = [line for line in shown.splitlines() if any(piece in line for piece in seen)]
        if seen := confidential.seen_in("\n".join(logs.shown)):
            found[f"log of {title}"] = [line for line in logs.shown if any(piece in line for piece in seen)]
        logs.shown.clear()
    assert not found
    assert {"evertoken", "httpx", "httpcore"} <= logs.loggers


def test_promise_26_a_leak_would_be_seen(logs: Everything) -> None:
    """Of each kind that is looked for: text, attribute, cause, local, attribute of a local, log."""
    secret = new_secret()
    confidential = Confidential.of(secret)
    whole = confidential.pieces
    error = EvertokenError("no secret")
    assert not confidential.seen_in(shown_by(error))
    for leaking in (EvertokenError(f"{secret}"), with_attribute(error, secret), caused_by(secret)):
        assert set(confidential.seen_in(shown_by(leaking))) == whole
    logging.getLogger("evertoken.token").debug("quoting %s", secret)
    assert set(confidential.seen_in("\n".join(logs.shown))) == whole
    auth = ManagementAuth(domain="tenant.example.com", client_id="app", client_secret="not-a-secret")
    auth.held = secret  # type: ignore[attr-defined]
    assert set(confidential.seen_in("\n".join(attributes_of(auth)))) == whole


def with_attribute(error: EvertokenError, secret: str) -> EvertokenError:
    changed = copy.copy(error)
    changed.body = secret  # type: ignore[attr-defined]
    return changed


def caused_by(secret: str) -> EvertokenError:
    error = EvertokenError("no secret")
    error.__context__ = ValueError(secret)
    return error


# Each fails for a reason of its own, with a secret among its arguments.
APP: dict[str, Any] = {"domain": "tenant.example.com", "client_id": "app"}
CONSTRUCTIONS: dict[str, Callable[[str], object]] = {
    "no domain": lambda secret: ManagementClient(domain="", client_id="app", client_secret=secret),
    "http": lambda secret: ManagementClient(
        domain="http://tenant.example.com", client_id="app", client_secret=secret
    ),
    "audience": lambda secret: ManagementClient(**APP, client_secret=secret, audience="api"),
    "organization": lambda secret: ManagementClient(**APP, client_secret=secret, organization=""),
    "base URL": lambda secret: ManagementClient(**APP, client_secret=secret, base_url="ftp://h"),
    "custom domain": lambda secret: ManagementClient(**APP, client_secret=secret, custom_domain="/"),
    "client info": lambda secret: ManagementClient(**APP, client_secret=secret, client_info={"a": {1}}),
    "timeout": lambda secret: ManagementClient(**APP, client_secret=secret, timeout=-1),
    "retries": lambda secret: ManagementClient(**APP, client_secret=secret, max_retries=-1),
    "the other colour": lambda secret: ManagementClient(
        **APP, client_secret=secret, httpx_client=cast("Any", object())
    ),
    "no client id": lambda secret: ManagementClient(domain="tenant.example.com", client_secret=secret),
    "two ways": lambda secret: ManagementClient(
        **APP, client_secret=secret, credentials=ClientSecretPost("app", secret)
    ),
    "two more ways": lambda secret: ManagementClient(**APP, client_secret=secret, token=secret),
    "a line end": lambda secret: ManagementClient(**APP, client_secret=f"{secret}\n"),
    "a line end in a list": lambda secret: ManagementClient(**APP, client_secret=[secret, f"{secret}\n"]),
    "too many": lambda secret: ManagementClient(**APP, client_secret=[secret] * 20),
    "bytes": lambda secret: ManagementClient(**APP, client_secret=cast("Any", secret.encode())),
    "a line end, async": lambda secret: AsyncManagementClient(**APP, client_secret=f"{secret}\n"),
    "timeout, async": lambda secret: AsyncManagementClient(**APP, client_secret=secret, timeout=-1),
    "a line end, auth": lambda secret: ManagementAuth(**APP, client_secret=f"{secret}\n"),
    "audience, auth": lambda secret: ManagementAuth(**APP, client_secret=secret, audience="api"),
    "post": lambda secret: ClientSecretPost("", secret),
    "basic": lambda secret: ClientSecretBasic("app", f"{secret}\n"),
    "token": lambda secret: ManagementClient(domain="tenant.example.com", token=f"{secret}\n"),
    "token, async": lambda secret: AsyncManagementClient(domain="tenant.example.com", token=f"{secret}\n"),
    "token, auth": lambda secret: BearerAuth(domain="tenant.example.com", token=f"{secret}\n"),
    "token, domain": lambda secret: BearerAuth(domain="", token=secret),
    "no key": lambda secret: PrivateKeyJWT("app", secret),
    "half a key": lambda secret: PrivateKeyJWT("app", f"-----BEGIN PRIVATE KEY-----\n{secret}\n"),
    "a key as bytes": lambda secret: PrivateKeyJWT("app", secret.encode()),
    "passphrase": lambda secret: PrivateKeyJWT("app", private_key()[0], passphrase=secret),
    "no passphrase": lambda _: PrivateKeyJWT("app", private_key()[0]),
    "algorithm": lambda _: PrivateKeyJWT(
        "app", private_key()[0], passphrase=private_key()[1], algorithm=cast("Any", "none")
    ),
    "lifetime": lambda _: PrivateKeyJWT("app", private_key()[0], passphrase=private_key()[1], lifetime=0),
    "encryption": lambda secret: EncryptedTokenStore(MemoryTokenStore(), secret),
    "encryptions": lambda secret: EncryptedTokenStore(MemoryTokenStore(), [secret.encode(), secret]),
    "redis": lambda secret: RedisTokenStore(f"http://:{secret}@h"),
    "redis port": lambda secret: RedisTokenStore(f"redis://:{secret[:12]}@h:port/0"),
}


@pytest.mark.parametrize("construct", CONSTRUCTIONS.values(), ids=CONSTRUCTIONS)
def test_promise_26_no_error_at_construction_shows_a_secret(
    construct: Callable[[str], object], logs: Everything
) -> None:
    """Not even in the locals of its frames."""
    secret = new_secret()
    with pytest.raises((ArgumentError, TypeError)) as caught:
        construct(secret)
    pem, passphrase = private_key()
    confidential = Confidential.of(secret, passphrase, *pem.split("\n")[2:6])
    assert not confidential.seen_in(shown_by(caught.value))
    assert not confidential.seen_in("\n".join(logs.shown))


def test_promise_26_no_error_about_the_environment_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with the other variables, or with the secret itself."""
    secret = new_secret()
    good = {"DOMAIN": "tenant.example.com", "CLIENT_ID": "app", "CLIENT_SECRET": secret}
    wrong = [{"DOMAIN": "/"}, {"CLIENT_ID": ""}, {"AUDIENCE": "api"}, {"CLIENT_SECRET": f"{secret}\n"}]
    for colour in (ManagementClient, AsyncManagementClient):
        for change in wrong:
            for name, value in {"AUDIENCE": "", **good, **change}.items():
                monkeypatch.setenv(f"AUTH0_{name}", value)
            with pytest.raises(ArgumentError) as caught:
                colour.from_env()
            assert not Confidential.of(secret).seen_in(shown_by(caught.value))


def failing_with(secret: str) -> str:
    raise RuntimeError(f"could not unlock {secret}")


async def failing_later(secret: str) -> str:
    await anyio.lowlevel.checkpoint()
    return failing_with(secret)


def sources_of(secret: str, folder: pathlib.Path) -> dict[str, Any]:
    """Return sources that are no good, each with the secret in it or in what it raises."""
    long, binary = folder / "long", folder / "binary"
    long.write_text(f"{secret}\n" * 5000)
    binary.write_bytes(secret.encode() + b"\xff")
    lines = folder / "lines"
    lines.write_text(f"{secret}\n{secret}\n")
    return {
        "raising": functools.partial(failing_with, secret),
        "raising later": functools.partial(failing_later, secret),
        "a line end": lambda: f"{secret}\n",
        "bytes": secret.encode,
        "a long file": FileSecret(long),
        "a binary file": FileSecret(binary),
        "a file of lines": FileSecret(lines),
        "all of them": [lambda: f"{secret}\n", functools.partial(failing_with, secret), FileSecret(lines)],
    }


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio", "httpx", "httpx-asyncio"])
def test_promise_26_a_source_that_fails_shows_no_secret(
    kind: Kind, tmp_path: pathlib.Path, logs: Everything
) -> None:
    """Neither what it holds, nor what it raises."""
    secret = new_secret()
    for source in sources_of(secret, tmp_path).values():
        grant = ClientSecretPost("app", source)
        assert not Confidential.of(secret).seen_in(repr(grant) + "".join(attributes_of(grant)))
        with (
            ScriptedServer() as server,
            calling(kind, server, Options(credentials=grant, timeout=SHORT)) as caller,
            pytest.raises((TokenError, ArgumentError)) as caught,
        ):
            caller.send()
        assert not Confidential.of(secret).seen_in(shown_by(caught.value))
    assert not Confidential.of(secret).seen_in("\n".join(logs.shown))


class Talkative(MemoryTokenStore):
    """Tells the token in whatever it raises."""

    def __init__(self, error: type[Exception], broken: str) -> None:
        super().__init__()
        self._error = error
        self._broken = broken

    def get(self, key: str) -> AccessToken | None:
        kept = super().get(key)
        if self._broken == "get":
            raise self._error(f"{key}: {'' if kept is None else kept.value}")
        return kept

    def put(self, key: str, token: AccessToken) -> None:
        super().put(key, token)
        if self._broken == "put":
            raise self._error(f"{key}: {token.value}")


@pytest.mark.parametrize("error", [RuntimeError, StoreError])
@pytest.mark.parametrize("broken", ["get", "put"])
@pytest.mark.parametrize("refused", [False, True])
def test_promise_26_a_store_that_fails_shows_no_token(
    error: type[Exception], broken: str, refused: bool, logs: Everything
) -> None:
    """Sync and async; also where the call fails after it."""
    secret = new_secret()
    with ScriptedServer() as server:
        options: dict[str, Any] = {"domain": server.domain, "client_id": "app", "client_secret": secret}
        if refused:
            server.api_default = echo(401)
        caught = [
            call_with(server, {**options, "token_store": Talkative(error, broken)}),
            anyio.run(call_async_with, server, {**options, "token_store": Talkative(error, broken)}),
        ]
        confidential = confidential_of(server, secret)
    assert [type(problem) for problem in caught] == [UnauthorizedError if refused else type(None)] * 2
    assert not confidential.seen_in("\n".join(shown_by(problem) for problem in caught if problem))
    assert not confidential.seen_in("\n".join(logs.shown))
    assert "memory serves" in "\n".join(logs.shown)


def call_with(server: ScriptedServer, options: dict[str, Any]) -> EvertokenError | None:
    with (
        httpx.Client(verify=server.ssl_context()) as http,
        ManagementClient(**options, httpx_client=http) as client,
    ):
        try:
            client.clients.list()
        except EvertokenError as error:
            return error
    return None


async def call_async_with(server: ScriptedServer, options: dict[str, Any]) -> EvertokenError | None:
    async with (
        httpx.AsyncClient(verify=server.ssl_context()) as http,
        AsyncManagementClient(**options, httpx_client=http) as client,
    ):
        try:
            await client.clients.list()
        except EvertokenError as error:
            return error
    return None


class NoLease:
    def release(self) -> None:
        """Nothing was taken."""


class Busy(MemoryTokenStore):
    """While it is `busy`, somebody else has the lease, and brings no token."""

    longest_wait = 20.0
    busy = False

    def acquire(self, key: str) -> NoLease | None:
        return None if self.busy else NoLease()


@pytest.mark.anyio
@pytest.mark.parametrize("where", ["token endpoint", "API", "store"])
@pytest.mark.parametrize("name", ["client_secret_post", "private_key_jwt"])
async def test_promise_26_a_call_that_was_cancelled_shows_no_secret(
    where: str, name: str, logs: Everything
) -> None:
    """In the frames in which it was, waiting for an answer or for another process after a 401."""
    secret, store, cancelled = new_secret(), Busy(), list[BaseException]()
    with ScriptedServer() as server:
        async with (
            httpx.AsyncClient(verify=server.ssl_context()) as http,
            AsyncManagementClient(
                domain=server.domain,
                credentials=make_grant(name, secret),
                token_store=store,
                httpx_client=http,
            ) as client,
        ):
            await client.clients.list()
            store.busy = where == "store"
            server.token_default = hang()
            server.api_default = hang() if where == "API" else echo(401)
            with anyio.move_on_after(0.2):
                try:
                    await client.clients.list()
                except anyio.get_cancelled_exc_class() as error:
                    cancelled.append(error)
                    raise
        confidential = confidential_of(server, secret)
        assert len(server.token_requests) == (2 if where == "token endpoint" else 1)
    (ended,) = cancelled
    assert f"{pathlib.Path(evertoken.__file__).parent}" in "".join(traceback.format_exception(ended))
    assert not confidential.seen_in(shown_by(ended))
    assert not confidential.seen_in("\n".join(logs.shown))


@pytest.mark.parametrize("answer", [echo(401), echo(404), echo(200, "html")])
def test_promise_26_a_token_that_was_given_is_not_shown(answer: Answer, logs: Everything) -> None:
    """To a client, in place of credentials."""
    token = secrets.token_urlsafe(24)
    with ScriptedServer() as server:
        server.api_default = answer
        options: dict[str, Any] = {"domain": server.domain, "token": token}
        caught = [
            call_with(server, {**options, "strict": True}),
            anyio.run(call_async_with, server, {**options, "strict": True}),
        ]
    assert all(isinstance(problem, UnauthorizedError | NotFoundError | DecodeError) for problem in caught)
    shown = "\n".join([*logs.shown, *(shown_by(problem) for problem in caught if problem)])
    assert not Confidential.of(token).seen_in(shown)


def test_promise_26_the_secret_of_an_application_is_not_shown(logs: Everything) -> None:
    """One that the API answers with: not in a model's repr, not where the answer does not fit the spec."""
    secret = secrets.token_urlsafe(48)
    row: dict[str, object] = {"client_id": "c1", "client_secret": secret}
    with ScriptedServer() as server:
        options: dict[str, Any] = {**server.credentials()}
        server.api_script = [json_reply([row]), json_reply([{**row, "callbacks": 5}])]
        with (
            httpx.Client(verify=server.ssl_context()) as http,
            ManagementClient(**options, strict=True, httpx_client=http) as client,
        ):
            page = client.clients.list()
            assert page.items[0].client_secret == secret
            shown = [repr(page), repr(page.items), str(page.items[0]), *attributes_of(page)]
            with pytest.raises(DecodeError) as caught:
                client.clients.list()
    shown += [shown_by(caught.value), *logs.shown]
    assert not Confidential.of(secret).seen_in("\n".join(shown))


def fail_to_listen(event: TokenEvent) -> None:
    raise ValueError(event)


def test_promise_26_no_repr_shows_a_secret(tmp_path: pathlib.Path, logs: Everything) -> None:
    """Of anything that holds one, or what holds one that does, after a call and a renewal."""
    secret = new_secret()
    pem, passphrase = private_key()
    (tmp_path / "secret").write_text(secret)
    with ScriptedServer() as server:
        memory, files = MemoryTokenStore(), FileTokenStore(tmp_path / "tokens")
        password = Secret(f"redis://:{secret[:12]}@127.0.0.1:{server.port}/0")
        auth = ManagementAuth(domain=server.domain, client_id="app", client_secret=secret, token_store=memory)
        with (
            httpx.Client(verify=server.ssl_context(), auth=auth) as http,
            ManagementClient(
                domain=server.domain,
                client_id="app2",
                client_secret=[secret, FileSecret(tmp_path / "secret")],
                token_store=files,
                httpx_client=http,
            ) as client,
        ):
            events: list[TokenEvent] = []
            for source in (client.token_source, auth.token_source):
                source.add_listener(events.append)
                source.add_listener(fail_to_listen)
            for _ in range(2):
                client.clients.list()
                http.get(f"{server.origin}/api/v2/clients")
                server.api_script += [json_reply({}, 401)] * 2
                http.get(f"{server.origin}/api/v2/clients")
                client.clients.list()
            token = client.access_token()
            holders: list[object] = [
                client,
                client.clients,
                client.token_source,
                client.token_source.status(),
                auth,
                auth.token_source,
                auth.token_source.status(),
                *events,
                *vars(client).values(),
                *vars(auth).values(),
                *vars(client.token_source).values(),
                token,
                [token],
                memory,
                files,
                RedisTokenStore(password),
                EncryptedTokenStore(memory, base64.urlsafe_b64encode(secret[:32].encode())),
                Secret(secret),
                FileSecret(tmp_path / "secret"),
                ClientSecretPost("app", secret),
                ClientSecretBasic("app", [secret, lambda: secret]),
                ClientSecretPost("app", functools.partial(failing_with, secret)),
                PrivateKeyJWT("app", pem, passphrase=passphrase),
                BearerAuth(domain=server.domain, token=secret[:12]),
                ManagementClient(domain=server.domain, token=secret[:12]),
            ]
        confidential = confidential_of(server, secret)
        assert len(server.issued) >= 4
        assert {"renewed", "rejected"} <= {event.kind for event in events}
    for holder in holders:
        shown = [repr(holder), str(holder), f"{holder}", *attributes_of(holder)]
        assert not confidential.seen_in("\n".join(shown)), type(holder)
    assert "ValueError" in "".join(logs.shown)
    assert not confidential.seen_in("\n".join(logs.shown))


# 27. Every exception survives pickle.

ErrorT = TypeVar("ErrorT", bound=EvertokenError)
Example: TypeAlias = "tuple[EvertokenError, ...]"


def api_errors(kind: type[APIError], status: int) -> Example:
    """Return one with everything that an answer can tell, and one with nothing."""
    return (
        kind(
            method="GET",
            path="/clients/%C3%BC",
            status_code=status,
            error="Error",
            error_code="a_code",
            message="in words: ü",
            required_scopes=("read:clients", "read:client_keys"),
            retry_after=1.5,
            rate_limit=RateLimit(limit=10, remaining=0, reset=1_800_000_000.0),
            request_id="r1",
            correlation_id="c1",
            response=ResponseView(status_code=status, headers={"date": "now"}, body="{}"),
        ),
        kind(method="POST", path="/clients", status_code=status),
    )


EXAMPLES: dict[str, Example] = {
    "EvertokenError": (EvertokenError("in words"), EvertokenError()),
    "ArgumentError": (ArgumentError("body.callbacks[3]", "is no URL"),),
    "PaginationLimitError": (PaginationLimitError(operation="clients.list", page=20, per_page=50),),
    "TokenError": (
        TokenError("in words"),
        TokenError(
            "in words",
            status_code=429,
            error="too_many_requests",
            error_description="later",
            retry_after=3600.5,
            transient=True,
            timed_out=True,
        ),
    ),
    "TransportError": (
        TransportError(
            method="POST",
            path="/clients",
            reason="ReadTimeout",
            attempts=3,
            maybe_carried_out=True,
            status_code=200,
        ),
    ),
    "DecodeError": (
        DecodeError(
            method="GET",
            path="/clients",
            status_code=200,
            problem="HTML",
            request_id="r1",
            response=ResponseView(status_code=200, body="<p>"),
        ),
    ),
    "EventStreamError": (
        EventStreamError(
            path="/events", code="cursor_expired", message="too old", offset="o-2", last_event_id="o-1"
        ),
    ),
    "StoreError": (StoreError("in words"), StoreError(5, "in words", "a file")),
    "APIError": api_errors(APIError, 418),
    "BadRequestError": api_errors(evertoken.BadRequestError, 400),
    "UnauthorizedError": api_errors(UnauthorizedError, 401),
    "ForbiddenError": api_errors(ForbiddenError, 403),
    "NotFoundError": api_errors(NotFoundError, 404),
    "ConflictError": api_errors(evertoken.ConflictError, 409),
    "GoneError": api_errors(evertoken.GoneError, 410),
    "PaymentRequiredError": api_errors(evertoken.PaymentRequiredError, 402),
    "PreconditionFailedError": api_errors(evertoken.PreconditionFailedError, 412),
    "ContentTooLargeError": api_errors(evertoken.ContentTooLargeError, 413),
    "RateLimitError": api_errors(RateLimitError, 429),
    "ServerError": api_errors(ServerError, 502),
    "InternalServerError": api_errors(InternalServerError, 500),
    "ServiceUnavailableError": api_errors(evertoken.ServiceUnavailableError, 503),
}


def every_error() -> set[type[EvertokenError]]:
    """Return all classes of the tree, wherever in the library they are defined."""
    for package in (evertoken, importlib.import_module("evertoken_api")):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found: set[type[EvertokenError]] = {EvertokenError}
    todo = [EvertokenError]
    while todo:
        for kind in todo.pop().__subclasses__():
            if kind.__module__.startswith("evertoken") and kind not in found:
                found.add(kind)
                todo.append(kind)
    return found


def facts_of(error: BaseException) -> dict[str, object]:
    """Return all that tells one error from another."""
    system = {name: getattr(error, name, None) for name in ("errno", "strerror", "filename")}
    return {
        "class": type(error),
        "text": str(error),
        "repr": repr(error),
        "args": error.args,
        "system": system,
        "attributes": vars(error),
    }


def examples() -> list[EvertokenError]:
    found = [example for each in EXAMPLES.values() for example in each]
    noted = TokenError("in words", status_code=401)
    noted.add_note("seen by a test")
    return [*found, noted]


def test_promise_27_there_is_an_example_of_every_error() -> None:
    """A new class of the tree wants one here."""
    made = {type(example) for example in examples()}
    assert {kind.__name__ for kind in every_error() - made} == set()


@pytest.mark.parametrize("example", examples(), ids=lambda error: type(error).__name__)
def test_promise_27_every_error_survives_pickle_and_copy(example: EvertokenError) -> None:
    """With its class, text and all attributes, in every protocol."""
    again = [pickle.loads(pickle.dumps(example, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]  # noqa: S301 - made here
    again += [copy.copy(example), copy.deepcopy(example), example.replica()]
    for one in again:
        assert one is not example
        assert facts_of(one) == facts_of(example)


AT_THE_OTHER_END = """
import pickle, sys

errors = pickle.load(sys.stdin.buffer)
told = []
for error in errors:
    try:
        raise error
    except type(error) as caught:
        told.append((str(caught), repr(caught), vars(caught)))
sys.stdout.buffer.write(pickle.dumps((told, errors)))
"""


def test_promise_27_every_error_reaches_another_process_and_comes_back() -> None:
    """One that has imported nothing of the library before; it raises and catches each."""
    made = examples()
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_OTHER_END], input=pickle.dumps(made), check=True, capture_output=True
    )
    told, back = pickle.loads(done.stdout)  # noqa: S301 - a program of this test
    assert told == [(str(error), repr(error), vars(error)) for error in made]
    assert [facts_of(error) for error in back] == [facts_of(error) for error in made]


@pytest.mark.parametrize("title", [title for title, scenario in SCENARIOS.items() if scenario.error])
def test_promise_27_errors_of_real_calls_survive_pickle(title: str) -> None:
    """As they were raised, not as a test would make them."""
    with ScriptedServer() as server:
        error = play(SCENARIOS[title], server, "sync", ClientSecretPost("app", "not-a-secret"))
    assert error is not None
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert facts_of(again) == facts_of(error)
