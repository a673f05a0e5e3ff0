"""The client-credentials grant (RFC 6749, 4.4): what is asked, and what the answer means. No I/O."""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import urllib.parse
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, Protocol, cast

from evertoken.errors import ArgumentError, TokenError
from evertoken.redact import excerpt
from evertoken.retry import TRANSIENT, server_delay
from evertoken.rotation import Found, Secrets, then
from evertoken.secret import Alike, GivenSecret, hide, text_problem
from evertoken.token import AccessToken, is_bearer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Again = Callable[[], "TokenRequest | Awaitable[TokenRequest | None] | None"]

DEFAULT_LIFETIME: Final = 3600.0
"""Seconds a token is taken to live where the answer does not say (RFC 6749, 5.1 leaves it open)."""

LONGEST_LIFETIME: Final = 30 * 86400.0
"""Seconds: the most that Auth0 can be set to. A larger number is a mistake somewhere."""

MEDIA_TYPE: Final = "application/x-www-form-urlencoded"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class TokenRequest:
    """What a grant sends to the token endpoint: form fields and headers. Both may hold a secret.

    `again` is called when the endpoint refuses the credentials (400, 401 or 403). It returns another
    request to try at once, or None to give up; it may block, and what it returns may have to be awaited.
    """

    form: Mapping[str, str]
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    again: Again | None = None

    def body(self) -> bytes:
        """Return the form, encoded as RFC 6749, appendix B says."""
        return urllib.parse.urlencode(self.form).encode("ascii")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a TokenRequest is not pickled: it holds credentials")


class Grant(Protocol):
    """A way for an application to prove who it is to the token endpoint.

    Clients share a token if their grants are equal: those that would prove the same, for ever.
    """

    @property
    def client_id(self) -> str:
        """The application's client id."""
        ...

    def request(
        self, *, issuer: str, audience: str, organization: str | None
    ) -> TokenRequest | Awaitable[TokenRequest]:
        """Return a token request, or something to await for it. It is asked for anew before every attempt.

        `issuer` is the tenant's origin with a slash. It may block: it is called off the event loop.
        Raises TokenError where the credentials cannot be read.
        """
        ...


class ClientSecretPost(Alike):
    """Client id and secret in the form: `client_secret_post` (RFC 6749, 2.3.1).

    `client_secret` is a string, or where to find it: an `EnvironmentSecret`, a `FileSecret`, or a callable
    (async for AsyncManagementClient). A list of them, the current and the next secret, allows rotation
    with no gap. A source is read for every token request, so a rotated secret needs no restart; when the
    token endpoint refuses a secret, its source is asked again, then the next one. Raises ArgumentError for
    a string that cannot be a secret; a source that cannot be read is a TokenError when a token is needed.
    """

    __slots__ = ("_client_id", "_secrets")

    endpoint_from_discovery: ClassVar[bool] = False

    def __init__(self, client_id: str, client_secret: GivenSecret) -> None:
        # Rebound before anything can raise: a traceback's locals show no secret.
        client_secret = hide(client_secret)
        self._client_id = check_text("client_id", client_id)
        self._secrets = Secrets("client_secret", client_secret)

    @property
    def client_id(self) -> str:
        """The application's client id."""
        return self._client_id

    def request(
        self,
        *,
        issuer: str,
        audience: str,
        organization: str | None,
    ) -> TokenRequest | Awaitable[TokenRequest]:
        """Return the request with the secret that its source gives now."""
        fields = grant_fields(audience, organization)
        return then(self._secrets.find(), functools.partial(self._with, fields))

    def _with(self, fields: Mapping[str, str], found: Found) -> TokenRequest:
        again = None if self._secrets.is_fixed else functools.partial(self._again, fields, found)
        return self._signed(fields, found, again)

    def _again(
        self, fields: Mapping[str, str], refused: Found
    ) -> TokenRequest | Awaitable[TokenRequest | None] | None:
        return then(
            self._secrets.find_another(refused),
            lambda found: None if found is None else self._with(fields, found),
        )

    def _signed(self, fields: Mapping[str, str], found: Found, again: Again | None) -> TokenRequest:
        form = {**fields, "client_id": self._client_id, "client_secret": found.secret.reveal()}
        return TokenRequest(form, again=again)

    def _parts(self) -> tuple[object, ...]:
        return (self._client_id, self._secrets)

    def __repr__(self) -> str:
        # An error tracker asks for it when the constructor has raised, too.
        return f"{type(self).__name__}(client_id={getattr(self, '_client_id', None)!r})"


class ClientSecretBasic(ClientSecretPost):
    """Client id and secret in the Authorization header: `client_secret_basic` (RFC 6749, 2.3.1).

    `client_secret` is what `ClientSecretPost` takes.
    """

    __slots__ = ()

    def _signed(self, fields: Mapping[str, str], found: Found, again: Again | None) -> TokenRequest:
        # Each part is form-encoded before they are joined: an id may hold a colon.
        pair = ":".join(
            urllib.parse.quote_plus(part, safe="") for part in (self._client_id, found.secret.reveal())
        )
        header = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        return TokenRequest(fields, {"Authorization": header}, again)


def grant_fields(audience: str, organization: str | None) -> dict[str, str]:
    """Return the form that every grant sends, without credentials."""
    fields = {"grant_type": "client_credentials", "audience": audience}
    return fields if organization is None else {**fields, "organization": organization}


def check_text(argument: str, value: object) -> str:
    """Return an identifier if it can be sent; raise ArgumentError if it cannot."""
    problem = text_problem(value)
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
    fields = json_object(body)
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
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or expires_in != expires_in:  # noqa: PLR0124 - NaN
        return DEFAULT_LIFETIME
    return max(0.0, float(min(expires_in, LONGEST_LIFETIME)))


def json_object(body: bytes) -> dict[str, object]:
    """Return the fields of a JSON object, none where the body is no such thing."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
