"""`httpx.Auth` for a token that is managed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import httpx

from evertoken.auth import allowed_origins, is_allowed
from evertoken.clock import SYSTEM_CLOCK, Clock
from evertoken.errors import ArgumentError, TokenError
from evertoken.flow import Call, Read, StepAuth, Steps
from evertoken.origin import parse_domain
from evertoken.token import Secret, is_bearer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class BearerAuth(StepAuth):
    """Adds a token that is managed elsewhere: a string, or a callable that returns one, async or not.

    The callable is asked for every request, and once more after 401: if it then returns another token,
    the request is sent once more.
    """

    def __init__(
        self,
        *,
        domain: str,
        token: str | Secret | Callable[[], str] | Callable[[], Awaitable[str]],
        base_url: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        token = token if callable(token) else Secret.wrap(token) or Secret("")
        super().__init__(clock)
        self._origins = allowed_origins(parse_domain(domain), base_url)
        self._token: Secret | Callable[[], object] = token
        if isinstance(token, Secret) and not is_bearer(token.reveal()):
            raise ArgumentError("token", "empty, or not the printable ASCII of an access token")

    def steps(self, request: httpx.Request) -> Steps[None]:
        """Yield the request with the token; after 401 once more if there is another one by now."""
        if not is_allowed(request, self._origins):
            yield request
            return
        token = yield from self._current()
        response = yield from _send_with(request, token)
        if response.status_code != 401 or not isinstance(request.stream, httpx.ByteStream):
            return
        newer = yield from self._current()
        if newer != token:
            yield Read(response)
            yield from _send_with(request, newer)

    def _current(self) -> Steps[Secret]:
        if isinstance(self._token, Secret):
            return self._token
        problem, token = "", None
        try:
            token = Secret.wrap((yield Call(self._token)))
        except httpx.RequestError as error:
            problem = type(error).__name__
        if problem:
            # Else it would be taken for the API's own: no request went there.
            raise TokenError(f"token: the callable had no answer ({problem}); try later", transient=True)
        if token is None or not is_bearer(token.reveal()):
            raise TokenError("token: the callable returned no access token; return printable ASCII")
        return token


def _send_with(request: httpx.Request, token: Secret) -> Steps[httpx.Response]:
    request.headers["Authorization"] = f"Bearer {token.reveal()}"
    return cast("httpx.Response", (yield request))
