"""What is promised about the API's answers, over TLS: promises 8 to 11 of a token's life."""

from __future__ import annotations

import gc
import math
import time
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from callers import (
    CREATE,
    DELETE,
    READ,
    UPDATE,
    Kind,
    Options,
    calling,
    for_all,
    for_auths,
    for_clients,
    for_some,
    make_auth,
    well,
)
from evertoken import (
    APIError,
    ArgumentError,
    DecodeError,
    ForbiddenError,
    ManagementAuth,
    ManagementClient,
    RateLimitError,
    ServerError,
    TransportError,
    UnauthorizedError,
)
from scripted_server import (
    ScriptedServer,
    api_error,
    cut_short,
    drop,
    hang,
    raw,
    redirect,
    reply,
    reset,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from evertoken.operation import Operation
    from scripted_server import Answer, Exchange

SLACK: Final = 2.0
"""Seconds that a busy machine may add to a deadline."""


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer() as server:
        server.api_default = well
        yield server


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that nobody asked for are short. The others are not."""
    monkeypatch.setattr("evertoken.retry._FIRST_WAIT", 0.01)


def name_of(operation: Operation[object]) -> str:
    return operation.method


# 8: 401


def refusing(*refused: str) -> Answer:
    """Answer 401 to these tokens, well to others."""

    def answer(exchange: Exchange) -> None:
        if exchange.request.bearer in refused:
            api_error(401, message="Invalid token")(exchange)
        else:
            well(exchange)

    return answer


@for_all
@pytest.mark.parametrize("operation", [READ, CREATE, UPDATE], ids=name_of)
def test_promise_08_a_revoked_token_is_renewed_and_the_request_repeated(
    server: ScriptedServer, kind: Kind, operation: Operation[object]
) -> None:
    """Once, with the same body."""
    with calling(kind, server) as caller:
        caller.send()
        server.api_default = refusing(*server.issued)
        assert caller.send(operation) in {200, 201}
    first, second = server.api_requests[1:]
    assert [first.bearer, second.bearer] == server.issued
    assert (first.method, first.path, first.body) == (second.method, second.path, second.body)
    assert bool(first.body) == (operation is not READ)
    assert len(server.token_requests) == 2


@for_all
def test_promise_08_twenty_callers_at_once_renew_a_revoked_token_twice_at_most(
    server: ScriptedServer, kind: Kind
) -> None:
    """Every one of them succeeds."""
    with calling(kind, server) as caller:
        caller.send()
        server.api_default = refusing(*server.issued)
        assert caller.send_many(20) == [200] * 20
    assert 2 <= len(server.token_requests) <= 1 + 2
    # Each of the twenty at most once more.
    assert len(server.api_requests) <= 1 + 2 * 20


@for_clients
def test_promise_08_a_token_refused_for_ever_is_our_own_error(server: ScriptedServer, kind: Kind) -> None:
    """No loop: two requests of each sort."""
    server.api_default = api_error(401, message="Invalid token")
    with calling(kind, server) as caller, pytest.raises(UnauthorizedError, match="Invalid token"):
        caller.send()
    assert len(server.api_requests) <= 2
    assert len(server.token_requests) <= 2


@for_auths
def test_promise_08_a_token_refused_for_ever_is_the_apis_answer_in_a_plain_httpx_client(
    server: ScriptedServer, kind: Kind
) -> None:
    """401, without a loop."""
    server.api_default = api_error(401, message="Invalid token")
    with calling(kind, server) as caller:
        assert caller.send() == 401
    assert len(server.api_requests) <= 2
    assert len(server.token_requests) <= 2


@for_all
def test_promise_08_twenty_refused_calls_do_not_make_twenty_token_requests(
    server: ScriptedServer, kind: Kind
) -> None:
    """One after the other: new tokens evidently do not help."""
    server.api_default = api_error(401, message="Invalid token")
    with calling(kind, server) as caller:
        for _ in range(20):
            assert isinstance(caller.send_many(1)[0], UnauthorizedError) or kind.startswith("httpx")
    assert len(server.token_requests) <= 5


@for_all
def test_promise_08_twenty_refused_calls_at_once_do_not_either(server: ScriptedServer, kind: Kind) -> None:
    """All of them end, as refused."""
    server.api_default = api_error(401, message="Invalid token")
    with calling(kind, server) as caller:
        outcomes = caller.send_many(20)
    assert all(outcome == 401 or isinstance(outcome, UnauthorizedError) for outcome in outcomes)
    assert len(server.token_requests) <= 5


# 9: refusals, limits and failures


@for_clients
def test_promise_09_a_missing_scope_is_named(server: ScriptedServer, kind: Kind) -> None:
    """By the API's own message; a young token is not renewed for it."""
    message = "Insufficient scope, expected any of: read:clients,read:client_keys"
    server.api_script += [api_error(403, "insufficient_scope", message)] * 9
    with calling(kind, server) as caller, pytest.raises(ForbiddenError, match="lacks read:clients") as caught:
        caller.send()
    assert caught.value.required_scopes == ("read:clients", "read:client_keys")
    assert caught.value.error_code == "insufficient_scope"
    assert (len(server.token_requests), len(server.api_requests)) == (1, 1)


@for_clients
def test_promise_09_a_missing_scope_is_named_where_the_api_does_not(
    server: ScriptedServer, kind: Kind
) -> None:
    """The operation knows it."""
    server.api_script += [api_error(403, "insufficient_scope", "No.")]
    with calling(kind, server) as caller, pytest.raises(ForbiddenError, match="create:clients"):
        caller.send(CREATE)
    assert len(server.api_requests) == 1


@pytest.mark.parametrize(("kind", "operation"), [("sync", CREATE), ("asyncio", CREATE), ("trio", READ)])
def test_promise_09_a_rate_limit_is_waited_out_as_retry_after_says(
    server: ScriptedServer, kind: Kind, operation: Operation[object]
) -> None:
    """No earlier than asked; a POST too, since the API did nothing."""
    server.api_script += [api_error(429, "too_many_requests", headers={"Retry-After": "1"})]
    with calling(kind, server) as caller:
        assert caller.send(operation) == 200
    first, second = server.api_requests
    assert second.at - first.at >= 1
    assert first.body == second.body
    assert len(server.token_requests) == 1


@for_clients
def test_promise_09_a_rate_limit_is_waited_out_as_its_reset_says(server: ScriptedServer, kind: Kind) -> None:
    """x-ratelimit-reset is a Unix second."""
    resets: list[int] = []

    def limited(exchange: Exchange) -> None:
        resets.append(math.ceil(time.time() + 0.5))
        api_error(429, "too_many_requests", headers=rate_limit(resets[0]))(exchange)

    server.api_script += [limited]
    offset = time.time() - time.monotonic()
    with calling(kind, server) as caller:
        assert caller.send() == 200
    assert len(server.api_requests) == 2
    # The two clocks are read one after the other.
    assert server.api_requests[1].at + offset >= resets[0] - 0.01


def rate_limit(reset: float) -> dict[str, str]:
    return {
        "x-ratelimit-limit": "10",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(math.ceil(reset)),
    }


@for_clients
@pytest.mark.parametrize("operation", [READ, CREATE], ids=name_of)
@pytest.mark.parametrize("header", ["Retry-After", "x-ratelimit-reset"])
def test_promise_09_a_reset_beyond_patience_is_an_error_at_once(
    server: ScriptedServer, kind: Kind, header: str, operation: Operation[object]
) -> None:
    """Our own error says when to try again; one request."""
    headers = {"Retry-After": "3600"} if header == "Retry-After" else rate_limit(time.time() + 3600)
    server.api_script += [api_error(429, "too_many_requests", headers=headers)] * 9
    began = time.monotonic()
    with calling(kind, server) as caller, pytest.raises(RateLimitError) as caught:
        caller.send(operation)
    assert time.monotonic() - began < SLACK
    assert caught.value.retry_after == pytest.approx(3600, abs=10)
    assert len(server.api_requests) == 1


@for_some
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_promise_09_a_get_that_failed_is_retried(server: ScriptedServer, kind: Kind, status: int) -> None:
    """A client retries; a plain httpx client leaves that to its caller."""
    server.api_script += [reply(status, b"<h1>sorry</h1>")]
    with calling(kind, server) as caller:
        assert caller.send() == (status if kind.startswith("httpx") else 200)
    assert len(server.api_requests) == (1 if kind.startswith("httpx") else 2)
    assert len(server.token_requests) == 1


@for_clients
def test_promise_09_a_delete_that_failed_is_retried(server: ScriptedServer, kind: Kind) -> None:
    """It may be carried out twice."""
    server.api_script += [reply(500), drop()]
    with calling(kind, server) as caller:
        assert caller.send(DELETE) == 200
    assert len(server.api_requests) == 3


@for_clients
def test_promise_09_a_get_that_fails_for_ever_is_our_own_error(server: ScriptedServer, kind: Kind) -> None:
    """With its status, after a few requests and with one token."""
    server.api_script += [reply(503, b"<h1>sorry</h1>")] * 99
    with calling(kind, server) as caller, pytest.raises(ServerError) as caught:
        caller.send()
    assert caught.value.status_code == 503
    assert len(server.api_requests) == 4
    assert len(server.token_requests) == 1


MAYBE_CARRIED_OUT: Final = {
    "drop": drop(),
    "reset": reset(),
    "half a status line": raw(b"HTTP/1.1 201 C"),
    "half a body": cut_short(b'{"client_id": "c'),
    "reset in the body": reset(b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
}


@for_clients
@pytest.mark.parametrize("operation", [CREATE, UPDATE], ids=name_of)
@pytest.mark.parametrize("fault", MAYBE_CARRIED_OUT.values(), ids=MAYBE_CARRIED_OUT)
def test_promise_09_what_may_have_been_carried_out_is_never_sent_twice(
    server: ScriptedServer, kind: Kind, operation: Operation[object], fault: Answer
) -> None:
    """POST and PATCH: our own error says that the API may have acted."""
    server.api_script += [fault]
    with calling(kind, server) as caller, pytest.raises(TransportError, match="may have acted") as caught:
        caller.send(operation)
    assert caught.value.maybe_carried_out
    assert len(server.api_requests) == 1


@for_clients
@pytest.mark.parametrize("operation", [CREATE, UPDATE], ids=name_of)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_promise_09_what_failed_after_it_was_taken_is_never_sent_twice(
    server: ScriptedServer, kind: Kind, operation: Operation[object], status: int
) -> None:
    """Not even where the API asks to come back."""
    server.api_script += [api_error(status, headers={"Retry-After": "1"})]
    with calling(kind, server) as caller, pytest.raises(ServerError) as caught:
        caller.send(operation)
    assert caught.value.status_code == status
    assert len(server.api_requests) == 1


@for_clients
def test_promise_09_a_post_without_an_answer_is_never_sent_twice(server: ScriptedServer, kind: Kind) -> None:
    """It hangs until the timeout."""
    with calling(kind, server, Options(timeout=1)) as caller:
        caller.send()
        server.api_script += [hang()]
        with pytest.raises(TransportError, match="ReadTimeout") as caught:
            caller.send(CREATE)
    assert caught.value.maybe_carried_out
    assert [request.method for request in server.api_requests] == ["GET", "POST"]


# ssl leaves a socket open that was reset before its handshake.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
@for_clients
def test_promise_09_a_post_that_was_never_sent_is_retried(server: ScriptedServer, kind: Kind) -> None:
    """The connection ended while it was idle, and the next one before TLS began."""
    with calling(kind, server) as caller:
        caller.send()
        server.connection_script += [drop(), reset()]
        server.drop_connections()
        assert caller.send(CREATE) == 200
    assert not server.connection_script
    assert [request.method for request in server.api_requests] == ["GET", "POST"]
    gc.collect()


# 10: broken bodies


BROKEN: Final = {
    "early end": cut_short(b"["),
    "early end of a chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n["),
    "a chunk without a length": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n[]"),
    "reset": reset(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n["),
    "an encoding that is none": reply(200, b"\x1f\x8bgarbage", headers={"Content-Encoding": "gzip"}),
}


@for_clients
@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_promise_10_a_broken_answer_to_a_get_is_retried(
    server: ScriptedServer, kind: Kind, fault: Answer
) -> None:
    """The caller sees no error."""
    server.api_script += [fault]
    with calling(kind, server) as caller:
        assert caller.send() == 200
    assert len(server.api_requests) == 2
    assert len(server.token_requests) == 1


@for_clients
@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_promise_10_an_answer_that_stays_broken_is_our_own_error_with_the_status(
    server: ScriptedServer, kind: Kind, fault: Answer
) -> None:
    """After the retries."""
    server.api_script += [fault] * 9
    with calling(kind, server) as caller, pytest.raises(TransportError, match="200, but") as caught:
        caller.send()
    assert caught.value.status_code == 200
    assert not caught.value.maybe_carried_out
    assert len(server.api_requests) == 4


@for_clients
@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_promise_10_a_broken_answer_to_a_post_is_our_own_error_at_once(
    server: ScriptedServer, kind: Kind, fault: Answer
) -> None:
    """With the status: the API did act."""
    server.api_script += [fault] * 9
    with calling(kind, server) as caller, pytest.raises(TransportError) as caught:
        caller.send(CREATE)
    assert caught.value.status_code == 200
    assert len(server.api_requests) == 1


NOT_JSON: Final = {
    "HTML": b"<!doctype html><title>Sign in</title>",
    "nothing": b"",
    "bad UTF-8": b'[{"name": "\xff\xfe"}]',
    "NaN": b'[{"name": NaN}]',
    "Infinity": b'[{"token_endpoint_lifetime": -Infinity}]',
    "truncated": b'[{"name": "x"',
    "two values": b"[] []",
    "nesting": b"[" * 100_000,
}


@for_clients
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("operation", [READ, CREATE], ids=name_of)
def test_promise_10_a_body_that_is_no_json_is_our_own_error_with_the_status(
    server: ScriptedServer, kind: Kind, body: bytes, operation: Operation[object]
) -> None:
    """It came to its end, so that asking again would bring the same."""
    server.api_script += [reply(200, body, headers={"Content-Type": "application/json"})] * 9
    with calling(kind, server) as caller, pytest.raises(DecodeError, match="200, but") as caught:
        caller.send(operation)
    assert caught.value.status_code == 200
    assert len(server.api_requests) == 1
    assert server.issued[0] not in str(caught.value)


# 11: where the bearer goes


@for_clients
@pytest.mark.parametrize("follow_redirects", [False, True])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_promise_11_a_client_does_not_follow_redirects(
    server: ScriptedServer, kind: Kind, status: int, follow_redirects: bool
) -> None:
    """Our own error, whatever the caller's httpx client would do; nobody else is asked."""
    with ScriptedServer() as other:
        server.api_script += [redirect(f"{other.origin}/api/v2/clients", status)] * 9
        with calling(kind, server, Options(follow_redirects=follow_redirects)) as caller:
            for operation in (READ, CREATE):
                with pytest.raises(APIError, match="redirect") as caught:
                    caller.send(operation)
                assert caught.value.status_code == status
    assert not other.requests
    assert len(server.api_requests) == 2


@for_auths
@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("tls", [True, False])
def test_promise_11_a_redirect_that_httpx_follows_carries_no_bearer(
    server: ScriptedServer, kind: Kind, status: int, tls: bool
) -> None:
    """Nor does a 401 from there cost a token."""
    with ScriptedServer(tls=tls) as other:
        other.api_default = api_error(401)
        server.api_script += [redirect(f"{other.origin}/api/v2/clients", status)]
        with calling(kind, server, Options(follow_redirects=True)) as caller:
            assert caller.send() == 401
    assert other.api_requests
    assert not [request for request in other.requests if "authorization" in request.headers]
    assert not other.token_requests
    assert len(server.token_requests) == 1


def test_promise_11_absolute_urls_of_others_get_no_bearer(server: ScriptedServer) -> None:
    """A plain httpx client with the auth may ask anyone: without the token, and without a token request."""
    with (
        ScriptedServer() as other,
        ScriptedServer(tls=False) as clear,
        httpx.Client(auth=make_auth(server), verify=server.ssl_context(), trust_env=False) as client,
    ):
        for url in (
            f"{other.origin}/api/v2/clients",
            f"{clear.origin}/api/v2/clients",
            f"https://localhost:{server.port}/api/v2/clients",
            f"https://{server.domain.replace(':', '%3A')}@{other.domain}/api/v2/clients",
        ):
            assert client.get(url).status_code == 200
        asked = [request for any_ in (server, other, clear) for request in any_.requests]
        assert [request.bearer for request in asked] == [None] * 4
        assert not server.token_requests
        assert client.get(f"{server.origin}/api/v2/clients").status_code == 200
    assert server.api_requests[-1].bearer == server.issued[0]


@pytest.mark.anyio
async def test_promise_11_absolute_urls_of_others_get_no_bearer_from_tasks(server: ScriptedServer) -> None:
    """Under asyncio and trio."""
    with ScriptedServer() as other:
        async with httpx.AsyncClient(
            auth=make_auth(server), verify=server.ssl_context(), trust_env=False
        ) as client:
            assert (await client.get(f"{other.origin}/api/v2/clients")).status_code == 200
            assert (await client.get(f"{server.origin}/api/v2/clients")).status_code == 200
            assert (await client.get(f"{other.origin}/api/v2/clients")).status_code == 200
    assert [request.bearer for request in other.requests] == [None, None]
    assert len(server.token_requests) == 1


def test_promise_11_clear_text_to_the_tenants_own_host_and_port_gets_no_bearer() -> None:
    """The scheme counts, not only the host."""
    with ScriptedServer(tls=False) as server:
        auth = ManagementAuth(
            domain=f"127.0.0.1:{server.port}", client_id="app", client_secret=server.client_secret
        )
        with httpx.Client(auth=auth, trust_env=False) as client:
            assert client.get(f"{server.origin}/api/v2/clients").status_code == 200
        assert [request.bearer for request in server.requests] == [None]
        assert server.client_secret not in repr(server.requests)


@for_all
def test_promise_11_clear_text_is_for_loopback(kind: Kind) -> None:
    """There it works."""
    with ScriptedServer(tls=False) as server:
        with calling(kind, server) as caller:
            assert caller.send() == 200
        assert server.api_requests[0].bearer == server.issued[0]


@pytest.mark.parametrize(
    "domain", ["http://tenant.example.com", "http://127.0.0.1.example.com", "http://10.0.0.1"]
)
def test_promise_11_clear_text_elsewhere_is_refused(domain: str) -> None:
    """Before anything is sent, by clients as by the auth."""
    for make in (ManagementClient, ManagementAuth):
        with pytest.raises(ArgumentError, match="http is for loopback only"):
            make(domain=domain, client_id="app", client_secret="not-a-secret")
