"""The tree of errors, and what they may show."""

from __future__ import annotations

import copy
import pickle

import pytest

from evertoken import errors
from evertoken.errors import EvertokenError
from evertoken.redact import EXCERPT_LENGTH, excerpt

EXAMPLES: list[EvertokenError] = [
    errors.ArgumentError("domain", "empty"),
    errors.PaginationLimitError(operation="clients.list", page=20, per_page=50),
    errors.TokenError("POST https://t/oauth/token: 401", status_code=401, error="access_denied"),
    errors.TransportError(method="GET", path="/x", reason="ReadTimeout", attempts=1, maybe_carried_out=False),
    errors.DecodeError(
        method="GET", path="/x", status_code=200, problem="its body is not JSON", body="<html>"
    ),
    *(
        errors.class_for_status(status)(
            method="GET",
            path="/api/v2/clients/abc",
            status_code=status,
            error="Error",
            error_code="code",
            message="Message",
            required_scopes=("read:clients",),
            retry_after=2.0,
            rate_limit=errors.RateLimit(10, 0, 1_800_000_000.0),
            request_id="r",
            correlation_id="c",
            body="{}",
        )
        for status in (400, 401, 403, 404, 409, 413, 418, 429, 500, 503)
    ),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_survive_pickle_and_copy(error: EvertokenError) -> None:
    """With class, text and every attribute; notes too."""
    error.add_note("seen in a worker")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error), error.replica()):  # noqa: S301
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_is_one_line(error: EvertokenError) -> None:
    """A log line of its own, that says more than a class name."""
    assert len(str(error).splitlines()) == 1
    assert len(str(error).split()) > 1


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Every class of the module is drawn there, below its base."""
    drawn = errors.__doc__ or ""
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EvertokenError)
    ]
    assert len(classes) > 10
    for kind in classes:
        assert kind.__name__ in drawn


def test_a_forbidden_call_names_the_scope() -> None:
    """What lacks, and where to grant it."""
    error = errors.ForbiddenError(
        method="GET",
        path="/api/v2/clients/abc",
        status_code=403,
        error_code="insufficient_scope",
        required_scopes=("read:clients", "read:client_keys"),
    )
    assert str(error).startswith("GET /api/v2/clients/abc: 403 insufficient_scope")
    assert "lacks read:clients or read:client_keys" in str(error)


def test_statuses_have_their_classes() -> None:
    """Those that Auth0 sends by name, the rest of 5xx as ServerError, others as APIError."""
    assert errors.class_for_status(429) is errors.RateLimitError
    assert errors.class_for_status(599) is errors.ServerError
    assert errors.class_for_status(418) is errors.APIError


JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "body",
    [
        f'{{"access_token":"{JWT}","x":1}}',
        '{"client_secret": "hunter2-hunter2"}',
        f"Authorization: Bearer {JWT}",
        "grant_type=client_credentials&client_secret=hunter2-hunter2&x=1",
        f"token was {JWT}!",
        "Basic " + "aHVudGVyMi1odW50ZXIy",
        "x " * 70 + '"client_secret":"hunter2-hunter2' + "hunter2" * 60,
    ],
)
def test_an_excerpt_shows_nothing_that_looks_like_a_secret(body: str) -> None:
    """In JSON, forms, headers, and cut off in the middle."""
    shown = excerpt(body.encode())
    assert "***" in shown
    assert "hunter2" not in shown
    assert "aHVudGVy" not in shown
    assert "eyJ" not in shown


def test_an_excerpt_is_short_and_on_one_line() -> None:
    """A proxy's error page is recognised by its beginning; broken text does not break a log."""
    shown = excerpt(b"<html>\r\n<body>\x1b[31m Bad gateway \xff" + b"word " * 500)
    assert shown.startswith("<html> <body> [31m Bad gateway")
    assert len(shown) == EXCERPT_LENGTH
    assert shown.isprintable()


def test_an_ordinary_message_is_shown_as_it_is() -> None:
    """Scopes, ids and sentences of Auth0 are no secrets."""
    message = "Insufficient scope, expected any of: read:clients,read:client_keys"
    assert excerpt(message) == message
