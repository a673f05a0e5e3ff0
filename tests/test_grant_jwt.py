"""`private_key_jwt`: the assertion as Auth0 verifies it, and the keys that are taken or refused."""

from __future__ import annotations

import functools
import importlib.util
import pickle
import traceback
import urllib.parse
from typing import TYPE_CHECKING, cast

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from evertoken.errors import ArgumentError, TokenError
from evertoken.grant_jwt import PrivateKeyJWT
from evertoken.token import Secret
from support import locals_of

if TYPE_CHECKING:
    import pathlib
    from importlib.machinery import ModuleSpec

    from evertoken.grant import TokenRequest

ISSUER = "https://tenant.example.com/"
AUDIENCE = "https://tenant.example.com/api/v2/"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PASSPHRASE = "not-a-passphrase"
NOW = 1_800_000_000.9


@functools.cache
def key(number: int = 0) -> rsa.RSAPrivateKey:
    """Return a key that is made once for all tests; another one for another number."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(
    *,
    of: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
    passphrase: str | None = None,
) -> bytes:
    encryption: serialization.KeySerializationEncryption = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase.encode())
    )
    return (of or key()).private_bytes(serialization.Encoding.PEM, form, encryption)


def ask(grant: PrivateKeyJWT, organization: str | None = None) -> TokenRequest:
    return grant.request(issuer=ISSUER, audience=AUDIENCE, organization=organization)


def fields_of(request: TokenRequest | None) -> dict[str, str]:
    assert request is not None
    return dict(urllib.parse.parse_qsl(request.body().decode("ascii"), strict_parsing=True))


def verified(
    request: TokenRequest | None,
    *,
    algorithm: str = "RS256",
    audience: str = ISSUER,
    by: rsa.RSAPrivateKey | None = None,
) -> dict[str, object]:
    """Return the assertion's claims, its signature verified with the public half of the key."""
    return cast(
        "dict[str, object]",
        jwt.decode(
            fields_of(request)["client_assertion"],
            (by or key()).public_key(),
            algorithms=[algorithm],
            audience=audience,
            options={"verify_exp": False, "verify_iat": False},
        ),
    )


@pytest.mark.parametrize("organization", [None, "org_1"])
def test_form_carries_the_assertion_and_no_secret(organization: str | None) -> None:
    """RFC 7523, 2.2, with the parameters that Auth0 documents."""
    request = ask(PrivateKeyJWT("app", key()), organization)
    fields = fields_of(request)
    assert fields.pop("client_assertion").count(".") == 2
    assert fields == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_assertion_type": ASSERTION_TYPE,
        "audience": AUDIENCE,
        **({} if organization is None else {"organization": organization}),
    }
    assert not request.headers


def test_claims_are_those_auth0_verifies() -> None:
    """Issuer and subject the client id, audience the issuer with its slash, times in whole seconds."""
    claims = verified(ask(PrivateKeyJWT("app", key(), clock=lambda: NOW)))
    assert len(str(claims.pop("jti"))) >= 20
    assert claims == {
        "iss": "app",
        "sub": "app",
        "aud": ISSUER,
        "iat": 1_800_000_000,
        "exp": 1_800_000_060,
    }


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "PS256"])
@pytest.mark.parametrize("kid", [None, "key-1"])
def test_header_names_algorithm_and_key(algorithm: str, kid: str | None) -> None:
    """Each algorithm that Auth0 accepts signs so that it can be verified with it alone."""
    grant = PrivateKeyJWT("app", key(), algorithm=algorithm, kid=kid)  # type: ignore[arg-type]  # one of the literals
    request = ask(grant)
    header = jwt.get_unverified_header(fields_of(request)["client_assertion"])
    assert header["alg"] == algorithm
    assert header.get("kid") == kid
    assert verified(request, algorithm=algorithm)["iss"] == "app"
    other = "RS384" if algorithm != "RS384" else "RS256"
    with pytest.raises(jwt.InvalidAlgorithmError):
        verified(request, algorithm=other)


def test_every_request_has_an_identifier_of_its_own() -> None:
    """Auth0 takes each `jti` once: a thousand requests, a thousand of them."""
    grant = PrivateKeyJWT("app", key())
    assert len({verified(ask(grant))["jti"] for _ in range(1000)}) == 1000


@given(lifetime=st.integers(1, 300), now=st.floats(0, 4e9))
@settings(max_examples=50)
def test_assertion_lives_as_long_as_it_was_told_to(lifetime: int, now: float) -> None:
    """From the whole second it was made in."""
    claims = verified(ask(PrivateKeyJWT("app", key(), lifetime=lifetime, clock=lambda: now)))
    assert claims["iat"] == int(now)
    assert claims["exp"] == int(now) + lifetime


def test_audience_may_be_another() -> None:
    """For a proxy before the tenant, whose name is not the issuer's."""
    grant = PrivateKeyJWT("app", key(), audience="https://canonical.example.com/")
    assert verified(ask(grant), audience="https://canonical.example.com/")["iss"] == "app"


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_key_is_taken_in_every_form(
    tmp_path: pathlib.Path, form: serialization.PrivateFormat, passphrase: str | None
) -> None:
    """Text, bytes, Secret, path, path as text; both PEM formats, encrypted or not."""
    pem = pem_of(form=form, passphrase=passphrase)
    path = tmp_path / "key.pem"
    path.write_bytes(pem)
    for given_key in (pem, pem.decode(), pem.decode().strip(), Secret(pem.decode()), path, str(path)):
        assert verified(ask(PrivateKeyJWT("app", given_key, passphrase=passphrase)))["sub"] == "app"


@pytest.mark.parametrize("passphrase", [PASSPHRASE, PASSPHRASE.encode(), Secret(PASSPHRASE)])
def test_passphrase_is_taken_in_every_form(passphrase: str | bytes | Secret) -> None:
    """Text, bytes or Secret."""
    grant = PrivateKeyJWT("app", pem_of(passphrase=PASSPHRASE), passphrase=passphrase)
    assert verified(ask(grant))["sub"] == "app"


def test_key_in_a_file_is_replaced_without_a_restart(tmp_path: pathlib.Path) -> None:
    """The next request is signed with the key that is there by then."""
    path = tmp_path / "key.pem"
    path.write_bytes(pem_of())
    grant = PrivateKeyJWT("app", path)
    verified(ask(grant), by=key())
    (tmp_path / "next").write_bytes(pem_of(of=key(1)))
    (tmp_path / "next").replace(path)
    verified(ask(grant), by=key(1))


def test_refused_key_is_read_again_from_its_file(tmp_path: pathlib.Path) -> None:
    """Replaced while the request was under way: the new one is tried at once, once."""
    path = tmp_path / "key.pem"
    path.write_bytes(pem_of())
    refused = ask(PrivateKeyJWT("app", path))
    assert refused.again is not None
    assert refused.again() is None, "still the same key"
    path.write_bytes(b"half-writ")
    assert refused.again() is None, "the refusal tells more"
    path.write_bytes(pem_of(of=key(1)))
    other = refused.again()
    assert not hasattr(other, "__await__")
    other = cast("TokenRequest", other)
    assert verified(other, by=key(1))["jti"] != verified(refused)["jti"]
    assert other.again is None


def test_key_that_was_given_itself_is_not_asked_for_again() -> None:
    """There is no other."""
    assert ask(PrivateKeyJWT("app", pem_of())).again is None
    assert ask(PrivateKeyJWT("app", key())).again is None


@pytest.mark.parametrize("content", [None, b"", b"half-writ", b"\xff\xfe"])
def test_key_file_gone_bad_is_a_token_error_until_it_is_good_again(
    tmp_path: pathlib.Path, content: bytes | None
) -> None:
    """Worth another attempt, since it may be in the course of being replaced."""
    path = tmp_path / "key.pem"
    path.write_bytes(pem_of())
    grant = PrivateKeyJWT("app", path)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TokenError, match=r"key\.pem: ") as caught:
        ask(grant)
    assert caught.value.transient
    path.write_bytes(pem_of())
    verified(ask(grant))


def short_key() -> bytes:
    return pem_of(of=rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505 - refused


def public_key() -> bytes:
    return (
        key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def der() -> bytes:
    return key().private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


BAD_KEYS = {
    "short": (short_key, "key: 1024 bits"),
    "elliptic": (lambda: pem_of(of=ec.generate_private_key(ec.SECP256R1())), "key: .*no RSA private key"),
    "ed25519": (lambda: pem_of(of=ed25519.Ed25519PrivateKey.generate()), "key: .*no RSA private key"),
    "elliptic object": (lambda: ec.generate_private_key(ec.SECP256R1()), "key: .*no RSA private key"),
    "public": (public_key, "key: no private key in PEM"),
    "public object": (lambda: key().public_key(), "key: .*no RSA private key"),
    "der": (der, "key: no private key in PEM"),
    "garbage": (lambda: "garbage", "key: no private key in PEM"),
    "empty": (lambda: "", "key: no private key in PEM"),
    "no first line": (lambda: pem_of().decode().partition("\n")[2], "key: no private key in PEM"),
    "line ends escaped": (lambda: pem_of().decode().replace("\n", "\\n"), "key: no private key in PEM"),
    "half": (lambda: pem_of()[: len(pem_of()) // 2], "key: no private key in PEM"),
    "surrogate": (lambda: "-----BEGIN PRIVATE KEY-----\ud800", "key: no private key in PEM"),
    "nul": (lambda: "\0", "key: no private key in PEM"),
    "none": (lambda: None, "key: NoneType"),
    "number": (lambda: 7, "key: int"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_key_that_cannot_be_used_is_refused_without_showing_it(name: str) -> None:
    """At construction, with the reason."""
    make, problem = BAD_KEYS[name]
    bad = make()
    with pytest.raises(ArgumentError, match=problem) as caught:
        PrivateKeyJWT("app", bad)  # type: ignore[arg-type]  # what an untyped caller may pass
    shown = locals_of(caught.value) + "".join(traceback.format_exception(caught.value))
    text = bad.decode("latin-1") if isinstance(bad, bytes) else bad
    for line in text.splitlines() if isinstance(text, str) else []:
        assert len(line) < 40 or line not in shown
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("encrypted", "passphrase", "problem"),
    [
        (True, None, "passphrase: missing"),
        (True, "wrong-passphrase", "passphrase: does not open the key"),
        (True, "", "passphrase: empty"),
        (True, 7, "passphrase: empty or no string"),
        (False, PASSPHRASE, "passphrase: given, but the key is not encrypted"),
        (None, PASSPHRASE, "passphrase: given beside a key object"),
    ],
)
def test_passphrase_that_does_not_fit_is_refused_without_showing_it(
    encrypted: bool | None, passphrase: str | None, problem: str
) -> None:
    """At construction: not at the first renewal."""
    given_key = key() if encrypted is None else pem_of(passphrase=PASSPHRASE if encrypted else None)
    with pytest.raises(ArgumentError, match=problem) as caught:
        PrivateKeyJWT("app", given_key, passphrase=passphrase)
    shown = locals_of(caught.value)
    assert "wrong-passphrase" not in shown
    assert PASSPHRASE not in shown
    assert caught.value.__context__ is None


def test_missing_file_is_told_at_construction(tmp_path: pathlib.Path) -> None:
    """By its path: a wrong mount is found when the program starts."""
    with pytest.raises(ArgumentError, match=r"key: .*missing\.pem: cannot be read"):
        PrivateKeyJWT("app", tmp_path / "missing.pem")


def test_bad_file_is_told_at_construction(tmp_path: pathlib.Path) -> None:
    """By its path, too."""
    (tmp_path / "key.pem").write_bytes(short_key())
    with pytest.raises(ArgumentError, match=r"key: .*key\.pem: 1024 bits"):
        PrivateKeyJWT("app", tmp_path / "key.pem")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("client_id", ""),
        ("client_id", "a\n"),
        ("kid", ""),
        ("kid", 7),
        ("audience", ""),
        ("algorithm", "HS256"),
        ("algorithm", "none"),
        ("algorithm", "RS512"),
        ("algorithm", "ES256"),
        ("algorithm", None),
        ("algorithm", ["RS256"]),
        ("lifetime", 0),
        ("lifetime", -1),
        ("lifetime", 301),
        ("lifetime", True),
        ("lifetime", 60.5),
        ("lifetime", float("nan")),
        ("lifetime", "60"),
    ],
)
def test_argument_that_auth0_would_refuse_is_refused(argument: str, value: object) -> None:
    """By its name, and without showing the key, which is in the frame."""
    arguments = {"client_id": "app", "key": pem_of(), argument: value}
    with pytest.raises(ArgumentError, match=f"^{argument}: ") as caught:
        PrivateKeyJWT(**arguments)  # type: ignore[arg-type]  # what an untyped caller may pass
    assert "PRIVATE KEY" not in locals_of(caught.value)


def test_nothing_shows_the_key(tmp_path: pathlib.Path) -> None:
    """repr, str, format, pickle, and the request that carries the assertion."""
    (tmp_path / "key.pem").write_bytes(pem_of(passphrase=PASSPHRASE))
    for grant in (
        PrivateKeyJWT("app", tmp_path / "key.pem", kid="k", passphrase=PASSPHRASE),
        PrivateKeyJWT("app", pem_of(passphrase=PASSPHRASE), kid="k", passphrase=PASSPHRASE),
        PrivateKeyJWT("app", key(), kid="k"),
    ):
        assert repr(grant) == "PrivateKeyJWT(client_id='app', algorithm='RS256', kid='k')"
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(grant)
        request = ask(grant)
        shown = f"{request!r} {request} {request.again!r}"
        assert fields_of(request)["client_assertion"] not in shown
        assert PASSPHRASE not in shown
        assert "PRIVATE" not in shown
        assert not grant.endpoint_from_discovery


def test_device_that_fails_to_sign_is_a_token_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key object may be that of a hardware module: whatever it raises, its text is not passed on."""

    def fails(*_: object, **__: object) -> str:
        raise OSError(PASSPHRASE)

    grant = PrivateKeyJWT("app", key())
    monkeypatch.setattr(jwt, "encode", fails)
    with pytest.raises(TokenError, match=r"could not sign \(OSError\)") as caught:
        ask(grant)
    assert PASSPHRASE not in locals_of(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("missing", ["jwt", "cryptography"])
def test_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyJWT without its `crypto` extra cannot sign either."""
    find = importlib.util.find_spec

    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == missing else find(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'evertoken\[jwt\]'") as caught:
        PrivateKeyJWT("app", "not-a-key")
    assert caught.value.name == missing
    assert "not-a-key" not in locals_of(caught.value)
