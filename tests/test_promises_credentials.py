"""Promise 20: rotated credentials are used at the next renewal, or at once where the old ones are refused."""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import urllib.parse
from typing import TYPE_CHECKING, TypeAlias

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from callers import Options, calling, for_all
from evertoken import (
    ClientSecretBasic,
    ClientSecretPost,
    EnvironmentSecret,
    FileSecret,
    FileTokenStore,
    Grant,
    ManagementClient,
    PrivateKeyJWT,
    Secret,
    TokenError,
)
from evertoken_tenant import Tenant, serve
from scripted_server import ScriptedServer, api_error, token_error, token_reply

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

    from callers import Kind
    from evertoken import SecretSource
    from scripted_server import Exchange, Received

OLD, NEW, NEWEST = "not-a-secret: old+&%", "not-a-secret: new+&%", "not-a-secret: newest+&%"

Place: TypeAlias = "tuple[SecretSource, Callable[[str], None]]"
"""Where a secret comes from, and what puts another one there."""


def secret_of(request: Received) -> str:
    """Return the client secret of a token request, in the form or in the header."""
    if "client_secret" in request.form:
        return request.form["client_secret"]
    pair = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    return urllib.parse.unquote_plus(pair.partition(":")[2])


class Door:
    """A token endpoint that takes one secret, and notes all that were tried."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self.accepted = OLD
        self.status = 401
        self.before_refusal: Callable[[], object] = lambda: None
        server.token_default = self

    def __call__(self, exchange: Exchange) -> None:
        if secret_of(exchange.request) == self.accepted:
            token_reply()(exchange)
        else:
            self.before_refusal()
            token_error(self.status, "access_denied")(exchange)

    @property
    def tried(self) -> list[str]:
        return [secret_of(request) for request in self._server.token_requests]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def door(server: ScriptedServer) -> Door:
    return Door(server)


def replaced(path: pathlib.Path, text: str) -> None:
    path.with_suffix(".new").write_text(f"{text}\n")
    path.with_suffix(".new").replace(path)


def linked(folder: pathlib.Path, text: str) -> None:
    """Swap the link of a folder, as Kubernetes does with mounted secrets."""
    version = folder / f"version {len(list(folder.iterdir()))}"
    version.mkdir()
    (version / "secret").write_text(text)
    (folder / "next").symlink_to(version)
    (folder / "next").replace(folder / "current")


@pytest.fixture(params=["file", "file in place", "link", "environment", "callable"])
def place(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return each kind of place, with the old secret in it."""
    held = [OLD]
    path = tmp_path / "secret"

    def in_place(text: str) -> None:
        # Of the same length and date: only the content tells.
        path.write_text(text)
        os.utime(path, (1_000_000_000, 1_000_000_000))

    places: dict[str, Place] = {
        "file": (FileSecret(path), functools.partial(replaced, path)),
        "file in place": (FileSecret(path), in_place),
        "link": (FileSecret(tmp_path / "current" / "secret"), functools.partial(linked, tmp_path)),
        "environment": (EnvironmentSecret("APP_SECRET"), functools.partial(monkeypatch.setenv, "APP_SECRET")),
        "callable": (lambda: held[-1], held.append),
    }
    place = places[request.param]
    place[1](OLD)
    return place


GRANTS = pytest.mark.parametrize("grant", [ClientSecretPost, ClientSecretBasic])


@for_all
def test_promise_20_a_rotated_secret_is_used_at_the_next_renewal(
    kind: Kind, server: ScriptedServer, door: Door, place: Place
) -> None:
    """By a client that was made before, for each kind of caller; the old one is not tried any more."""
    source, put = place
    with calling(kind, server, Options(credentials=ClientSecretPost("app", source))) as caller:
        assert caller.send() == 200
        put(NEW)
        door.accepted = NEW
        assert caller.send() == 200
        server.api_script.append(api_error(401))
        assert caller.send() == 200
    assert door.tried == [OLD, NEW]
    assert [request.bearer for request in server.api_requests] == [
        *[server.issued[0]] * 3,
        server.issued[1],
    ]


@for_all
def test_promise_20_where_the_old_secret_is_refused_the_new_one_is_used_at_once(
    kind: Kind, server: ScriptedServer, door: Door, place: Place
) -> None:
    """It was rotated while the token request was under way: the caller sees no error."""
    source, put = place
    door.accepted = NEW
    door.before_refusal = lambda: put(NEW)
    with calling(kind, server, Options(credentials=ClientSecretPost("app", source))) as caller:
        assert caller.send() == 200
    assert door.tried == [OLD, NEW]


@GRANTS
@pytest.mark.parametrize("status", [400, 401, 403])
def test_promise_20_any_refusal_makes_the_source_be_asked_again(
    server: ScriptedServer, door: Door, grant: type[ClientSecretPost], status: int, tmp_path: pathlib.Path
) -> None:
    """Whatever status the token endpoint has for it, and wherever the secret stands."""
    path = tmp_path / "secret"
    replaced(path, OLD)
    door.accepted, door.status = NEW, status
    door.before_refusal = lambda: replaced(path, NEW)
    with calling("sync", server, Options(credentials=grant("app", FileSecret(path)))) as caller:
        assert caller.send() == 200
    assert door.tried == [OLD, NEW]


@pytest.mark.parametrize("kind", ["asyncio", "trio", "httpx-asyncio", "httpx-trio"])
@pytest.mark.parametrize("refused", [False, True])
def test_promise_20_an_async_callable_is_asked_for_each_renewal(
    kind: Kind, server: ScriptedServer, door: Door, refused: bool
) -> None:
    """As a client of a vault is: at the next renewal, and at once after a refusal."""
    held = [OLD]

    async def ask_vault() -> Secret:
        return Secret(held[-1])

    with calling(kind, server, Options(credentials=ClientSecretPost("app", ask_vault))) as caller:
        assert caller.send() == 200
        door.accepted = NEW
        if refused:
            door.before_refusal = lambda: held.append(NEW)
        else:
            held.append(NEW)
        server.api_script.append(api_error(401))
        assert caller.send() == 200
    assert door.tried == ([OLD, OLD, NEW] if refused else [OLD, NEW])


@for_all
@GRANTS
def test_promise_20_of_two_secrets_the_next_one_is_used_at_once(
    kind: Kind, server: ScriptedServer, door: Door, grant: type[ClientSecretPost]
) -> None:
    """A list of two: the switch costs one refused request, seen by no caller, and none later on."""
    with calling(kind, server, Options(credentials=grant("app", [OLD, NEW]))) as caller:
        assert caller.send() == 200
        door.accepted = NEW
        for _ in range(2):
            server.api_script.append(api_error(401))
            assert caller.send() == 200
    assert door.tried == [OLD, OLD, NEW, NEW]


def test_promise_20_two_files_take_turns_for_ever(
    server: ScriptedServer, door: Door, tmp_path: pathlib.Path
) -> None:
    """Rotation after rotation, each time in the file that is not in use: no caller sees an error."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(OLD)
    two.write_text(NEW)
    grant = ClientSecretPost("app", [FileSecret(one), FileSecret(two)])
    with calling("sync", server, Options(credentials=grant)) as caller:
        for accepted, path, following in [
            (OLD, two, NEW),
            (NEW, one, NEWEST),
            (NEWEST, two, OLD),
            (OLD, one, NEW),
        ]:
            path.write_text(following)
            door.accepted = accepted
            server.api_script.append(api_error(401))
            assert caller.send() == 200
    assert server.api_script == []


def test_promise_20_a_wrong_secret_is_not_asked_for_without_end(server: ScriptedServer, door: Door) -> None:
    """A source that has another secret each time, none of them right: an error after two requests."""
    numbers = iter(range(100))
    grant = ClientSecretPost("app", lambda: f"not-a-secret-{next(numbers)}")
    with (
        calling("sync", server, Options(credentials=grant)) as caller,
        pytest.raises(TokenError, match="access_denied"),
    ):
        caller.send()
    assert len(door.tried) == 2


def test_promise_20_a_token_that_is_kept_outlives_the_secret(
    server: ScriptedServer, door: Door, tmp_path: pathlib.Path
) -> None:
    """A program with the new secret goes on with the token that one with the old secret has kept."""
    for secret in (OLD, NEW):
        with (
            httpx.Client(verify=server.ssl_context()) as http,
            ManagementClient(
                domain=server.domain,
                client_id="app",
                client_secret=secret,
                token_store=FileTokenStore(tmp_path / "tokens"),
                share_token=False,
                httpx_client=http,
            ) as client,
        ):
            client.clients.list()
    assert door.tried == [OLD]
    assert len({request.bearer for request in server.api_requests}) == 1


def test_promise_20_a_client_rotates_its_own_secret(tmp_path: pathlib.Path) -> None:
    """Through the API of a tenant: it writes the new secret to its file, and goes on with it."""
    path = tmp_path / "secret"
    with serve(Tenant(clients=1), tls=True) as server, httpx.Client(verify=server.ssl_context()) as http:
        tenant = server.tenant
        path.write_text(tenant.client_secret)
        with ManagementClient(
            domain=server.domain,
            client_id=tenant.client_id,
            client_secret=FileSecret(path),
            httpx_client=http,
        ) as client:
            for rotations in range(1, 4):
                rotated = client.clients.rotate_secret(tenant.client_id).client_secret
                assert rotated
                path.write_text(rotated)
                tenant.revoke_tokens()
                assert client.clients.list().total == 1
                assert tenant.token_requests == rotations + 1


@functools.cache
def keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    """Return the application's key, and the next one."""
    one, two = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    return one, two


def pem(key: rsa.RSAPrivateKey, passphrase: bytes | None) -> bytes:
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


class KeyDoor:
    """A token endpoint that takes assertions of one key, each once."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self.accepted = keys()[0]
        self.before_refusal: Callable[[], object] = lambda: None
        self.verdicts: list[bool] = []
        self._seen: set[str] = set()
        server.token_default = self

    def __call__(self, exchange: Exchange) -> None:
        accepted = False
        with contextlib.suppress(jwt.InvalidSignatureError):
            claims = jwt.decode(
                exchange.request.form["client_assertion"],
                self.accepted.public_key(),
                algorithms=["RS256"],
                audience=f"{self._server.origin}/",
                issuer="app",
            )
            accepted = claims["sub"] == "app" and claims["jti"] not in self._seen
            self._seen.add(claims["jti"])
        self.verdicts.append(accepted)
        if accepted:
            token_reply()(exchange)
        else:
            self.before_refusal()
            token_error(401, "invalid_client")(exchange)


@for_all
@pytest.mark.parametrize("passphrase", [None, b"not-a-secret"], ids=["plain", "encrypted"])
@pytest.mark.parametrize("refused", [False, True])
def test_promise_20_a_replaced_key_file_is_used(
    kind: Kind, server: ScriptedServer, tmp_path: pathlib.Path, passphrase: bytes | None, refused: bool
) -> None:
    """private_key_jwt: at the next renewal, and at once where the old key is refused."""
    old, new = keys()
    path = tmp_path / "key.pem"
    path.write_bytes(pem(old, passphrase))
    door = KeyDoor(server)
    grant: Grant = PrivateKeyJWT("app", path, passphrase=passphrase)
    with calling(kind, server, Options(credentials=grant)) as caller:
        assert caller.send() == 200
        door.accepted = new
        if refused:
            door.before_refusal = lambda: path.write_bytes(pem(new, passphrase))
        else:
            path.write_bytes(pem(new, passphrase))
        server.api_script.append(api_error(401))
        assert caller.send() == 200
    assert door.verdicts == ([True, False, True] if refused else [True, True])
