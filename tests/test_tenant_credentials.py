"""Credentials of the local tenant's applications, and applications that describe themselves at a URL."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TypeAlias

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from evertoken_tenant import Clock, Tenant
from evertoken_tenant.cimd import violations

Row: TypeAlias = dict[str, object]
EXPIRES = dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
URL = "https://app.example.com/client"


@functools.cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem() -> str:
    encoding, shape = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key().public_key().public_bytes(encoding, shape).decode()


@functools.cache
def certificate_pem() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "machine.example.com")])
    builder = x509.CertificateBuilder(
        subject_name=name,
        issuer_name=name,
        public_key=key().public_key(),
        serial_number=1,
        not_valid_before=EXPIRES - dt.timedelta(days=365),
        not_valid_after=EXPIRES,
    )
    return builder.sign(key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def make() -> tuple[Tenant, Clock, httpx.Client, str]:
    clock = Clock(1_800_000_000)
    tenant = Tenant(clients=1, clock=clock)
    client = httpx.Client(
        transport=httpx.MockTransport(tenant),
        base_url=f"{tenant.origin}/api/v2",
        headers={"authorization": f"Bearer {tenant.issue_token()}"},
    )
    return tenant, clock, client, client.get("/clients").json()[0]["client_id"]


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["errorCode"]


def test_credential_lives_from_creation_to_deletion() -> None:
    """Created with 201, read, listed, changed with 201, deleted with 204, gone."""
    _, clock, client, own = make()
    path = f"/clients/{own}/credentials"
    created = client.post(path, json={"credential_type": "public_key", "pem": public_pem(), "name": "key"})
    row = created.json()
    assert created.status_code == 201
    assert row["name"] == "key"
    assert row["alg"] == "RS256"
    assert row["credential_type"] == "public_key"
    assert row["created_at"] == row["updated_at"] == "2027-01-15T08:00:00.000Z"
    assert len(row["kid"]) == 43
    assert "pem" not in row
    one = f"{path}/{row['id']}"
    assert client.get(one).json() == row
    assert client.get(path).json() == [row]
    clock.advance(60)
    changed = client.patch(one, json={"expires_at": "2030-01-01T00:00:00Z"})
    assert changed.status_code == 201
    assert changed.json() == {
        **row,
        "expires_at": "2030-01-01T00:00:00Z",
        "updated_at": "2027-01-15T08:01:00.000Z",
    }
    assert "expires_at" not in client.patch(one, json={"expires_at": None}).json()
    assert client.delete(one).status_code == 204
    assert client.delete(one).status_code == 204
    assert client.get(path).json() == []
    assert refusal(client.get(one)) == (404, "inexistent_credential")
    assert refusal(client.patch(one, json={"expires_at": None})) == (404, "inexistent_credential")


def test_change_leaves_other_credentials_alone() -> None:
    """Only the credential named is changed or deleted."""
    _, _, client, own = make()
    path = f"/clients/{own}/credentials"
    body = {"credential_type": "public_key", "pem": public_pem()}
    first = client.post(path, json={**body, "kid": "first-kid-1"}).json()
    second = client.post(path, json={**body, "kid": "second-kid-1", "alg": "PS256"}).json()
    client.patch(f"{path}/{second['id']}", json={"expires_at": "2030-01-01T00:00:00Z"})
    assert client.get(path).json()[0] == first
    client.delete(f"{path}/{second['id']}")
    assert client.get(path).json() == [first]


def test_certificates_tell_what_they_hold() -> None:
    """A certificate gives subject, thumbprint and expiry; a subject may be given by itself."""
    _, _, client, own = make()
    path = f"/clients/{own}/credentials"
    x509_row = client.post(path, json={"credential_type": "x509_cert", "pem": certificate_pem()}).json()
    assert x509_row["subject_dn"] == "CN=machine.example.com"
    assert len(x509_row["thumbprint_sha256"]) == 64
    assert x509_row["expires_at"] == "2030-01-02T03:04:05.000Z"
    by_name = {"credential_type": "cert_subject_dn", "subject_dn": "CN=a"}
    assert client.post(path, json=by_name).json()["subject_dn"] == "CN=a"
    by_pem = {"credential_type": "cert_subject_dn", "pem": certificate_pem()}
    assert client.post(path, json=by_pem).json()["subject_dn"] == "CN=machine.example.com"
    parsed = {"credential_type": "public_key", "pem": certificate_pem(), "parse_expiry_from_cert": True}
    assert client.post(path, json=parsed).json()["expires_at"] == "2030-01-02T03:04:05.000Z"
    given = {"credential_type": "public_key", "pem": certificate_pem(), "kid": "given-kid-1"}
    row = client.post(path, json={**given, "expires_at": "2029-01-01T00:00:00Z"}).json()
    assert (row["kid"], row["expires_at"]) == ("given-kid-1", "2029-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"credential_type": "password"},
        {"credential_type": "public_key"},
        {"credential_type": "public_key", "pem": "none"},
        {"credential_type": "public_key", "pem": "-----BEGIN CERTIFICATE-----\n"},
        {"credential_type": "x509_cert"},
        {"credential_type": "x509_cert", "pem": "none"},
        {"credential_type": "cert_subject_dn"},
        {"credential_type": "cert_subject_dn", "subject_dn": "CN=a", "kid": "short"},
        {"credential_type": "cert_subject_dn", "subject_dn": "CN=a", "expires_at": "tomorrow"},
        {"credential_type": "cert_subject_dn", "subject_dn": "CN=a", "expires_at": "2030-01-01T00:00:00"},
    ],
)
def test_bad_credential_is_refused(body: Row) -> None:
    """What is no key, or lacks what its type needs, is an invalid body."""
    _, _, client, own = make()
    assert refusal(client.post(f"/clients/{own}/credentials", json=body)) == (400, "invalid_body")


def test_expiry_needs_a_certificate() -> None:
    """A bare key tells no expiry, and the same key cannot be stored twice."""
    _, _, client, own = make()
    path = f"/clients/{own}/credentials"
    body = {"credential_type": "public_key", "pem": public_pem()}
    assert refusal(client.post(path, json={**body, "parse_expiry_from_cert": True})) == (400, "invalid_body")
    assert client.post(path, json=body).status_code == 201
    assert refusal(client.post(path, json=body)) == (400, "invalid_body")


def test_credentials_of_no_application_are_404_or_nothing() -> None:
    """Creating and changing say that the application is unknown; deleting does not."""
    _, _, client, _ = make()
    body = {"credential_type": "cert_subject_dn", "subject_dn": "CN=a"}
    assert refusal(client.post("/clients/x/credentials", json=body)) == (404, "inexistent_client")
    assert refusal(client.get("/clients/x/credentials/y")) == (404, "inexistent_client")
    change = client.patch("/clients/x/credentials/y", json={"expires_at": None})
    assert refusal(change) == (404, "inexistent_client")
    assert client.delete("/clients/x/credentials/y").status_code == 204


def test_application_deleted_while_a_credential_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application may go between the look at it and the change of it."""
    tenant, _, client, own = make()
    applications = tenant._inside.applications

    def gone(*_: object) -> None: ...

    monkeypatch.setattr(type(applications), "change", gone)
    body = {"credential_type": "cert_subject_dn", "subject_dn": "CN=a"}
    assert refusal(client.post(f"/clients/{own}/credentials", json=body)) == (404, "inexistent_client")


def test_application_is_created_with_its_credentials() -> None:
    """Keys in the body become credentials that the application refers to, and end its secret."""
    _, _, client, _ = make()
    new = {"credential_type": "public_key", "pem": public_pem()}
    body: Row = {
        "name": "Signed",
        "client_authentication_methods": {"private_key_jwt": {"credentials": [new]}},
        "signed_request_object": {"required": True, "credentials": []},
    }
    made = client.post("/clients", json=body).json()
    references = made["client_authentication_methods"]["private_key_jwt"]["credentials"]
    stored = client.get(f"/clients/{made['client_id']}/credentials").json()
    assert references == [{"id": stored[0]["id"]}]
    assert made["signed_request_object"] == {"required": True, "credentials": []}
    assert "token_endpoint_auth_method" not in made
    in_use = client.delete(f"/clients/{made['client_id']}/credentials/{stored[0]['id']}")
    assert refusal(in_use) == (400, "credential_in_use")


def test_authentication_methods_replace_one_another() -> None:
    """Setting keys ends the method by secret and the other way round; unknown keys are refused."""
    _, _, client, own = make()
    new = {"credential_type": "public_key", "pem": public_pem()}
    stored = client.post(f"/clients/{own}/credentials", json=new).json()

    def methods(reference: str) -> Row:
        return {"client_authentication_methods": {"private_key_jwt": {"credentials": [{"id": reference}]}}}

    assert refusal(client.patch(f"/clients/{own}", json=methods("cred_x"))) == (400, "invalid_body")
    by_key = client.patch(f"/clients/{own}", json=methods(stored["id"])).json()
    assert "token_endpoint_auth_method" not in by_key
    assert "client_authentication_methods" in by_key
    by_secret = client.patch(
        f"/clients/{own}", json={"token_endpoint_auth_method": "client_secret_basic"}
    ).json()
    assert "client_authentication_methods" not in by_secret
    assert client.delete(f"/clients/{own}/credentials/{stored['id']}").status_code == 204


def test_preview_maps_a_url_to_an_application() -> None:
    """A good URL is valid and mapped; nothing is created."""
    _, _, client, _ = make()
    answer = client.post("/clients/cimd/preview", json={"external_client_id": URL})
    body = answer.json()
    assert answer.status_code == 200
    assert body["validation"] == {"valid": True, "violations": [], "warnings": []}
    assert body["mapped_fields"]["external_client_id"] == URL
    assert body["mapped_fields"]["callbacks"] == ["https://app.example.com/callback"]
    assert "client_id" not in body
    assert client.get("/clients?include_totals=true").json()["total"] == 1


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://app.example.com", "path"),
        ("https://app.example.com/", "path"),
        ("https://app.example.com/a#b", "fragment"),
        ("https://me@app.example.com/a", "user name"),
        ("https://app.example.com/a/../b", "dot segment"),
    ],
)
def test_violations_are_told_and_not_registered(url: str, word: str) -> None:
    """A preview lists what is wrong within a 200; registering is refused."""
    _, _, client, _ = make()
    body = client.post("/clients/cimd/preview", json={"external_client_id": url}).json()
    assert body["validation"]["valid"] is False
    assert word in body["validation"]["violations"][0]
    assert "mapped_fields" not in body
    refused = client.post("/clients/cimd/register", json={"external_client_id": url})
    assert refusal(refused) == (400, "invalid_body")


@pytest.mark.parametrize(
    "url", ["http://app.example.com/a", "app", "https://", "https://[/a", "https://a.example/ b"]
)
def test_url_that_is_not_https_is_refused(url: str) -> None:
    """The body's format asks for https."""
    _, _, client, _ = make()
    for operation in ("preview", "register"):
        response = client.post(f"/clients/cimd/{operation}", json={"external_client_id": url})
        assert refusal(response) == (400, "invalid_body")
    too_long = client.post("/clients/cimd/preview", json={"external_client_id": URL + "a" * 120})
    assert refusal(too_long) == (400, "invalid_body")


def test_unreachable_document_is_an_error() -> None:
    """Hosts below .invalid cannot be fetched."""
    _, _, client, _ = make()
    body = {"external_client_id": "https://app.invalid/client"}
    preview = client.post("/clients/cimd/preview", json=body).json()
    assert preview["errors"]
    assert "mapped_fields" not in preview
    assert refusal(client.post("/clients/cimd/register", json=body)) == (400, "invalid_body")


def test_registering_twice_is_201_then_200() -> None:
    """The second time the same application is brought up to date; it can be found by its URL."""
    _, _, client, _ = make()
    body = {"external_client_id": URL}
    first = client.post("/clients/cimd/register", json=body)
    client.patch(f"/clients/{first.json()['client_id']}", json={"name": "Renamed"})
    second = client.post("/clients/cimd/register", json=body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    found = client.get("/clients", params={"external_client_id": URL}).json()
    assert [row["client_id"] for row in found] == [first.json()["client_id"]]
    assert found[0]["name"] == first.json()["mapped_fields"]["name"]
    assert found[0]["external_metadata_type"] == "cimd"
    assert found[0]["is_first_party"] is False
    preview = client.post("/clients/cimd/preview", json=body).json()
    assert preview["client_id"] == first.json()["client_id"]
    client.delete(f"/clients/{first.json()['client_id']}")
    assert client.post("/clients/cimd/register", json=body).status_code == 201


def test_violations_of_an_empty_url() -> None:
    """The empty string, which the format allows and the length does not, is no client either."""
    assert violations("") == ["external_client_id is empty"]
