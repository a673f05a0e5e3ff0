"""The tenant's error answers: one shape for the Management API, one for the token endpoint."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING

from evertoken_tenant.call import Answer, Row, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping


class RefusedError(Exception):
    """Ends the handling of a call with the answer it carries."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def reason(status: int) -> str:
    """Return the standard phrase of a status, such as Bad Request."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def api_error(
    status: int, message: str, code: str | None = None, *, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return a Management API error. `code` becomes `errorCode`; a 401 tells its message twice."""
    body: Row = {"statusCode": status, "error": reason(status), "message": message}
    if code is not None:
        body["errorCode"] = code
    if status == 401:
        body["attributes"] = {"error": message}
    return json_answer(status, body, headers)


def refuse(
    status: int, message: str, code: str | None = None, *, headers: Mapping[str, str] | None = None
) -> RefusedError:
    """Return the exception that answers with a Management API error."""
    return RefusedError(api_error(status, message, code, headers=headers))


def token_error(
    status: int,
    error: str,
    description: str,
    *,
    uri: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an error of the token endpoint (RFC 6749, 5.2)."""
    body: Row = {"error": error, "error_description": description}
    if uri is not None:
        body["error_uri"] = uri
    return json_answer(status, body, {"cache-control": "no-store", "pragma": "no-cache", **(headers or {})})


def refuse_token(status: int, error: str, description: str, *, uri: str | None = None) -> RefusedError:
    """Return the exception that answers with an error of the token endpoint."""
    return RefusedError(token_error(status, error, description, uri=uri))
