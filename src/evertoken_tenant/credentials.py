"""The credentials of applications: public keys and certificates."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import secrets
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from evertoken_tenant.refusal import RefusedError, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from evertoken_tenant.call import Row

_BEGIN_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"


def stamp(moment: dt.datetime) -> str:
    """Return a time the way the API writes it."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Keeper:
    """Makes credentials out of what was sent."""

    clock: Callable[[], float]

    def now(self) -> str:
        """Return the time of the tenant's clock."""
        return stamp(dt.datetime.fromtimestamp(self.clock(), dt.UTC))

    def make(self, given: Row) -> Row:
        """Return a stored credential. Raises RefusedError: 400 where key and type do not fit."""
        pem = given.get("pem")
        made: Row = {
            "id": f"cred_{secrets.token_hex(11)}",
            "name": given.get("name", ""),
            "credential_type": given["credential_type"],
            "created_at": self.now(),
            "updated_at": self.now(),
        }
        match given["credential_type"]:
            case "public_key":
                made.update(_public_key(given, _required_pem(pem)))
            case "x509_cert":
                made.update(_certificate(_load_certificate(_required_pem(pem))))
            case _:
                made["subject_dn"] = _subject(given)
        return made


def _invalid(problem: str) -> RefusedError:
    return refuse(400, f"Payload validation error: '{problem}'.", "invalid_body")


def _required_pem(pem: object) -> str:
    if not isinstance(pem, str):
        raise _invalid("Missing required property: pem")
    return pem


def _load_certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise _invalid("pem is not a certificate") from None


def _load_public_key(pem: str) -> PublicKeyTypes:
    try:
        return serialization.load_pem_public_key(pem.encode())
    except ValueError:
        raise _invalid("pem is neither a public key nor a certificate") from None


def _public_key(given: Row, pem: str) -> Row:
    certificate = _load_certificate(pem) if _BEGIN_CERTIFICATE in pem else None
    key = _load_public_key(pem) if certificate is None else certificate.public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    own_kid = base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).rstrip(b"=").decode()
    made: Row = {"alg": given.get("alg", "RS256"), "kid": given.get("kid", own_kid)}
    if given.get("parse_expiry_from_cert"):
        if certificate is None:
            raise _invalid("parse_expiry_from_cert needs a certificate in pem")
        made["expires_at"] = stamp(certificate.not_valid_after_utc)
    if "expires_at" in given:
        made["expires_at"] = given["expires_at"]
    return made


def _certificate(certificate: x509.Certificate) -> Row:
    return {
        "subject_dn": certificate.subject.rfc4514_string(),
        "thumbprint_sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "expires_at": stamp(certificate.not_valid_after_utc),
    }


def _subject(given: Row) -> str:
    match given:
        case {"subject_dn": str() as subject}:
            return subject
        case {"pem": str() as pem}:
            return _load_certificate(pem).subject.rfc4514_string()
        case _:
            raise _invalid("Missing required property: subject_dn")
