"""The tree of errors, and what they may show."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from evertoken import errors
from evertoken.errors import EvertokenError
from evertoken.redact import EXCERPT_LENGTH, excerpt, view

# Those that the published document names for any operation.
SENT_BY_AUTH0 = (400, 401, 402, 403, 404, 409, 410, 412, 413, 429, 500, 503)


def every_kind() -> list[type[EvertokenError]]:
    return [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EvertokenError)
    ]


EXAMPLES: list[EvertokenError] = [
    errors.ArgumentError("domain", "empty"),
    errors.PaginationLimitError(operation="clients.list", page=20, per_page=50),
    errors.TokenError("POST https://t/oauth/token: 401", status_code=401, error="access_denied"),
    errors.TransportError(method="GET", path="/x", reason="ReadTimeout", attempts=1, maybe_carried_out=False),
    errors.DecodeError(
        method="GET",
        path="/x",
        status_code=200,
        problem="its body is not JSON; check the domain",
        response=errors.ResponseView(status_code=200, headers={"server": "proxy"}, body="<html>"),
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
            response=errors.ResponseView(status_code=status, body="{}"),
        )
        for status in (*SENT_BY_AUTH0, 418, 502)
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


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_are_raised_from_and_in_groups(error: EvertokenError) -> None:
    """A cause stays a cause, through pickle too; `except*` finds the class within a group."""
    cause = KeyError("cause")
    with pytest.raises(type(error)) as caught:
        raise error.replica() from cause
    assert caught.value.__cause__ is cause
    seen: list[BaseException] = []
    try:
        raise ExceptionGroup("of a task group", [error.replica(), ValueError("another")])
    except* type(error) as group:
        seen += group.exceptions
    except* ValueError:
        pass
    assert str(error) in map(str, seen)
    pooled = pickle.loads(pickle.dumps(ExceptionGroup("of a pool", [error])))  # noqa: S301 - made in this line
    assert [(type(one), str(one)) for one in pooled.exceptions] == [(type(error), str(error))]


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\x0bb", "a\x85b", "a\u2028b", "a\x1b[2Kb", "a\ud800b"])
@pytest.mark.parametrize("kind", every_kind())
def test_no_text_adds_a_line(kind: type[EvertokenError], text: str) -> None:
    """Whatever an id, a message or a problem holds."""
    error: EvertokenError
    if issubclass(kind, errors.APIError):
        error = kind(method="GET", path=text, status_code=400, error_code=text, message=text)
    else:
        error = kind.__new__(kind)
        EvertokenError.__init__(error, text)
    assert str(error).isprintable()
    assert text.encode("unicode_escape").decode() in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - made in this line


def test_every_status_says_what_to_do_next() -> None:
    """With no word from the API; a class of its own for each status that Auth0 sends."""
    kinds = [errors.class_for_status(status) for status in SENT_BY_AUTH0]
    assert len(set(kinds)) == len(SENT_BY_AUTH0)
    advice: set[str] = set()
    for status in (*SENT_BY_AUTH0, 418, 302):
        error = errors.class_for_status(status)(method="GET", path="/x", status_code=status)
        before, _, after = str(error).partition("; ")
        assert before == f"GET /x: {status}"
        assert len(after.split()) > 2
        advice.add(after)
    assert len(advice) == len(SENT_BY_AUTH0)  # 500 and 503 have the same, and so have 418 and 302


def test_a_view_of_a_response_shows_no_token() -> None:
    """Headers of a short list, without the token that was sent, and a masked beginning of the body."""
    headers = {
        "Content-Type": "text/html",
        "X-Request-Id": "0e12345",
        "X-Correlation-Id": "of-a-token-1",
        "Set-Cookie": "session",
        "X-Odd": "1",
    }
    body = b'{"client_secret": "hunter2-hunter2"}\n' + b"word " * 100
    seen = view(502, headers, body, "token-1")
    assert seen.headers == {
        "content-type": "text/html",
        "x-request-id": "0e12345",
        "x-correlation-id": "of-a-***",
    }
    assert (seen.status_code, len(seen.body)) == (502, EXCERPT_LENGTH)
    assert "hunter2" not in repr(seen)
    assert pickle.loads(pickle.dumps(seen)) == seen  # noqa: S301 - made in this line
    assert hash(seen) == hash(copy.copy(seen))
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen.body = ""  # type: ignore[misc]  # the case


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Every class of the module is drawn there, below its base."""
    drawn = errors.__doc__ or ""
    assert len(every_kind()) > 10
    for kind in every_kind():
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
    assert issubclass(errors.class_for_status(500), errors.ServerError)
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
        '{"recovery_code": "hunter2"}',
        '{"ticket":"https://tenant.example.com/lo/reset?ticket=hunter2"}',
        '{"httpAuthorization": "hunter2"}',
        '{"smtp_pass": "hunter2"}',
        '{"client-secret": "hunter2"}',
        '{"secrets": [{"name": "a", "value": "hunter2"}, {"name": "b", "value": "hunter2"}]}',
        '{"tokens": ["hunter2", "hunter2"]}',
        '{"skey": {"value": "hunter2"',
        r'{"message": "cannot read {\"client_secret\": \"hunter2\"}"}',
        '{"a": {"b": {"masterkey": "hunter2"}}}',
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
