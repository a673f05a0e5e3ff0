"""What is promised about the token endpoint, over TLS: promises 1 to 7 of a token's life."""

from __future__ import annotations

import itertools
import json
import math
import ssl
import time
from typing import TYPE_CHECKING, Final

import pytest

from callers import Kind, Options, calling, for_all, for_auths, for_clients, for_some
from evertoken import MutualTLS, TokenError
from scripted_server import (
    OMIT,
    ConnectProxy,
    ScriptedServer,
    cut_short,
    drip,
    drop,
    hang,
    raw,
    redirect,
    reply,
    reset,
    token_error,
    token_reply,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from scripted_server import Answer, Exchange

SLACK: Final = 2.0
"""Seconds that a busy machine may add to a deadline."""


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that nobody asked for are short. The others are not."""
    monkeypatch.setattr("evertoken.retry._FIRST_WAIT", 0.01)


def gaps(server: ScriptedServer) -> list[float]:
    """The seconds between one token request and the next."""
    times = [request.at for request in server.token_requests]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


# 1: one failure


@for_some
@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_promise_01_an_error_status_is_retried(server: ScriptedServer, kind: Kind, status: int) -> None:
    """The caller sees no error; the API is asked once."""
    server.token_script += [reply(status, b"<h1>sorry</h1>")]
    with calling(kind, server) as caller:
        assert caller.send() == 200
    assert (len(server.token_requests), len(server.api_requests)) == (2, 1)
    assert server.api_requests[0].bearer == server.issued[0]


@for_some
def test_promise_01_a_retry_after_is_kept(server: ScriptedServer, kind: Kind) -> None:
    """503 with Retry-After: 1 is asked again no earlier than that."""
    server.token_script += [reply(503, headers={"Retry-After": "1"})]
    with calling(kind, server) as caller:
        assert caller.send() == 200
    assert len(server.token_requests) == 2
    assert gaps(server)[0] >= 1


@for_clients
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(drop(), id="drop"),
        pytest.param(reset(), id="reset"),
        pytest.param(raw(b"HTTP/1.1 200 O"), id="half a status line"),
        pytest.param(cut_short(b'{"access_token": "'), id="half a body"),
        pytest.param(reset(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), id="reset in the body"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.2\r\n"), id="no HTTP"),
    ],
)
def test_promise_01_a_broken_connection_is_retried(server: ScriptedServer, kind: Kind, fault: Answer) -> None:
    """Wherever in the exchange it breaks."""
    server.token_script += [fault]
    with calling(kind, server) as caller:
        assert caller.send() == 200
    assert (len(server.token_requests), len(server.api_requests)) == (2, 1)


@for_clients
@pytest.mark.parametrize("fault", [drop(), reset()], ids=["drop", "reset"])
def test_promise_01_a_connection_that_cannot_be_made_is_retried(
    server: ScriptedServer, kind: Kind, fault: Answer
) -> None:
    """It ends before TLS begins."""
    server.connection_script += [fault]
    with calling(kind, server) as caller:
        assert caller.send() == 200
    assert (len(server.token_requests), len(server.api_requests)) == (1, 1)


@for_auths
def test_promise_01_a_broken_connection_is_our_own_error_or_none_in_a_plain_httpx_client(
    server: ScriptedServer, kind: Kind
) -> None:
    """Httpx ends a flow with the network error: it cannot be retried. The next call works."""
    server.token_script += [drop()]
    with calling(kind, server) as caller:
        with pytest.raises(TokenError, match="no answer"):
            caller.send()
        assert not server.api_requests
        assert caller.send() == 200
    assert len(server.token_requests) == 2


# 2: rate limits


@for_some
def test_promise_02_a_rate_limit_is_waited_out_as_retry_after_says(
    server: ScriptedServer, kind: Kind
) -> None:
    """No earlier than asked, and without an error."""
    server.token_script += [token_error(429, "too_many_requests", headers={"Retry-After": "1"})]
    with calling(kind, server) as caller:
        assert caller.send() == 200
    assert len(server.token_requests) == 2
    assert gaps(server)[0] >= 1


@for_some
def test_promise_02_a_rate_limit_is_waited_out_as_its_reset_says(server: ScriptedServer, kind: Kind) -> None:
    """x-ratelimit-reset is a Unix second."""
    resets: list[int] = []

    def limited(exchange: Exchange) -> None:
        resets.append(math.ceil(time.time() + 0.5))
        token_error(429, "too_many_requests", headers=rate_limit(resets[0]))(exchange)

    server.token_script += [limited]
    offset = time.time() - time.monotonic()
    with calling(kind, server) as caller:
        assert caller.send() == 200
    assert len(server.token_requests) == 2
    # The two clocks are read one after the other.
    assert server.token_requests[1].at + offset >= resets[0] - 0.01


def rate_limit(reset: float) -> dict[str, str]:
    return {
        "x-ratelimit-limit": "30",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(math.ceil(reset)),
    }


@for_some
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"Retry-After": "3600"}, 3600, id="Retry-After"),
        pytest.param({}, 3600, id="x-ratelimit-reset"),
        pytest.param({"Retry-After": "12"}, 12, id="beyond what a renewal waits out"),
    ],
)
def test_promise_02_a_reset_beyond_patience_is_an_error_at_once(
    server: ScriptedServer, kind: Kind, headers: dict[str, str], seconds: int
) -> None:
    """Our own error says when to try again; one request."""
    merged = headers or rate_limit(time.time() + seconds)
    server.token_script += [token_error(429, "too_many_requests", headers=merged)] * 9
    began = time.monotonic()
    with calling(kind, server) as caller, pytest.raises(TokenError, match="too_many_requests") as caught:
        caller.send()
    assert time.monotonic() - began < SLACK
    assert caught.value.status_code == 429
    assert caught.value.retry_after == pytest.approx(seconds, abs=10 if not headers else 0)
    assert (len(server.token_requests), len(server.api_requests)) == (1, 0)


@for_all
def test_promise_02_patience_is_the_callers_timeout(server: ScriptedServer, kind: Kind) -> None:
    """A caller with three seconds to spare is not kept for eight."""
    server.token_script += [token_error(429, "too_many_requests", headers={"Retry-After": "8"})] * 9
    began = time.monotonic()
    with calling(kind, server, Options(timeout=3)) as caller, pytest.raises(TokenError) as caught:
        caller.send()
    assert time.monotonic() - began < 3 + SLACK
    assert caught.value.retry_after == 8
    assert (len(server.token_requests), len(server.api_requests)) == (1, 0)


# 3: down, or refusing


@for_some
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(drop(), id="drop"),
        pytest.param(reset(), id="reset"),
        pytest.param(reply(500), id="500"),
        pytest.param(reply(503, headers={"Retry-After": "1"}), id="503"),
    ],
)
def test_promise_03_an_endpoint_that_is_down_is_our_own_error_in_time(
    server: ScriptedServer, kind: Kind, fault: Answer
) -> None:
    """Within the caller's timeout, and without a storm."""
    server.token_script += [fault] * 99
    began = time.monotonic()
    with calling(kind, server, Options(timeout=1)) as caller, pytest.raises(TokenError):
        caller.send()
    assert time.monotonic() - began < 1 + SLACK
    assert 1 <= len(server.token_requests) <= 5
    assert not server.api_requests


@for_clients
def test_promise_03_an_endpoint_that_is_down_is_asked_five_times_at_most(
    server: ScriptedServer, kind: Kind
) -> None:
    """However much time the caller has."""
    server.token_script += [drop()] * 99
    with calling(kind, server) as caller, pytest.raises(TokenError) as caught:
        caller.send()
    assert caught.value.transient
    assert 2 <= len(server.token_requests) <= 5
    assert not server.api_requests


@for_clients
def test_promise_03_callers_together_make_no_storm(server: ScriptedServer, kind: Kind) -> None:
    """Twenty that start while the endpoint is down share the requests, and the failure."""
    server.token_script += [drop()] * 99
    with calling(kind, server, Options(timeout=2)) as caller:
        outcomes = caller.send_many(20)
    assert [type(outcome) for outcome in outcomes] == [TokenError] * 20
    assert 1 <= len(server.token_requests) <= 5


@for_all
def test_promise_03_an_endpoint_that_nobody_listens_at_is_our_own_error(kind: Kind) -> None:
    """The connection is refused."""
    with ScriptedServer() as server:
        pass
    with calling(kind, server) as caller, pytest.raises(TokenError, match="ConnectError"):
        caller.send()


@for_all
@pytest.mark.parametrize(
    ("status", "error"),
    [(401, "access_denied"), (401, "invalid_client"), (403, "unauthorized_client"), (400, "invalid_request")],
)
def test_promise_03_a_wrong_secret_is_an_error_at_once(
    server: ScriptedServer, kind: Kind, status: int, error: str
) -> None:
    """One request; the OAuth error by name, and not the secret."""
    server.token_default = token_error(status, error)
    with calling(kind, server) as caller, pytest.raises(TokenError, match=error) as caught:
        caller.send()
    assert (caught.value.status_code, caught.value.error) == (status, error)
    assert server.client_secret not in str(caught.value)
    assert server.token_requests[0].form["client_secret"] == server.client_secret
    assert (len(server.token_requests), len(server.api_requests)) == (1, 0)


# 4: what is no token


def token_with(**changes: object) -> bytes:
    body = {"access_token": "not-a-secret", "token_type": "Bearer", "expires_in": 86400, **changes}
    return json.dumps({name: value for name, value in body.items() if value is not OMIT}).encode()


NO_TOKENS: Final = {
    "HTML": b"<!doctype html><title>Sign in</title>",
    "nothing": b"",
    "truncated JSON": token_with()[:-9],
    "an array": b"[" + token_with() + b"]",
    "a string": b'"not-a-secret"',
    "null": b"null",
    "nesting": b"[" * 60_000,
    "an empty object": b"{}",
    "bad UTF-8": b'{"access_token": "\xff", "token_type": "Bearer"}',
    "an error": b'{"error": "server_error"}',
    "no access_token": token_with(access_token=OMIT),
    "access_token null": token_with(access_token=None),
    "access_token empty": token_with(access_token=""),
    "access_token a number": token_with(access_token=7),
    "access_token an object": token_with(access_token={"value": "not-a-secret"}),
    "access_token with a line end": token_with(access_token="not\r\nX-Injected: a-secret"),
    "access_token with a NUL": token_with(access_token="not\x00a-secret"),
    "access_token with a tab": token_with(access_token="not\ta-secret"),
    "access_token with a DEL": token_with(access_token="not\x7fa-secret"),
    "access_token beyond ASCII": token_with(access_token="nöt-a-secret"),
    "token_type mac": token_with(token_type="mac"),
    "token_type DPoP": token_with(token_type="DPoP"),
    "token_type null": token_with(token_type=None),
    "no token_type": token_with(token_type=OMIT),
}


@for_some
@pytest.mark.parametrize("body", NO_TOKENS.values(), ids=NO_TOKENS)
def test_promise_04_what_is_no_token_is_our_own_error(
    server: ScriptedServer, kind: Kind, body: bytes
) -> None:
    """Nothing is sent to the API, and the next call recovers."""
    server.token_script += [reply(200, body, headers={"Content-Type": "application/json"})]
    with calling(kind, server) as caller:
        with pytest.raises(TokenError) as caught:
            caller.send()
        assert caught.value.status_code == 200
        assert "a-secret" not in str(caught.value)
        assert not server.api_requests
        assert caller.send() == 200
    assert len(server.token_requests) == 2
    assert [request.bearer for request in server.api_requests] == server.issued


@for_clients
def test_promise_04_an_encoding_that_is_none_is_our_own_error_or_survived(
    server: ScriptedServer, kind: Kind
) -> None:
    """Though compression was not asked for."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    server.token_script += [reply(200, b"\x1f\x8bgarbage", headers=headers)] * 9
    with calling(kind, server) as caller:
        with pytest.raises(TokenError):
            caller.send()
        assert not server.api_requests
        server.token_script.clear()
        assert caller.send() == 200


# 5: lifetimes


LIFETIMES: Final[dict[str, object]] = {
    "absent": OMIT,
    "null": None,
    "a string": "86400",
    "a string with a fraction": "86400.0",
    "a fraction": 3600.5,
    "a word": "soon",
    "an empty string": "",
    "a boolean": True,
    "an array": [],
    "an object": {},
    "huge": 10**12,
    "beyond any float": 10**400,
    "a string beyond any float": "1e999",
    "infinite": math.inf,
    "not a number": math.nan,
    "a string that is not a number": "nan",
}


@for_some
@pytest.mark.parametrize("expires_in", LIFETIMES.values(), ids=LIFETIMES)
def test_promise_05_a_token_with_an_odd_lifetime_is_reused(
    server: ScriptedServer, kind: Kind, expires_in: object
) -> None:
    """Absent, a string, huge, or none at all: one token request for three calls."""
    server.token_default = token_reply(expires_in=expires_in)
    with calling(kind, server) as caller:
        assert [caller.send() for _ in range(3)] == [200] * 3
    assert len(server.token_requests) == 1
    assert {request.bearer for request in server.api_requests} == set(server.issued)


@for_some
@pytest.mark.parametrize("expires_in", [0, "0", -1, "-86400", -math.inf])
def test_promise_05_a_token_without_a_life_is_used_once(
    server: ScriptedServer, kind: Kind, expires_in: object
) -> None:
    """Calls work, each at the price of a token request."""
    server.token_default = token_reply(expires_in=expires_in)
    with calling(kind, server) as caller:
        assert [caller.send() for _ in range(3)] == [200] * 3
    assert len(server.token_requests) == 3
    assert [request.bearer for request in server.api_requests] == server.issued


@for_clients
def test_promise_05_callers_together_share_a_token_without_a_life(server: ScriptedServer, kind: Kind) -> None:
    """As far as they wait for the same one."""
    server.token_default = token_reply(expires_in=0)
    with calling(kind, server) as caller:
        assert caller.send_many(20) == [200] * 20
    assert len(server.token_requests) <= 20


# 6: hanging, and leading elsewhere

LONG_TOKEN: Final = token_with(access_token="x" * 500)
HEAD: Final = f"HTTP/1.1 200 OK\r\nContent-Length: {len(LONG_TOKEN)}\r\n\r\n".encode()


def dripping(exchange: Exchange) -> None:
    exchange.send(HEAD)
    drip(LONG_TOKEN, 0.1)(exchange)


@for_all
def test_promise_06_a_hung_endpoint_is_bounded_by_the_timeout(server: ScriptedServer, kind: Kind) -> None:
    """Retries included: our own error, and nothing is sent to the API."""
    server.token_script += [hang()] * 9
    began = time.monotonic()
    with calling(kind, server, Options(timeout=0.4)) as caller, pytest.raises(TokenError):
        caller.send()
    assert time.monotonic() - began < 0.4 + SLACK
    assert not server.api_requests


@for_some
@pytest.mark.parametrize("fault", [dripping, hang(data=HEAD)], ids=["dripping", "silent"])
def test_promise_06_an_answer_that_does_not_end_is_bounded_by_the_timeout(
    server: ScriptedServer, kind: Kind, fault: Answer
) -> None:
    """Though each of its bytes may come in time."""
    server.token_script += [fault] * 9
    began = time.monotonic()
    with calling(kind, server, Options(timeout=0.4)) as caller, pytest.raises(TokenError):
        caller.send()
    assert time.monotonic() - began < 0.4 + SLACK
    assert not server.api_requests


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_promise_06_a_head_that_does_not_end_is_bounded_by_the_timeout(
    server: ScriptedServer, kind: Kind
) -> None:
    """A task is not kept by headers that drip. A thread could not be interrupted."""
    server.token_script += [drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: x\r\n" * 20, 0.1)] * 9
    began = time.monotonic()
    with calling(kind, server, Options(timeout=0.4)) as caller, pytest.raises(TokenError):
        caller.send()
    assert time.monotonic() - began < 0.4 + SLACK
    assert not server.api_requests


@for_some
def test_promise_06_a_hung_handshake_is_bounded_by_the_timeout(server: ScriptedServer, kind: Kind) -> None:
    """The connection is taken, and nothing more happens."""
    server.connection_script += [hang()] * 9
    began = time.monotonic()
    with calling(kind, server, Options(timeout=0.5)) as caller, pytest.raises(TokenError):
        caller.send()
    assert time.monotonic() - began < 0.5 + SLACK


@for_clients
def test_promise_06_a_slow_endpoint_within_the_timeout_is_waited_for(
    server: ScriptedServer, kind: Kind
) -> None:
    """An answer that drips, yet ends in time, is an answer."""
    body = token_with()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    server.token_script += [drip(head + body, 0.002)]
    with calling(kind, server, Options(timeout=5)) as caller:
        assert caller.send() == 200
    assert len(server.token_requests) == 1
    assert server.api_requests[0].bearer == "not-a-secret"


@for_some
@pytest.mark.parametrize("follow_redirects", [False, True])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_promise_06_a_redirect_carries_nothing_elsewhere(
    server: ScriptedServer, kind: Kind, status: int, follow_redirects: bool
) -> None:
    """Even where the caller's client follows redirects: our own error, and nobody else sees the secret."""
    options = Options(follow_redirects=follow_redirects)
    with ScriptedServer() as other:
        server.token_script += [redirect(f"{other.origin}/oauth/token", status)] * 9
        with calling(kind, server, options) as caller, pytest.raises(TokenError, match="redirect"):
            caller.send()
    # A GET without a body, after 301 to 303, tells nothing.
    assert not [request for request in other.requests if request.body or "authorization" in request.headers]
    assert server.client_secret not in repr(other.requests)
    assert not server.api_requests


@for_some
@pytest.mark.parametrize("status", [302, 307])
def test_promise_06_a_redirect_to_clear_text_carries_nothing(
    server: ScriptedServer, kind: Kind, status: int
) -> None:
    """The next call works."""
    with ScriptedServer(tls=False) as other:
        server.token_script += [redirect(f"{other.origin}/oauth/token", status)]
        with calling(kind, server, Options(follow_redirects=True)) as caller:
            with pytest.raises(TokenError, match="redirect"):
                caller.send()
            assert caller.send() == 200
    assert server.client_secret not in repr(other.requests)


@for_some
@pytest.mark.parametrize("status", [302, 307])
def test_promise_06_a_redirect_within_the_tenant_carries_nothing(
    server: ScriptedServer, kind: Kind, status: int
) -> None:
    """Nor is the secret sent to another place of the tenant's own."""
    server.token_script += [redirect("/u/login", status)]
    with calling(kind, server, Options(follow_redirects=True)) as caller:
        with pytest.raises(TokenError, match="redirect"):
            caller.send()
        assert caller.send() == 200
    assert server.client_secret not in repr(server.api_requests)


# 7: the caller's own httpx client


@for_all
def test_promise_07_event_hooks_see_the_token_request(server: ScriptedServer, kind: Kind) -> None:
    """And each of its attempts."""
    seen: list[str | int] = []
    server.token_script += [reply(500)]
    with calling(kind, server, Options(seen=seen)) as caller:
        assert caller.send() == 200
    assert seen == ["/oauth/token", 500, "/oauth/token", 200, "/api/v2/clients", 200]


@for_all
def test_promise_07_a_proxy_carries_the_token_request(server: ScriptedServer, kind: Kind) -> None:
    """Every connection goes through it."""
    with ConnectProxy() as proxy:
        with calling(kind, server, Options(proxy=proxy.url)) as caller:
            assert caller.send() == 200
        assert set(proxy.targets) == {server.domain}
        assert len(proxy.targets) == server.connections
    assert len(server.token_requests) == 1


@for_all
def test_promise_07_the_callers_authorities_are_trusted_and_no_others(
    server: ScriptedServer, kind: Kind
) -> None:
    """A client that does not know the server's authority gets no token, and sends no secret."""
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with (
        calling(kind, server, Options(verify=stranger)) as caller,
        pytest.raises(TokenError, match="ConnectError"),
    ):
        caller.send()
    assert not server.requests
    with calling(kind, server, Options(verify=server.ssl_context())) as caller:
        assert caller.send() == 200


@for_all
def test_promise_07_the_client_certificate_is_shown_to_the_token_endpoint(kind: Kind) -> None:
    """And to the API."""
    with ScriptedServer(client_certificate=True) as server:
        verify = server.ssl_context(client_certificate="app.example.com")
        with calling(kind, server, Options(verify=verify)) as caller:
            assert caller.send() == 200
        assert [request.certificate for request in server.requests] == ["app.example.com"] * 2


@for_all
def test_promise_07_mutual_tls_needs_no_secret(kind: Kind) -> None:
    """The certificate of the caller's client is the credential; discovery takes the same way."""
    with ScriptedServer(client_certificate=True) as server:
        verify = server.ssl_context(client_certificate="app.example.com")
        seen: list[str | int] = []
        options = Options(verify=verify, credentials=MutualTLS("app"), seen=seen)
        with calling(kind, server, options) as caller:
            assert caller.send() == 200
        assert seen[::2] == ["/.well-known/openid-configuration", "/oauth/token", "/api/v2/clients"]
        assert {request.certificate for request in server.requests} == {"app.example.com"}
        assert server.token_requests[0].form == {
            "grant_type": "client_credentials",
            "client_id": "app",
            "audience": f"{server.origin}/api/v2/",
        }
