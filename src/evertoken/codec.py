"""From an operation to a request, and from an answer to a typed value or an error."""

from __future__ import annotations

import base64
import json
import platform
import re
import time
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast

import httpx

from evertoken import drift, multipart, paging
from evertoken._version import __version__
from evertoken.content import encode_body
from evertoken.correlation import current_correlation_id
from evertoken.errors import APIError, ArgumentError, DecodeError, ResponseView, class_for_status
from evertoken.operation import EventsOperation, ListOperation, Multipart, Operation, RequestOptions
from evertoken.options import check_headers, check_options, check_timeout
from evertoken.redact import excerpt, view, without
from evertoken.retry import SAFE, rate_limit, server_delay
from evertoken.sse import SILENCE, ServerSentEvent
from evertoken.target import encode_query, expand_path

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

CUSTOM_DOMAIN_PATHS: Final = frozenset(
    {
        "/jobs/verification-email",
        "/tickets/email-verification",
        "/tickets/password-change",
        "/organizations/{id}/invitations",
        "/users",
        "/users/{id}",
        "/guardian/enrollments/ticket",
        "/self-service-profiles/{id}/sso-ticket",
    }
)
"""The paths on which the API honours Auth0-Custom-Domain."""

_EXPECTED_SCOPES: Final = re.compile(r"expected any of: *([\w:.,\- ]+)")


class Codec:
    """Encodes for one tenant.

    `timeout` is in seconds, None for that of the httpx client. `strict` makes an answer that does not fit
    the spec an error. `on_drift` is told of each place once.
    """

    def __init__(
        self,
        *,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        custom_domain: str | None = None,
        client_info: Mapping[str, object] | Literal[False] | None = None,
        timeout: float | None = None,
        strict: bool = False,
        on_drift: drift.Listener | None = None,
    ) -> None:
        self._timeout = timeout
        self._reports = drift.Reports(on_drift)
        self.base_url: str = base_url
        self._custom_domain = custom_domain
        self._strict = strict
        # Not a dict: what is given later takes the place, however its name is spelled.
        self._headers = httpx.Headers({"Accept": "application/json"})
        if client_info is not False:
            self._headers["Auth0-Client"] = telemetry(client_info)
        self._headers.update(check_headers("headers", headers or {}))

    def encode(
        self,
        client: httpx.Client | httpx.AsyncClient,
        operation: Operation[object],
        options: RequestOptions,
    ) -> httpx.Request:
        """Return the request of an operation, with the defaults of the httpx client that will send it.

        Raises ArgumentError or PaginationLimitError for what the API could only refuse.
        """
        check_options(options)
        paging.check_query(operation)
        headers = httpx.Headers(self._headers)
        if self._custom_domain is not None and operation.path in CUSTOM_DOMAIN_PATHS:
            headers["Auth0-Custom-Domain"] = self._custom_domain
        given = options.get("correlation_id")
        if operation.method not in SAFE and (correlation := given or current_correlation_id()) is not None:
            headers["X-Correlation-ID"] = correlation
        more = check_headers("additional_headers", options.get("additional_headers", {}))
        query = {**operation.query, **options.get("additional_query_parameters", {})}
        seconds = options.get("timeout_in_seconds", self._timeout)
        timeout = (
            httpx.USE_CLIENT_DEFAULT if seconds is None else check_timeout("timeout_in_seconds", seconds)
        )
        url = self.base_url + expand_path(operation.path, operation.path_params) + encode_query(query)
        # Last: nothing that may refuse the call comes after it, so that no traceback's locals show the body.
        content, described = (
            multipart.encode(operation.body)
            if isinstance(operation.body, Multipart)
            else encode_body(operation, is_async=isinstance(client, httpx.AsyncClient))
        )
        headers.update(described)
        headers.update(more)
        request = client.build_request(
            operation.method, url, content=content, headers=headers, timeout=timeout
        )
        if isinstance(operation, EventsOperation) and "timeout_in_seconds" not in options:
            request.extensions["timeout"]["read"] = SILENCE
        return request

    def decode(self, operation: Operation[T], response: httpx.Response) -> T:
        """Return the value of a read response.

        Raises an APIError for any status but 2xx, DecodeError for a body that is not JSON; with `strict`,
        for one that does not fit the spec too.
        """
        check_status(operation, response)
        outcome = self._outcome(operation, response, response.content)
        if isinstance(outcome, DecodeError):
            raise outcome
        return outcome

    def decode_event(self, operation: Operation[T], response: httpx.Response, event: ServerSentEvent) -> T:
        """Return an event as what the operation says. Raises DecodeError as `decode` does."""
        if operation.result is ServerSentEvent:
            return cast("T", event)
        outcome = self._outcome(operation, response, _named(event))
        if isinstance(outcome, DecodeError):
            raise outcome
        return outcome

    def _outcome(self, operation: Operation[T], response: httpx.Response, body: bytes) -> T | DecodeError:
        # Returns errors instead of raising them: this frame holds the body, secrets of applications in it.
        if operation.result is type(None):
            return cast("T", None)
        result = operation.result
        if isinstance(operation, ListOperation):
            rows = cast("ListOperation[object, T]", operation)
            result = paging.page_type(rows, starts_with_array=body.lstrip()[:1] == b"[")
        try:
            value, mismatches = drift.decode(result, body)
        except drift.NotJSON as error:
            problem = f"its body is not JSON: {error}; check domain, base_url and proxies"
        else:
            if not mismatches:
                return cast("T", value)
            if not self._strict:
                self._reports.tell(operation.name, mismatches)
                return cast("T", value)
            problem = "its body does not fit the spec: " + "; ".join(map(str, mismatches[:5]))
            problem += "; without strict it is decoded as far as it fits"
        return decode_error(response, problem, body)


def check_status(operation: Operation[object], response: httpx.Response) -> None:
    """Raise an APIError for any status but 2xx. The response of one has to be read."""
    if not response.is_success:
        raise api_error(operation, response)


def shown_path(request: httpx.Request) -> str:
    """Return the path for an error or a log line: percent-encoded, so that an id cannot add lines to it."""
    return request.url.raw_path.partition(b"?")[0].decode("ascii")


def decode_error(response: httpx.Response, problem: str, body: bytes = b"") -> DecodeError:
    """Return the error for a success whose body is not what was promised."""
    shown = view_of(response, _quotable(response, body))
    return DecodeError(
        method=response.request.method,
        path=shown_path(response.request),
        status_code=response.status_code,
        problem=problem,
        request_id=_request_id(shown),
        response=shown,
    )


def api_error(operation: Operation[T], response: httpx.Response) -> APIError:
    """Return the error of the tree for an error status, with what the answer tells."""
    body = _quotable(response, response.content)
    fields, shown = _json_object(body), view_of(response, body)
    code, message, error = (_text(fields.get(name)) for name in ("errorCode", "message", "error"))
    if not fields:
        message = shown.body or None
    if response.has_redirect_location:
        message = "a redirect, which is not followed with a token"
    return class_for_status(response.status_code)(
        method=response.request.method,
        path=shown_path(response.request),
        status_code=response.status_code,
        error=error,
        error_code=code,
        message=message,
        required_scopes=_required_scopes(operation, response.status_code, code, message),
        retry_after=server_delay(response.headers, time.time()),
        rate_limit=rate_limit(response.headers),
        request_id=_request_id(shown),
        correlation_id=shown.headers.get("x-correlation-id"),
        response=shown,
    )


def view_of(response: httpx.Response, body: bytes) -> ResponseView:
    """Return what an error shows of a response; `body` is what may be quoted of its body."""
    return view(response.status_code, response.headers, body, _token_of(response))


def _request_id(shown: ResponseView) -> str | None:
    return shown.headers.get("x-auth0-requestid") or shown.headers.get("x-request-id")


def _token_of(response: httpx.Response) -> str:
    header: str = response.request.headers.get("Authorization", "")
    return header.removeprefix("Bearer ")


def _quotable(response: httpx.Response, body: bytes) -> bytes:
    """Return the body without the token that was sent, which a server may quote."""
    return without(body, [_token_of(response)])


def _named(event: ServerSentEvent) -> bytes:
    """Return the JSON of an event with its name as `type`, by which the spec tells its events apart."""
    fields = _json_object(event.data.encode())
    return json.dumps({"type": event.event, **fields}).encode() if fields else event.data.encode()


def telemetry(client_info: Mapping[str, object] | None) -> str:
    """Return the value of the Auth0-Client header: what shows in the tenant's logs."""
    info: Mapping[str, object] = (
        {"name": "evertoken", "version": __version__, "env": {"python": platform.python_version()}}
        if client_info is None
        else client_info
    )
    try:
        text = json.dumps(dict(info), allow_nan=False)
    except (TypeError, ValueError):
        raise ArgumentError("client_info", "holds what JSON cannot carry; give name, version, env") from None
    return base64.b64encode(text.encode()).decode("ascii")


def _required_scopes(
    operation: Operation[T], status_code: int, code: str | None, message: str | None
) -> tuple[str, ...]:
    if status_code != 403:
        return ()
    if match := _EXPECTED_SCOPES.search(message or ""):
        return tuple(scope for scope in re.split(r"[, ]+", match[1].strip(" .,")) if scope)
    return operation.scopes if code == "insufficient_scope" else ()


def _json_object(body: bytes) -> dict[str, object]:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return excerpt(value) if isinstance(value, str) and value else None
