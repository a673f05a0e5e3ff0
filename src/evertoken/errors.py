"""What can go wrong, as one tree.

    EvertokenError
    ├── ArgumentError (also a ValueError)     refused before anything was sent
    ├── PaginationLimitError                  offset paging cannot reach the rows asked for
    ├── TokenError                            no access token
    ├── TransportError                        no answer
    ├── DecodeError                           an answer that is not what it claims to be
    ├── EventStreamError                      an event stream that the API ended
    ├── StoreError (also an OSError)          a token store failed; clients go on without it
    └── APIError                              an error status
        ├── BadRequestError                   400
        ├── UnauthorizedError                 401
        ├── PaymentRequiredError              402
        ├── ForbiddenError                    403
        ├── NotFoundError                     404
        ├── ConflictError                     409
        ├── GoneError                         410
        ├── PreconditionFailedError           412
        ├── ContentTooLargeError              413
        ├── RateLimitError                    429
        └── ServerError                       5xx
            ├── InternalServerError           500
            └── ServiceUnavailableError       503

Every error survives pickle and copy, and its text is one line. None holds a secret, a token, a request, or a
response but as a `ResponseView`.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import TYPE_CHECKING, Final, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_ErrorT = TypeVar("_ErrorT", bound="EvertokenError")


class EvertokenError(Exception):
    """The root: whatever evertoken itself raises for a call that failed."""

    # Keyword-only constructors defeat the default, which calls the class with `args`.
    def __reduce__(self) -> str | tuple[object, ...]:
        return _restore, (type(self), self.args, dict(self.__dict__))

    def __str__(self) -> str:
        # An id, or what a server said, must not add lines to a log.
        text = super().__str__()
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

    def replica(self) -> Self:
        """Return an equal error to raise elsewhere.

        One exception raised in several threads would collect all their tracebacks.
        """
        return copy.copy(self)


def _restore(cls: type[_ErrorT], args: tuple[object, ...], attributes: dict[str, object]) -> _ErrorT:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ArgumentError(EvertokenError, ValueError):
    """An argument that cannot be right, found before anything was sent.

    `argument` is its name; for a value within a body it is the place, such as `body.callbacks[3]`.
    """

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument}: {problem}")
        self.argument = argument


class PaginationLimitError(EvertokenError):
    """Offset paging would go beyond the first 1,000 rows, where the API answers 400."""

    def __init__(self, *, operation: str, page: int, per_page: int) -> None:
        super().__init__(
            f"{operation}: page={page} with per_page={per_page} ends beyond row 1000, the last that "
            "page numbers reach; page with take= (checkpoint paging) where the operation has it, or "
            "narrow the list with its filters"
        )
        self.operation = operation
        self.page = page
        self.per_page = per_page


class TokenError(EvertokenError):
    """No access token could be had.

    `error` and `error_description` are those of RFC 6749, 5.2, where the token endpoint gave them;
    `status_code` is its status, None where no answer came. `retry_after` is the number of seconds after
    which another try makes sense, None where that is not known. `transient` tells that the same request
    may succeed later, `timed_out` that the endpoint did not answer in time.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        error: str | None = None,
        error_description: str | None = None,
        retry_after: float | None = None,
        transient: bool = False,
        timed_out: bool = False,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.error = error
        self.error_description = error_description
        self.retry_after = retry_after
        self.transient = transient
        self.timed_out = timed_out


class TransportError(EvertokenError):
    """No answer came: the connection failed, broke or timed out.

    `reason` is the name of the network error, such as `ReadTimeout`. `attempts` counts the requests.
    `status_code` is that of an answer which broke off, None where none had begun.
    `maybe_carried_out` tells that a request was sent, so that the API may have acted on it.
    """

    def __init__(
        self,
        *,
        method: str,
        path: str,
        reason: str,
        attempts: int,
        maybe_carried_out: bool,
        status_code: int | None = None,
    ) -> None:
        doubt = " the API may have acted on it: look before repeating;" if maybe_carried_out else ""
        what = "no answer" if status_code is None else f"{status_code}, but the answer broke off"
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(
            f"{method} {path}: {what} after {tries} ({reason});{doubt} check the network, domain and timeout"
        )
        self.method = method
        self.path = path
        self.reason = reason
        self.status_code = status_code
        self.attempts = attempts
        self.maybe_carried_out = maybe_carried_out


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResponseView:
    """What may be shown of a response.

    `headers` are those of a short list, such as `retry-after`, by lower-case names. `body` is at most 200
    characters, on one line, in which whatever looks like a token or a secret is masked. The token that was
    sent stands in neither.
    """

    status_code: int
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str], hash=False)
    body: str = ""


class DecodeError(EvertokenError):
    """The answer's body is not what its status promises, such as HTML with 200.

    `problem` says what is the matter, `request_id` finds the call in Auth0's support, `response` is what
    may be shown of the answer.
    """

    def __init__(
        self,
        *,
        method: str,
        path: str,
        status_code: int,
        problem: str,
        request_id: str | None = None,
        response: ResponseView | None = None,
    ) -> None:
        super().__init__(f"{method} {path}: {status_code}, but {problem}")
        self.method = method
        self.path = path
        self.status_code = status_code
        self.problem = problem
        self.request_id = request_id
        self.response = response


class EventStreamError(EvertokenError):
    """The API ended an event stream for good.

    `code` and `message` are the API's own words, `offset` is the place in the stream that it names.
    `last_event_id` is that of the last event that came.
    """

    def __init__(
        self,
        *,
        path: str,
        code: str | None = None,
        message: str | None = None,
        offset: str | None = None,
        last_event_id: str = "",
    ) -> None:
        what = f"{code or 'error'} ({message})" if message else code or "error"
        super().__init__(f"GET {path}: the stream ended with {what}; {_EVENT_ADVICE.get(code, _GO_ON)}")
        self.path = path
        self.code = code
        self.message = message
        self.offset = offset
        self.last_event_id = last_event_id


_GO_ON: Final = "subscribe again, from last_event_id"
_START_ANEW: Final = "subscribe anew, with from_timestamp in place of from"
_EVENT_ADVICE: Final[dict[str | None, str]] = {
    "invalid_cursor": _START_ANEW,
    "cursor_expired": _START_ANEW,
    "payload_too_large": "subscribe again, from the error's offset, to leave that event out",
}


@dataclasses.dataclass(frozen=True, slots=True)
class RateLimit:
    """The token bucket that an answer tells of.

    `limit` is its size, `remaining` what is left in it, `reset` the Unix second when more is added.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None


class APIError(EvertokenError):
    """The API answered with an error status.

    `message`, `error` and `error_code` are the API's own words. `required_scopes` are those of which
    the token lacks any one (403). `retry_after` is in seconds. `request_id` finds the call in Auth0's
    support, `correlation_id` in the tenant's logs. `response` is what may be shown of the answer.
    """

    def __init__(
        self,
        *,
        method: str,
        path: str,
        status_code: int,
        error: str | None = None,
        error_code: str | None = None,
        message: str | None = None,
        required_scopes: tuple[str, ...] = (),
        retry_after: float | None = None,
        rate_limit: RateLimit | None = None,
        request_id: str | None = None,
        correlation_id: str | None = None,
        response: ResponseView | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.status_code = status_code
        self.error = error
        self.error_code = error_code
        self.message = message
        self.required_scopes = required_scopes
        self.retry_after = retry_after
        self.rate_limit = rate_limit
        self.request_id = request_id
        self.correlation_id = correlation_id
        self.response = response
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        what = " ".join(word for word in (self.error_code or self.error, self._detail()) if word)
        return f"{f'{self.method} {self.path}: {self.status_code} {what}'.rstrip()}; {self._advice()}"

    def _detail(self) -> str:
        return f"({self.message})" if self.message else ""

    def _advice(self) -> str:
        """Return what to do next."""
        return "the Management API documents no such status: check domain, base_url and proxies"


class BadRequestError(APIError):
    """400: the request does not fit the operation."""

    def _advice(self) -> str:
        return "correct the arguments: the same call cannot succeed"


class UnauthorizedError(APIError):
    """401: the token was refused, and so was the one that replaced it."""

    def _advice(self) -> str:
        return "check that domain and audience are of the same tenant and that the grant exists"


class PaymentRequiredError(APIError):
    """402: the tenant's plan does not include this."""

    def _advice(self) -> str:
        return "the tenant's plan does not include this: change the plan, or do without"


class ForbiddenError(APIError):
    """403: the token is good, but not for this."""

    def _advice(self) -> str:
        if not self.required_scopes:
            return "check the application's grant, and what the tenant's plan and settings allow"
        return (
            f"the token lacks {' or '.join(self.required_scopes)}: "
            "grant it to the application for the Management API"
        )


class NotFoundError(APIError):
    """404: there is no such thing."""

    def _advice(self) -> str:
        return "check the id, and that the domain is that of the tenant which has it"


class ConflictError(APIError):
    """409: it exists already, or was changed meanwhile."""

    def _advice(self) -> str:
        return "read what is there, then update that or take another name"


class GoneError(APIError):
    """410: it was there, and is not any more."""

    def _advice(self) -> str:
        return "it will not come back: begin anew without it"


class PreconditionFailedError(APIError):
    """412: what is there is not in the state that this needs."""

    def _advice(self) -> str:
        return "read its state, bring it into the one that this needs, then call again"


class ContentTooLargeError(APIError):
    """413: the body is larger than the API takes."""

    def _advice(self) -> str:
        return "send less at a time"


class RateLimitError(APIError):
    """429: too many requests, and waiting is beyond the patience of the caller."""

    def _advice(self) -> str:
        if self.retry_after is None:
            return "try again later"
        return f"try again in {math.ceil(self.retry_after)} s"


class ServerError(APIError):
    """5xx: Auth0 failed."""

    def _advice(self) -> str:
        return "try again later, and give Auth0's support the request id if it persists"


class InternalServerError(ServerError):
    """500: Auth0 failed over this request."""


class ServiceUnavailableError(ServerError):
    """503: Auth0 does not serve at the moment."""


_BY_STATUS: Final[dict[int, type[APIError]]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    402: PaymentRequiredError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    412: PreconditionFailedError,
    413: ContentTooLargeError,
    429: RateLimitError,
    500: InternalServerError,
    503: ServiceUnavailableError,
}


def class_for_status(status_code: int) -> type[APIError]:
    """Return the class of the tree that stands for an error status."""
    return _BY_STATUS.get(status_code, ServerError if status_code >= 500 else APIError)
