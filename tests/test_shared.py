"""All clients of a process that would ask for the same token share it."""

from __future__ import annotations

import concurrent.futures
import gc
import threading
import weakref
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evertoken import (
    AsyncManagementClient,
    ClientSecretBasic,
    ClientSecretPost,
    EnvironmentSecret,
    FileSecret,
    Grant,
    ManagementAuth,
    ManagementClient,
    MemoryTokenStore,
    MutualTLS,
    PrivateKeyJWT,
    TokenError,
)
from evertoken.testing import forget_tokens
from support import CLIENTS_URL, DOMAIN, SECRET, FakeAuth0

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable


def make_client(auth0: FakeAuth0, **options: object) -> ManagementClient:
    chosen: dict[str, object] = {"client_id": "app", "client_secret": SECRET, **options}
    return ManagementClient(domain=DOMAIN, httpx_client=auth0.client(), **chosen)  # type: ignore[arg-type] # options by name


def test_a_hundred_clients_of_both_colours_ask_once() -> None:
    """And so does an auth in a plain httpx client, in whatever thread."""
    auth0 = FakeAuth0()
    clients = [make_client(auth0) for _ in range(100)]

    async def use_async_client() -> str:
        async with AsyncManagementClient(
            domain=DOMAIN, client_id="app", client_secret=SECRET, httpx_client=auth0.async_client()
        ) as client:
            return (await client.access_token()).value

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        tokens = {token.value for token in pool.map(ManagementClient.access_token, clients)}
    tokens |= {anyio.run(use_async_client), anyio.run(use_async_client, backend="trio")}
    with auth0.client(ManagementAuth(domain=DOMAIN, client_id="app", client_secret=SECRET)) as http:
        http.get(CLIENTS_URL)
    assert tokens == {"token-1"}
    assert auth0.bearers == ["Bearer token-1"]
    assert len(auth0.token_requests) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"client_id": "other"},
        {"client_secret": "another-secret"},
        {"client_id": None, "client_secret": None, "credentials": ClientSecretBasic("app", SECRET)},
        {"audience": "https://canonical.example.com/api/v2/"},
        {"organization": "org_1"},
        {"token_store": MemoryTokenStore()},
        {"share_token": False},
    ],
    ids="-".join,
)
def test_whatever_makes_another_token_makes_another_source(options: dict[str, object]) -> None:
    """What a token is for, with what proof, and where it is kept."""
    auth0 = FakeAuth0()
    with make_client(auth0) as first, make_client(auth0, **options) as second:
        assert first.access_token().value != second.access_token().value
    assert len(auth0.token_requests) == 2


def test_a_wrong_secret_gets_no_token_of_the_right_one() -> None:
    """The right one was there before."""
    auth0 = FakeAuth0()
    with make_client(auth0) as right, make_client(auth0, client_secret="wrong-secret") as wrong:
        right.access_token()
        auth0.token_answers = [httpx.Response(401, json={"error": "access_denied"})]
        with pytest.raises(TokenError, match="access_denied"):
            wrong.access_token()


def test_a_source_ends_with_its_last_client() -> None:
    """At once, without the garbage collector: a client is part of no cycle."""
    auth0 = FakeAuth0()
    gc.disable()
    try:
        client = make_client(auth0)
        client.clients.list()
        source = weakref.ref(client.token_source)
        client.close()
        del client
        assert source() is None
    finally:
        gc.enable()
    make_client(auth0).access_token()
    assert len(auth0.token_requests) == 2


def test_tests_can_part_from_earlier_ones() -> None:
    """Clients made after `forget_tokens` share none of the tokens from before; the others go on."""
    auth0 = FakeAuth0()
    before = make_client(auth0)
    before.access_token()
    forget_tokens()
    after = make_client(auth0)
    assert (after.access_token().value, before.access_token().value) == ("token-2", "token-1")


def key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_grants_are_equal_if_they_prove_the_same(tmp_path: pathlib.Path) -> None:
    """Secrets by value, sources by what they read, keys by their text or file."""
    keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    file = tmp_path / "key.pem"
    file.write_bytes(key_pem(keys[0]))

    def ask_vault() -> str:
        return SECRET

    def ask_another() -> str:
        return SECRET

    makers: list[Callable[[], Grant]] = [
        lambda: ClientSecretPost("app", SECRET),
        lambda: ClientSecretPost("app", "another"),
        lambda: ClientSecretPost("other", SECRET),
        lambda: ClientSecretBasic("app", SECRET),
        lambda: ClientSecretPost("app", [SECRET, "another"]),
        lambda: ClientSecretPost("app", EnvironmentSecret("APP_SECRET")),
        lambda: ClientSecretPost("app", EnvironmentSecret("OTHER_SECRET")),
        lambda: ClientSecretPost("app", FileSecret(tmp_path / "secret")),
        lambda: ClientSecretPost("app", FileSecret(tmp_path / "other")),
        lambda: ClientSecretPost("app", ask_vault),
        lambda: ClientSecretPost("app", ask_another),
        lambda: PrivateKeyJWT("app", key_pem(keys[0])),
        lambda: PrivateKeyJWT("app", key_pem(keys[1])),
        lambda: PrivateKeyJWT("app", keys[0]),
        lambda: PrivateKeyJWT("app", file),
        lambda: PrivateKeyJWT("app", file, kid="one"),
        lambda: PrivateKeyJWT("app", file, algorithm="PS256"),
    ]
    made = [make() for make in makers]
    assert [make() for make in makers] == made
    assert len({*made, *(make() for make in makers)}) == len(made)


def test_certificates_are_the_httpx_clients_so_two_grants_are_two() -> None:
    """Nobody can tell whose certificate the other client has; the same object is the same."""
    grant = MutualTLS("app")
    assert grant != MutualTLS("app")
    first, second, other = (
        ManagementAuth(domain=DOMAIN, credentials=credentials)
        for credentials in (grant, grant, MutualTLS("app"))
    )
    assert first.token_source is second.token_source
    assert first.token_source is not other.token_source


def test_a_grant_without_a_hash_is_not_shared() -> None:
    """It may be changed after it was given."""

    class Changing(ClientSecretPost):
        __hash__ = None  # type: ignore[assignment] # as a dataclass that is not frozen has it

    grant = Changing("app", SECRET)
    first, second = (ManagementAuth(domain=DOMAIN, credentials=grant) for _ in range(2))
    assert first.token_source is not second.token_source


def test_threads_that_make_clients_at_once_share_one_source() -> None:
    """No two of them make one each."""
    start = threading.Barrier(20)

    def make() -> int:
        start.wait(10)
        auths.append(ManagementAuth(domain=DOMAIN, client_id="app", client_secret=SECRET))
        return id(auths[-1].token_source)

    auths: list[ManagementAuth] = []
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(make) for _ in range(20)]
    assert len({call.result() for call in calls}) == 1
