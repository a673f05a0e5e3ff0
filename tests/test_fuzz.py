"""Whatever comes back: a value, or an error of the tree that shows no secret, and never anything else.

`scripts/fuzz` looks for longer.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import warnings
from typing import Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertoken import (
    APIError,
    DecodeError,
    DriftWarning,
    EvertokenError,
    ManagementAuth,
    ManagementClient,
    RateLimitError,
    TokenError,
    TransportError,
)
from support import CLIENTS_URL, DOMAIN, SECRET, FakeAuth0, locals_of

TOKEN: Final = "t0k3n-of-a-test"

JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([SECRET, TOKEN, "Bearer", "1e999", "\ud800", "-1", "86400"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def object_with(*names: str) -> st.SearchStrategy[object]:
    """JSON objects that have some of these names, with any values."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON)) | JSON


def written(value: object) -> bytes:
    return json.dumps(value).encode()


def damaged(values: st.SearchStrategy[object]) -> st.SearchStrategy[bytes]:
    """The values as JSON, whole or cut anywhere, or any bytes."""
    whole = values.map(written)
    cut = st.tuples(whole, st.integers(0, 80)).map(lambda pair: pair[0][: pair[1]])
    return whole | cut | st.binary(max_size=60)


TEXTS: Final = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
HEADERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(
            ["application/json", "text/html", "application/json; charset=utf-16", ""]
        ),
        "retry-after": TEXTS | st.integers(-5, 10**12).map(str),
        "x-ratelimit-limit": TEXTS | st.integers(-5, 10**12).map(str),
        "x-ratelimit-remaining": TEXTS | st.integers(-5, 10**12).map(str),
        "x-ratelimit-reset": TEXTS | st.integers(-(10**12), 10**19).map(str),
        "x-auth0-requestid": TEXTS,
        "www-authenticate": TEXTS,
        "content-encoding": st.sampled_from(["gzip", "deflate", "identity", "br", "zstd", "x"]),
        "location": st.sampled_from(["https://evil.example/", "/", "", "http://[", "//"]),
    },
)


@given(
    status=st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503]),
    body=damaged(
        object_with("access_token", "token_type", "expires_in", "scope", "error", "error_description")
    ),
    headers=HEADERS,
)
def test_any_token_response_gives_a_token_or_a_token_error(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    """And the API is called with a Bearer token of printable characters, or not at all."""
    auth0 = FakeAuth0()
    auth = ManagementAuth(domain=DOMAIN, client_id="client", client_secret=SECRET)
    for _ in range(8):
        auth0.token_answers.append(httpx.Response(status, stream=httpx.ByteStream(body), headers=headers))
    with auth0.client(auth) as client:
        failed: TokenError | None = None
        try:
            client.get(CLIENTS_URL)
        except TokenError as error:
            failed = error
        if failed is not None:
            assert auth0.bearers == []
            assert SECRET not in locals_of(failed)
            assert str(pickle.loads(pickle.dumps(failed))) == str(failed)  # noqa: S301  # of our own making
        else:
            scheme, _, token = str(auth0.bearers[0]).partition(" ")
            assert scheme == "Bearer"
            assert token
            assert token.isprintable()
            assert " " not in token


def called(response: httpx.Response) -> EvertokenError | None:
    """Return the error that a call ends with, given this answer to it."""
    auth0 = FakeAuth0(api_answers=[response])
    client = ManagementClient(domain=DOMAIN, token=TOKEN, httpx_client=auth0.client(), max_retries=0)
    with contextlib.closing(client):
        try:
            client.clients.get("abc")
        except EvertokenError as error:
            return error
    return None


@given(
    status=st.integers(300, 599),
    body=damaged(object_with("statusCode", "error", "message", "errorCode", "error_description")),
    headers=HEADERS,
)
def test_any_error_body_gives_an_error_that_tells_the_status(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    """In one printable line, pickled without loss, whatever the answer holds, a token of ours too."""
    error = called(httpx.Response(status, stream=httpx.ByteStream(body), headers=headers))

    if isinstance(error, TransportError):
        # What cannot be decompressed is as good as broken off.
        assert headers.get("content-encoding", "identity") != "identity"
    else:
        assert isinstance(error, APIError)
        assert error.status_code == status
    assert len(str(error).splitlines()) == 1
    assert TOKEN not in locals_of(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  # of our own making
    if isinstance(error, RateLimitError):
        assert error.retry_after is None or error.retry_after >= 0


@given(body=damaged(JSON | object_with("client_id", "name", "callbacks", "client_secret", "signing_keys")))
def test_any_success_gives_a_value_or_a_decode_error(body: bytes) -> None:
    """Odd JSON is a value and drift; what is no JSON is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DriftWarning)
        error = called(httpx.Response(200, stream=httpx.ByteStream(body)))

    try:
        json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        assert isinstance(error, DecodeError)
        assert TOKEN not in locals_of(error)
    else:
        # Python's json reads NaN and the like, which are not JSON.
        assert error is None or b"NaN" in body or b"Infinity" in body


ENVELOPES: Final = st.fixed_dictionaries(
    {},
    optional={
        "clients": st.lists(st.fixed_dictionaries({"client_id": st.text(max_size=3)}), max_size=3) | JSON,
        "total": st.integers(-3, 12) | JSON,
        "start": st.integers(-3, 12) | JSON,
        "limit": st.integers(-3, 12) | JSON,
        "length": st.integers(-3, 12) | JSON,
        "next": st.text(max_size=3) | JSON,
    },
)


@given(pages=st.lists(ENVELOPES | JSON, min_size=1, max_size=4), checkpoint=st.booleans())
def test_any_paging_envelopes_end(pages: list[object], checkpoint: bool) -> None:
    """A list ends, in rows or in an error of the tree, however its pages contradict each other."""
    auth0 = FakeAuth0()
    answers = [httpx.Response(200, content=written(page)) for page in pages]
    auth0.api_answers += [answers[min(index, len(answers) - 1)] for index in range(60)]
    auth0.api_answers.append(httpx.Response(200, json={"clients": []}))
    client = ManagementClient(domain=DOMAIN, token=TOKEN, httpx_client=auth0.client(), max_retries=0)
    with contextlib.closing(client), warnings.catch_warnings():
        warnings.simplefilter("ignore", DriftWarning)
        failed: EvertokenError | None = None
        count = 0
        try:
            rows = client.clients.list(take=5) if checkpoint else client.clients.list(per_page=5)
            count = sum(1 for _ in rows)
        except EvertokenError as error:
            failed = error
    assert count <= 5 * 60 + 5
    assert failed is None or TOKEN not in locals_of(failed)
    assert len(auth0.api_requests) <= 61


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 100_000, b'{"a":' * 5_000])
def test_hopeless_bodies_are_no_surprise(body: bytes) -> None:
    """Empty, no text, nested beyond reason."""
    error = called(httpx.Response(200, stream=httpx.ByteStream(body)))
    assert isinstance(error, DecodeError)
