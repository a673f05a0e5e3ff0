"""Signing and encryption keys."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from evertoken_tenant.generic import create, found, no_answer
from evertoken_tenant.listing import listed
from evertoken_tenant.work import Work, answer, gone, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.call import Answer, Json, Row
    from evertoken_tenant.tokens import SigningKey

_ENCRYPTION: Final = "/keys/encryption"
_VALID: Final = dt.timedelta(days=3650)


def _certificate(work: Work, key: SigningKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, work.world.tenant_name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name, subject_name=name, public_key=key.private.public_key()
    )
    builder = builder.serial_number(int.from_bytes(key.kid.encode()[:8], "big") or 1)
    return builder.not_valid_before(start).not_valid_after(start + _VALID).sign(key.private, hashes.SHA256())


def _shown(work: Work, key: SigningKey, *, current: bool) -> Row:
    certificate = _certificate(work, key)
    digest = certificate.fingerprint(hashes.SHA256()).hex().upper()
    return {
        "kid": key.kid,
        "cert": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "fingerprint": ":".join(digest[at : at + 2] for at in range(0, len(digest), 2)),
        "thumbprint": digest,
        "current": current,
        "next": False,
        "previous": not current,
        "revoked": False,
    }


def _signing(work: Work) -> list[Row]:
    """Return the keys whose tokens are good: the one that signs, and those before it."""
    return [_shown(work, key, current=not at) for at, key in enumerate(work.world.tokens.accepted())]


def _list_signing(work: Work) -> Answer:
    return listed(work, _signing(work))


def _get_signing(work: Work) -> Answer:
    return answer(work, _of_kid(work))


def _of_kid(work: Work) -> Row:
    one = next((row for row in _signing(work) if row["kid"] == work.path["kid"]), None)
    if one is None:
        raise gone("signing key")
    return one


def _rotate_signing(work: Work) -> Answer:
    work.world.tokens.rotate(revoke_previous=False)
    return answer(work, _signing(work)[0])


def _revoke_signing(work: Work) -> Answer:
    one = _of_kid(work)
    if one["current"] is True:
        # Somebody has to sign.
        work.world.tokens.rotate(revoke_previous=False)
    work.world.tokens.drop_key(work.path["kid"])
    return answer(work, one)


def _create_encryption(work: Work) -> Answer:
    state = "pre-activation" if work.given["type"] == "customer-provided-root-key" else "active"
    return answer(work, create(work, {"parent_kid": None, **work.given, "state": state}))


def _import_encryption(work: Work) -> Answer:
    key: Row = {**found(work), "state": "active", "updated_at": work.world.moment()}
    work.state.collection(_ENCRYPTION).put(work.path["kid"], key)
    return answer(work, key)


def _wrapping_key(work: Work) -> Answer:
    key = work.state.collection(_ENCRYPTION).get(work.path["kid"]) or {}
    if key.get("state") != "pre-activation":
        raise taken("state", "encryption key")
    public = work.world.tokens.accepted()[0].private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return answer(work, {"public_key": pem.decode(), "algorithm": "CKM_RSA_AES_KEY_WRAP"})


def _connection_keys(work: Work) -> list[Row]:
    return work.collection("/connections/{id}/keys").rows()


def _new_connection_key(work: Work, **more: Json) -> Row:
    kid = work.state.new(length=32)
    key: Row = {
        "kid": kid,
        "cert": f"-----BEGIN CERTIFICATE-----\n{work.state.new(length=64)}\n-----END CERTIFICATE-----",
        "fingerprint": work.state.new(length=40, alphabet="0123456789ABCDEF"),
        "thumbprint": work.state.new(length=40, alphabet="0123456789ABCDEF"),
        "algorithm": work.given.get("signing_alg", "RS256"),
        "key_use": "signing",
        "current_since": work.world.moment(),
        "subject_dn": f"/CN={work.world.tenant_name}",
        **more,
    }
    work.collection("/connections/{id}/keys").put(kid, key)
    return key


def _list_connection_keys(work: Work) -> Answer:
    return listed(work, _connection_keys(work))


def _create_connection_keys(work: Work) -> Answer:
    if _connection_keys(work):
        raise taken("connection", "connection key")
    made: list[Json] = [_new_connection_key(work, current=True), _new_connection_key(work, next=True)]
    return answer(work, made)


def _rotate_connection_keys(work: Work) -> Answer:
    """Let the next key be the current one, and make another next one."""
    keys = work.collection("/connections/{id}/keys")
    for key in _connection_keys(work):
        left = {name: value for name, value in key.items() if name not in ("current", "next", "previous")}
        changed: Row = {**left, "current": True} if key.get("next") else {**left, "previous": True}
        keys.put(str(key["kid"]), changed)
    return answer(work, _new_connection_key(work, next=True))


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "keys.signing.list": _list_signing,
    "keys.signing.get": _get_signing,
    "keys.signing.rotate": _rotate_signing,
    "keys.signing.revoke": _revoke_signing,
    "keys.encryption.create": _create_encryption,
    "keys.encryption.import": _import_encryption,
    "keys.encryption.create_public_wrapping_key": _wrapping_key,
    "keys.encryption.rekey": no_answer,
    "connections.keys.get": _list_connection_keys,
    "connections.keys.create": _create_connection_keys,
    "connections.keys.rotate": _rotate_connection_keys,
}
