"""RS256 access tokens: issued, verified, revoked; and the keys that sign them."""

from __future__ import annotations

import dataclasses
import functools
import secrets
import threading
from typing import TYPE_CHECKING, Final, cast

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from evertoken_tenant.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken_tenant.call import Json, Row

_VERIFIED_MOST: Final = 1024  # tokens whose signature need not be checked again
_CHECKS_OF_OURS: Final = {
    # The claims are judged below, by the tenant's clock.
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclasses.dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key and the id that tokens name it by."""

    kid: str
    private: rsa.RSAPrivateKey = dataclasses.field(repr=False)

    @classmethod
    def generate(cls) -> SigningKey:
        """Return a fresh key of 2048 bits."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return cls(secrets.token_urlsafe(16), private)

    def jwk(self) -> Row:
        """Return the public half as a JSON Web Key."""
        public = cast("Row", RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True))
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": public["n"],
            "e": public["e"],
        }


_generating = threading.Lock()


@functools.cache
def _first_key() -> SigningKey:
    return SigningKey.generate()


def process_key() -> SigningKey:
    """Return the key that all tenants of this process begin with: making one takes about 0.1 s."""
    # functools.cache alone would let two threads make, and then use, different keys.
    with _generating:
        return _first_key()


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """What a verified token allows."""

    client_id: str
    scopes: frozenset[str]


class Tokens:
    """The tenant's signing keys and the tokens made with them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: tuple[SigningKey, ...] = ()
        self._verified: dict[str, Mapping[str, Json]] = {}
        self._epoch = secrets.token_hex(6)

    def accepted(self) -> tuple[SigningKey, ...]:
        """Return the keys that are accepted, the one that signs first."""
        if not self._keys:
            first = process_key()
            with self._lock:
                self._keys = self._keys or (first,)
        return self._keys

    def rotate(self, *, revoke_previous: bool) -> None:
        """Sign with a fresh key from now on; tokens of the others stay good unless they are revoked."""
        fresh = SigningKey.generate()
        previous = () if revoke_previous else self.accepted()
        with self._lock:
            self._keys = (fresh, *previous)
            self._verified.clear()

    def drop_key(self, kid: str) -> None:
        """Refuse the tokens that a key has signed."""
        with self._lock:
            self._keys = tuple(key for key in self._keys if key.kid != kid)
            self._verified.clear()

    def revoke(self) -> None:
        """Refuse every token issued so far."""
        self._epoch = secrets.token_hex(6)

    def issue(self, claims: Mapping[str, Json]) -> str:
        """Return a signed token with these claims and a `jti`."""
        key = self.accepted()[0]
        # The epoch tells tokens from before a revocation, and those of other tenants in this process.
        payload = {**claims, "jti": self._epoch + secrets.token_hex(10)}
        return jwt.encode(payload, key.private, "RS256", headers={"kid": key.kid})

    def verify(self, token: str, *, issuer: str, audience: str, now: float) -> Grant:
        """Return what the token allows. Raises RefusedError (401) where it is not, or no longer, good."""
        claims = self._verified.get(token) or self._check_signature(token)
        if claims.get("iss") != issuer or not str(claims.get("jti")).startswith(self._epoch):
            raise refuse(401, "Invalid token")
        if claims.get("aud") != audience:
            raise refuse(401, f"Bad audience: {claims.get('aud')}")
        expires_at = claims.get("exp")
        if not isinstance(expires_at, int) or now >= expires_at:
            raise refuse(401, "Expired token received for JSON Web Token validation")
        return Grant(str(claims["azp"]), frozenset(str(claims["scope"]).split()))

    def _check_signature(self, token: str) -> Mapping[str, Json]:
        keys = {key.kid: key for key in self.accepted()}
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if kid not in keys:
                raise refuse(401, "Invalid token")
            public = keys[kid].private.public_key()
            claims = cast(
                "Mapping[str, Json]",
                jwt.decode(token, public, algorithms=["RS256"], options=dict(_CHECKS_OF_OURS)),  # type: ignore[arg-type]  # a TypedDict by another name
            )
        except jwt.InvalidSignatureError:
            raise refuse(401, "Invalid signature received for JSON Web Token validation") from None
        except jwt.PyJWTError:
            raise refuse(401, "Invalid token") from None
        with self._lock:
            while len(self._verified) >= _VERIFIED_MOST:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = claims
        return claims
