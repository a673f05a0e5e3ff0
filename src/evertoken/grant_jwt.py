"""Client authentication with a signed assertion: `private_key_jwt` (RFC 7523, 2.2)."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import os
import secrets
import time
from typing import TYPE_CHECKING, ClassVar, Final, Literal, NoReturn, TypeVar, cast

from evertoken.errors import ArgumentError, TokenError
from evertoken.grant import TokenRequest, check_text, grant_fields
from evertoken.secret import Alike, SecretFile, check_path
from evertoken.token import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

T = TypeVar("T")

ALGORITHMS: Final = ("RS256", "RS384", "PS256")
"""What Auth0 accepts."""

LONGEST_ASSERTION: Final = 300
"""Seconds that Auth0 lets an assertion live."""

SMALLEST_KEY: Final = 2048
"""Bits (RFC 7518, 3.3)."""

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class PrivateKeyJWT(Alike):
    """An assertion signed with the application's private key: `private_key_jwt` (RFC 7523, 2.2).

    `key` is an RSA private key of at least 2048 bits: PEM as text or bytes, the path of a PEM file (read
    again for every token request, so that a replaced key needs no restart), or a private key object of
    cryptography. `passphrase` is that of an encrypted PEM. `algorithm` is RS256, RS384 or PS256. `kid` names
    the key among several of the application; Auth0 finds it without, too.

    Every token request gets an assertion of its own, with its own `jti`, that lives `lifetime` seconds: Auth0
    advises 60 at most and refuses more than 300. Its audience is the issuer, `https://{domain}/`, unless
    `audience` says otherwise. `clock` gives the Unix time.

    Needs the extra `jwt`: ModuleNotFoundError where it is not installed. Raises ArgumentError, which never
    shows the key, for one that cannot be used; a file that cannot be read later on is a TokenError when a
    token is needed.
    """

    __slots__ = ("_algorithm", "_audience", "_client_id", "_clock", "_key", "_kid", "_lifetime")

    endpoint_from_discovery: ClassVar[bool] = False

    def __init__(
        self,
        client_id: str,
        key: str | bytes | os.PathLike[str] | RSAPrivateKey | Secret,
        *,
        algorithm: Literal["RS256", "RS384", "PS256"] = "RS256",
        kid: str | None = None,
        passphrase: str | bytes | Secret | None = None,
        lifetime: int = 60,
        audience: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # Rebound before anything can raise: a traceback's locals show neither key nor passphrase.
        key = _hidden(key)
        passphrase = _hidden(passphrase)
        _check_installed()
        self._client_id = check_text("client_id", client_id)
        self._algorithm = _check_algorithm(algorithm)
        self._kid = None if kid is None else check_text("kid", kid)
        self._lifetime = _check_lifetime(lifetime)
        self._audience = None if audience is None else check_text("audience", audience)
        self._clock = clock
        self._key = _Key.of(key, _check_passphrase(passphrase))

    @property
    def client_id(self) -> str:
        """The application's client id."""
        return self._client_id

    def request(self, *, issuer: str, audience: str, organization: str | None) -> TokenRequest:
        """Return the form with a fresh assertion."""
        fields = {**grant_fields(audience, organization), "client_id": self._client_id}
        return self._with(fields, self._audience or issuer, self._key.load())

    def _with(self, fields: dict[str, str], audience: str, key: _Loaded) -> TokenRequest:
        again = functools.partial(self._again, fields, audience, key) if self._key.file else None
        # No local of this frame holds the assertion: until it expires, it is as good as a secret.
        return TokenRequest(
            {
                **fields,
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": _sign(
                    self._claims(audience), key.private, self._algorithm, self._kid
                ).reveal(),
            },
            again=again,
        )

    def _again(self, fields: dict[str, str], audience: str, refused: _Loaded) -> TokenRequest | None:
        """Return a request with the key that the file holds by now, None where that is still the same."""
        try:
            key = self._key.load()
        except TokenError:
            return None  # the refusal tells more
        if key.pem == refused.pem:
            return None
        # Once only: the file may be replaced for ever.
        return dataclasses.replace(self._with(fields, audience, key), again=None)

    def _claims(self, audience: str) -> dict[str, object]:
        now = int(self._clock())
        # No nbf: a clock a second ahead of Auth0's would have the assertion refused.
        return {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": audience,
            "iat": now,
            "exp": now + self._lifetime,
            "jti": secrets.token_urlsafe(24),
        }

    def _parts(self) -> tuple[object, ...]:
        claims = (self._client_id, self._algorithm, self._kid, self._lifetime, self._audience, self._clock)
        return (*claims, *self._key.parts)

    def __repr__(self) -> str:
        # An error tracker asks for it when the constructor has raised, too.
        shown = ", ".join(
            f"{name}={getattr(self, f'_{name}', None)!r}" for name in ("client_id", "algorithm", "kid")
        )
        return f"PrivateKeyJWT({shown})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a PrivateKeyJWT is not pickled: hand the process its key another way")


@dataclasses.dataclass(frozen=True, slots=True)
class _Loaded:
    """A key ready to sign, with the PEM it was read from."""

    private: RSAPrivateKey = dataclasses.field(repr=False)
    pem: Secret | None = None


class _Key:
    """The application's key; read again where it comes from a file."""

    __slots__ = ("_loaded", "_passphrase", "file")

    def __init__(self, loaded: _Loaded, file: SecretFile | None, passphrase: Secret | None) -> None:
        self._loaded = loaded
        self.file = file
        self._passphrase = passphrase

    @classmethod
    def of(cls, key: object, passphrase: Secret | None) -> _Key:
        """Return the key that was given; raise ArgumentError where it cannot be used."""
        file = _file_of(key)
        if file is not None:
            key = _first_read(file)
        loaded = _load(key, passphrase) if isinstance(key, Secret) else _accept(key, passphrase)
        if isinstance(loaded, _Loaded):
            return cls(loaded, file, passphrase)
        argument, problem = loaded
        raise ArgumentError(argument, problem if file is None else f"{file.path}: {problem}")

    @property
    def parts(self) -> tuple[object, ...]:
        return (self.file or self._loaded.pem or self._loaded.private, self._passphrase)

    def load(self) -> _Loaded:
        """Return the key that is to be used now. Raises TokenError where its file holds none."""
        if self.file is None:
            return self._loaded
        pem = self.file.read()
        if pem == self._loaded.pem:
            return self._loaded
        if isinstance(loaded := _load(pem, self._passphrase), _Loaded):
            self._loaded = loaded
            return loaded
        argument, problem = loaded
        # It may be half-written: worth another attempt.
        raise TokenError(f"{argument}: {self.file.path}: {problem}", transient=True)


def _hidden(value: T) -> T | Secret:
    if isinstance(value, bytes):
        return Secret(value.decode("utf-8", "surrogateescape"))
    return Secret(value) if isinstance(value, str) else value


def _first_read(file: SecretFile) -> Secret:
    try:
        return file.read()
    except TokenError as error:
        problem = str(error)
    raise ArgumentError("key", problem)


def _check_installed() -> None:
    for module in ("jwt", "cryptography"):
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(
                "PrivateKeyJWT needs the extra jwt: pip install 'evertoken[jwt]'", name=module
            )


def _check_algorithm(algorithm: object) -> str:
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise ArgumentError(
            "algorithm", f"{algorithm!r} is not accepted by Auth0; give one of {', '.join(ALGORITHMS)}"
        )
    return algorithm


def _check_lifetime(lifetime: object) -> int:
    if isinstance(lifetime, bool) or not isinstance(lifetime, int) or not 1 <= lifetime <= LONGEST_ASSERTION:
        raise ArgumentError(
            "lifetime",
            f"{lifetime!r} is no whole number of seconds from 1 to {LONGEST_ASSERTION}; Auth0 advises 60",
        )
    return lifetime


def _check_passphrase(passphrase: object) -> Secret | None:
    if passphrase is None:
        return None
    if isinstance(passphrase, Secret) and passphrase.reveal():
        return passphrase
    raise ArgumentError("passphrase", "empty or no string; leave it out for a key that is not encrypted")


def _file_of(key: object) -> SecretFile | None:
    """Return the file of a path; of a short text that is no PEM, too, where there is such a file."""
    if isinstance(key, os.PathLike):
        return SecretFile(check_path("key", cast("os.PathLike[str]", key)))
    if not isinstance(key, Secret) or "-----BEGIN" in key.reveal():
        return None
    # The text may be a key that lost its first line: only the path of a file that exists is ever shown.
    try:
        exists = os.path.isfile(key.reveal())  # noqa: PTH113 - a text that is no path shall not raise
    except ValueError:
        return None
    return SecretFile(check_path("key", key.reveal())) if exists else None


# These return what is wrong as (argument, problem): the frame that raises has no foreign error in hand.


def _load(pem: Secret, passphrase: Secret | None) -> _Loaded | tuple[str, str]:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra, and slow to import
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - the same

    try:
        key: object = load_pem_private_key(
            pem.reveal().encode("utf-8", "surrogateescape"),
            None if passphrase is None else passphrase.reveal().encode("utf-8", "surrogateescape"),
        )
    except TypeError:
        # What cryptography raises where it lacks a passphrase, or has one too many.
        if passphrase is None:
            return "passphrase", "missing; the key is encrypted"
        return "passphrase", "given, but the key is not encrypted; leave it out"
    except (ValueError, UnsupportedAlgorithm):
        if passphrase is not None and "ENCRYPTED" in pem.reveal():
            return "passphrase", "does not open the key, or the key is damaged"
        return (
            "key",
            "no private key in PEM (with its line ends); give its text, or the path of an existing file",
        )
    return _accept(key, None, pem)


def _accept(key: object, passphrase: Secret | None, pem: Secret | None = None) -> _Loaded | tuple[str, str]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - as in _load

    if not isinstance(key, RSAPrivateKey):
        return "key", f"{type(key).__name__} is no RSA private key; {', '.join(ALGORITHMS)} need one"
    if key.key_size < SMALLEST_KEY:
        return "key", f"{key.key_size} bits; make one of at least {SMALLEST_KEY}"
    if passphrase is not None:
        return "passphrase", "given beside a key object; leave it out"
    return _Loaded(key, pem)


def _sign(claims: dict[str, object], key: RSAPrivateKey, algorithm: str, kid: str | None) -> Secret:
    import jwt  # noqa: PLC0415 - an extra

    try:
        return Secret(jwt.encode(claims, key, algorithm, None if kid is None else {"kid": kid}))
    except Exception as error:  # noqa: BLE001 - a key object may be that of a device, which may raise anything
        failed = type(error).__name__
    raise TokenError(f"key: could not sign ({failed}); check the device that holds it", transient=True)
