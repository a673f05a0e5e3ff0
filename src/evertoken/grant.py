"""The client-credentials grant (RFC 6749, 4.4): what is asked, and what the answer means. No I/O."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import urllib.parse
from typing import TYPE_CHECKING, Final, Protocol, cast

from evertoken.errors import ArgumentError, TokenError
from evertoken.redact import excerpt
from evertoken.retry import TRANSIENT, server_delay
from evertoken.token import AccessToken, Secret, is_bearer

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_LIFETIME: Final = 3600.0
"""Seconds a token is taken to live where the answer does not say (RFC 6749, 5.1 leaves it open)."""

LONGEST_LIFETIME: Final = 30 * 86400.0
"""Seconds: the most that Auth0 can be set to. A larger number is a mistake somewhere."""

MEDIA_TYPE: Final = "application/x-www-form-urlencoded"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class TokenRequest:
    """What a grant sends to the token endpoint: form fields and headers. Both may hold a secret."""

    form: Mapping[str, str]
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])

    def body(self) -> bytes:
        """Return the form, encoded as RFC 6749, appendix B says."""
        return urllib.parse.urlencode(self.form).encode("ascii")


class Grant(Protocol):
    """A way for an application to prove who it is to the token endpoint."""

    @property
    def client_id(self) -> str:
        """The application's client id."""
        ...

    def request(self, *, issuer: str, audience: str, organization: str | None) -> TokenRequest:
        """Return a token request. It is asked for anew before every attempt."""
        ...


class ClientSecretPost:
    """Client id and secret in the form: `client_secret_post` (RFC 6749, 2.3.1)."""

    __slots__ = ("_client_id", "_secret")

    def __init__(self, client_id: str, client_secret: str | Secret) -> None:
        # Rebound before anything can raise: a traceback's locals show no secret.
        client_secret = Secret.wrap(client_secret) or Secret("")
        self._client_id = check_text("client_id", client_id)
        self._secret = _checked(client_secret)

    @property
    def client_id(self) -> str:
        """The application's client id."""
        return self._client_id

    def request(self, *, issuer: str, audience: str, organization: str | None) -> TokenRequest:
        """Return the form that Auth0 documents for the grant."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._secret.reveal(),
            "audience": audience,
        }
        return TokenRequest(_with_organization(form, organization))

    def __repr__(self) -> str:
        # An error tracker asks for it when the constructor has raised, too.
        return f"{type(self).__name__}(client_id={getattr(self, '_client_id', None)!r})"


class ClientSecretBasic(ClientSecretPost):
    """Client id and secret in the Authorization header: `client_secret_basic` (RFC 6749, 2.3.1)."""

    __slots__ = ()

    def request(self, *, issuer: str, audience: str, organization: str | None) -> TokenRequest:
        """Return the form without credentials, and the header that holds them."""
        form = {"grant_type": "client_credentials", "audience": audience}
        # Each part is form-encoded before they are joined: an id may hold a colon.
        pair = ":".join(
            urllib.parse.quote_plus(part, safe="") for part in (self._client_id, self._secret.reveal())
        )
        header = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        return TokenRequest(_with_organization(form, organization), {"Authorization": header})


def check_text(argument: str, value: object) -> str:
    """Return an identifier if it can be sent; raise ArgumentError if it cannot."""
    problem = _text_problem(value)
    if problem is not None:
        raise ArgumentError(argument, problem)
    return cast("str", value)


def parse_answer(
    *, endpoint: str, status_code: int, headers: Mapping[str, str], body: bytes, asked_at: float
) -> AccessToken:
    """Return the token of a token endpoint's answer, or raise TokenError.

    `asked_at` is the Unix time before the request was sent: the token's life is counted from there.
    Never quotes a body that may hold a token.
    """
    fields = _json_object(body)
    if status_code != 200:
        raise _refusal(
            endpoint=endpoint,
            status_code=status_code,
            headers=headers,
            fields=fields,
            quoted=excerpt(body),
            asked_at=asked_at,
        )
    problem = _problem(fields)
    if problem is not None:
        raise TokenError(
            f"POST {endpoint}: 200, but {problem}; check that domain is the tenant's and no proxy answers",
            status_code=status_code,
        )
    lifetime = _lifetime(fields.get("expires_in"))
    scope = fields.get("scope")
    return AccessToken(
        value=cast("str", fields["access_token"]),
        issued_at=asked_at,
        expires_at=asked_at + lifetime,
        scope=scope if isinstance(scope, str) else None,
    )


def _refusal(
    *,
    endpoint: str,
    status_code: int,
    headers: Mapping[str, str],
    fields: Mapping[str, object],
    quoted: str,
    asked_at: float,
) -> TokenError:
    error, description = (
        excerpt(value) if isinstance(value := fields.get(name), str) else None
        for name in ("error", "error_description")
    )
    words = ": ".join(word for word in (error, description) if word) or quoted or "no reason given"
    transient = status_code in TRANSIENT
    retry_after = server_delay(headers, asked_at) if transient else None
    if retry_after is not None:
        advice = f"try again in {retry_after:.0f} s"
    elif transient:
        advice = "try again later"
    elif 300 <= status_code < 400:
        advice = "a redirect is not followed with credentials: check the domain"
    else:
        advice = "check client id, secret, audience and the application's grant for the Management API"
    return TokenError(
        f"POST {endpoint}: {status_code} {words}; {advice}",
        status_code=status_code,
        error=error,
        error_description=description,
        retry_after=retry_after,
        transient=transient,
    )


def _problem(fields: Mapping[str, object]) -> str | None:
    """Return what is wrong with the fields of a 200, None where they make a token."""
    token = fields.get("access_token")
    if not fields:
        return "the body is no JSON object"
    if not isinstance(token, str) or not token:
        return "there is no access_token in it"
    if not is_bearer(token):
        return "its access_token is not printable ASCII"
    kind = fields.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return "its token_type is not Bearer"
    return None


def _lifetime(expires_in: object) -> float:
    """Return the seconds a token lives: 0 for one that is used once."""
    if isinstance(expires_in, str):
        try:
            expires_in = float(expires_in)
        except ValueError:
            return DEFAULT_LIFETIME
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or math.isnan(expires_in):
        return DEFAULT_LIFETIME
    return max(0.0, float(min(expires_in, LONGEST_LIFETIME)))


def _json_object(body: bytes) -> dict[str, object]:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _with_organization(form: dict[str, str], organization: str | None) -> dict[str, str]:
    return form if organization is None else {**form, "organization": organization}


def _checked(secret: Secret) -> Secret:
    # The frame that raises has never held the bare string.
    problem = _text_problem(secret.reveal())
    if problem is not None:
        raise ArgumentError("client_secret", problem)
    return secret


def _text_problem(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return "empty or no string; give the application's value from Auth0"
    if value != value.strip() or not value.isprintable():
        return "begins or ends with white space, or holds control characters; was it read with its line end?"
    return None
