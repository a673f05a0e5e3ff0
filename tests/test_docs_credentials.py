"""docs/credentials.md: every Python block in it is run as it stands, but for the client id."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import re
import urllib.parse
from typing import TYPE_CHECKING

import httpx
import jwt
import pytest
import respx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import evertoken
from evertoken_tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "credentials.md"
DOMAIN = "tenant.eu.auth0.com"
CUSTOM = "login.example.com"
MTLS = f"mtls.{CUSTOM}"


def blocks() -> list[tuple[str, str]]:
    """Return the Python blocks of the page, each with the heading that it stands below."""
    found: list[tuple[str, str]] = []
    for section in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        found += [
            (heading, code)
            for code in re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        ]
    return found


def block(heading: str, number: int = 0) -> str:
    return [code for above, code in blocks() if above.startswith(heading)][number]


class World:
    """A tenant behind every address that the page names, and the current folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.tenant = Tenant(domain=DOMAIN, custom_domains=[CUSTOM], clients=8)
        self.token_requests: list[httpx.Request] = []
        (folder / "secrets").mkdir()
        (folder / "secrets" / "current").write_text(f"{self.tenant.client_secret}\n")

    def run(self, code: str) -> None:
        code = code.replace("your-client-id", self.tenant.client_id)
        exec(compile(code, PAGE.name, "exec"), {"__name__": "example"})  # noqa: S102 - our own page

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "vault.example.com":
            return httpx.Response(200, json={"client_secret": self.tenant.client_secret})
        if request.url.path.endswith("/openid-configuration"):
            document = json.loads(self.tenant(request).content)
            endpoint = f"https://{MTLS}/oauth/token"
            return httpx.Response(
                200, json={**document, "mtls_endpoint_aliases": {"token_endpoint": endpoint}}
            )
        if request.url.path != "/oauth/token":
            return self.tenant(request)
        self.token_requests.append(request)
        if request.url.host == MTLS:
            return self.token(CUSTOM)
        proven = "X-Gateway-Signature" in request.headers
        if "client_assertion" in self.form():
            proven = self.verified()
        return self.token(DOMAIN) if proven else self.tenant(request)

    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.token_requests[-1].content.decode()))

    def verified(self) -> bool:
        public = (self.folder / "public-key.pem").read_bytes()
        claims = jwt.decode(
            self.form()["client_assertion"], public, algorithms=["RS256"], audience=f"https://{DOMAIN}/"
        )
        return bool(claims["sub"] == self.tenant.client_id)

    def token(self, domain: str) -> httpx.Response:
        """Return what the tenant answers to the secret, in place of the proof that it knows nothing of."""
        form = {**self.form(), "client_id": self.tenant.client_id, "client_secret": self.tenant.client_secret}
        return self.tenant(httpx.Request("POST", f"https://{domain}/oauth/token", data=form))

    def has_listed(self, output: str) -> bool:
        return self.tenant.api_requests > 0 and "client_id=" in output


@pytest.fixture
def world(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    made = World(tmp_path)
    with respx.mock(assert_all_called=False) as router:
        router.route().mock(side_effect=made.answer)
        yield made


def make_keys(folder: pathlib.Path) -> rsa.RSAPrivateKey:
    """Do what the page's openssl commands do."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "private-key.pem").write_bytes(private_pem(private))
    (folder / "public-key.pem").write_bytes(
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private


def private_pem(private: rsa.RSAPrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_certificate(folder: pathlib.Path) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "application")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .sign(private, hashes.SHA256())
    )
    (folder / "client-certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "client-key.pem").write_bytes(private_pem(private))


def test_every_block_of_the_page_is_run_by_a_test_below() -> None:
    """Who adds one adds its test."""
    numbers: dict[str, int] = {}
    for heading, _ in blocks():
        numbers[heading] = numbers.get(heading, 0) + 1
    assert numbers == {
        "Where a secret comes from": 3,
        "Rotate a client secret with no gap": 2,
        "Sign with a private key (`private_key_jwt`)": 2,
        "Show a client certificate (mTLS)": 1,
        "A grant of your own": 1,
    }


def test_secret_from_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first source of the page."""
    monkeypatch.setenv("MY_CLIENT_SECRET", world.tenant.client_secret)
    world.run(block("Where", 0))
    assert world.has_listed(capsys.readouterr().out)


def test_secret_from_a_file(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The second source of the page."""
    world.run(block("Where", 1))
    assert world.has_listed(capsys.readouterr().out)


def test_secret_from_a_vault(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The third source of the page, asynchronous."""
    world.run(block("Where", 2))
    assert world.has_listed(capsys.readouterr().out)


def test_list_of_two_bridges_the_rotation(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Auth0 has the next secret already, the host's current one is the old one: no call fails."""
    old = world.tenant.client_secret
    own = f"https://{DOMAIN}/api/v2/clients/{world.tenant.client_id}"
    headers = {"Authorization": f"Bearer {world.tenant.issue_token()}"}
    world.tenant(httpx.Request("PATCH", own, json={"client_secret": "n" * 48}, headers=headers))
    assert world.tenant.client_secret != old
    (world.folder / "secrets" / "next").write_text(world.tenant.client_secret)
    world.run(block("Rotate", 0))
    assert world.has_listed(capsys.readouterr().out)
    assert len(world.token_requests) == 2


def test_rotation_program_leaves_the_new_secret_in_place(world: World) -> None:
    """Readable by its owner only, and the spare one gone."""
    old = world.tenant.client_secret
    world.run(block("Rotate", 1))
    current = world.folder / "secrets" / "current"
    assert current.read_text() == world.tenant.client_secret != old
    assert current.stat().st_mode & 0o077 == 0
    assert [path.name for path in current.parent.iterdir()] == ["current"]


def test_public_key_is_registered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application has the credential and is told to use it."""
    make_keys(world.folder)
    monkeypatch.setenv("AUTH0_DOMAIN", DOMAIN)
    monkeypatch.setenv("AUTH0_CLIENT_ID", world.tenant.client_id)
    monkeypatch.setenv("AUTH0_CLIENT_SECRET", world.tenant.client_secret)
    world.run(block("Sign", 0))
    with evertoken.ManagementClient(domain=DOMAIN, token=world.tenant.issue_token()) as client:
        application = client.clients.get(world.tenant.client_id)
        methods = application.client_authentication_methods
        assert methods is not None
        assert methods.private_key_jwt is not None
        assert application.token_endpoint_auth_method is None


def test_private_key_signs_in(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The assertion is verified with the public key."""
    make_keys(world.folder)
    world.run(block("Sign", 1))
    assert world.has_listed(capsys.readouterr().out)
    assert "client_secret" not in world.form()


def test_certificate_signs_in(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """At the endpoint that discovery names, without a secret."""
    make_certificate(world.folder)
    world.run(block("Show"))
    assert world.has_listed(capsys.readouterr().out)
    assert [request.url.host for request in world.token_requests] == [MTLS]
    assert "client_secret" not in world.form()


def test_grant_of_ones_own_signs_in(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """With the issuer that it was given."""
    world.run(block("A grant"))
    assert world.has_listed(capsys.readouterr().out)
    assert world.token_requests[0].headers["X-Gateway-Signature"] == f"signature over https://{DOMAIN}/"
