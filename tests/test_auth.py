"""The auth flow, driven by hand and by plain httpx clients."""

from __future__ import annotations

import base64
import contextlib
import gzip
import logging
import socket
import threading
import urllib.parse
from concurrent.futures import Future
from time import monotonic
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from evertoken import (
    AccessToken,
    ArgumentError,
    BearerAuth,
    ClientSecretBasic,
    ClientSecretPost,
    ManagementAuth,
    MemoryTokenStore,
    MutualTLS,
    TokenError,
    TokenStore,
)
from evertoken.renewal import Renewal
from support import CLIENTS_URL, DOMAIN, ORIGIN, SECRET, TOKEN_URL, FakeAuth0, FakeTime, api_error, locals_of
from support import token_answer as answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def make_auth(time: FakeTime, *, token_store: TokenStore | None = None) -> ManagementAuth:
    return ManagementAuth(
        domain=DOMAIN, client_id="app", client_secret=SECRET, token_store=token_store, clock=time.clock()
    )


def get() -> httpx.Request:
    return httpx.Request("GET", CLIENTS_URL, extensions={"timeout": httpx.Timeout(7).as_dict()})


def test_the_token_request_is_what_auth0_documents(time: FakeTime) -> None:
    """Form-encoded POST with four fields, and the API request's timeout."""
    flow = make_auth(time).sync_auth_flow(get())
    request = next(flow)
    assert (request.method, str(request.url)) == ("POST", TOKEN_URL)
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert urllib.parse.parse_qs(request.content.decode(), strict_parsing=True) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app"],
        "client_secret": [SECRET],
        "audience": [f"{ORIGIN}/api/v2/"],
    }
    assert (
        b"".join(request.stream if isinstance(request.stream, httpx.SyncByteStream) else [])
        == request.content
    )
    assert request.extensions["timeout"] == {"connect": 7, "read": 7, "write": 7, "pool": 7}
    flow.close()


def test_the_basic_grant_sends_its_secret_in_the_header_only(time: FakeTime) -> None:
    """client_secret_basic: id and secret are form-encoded before they are joined."""
    grant = ClientSecretBasic("a:b", "c d")
    auth = ManagementAuth(domain=DOMAIN, credentials=grant, organization="org_1", clock=time.clock())
    request = next(auth.sync_auth_flow(get()))
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"a%3Ab:c+d"
    form = urllib.parse.parse_qs(request.content.decode())
    assert set(form) == {"grant_type", "audience", "organization"}


def test_a_request_gets_the_bearer_and_the_token_is_kept(time: FakeTime) -> None:
    """Two requests, one token request."""
    auth0 = FakeAuth0()
    with auth0.client(make_auth(time)) as client:
        client.get(CLIENTS_URL)
        client.get(CLIENTS_URL)
    assert auth0.bearers == ["Bearer token-1"] * 2
    assert len(auth0.token_requests) == 1


def test_time_passes_and_no_request_goes_out_with_an_expired_token(time: FakeTime) -> None:
    """Over a hundred lifetimes of a 5 s token every request carries one that is still good."""
    auth0 = FakeAuth0(lifetime=5)
    issued: dict[str, float] = {}
    with auth0.client(make_auth(time)) as client:
        for _ in range(500):
            client.get(CLIENTS_URL)
            bearer = auth0.bearers[-1] or ""
            issued.setdefault(bearer, time.monotonic)
            assert time.monotonic - issued[bearer] < 5
            time.pass_(1)
    assert len(auth0.token_requests) <= 500 / 3 + 1


@pytest.mark.parametrize(
    "url",
    [
        "https://tenant.example.com:8443/api/v2/clients",
        "http://tenant.example.com/api/v2/clients",
        "https://tenant.example.com.evil.example/api/v2/clients",
        "https://evil.example/?https://tenant.example.com/",
    ],
)
def test_another_origin_gets_neither_token_nor_token_request(time: FakeTime, url: str) -> None:
    """Scheme, host and port are compared."""
    auth0 = FakeAuth0()
    with auth0.client(make_auth(time)) as client:
        client.get(url)
    assert auth0.bearers == [None]
    assert not auth0.token_requests


def test_a_redirect_elsewhere_loses_the_bearer(time: FakeTime) -> None:
    """Httpx drops Authorization across origins, and the flow adds none."""
    auth0 = FakeAuth0(api_answers=[httpx.Response(307, headers={"location": "https://evil.example/"})])
    with auth0.client(make_auth(time), follow_redirects=True) as client:
        client.get(CLIENTS_URL)
    assert auth0.bearers == ["Bearer token-1", None]


def test_the_base_url_of_a_gateway_gets_the_token_too(time: FakeTime) -> None:
    """Its origin is one the caller named."""
    auth = ManagementAuth(
        domain=DOMAIN,
        client_id="app",
        client_secret=SECRET,
        base_url="https://gateway.example/auth0/api/v2",
        clock=time.clock(),
    )
    auth0 = FakeAuth0()
    with auth0.client(auth) as client:
        client.get("https://gateway.example/auth0/api/v2/clients")
    assert auth0.bearers == ["Bearer token-1"]


def test_a_refused_token_is_renewed_once_and_the_request_repeated_once(time: FakeTime) -> None:
    """401, a new token, the same body again."""
    auth0 = FakeAuth0(api_answers=[api_error(401)])
    with auth0.client(make_auth(time)) as client:
        response = client.post(CLIENTS_URL, json={"name": "x"})
    assert response.status_code == 200
    assert auth0.bearers == ["Bearer token-1", "Bearer token-2"]
    assert auth0.bodies[0] == auth0.bodies[1] != b""


def test_a_tenant_that_refuses_every_token_is_not_asked_for_ever(time: FakeTime) -> None:
    """One call is 2 + 2 requests; twenty calls are four token requests."""
    auth0 = FakeAuth0(api_answers=[api_error(401) for _ in range(40)])
    with auth0.client(make_auth(time)) as client:
        assert client.get(CLIENTS_URL).status_code == 401
        assert (len(auth0.token_requests), len(auth0.api_requests)) == (2, 2)
        for _ in range(19):
            assert client.get(CLIENTS_URL).status_code == 401
    assert len(auth0.token_requests) == 4


def test_a_streamed_body_is_not_sent_twice(time: FakeTime) -> None:
    """It is gone after the first time: the caller gets the 401, and the next call a new token."""

    def chunks() -> Iterator[bytes]:
        yield b"{}"

    auth0 = FakeAuth0(api_answers=[api_error(401)])
    with httpx.Client(transport=StreamingTransport(auth0), auth=make_auth(time)) as client:
        assert client.post(CLIENTS_URL, content=chunks()).status_code == 401
        assert client.get(CLIENTS_URL).status_code == 200
    assert auth0.bearers == ["Bearer token-1", "Bearer token-2"]


def test_a_streamed_answer_stays_unread(time: FakeTime) -> None:
    """The flow never reads the response of a call that succeeded."""
    auth0 = FakeAuth0(api_answers=[httpx.Response(200, stream=httpx.ByteStream(b"[]"))])
    with auth0.client(make_auth(time)) as client, client.stream("GET", CLIENTS_URL) as response:
        assert not response.is_stream_consumed
        assert response.read() == b"[]"


def test_the_history_holds_no_token_exchange(time: FakeTime) -> None:
    """The client secret is not in `response.history`, nor in the history of what is there."""
    auth0 = FakeAuth0(api_answers=[api_error(401), httpx.Response(200, json=[])])
    with auth0.client(make_auth(time)) as client:
        response = client.get(CLIENTS_URL)
    todo = [response]
    while todo:
        current = todo.pop()
        assert str(current.request.url) != TOKEN_URL
        todo += current.history


def test_an_old_token_without_the_scope_is_renewed(time: FakeTime) -> None:
    """403 insufficient_scope: after the grant changed, a new token has the scope."""
    auth0 = FakeAuth0()
    with auth0.client(make_auth(time)) as client:
        client.get(CLIENTS_URL)
        auth0.api_answers = [api_error(403, "insufficient_scope")]
        assert client.get(CLIENTS_URL).status_code == 403, "young: it has the scopes of the grant"
        time.pass_(301)
        auth0.api_answers = [api_error(403, "insufficient_scope")]
        assert client.get(CLIENTS_URL).status_code == 200
        auth0.api_answers = [api_error(403, "operation_not_supported")]
        assert client.get(CLIENTS_URL).status_code == 403
    assert len(auth0.token_requests) == 2


def test_a_transient_answer_of_the_token_endpoint_is_asked_again(time: FakeTime) -> None:
    """500 and 503 with Retry-After: the caller sees no error, and the endpoint the wait it asked for."""
    auth0 = FakeAuth0(token_answers=[httpx.Response(500), httpx.Response(503, headers={"retry-after": "3"})])
    with auth0.client(make_auth(time)) as client:
        assert client.get(CLIENTS_URL).status_code == 200
    assert len(auth0.token_requests) == 3
    assert 0.4 <= time.slept[0] <= 0.6
    assert time.slept[1] >= 3


def test_a_wait_beyond_patience_is_an_error_that_says_when(time: FakeTime) -> None:
    """A quota that is refilled in an hour is not waited for."""
    quota = {"error": "too_many_requests", "error_description": "quota"}
    auth0 = FakeAuth0(token_answers=[httpx.Response(429, json=quota, headers={"retry-after": "3600"})])
    with auth0.client(make_auth(time)) as client, pytest.raises(TokenError) as caught:
        client.get(CLIENTS_URL)
    assert (caught.value.error, caught.value.retry_after) == ("too_many_requests", 3600)
    assert not time.slept


def test_a_refusal_is_an_error_at_once(time: FakeTime) -> None:
    """Wrong secret: one request, the OAuth error by name, and what to check."""
    refusal = {"error": "access_denied", "error_description": "Unauthorized"}
    auth0 = FakeAuth0(token_answers=[httpx.Response(401, json=refusal)])
    with (
        auth0.client(make_auth(time)) as client,
        pytest.raises(TokenError, match="check client") as caught,
    ):
        client.get(CLIENTS_URL)
    assert (caught.value.status_code, caught.value.error) == (401, "access_denied")
    assert (len(auth0.token_requests), len(auth0.api_requests)) == (1, 0)
    assert SECRET not in locals_of(caught.value)


@pytest.mark.parametrize(
    "broken",
    [
        httpx.Response(200, text="<html>captive portal</html>"),
        httpx.Response(200, content=b'{"access_token": "tok'),
        httpx.Response(200, content=b"\xff\xfe"),
        httpx.Response(200, json=["access_token"]),
        httpx.Response(200, json={"token_type": "Bearer"}),
        answer(""),
        answer("a\r\nb"),
        answer("smörgås"),
        httpx.Response(200, json={"access_token": None, "token_type": "Bearer"}),
        httpx.Response(200, json={"access_token": "x", "token_type": "mac"}),
        httpx.Response(200, json={"access_token": "x"}),
    ],
)
def test_a_broken_answer_is_our_error_and_the_next_call_recovers(
    time: FakeTime, broken: httpx.Response
) -> None:
    """Nothing goes to the API with what is no token."""
    auth0 = FakeAuth0(token_answers=[broken])
    with auth0.client(make_auth(time)) as client:
        with pytest.raises(TokenError):
            client.get(CLIENTS_URL)
        assert not auth0.api_requests
        assert client.get(CLIENTS_URL).status_code == 200
    assert not time.slept


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        ("7200", 7200),
        (None, 3600),
        ("soon", 3600),
        (True, 3600),
        (0, 0),
        (-5, 0),
        (10**12, 2592000),
        (9.5, 9.5),
    ],
)
def test_expires_in_is_taken_as_it_comes(time: FakeTime, expires_in: object, lifetime: float) -> None:
    """A string, nothing, nonsense, zero, negative or huge: calls work all the same."""
    auth0 = FakeAuth0(token_answers=[answer("token", expires_in)])
    auth = make_auth(time)
    with auth0.client(auth) as client:
        assert client.get(CLIENTS_URL).status_code == 200
    assert auth.token_source.status().expires_in == lifetime


def test_a_network_error_of_the_token_request_is_ours(time: FakeTime) -> None:
    """With a plain client too, and without the frames that hold the secret."""
    auth0 = FakeAuth0(token_answers=[httpx.ConnectError("refused")])
    with auth0.client(make_auth(time)) as client, pytest.raises(TokenError, match="ConnectError") as caught:
        client.get(CLIENTS_URL)
    assert SECRET not in locals_of(caught.value)
    assert len(auth0.token_requests) == 1


@pytest.mark.anyio
async def test_a_network_error_of_the_token_request_is_ours_in_async_clients(time: FakeTime) -> None:
    """As in a synchronous one."""
    auth0 = FakeAuth0(token_answers=[httpx.ReadTimeout("slow")])
    async with auth0.async_client(make_auth(time)) as client:
        with pytest.raises(TokenError, match="ReadTimeout") as caught:
            await client.get(CLIENTS_URL)
    assert SECRET not in locals_of(caught.value)


def test_a_network_error_of_the_api_request_is_left_to_httpx(time: FakeTime) -> None:
    """A plain client's user handles httpx's errors for the request that is theirs."""
    auth0 = FakeAuth0(api_answers=[httpx.ReadError("reset")])
    with auth0.client(make_auth(time)) as client:
        with pytest.raises(httpx.ReadError):
            client.get(CLIENTS_URL)
        assert client.get(CLIENTS_URL).status_code == 200
    assert len(auth0.token_requests) == 1


class StreamingTransport(httpx.BaseTransport):
    """Iterates over the request's stream as a real transport does."""

    def __init__(self, auth0: FakeAuth0) -> None:
        self.auth0 = auth0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        body = b"".join(request.stream)
        sent = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        return self.auth0(sent)


@pytest.mark.parametrize("location", ["https://evil.example/oauth/token", f"{TOKEN_URL}/elsewhere"])
def test_a_redirect_never_carries_the_secret(time: FakeTime, location: str) -> None:
    """A client that follows redirects cannot send the token request's body again."""
    auth0 = FakeAuth0(token_answers=[httpx.Response(307, headers={"location": location})])
    auth = make_auth(time)
    with (
        httpx.Client(transport=StreamingTransport(auth0), auth=auth, follow_redirects=True) as client,
        pytest.raises(TokenError, match="redirect"),
    ):
        client.get(CLIENTS_URL)
    assert len(auth0.token_requests) == 1
    assert not auth0.api_requests


def test_a_redirect_of_the_token_endpoint_is_an_error_without_following_too(time: FakeTime) -> None:
    """The answer says so."""
    auth0 = FakeAuth0(token_answers=[httpx.Response(302, headers={"location": "https://evil.example/"})])
    with auth0.client(make_auth(time)) as client, pytest.raises(TokenError, match="302"):
        client.get(CLIENTS_URL)


def test_a_waiter_gives_up_when_its_own_time_is_over(time: FakeTime) -> None:
    """Someone else's renewal never outlives the caller's timeout."""
    auth = make_auth(time)
    renewal = auth.token_source.claim()
    request = httpx.Request("GET", CLIENTS_URL, extensions={"timeout": {"connect": 0.01, "read": 0.01}})
    with pytest.raises(TokenError, match=r"no token within 0\.01 s"):
        next(auth.sync_auth_flow(request))
    assert isinstance(renewal, Renewal)


def test_waiters_raise_errors_of_their_own(time: FakeTime) -> None:
    """The shared failure is raised as a copy in each thread."""
    auth0 = FakeAuth0(token_answers=[httpx.Response(401, json={"error": "access_denied"})] * 9)
    auth = make_auth(time)
    start = threading.Barrier(8)
    errors: list[TokenError] = []

    def work() -> None:
        start.wait(10)
        with auth0.client(auth) as client, pytest.raises(TokenError) as caught:
            client.get(CLIENTS_URL)
        errors.append(caught.value)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 8
    assert len({id(error) for error in errors}) == 8


@pytest.mark.anyio
async def test_a_cancelled_renewal_is_taken_over_by_one_who_waits(time: FakeTime) -> None:
    """Cancelling the task that renews hurts nobody else."""
    auth0 = FakeAuth0()
    auth = make_auth(time)
    asked = anyio.Event()
    statuses: list[int] = []

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await request.aread()
            answer = auth0(request)
            if len(auth0.token_requests) == 1 and not auth0.api_requests:
                asked.set()
                await anyio.sleep_forever()
            return answer

    async with httpx.AsyncClient(transport=Slow(), auth=auth) as client, anyio.create_task_group() as tasks:
        doomed = anyio.CancelScope()

        async def renew() -> None:
            with doomed:
                await client.get(CLIENTS_URL)

        async def wait() -> None:
            statuses.append((await client.get(CLIENTS_URL)).status_code)

        tasks.start_soon(renew)
        await asked.wait()
        for _ in range(3):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        doomed.cancel()
    assert statuses == [200] * 3
    assert len(auth0.token_requests) == 2


@pytest.mark.anyio
async def test_threads_and_tasks_share_one_exchange(time: FakeTime) -> None:
    """Twenty threads and twenty tasks, starting cold: one token request."""
    auth0 = FakeAuth0()
    auth = make_auth(time)
    statuses: list[int] = []

    def in_thread() -> None:
        with auth0.client(auth) as client:
            statuses.append(client.get(CLIENTS_URL).status_code)

    async def in_task() -> None:
        async with auth0.async_client(auth) as client:
            statuses.append((await client.get(CLIENTS_URL)).status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(anyio.to_thread.run_sync, in_thread)
            tasks.start_soon(in_task)
    assert statuses == [200] * 40
    assert len(auth0.token_requests) == 1


def test_two_auths_share_a_token_through_a_store(time: FakeTime) -> None:
    """The second finds the token of the first; another organization has a key of its own."""
    auth0, store = FakeAuth0(), MemoryTokenStore()
    for _ in range(2):
        with auth0.client(make_auth(time, token_store=store)) as client:
            client.get(CLIENTS_URL)
    assert len(auth0.token_requests) == 1
    other = ManagementAuth(
        domain=DOMAIN,
        client_id="app",
        client_secret=SECRET,
        organization="org_1",
        token_store=store,
        clock=time.clock(),
    )
    with auth0.client(other) as client:
        client.get(CLIENTS_URL)
    assert len(auth0.token_requests) == 2


def test_a_rejected_token_is_not_taken_from_the_store_again(time: FakeTime) -> None:
    """The store still holds what the API refused."""
    auth0, store = FakeAuth0(), MemoryTokenStore()
    with auth0.client(make_auth(time, token_store=store)) as client:
        client.get(CLIENTS_URL)
        auth0.api_answers = [api_error(401)]
        assert client.get(CLIENTS_URL).status_code == 200
    assert auth0.bearers[-1] == "Bearer token-2"


def test_a_store_that_fails_is_reported_once_and_memory_serves(
    time: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither get nor put may break a call."""

    class Broken:
        def get(self, key: str) -> AccessToken | None:
            raise OSError("disk gone")

        def put(self, key: str, token: AccessToken) -> None:
            raise OSError("disk gone")

    auth0 = FakeAuth0()
    caplog.set_level(logging.WARNING, "evertoken.token")
    with auth0.client(make_auth(time, token_store=Broken())) as client:
        assert [client.get(CLIENTS_URL).status_code for _ in range(3)] == [200] * 3
    assert len(auth0.token_requests) == 1
    assert len([record for record in caplog.records if "token store" in record.message]) == 1


def test_logs_show_neither_secret_nor_token(time: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, of evertoken and httpx."""
    auth0 = FakeAuth0(token_answers=[httpx.Response(500)], api_answers=[api_error(401)])
    with caplog.at_level(logging.DEBUG), auth0.client(make_auth(time)) as client:
        client.get(CLIENTS_URL)
    assert "renewed" in caplog.text
    assert SECRET not in caplog.text
    assert "token-1" not in caplog.text


@pytest.mark.anyio
async def test_a_token_that_is_managed_elsewhere_is_asked_for_each_time(time: FakeTime) -> None:
    """A string, a callable, an async callable; a newer one after 401 is tried once."""
    tokens = iter(["one", "two", "two", "three", "three"])

    async def source() -> str:
        return next(tokens)

    auth0 = FakeAuth0(api_answers=[api_error(401), httpx.Response(200), api_error(401)])
    auth = BearerAuth(domain=DOMAIN, token=source, clock=time.clock())
    async with auth0.async_client(auth) as client:
        assert (await client.get(CLIENTS_URL)).status_code == 200
        assert (await client.get(CLIENTS_URL)).status_code == 200
    assert auth0.bearers == ["Bearer one", "Bearer two", "Bearer two", "Bearer three"]


def test_a_fixed_token_is_not_tried_twice(time: FakeTime) -> None:
    """A string stays what it is: the caller gets the 401."""
    auth0 = FakeAuth0(api_answers=[api_error(401)])
    with auth0.client(BearerAuth(domain=DOMAIN, token="fixed", clock=time.clock())) as client:
        assert client.get(CLIENTS_URL).status_code == 401
        client.get("https://evil.example/")
    assert auth0.bearers == ["Bearer fixed", None]


@pytest.mark.parametrize("token", ["", "a b", "a\n"])
def test_what_is_no_token_is_refused(time: FakeTime, token: str) -> None:
    """As an argument before anything is sent, from a callable before the request is."""
    with pytest.raises(ArgumentError, match="token"):
        BearerAuth(domain=DOMAIN, token=token)
    auth0 = FakeAuth0()
    with auth0.client(BearerAuth(domain=DOMAIN, token=lambda: token)) as client, pytest.raises(TokenError):
        client.get(CLIENTS_URL)
    assert not auth0.api_requests


def test_an_async_callable_is_refused_by_a_sync_client() -> None:
    """With a sentence that names the client to use."""

    async def source() -> str:
        return "token"

    auth = BearerAuth(domain=DOMAIN, token=source)
    with FakeAuth0().client(auth) as client, pytest.raises(ArgumentError, match="AsyncManagementClient"):
        client.get(CLIENTS_URL)


def test_half_given_credentials_name_what_is_missing() -> None:
    """Each combination that makes no grant, or two."""
    grant = ClientSecretBasic("app", SECRET)
    with pytest.raises(ArgumentError, match="client_secret: missing"):
        ManagementAuth(domain=DOMAIN, client_id="app")
    with pytest.raises(ArgumentError, match="client_id: missing beside"):
        ManagementAuth(domain=DOMAIN, client_secret=SECRET)
    with pytest.raises(ArgumentError, match="client_id: missing; give"):
        ManagementAuth(domain=DOMAIN)
    with pytest.raises(ArgumentError, match="credentials: given together"):
        ManagementAuth(domain=DOMAIN, client_id="app", credentials=grant)


@pytest.mark.parametrize("bad", [" s3cr3t", "s3cr3t\n", ""])
def test_a_malformed_secret_is_refused_without_showing_it(bad: str) -> None:
    """Neither in the sentence nor in the locals of a frame."""
    with pytest.raises(ArgumentError, match="client_secret") as caught:
        ManagementAuth(domain=DOMAIN, client_id="app", client_secret=bad)
    assert "s3cr3t" not in locals_of(caught.value)


def test_a_bad_domain_does_not_show_the_secret_beside_it() -> None:
    """The constructor's own frame holds it wrapped before anything can raise."""
    with pytest.raises(ArgumentError) as caught:
        ManagementAuth(domain="", client_id="app", client_secret=SECRET)
    assert SECRET not in locals_of(caught.value)


def test_reprs_show_no_secret(time: FakeTime) -> None:
    """Of the auth and of what hangs on it."""
    auth = make_auth(time)
    assert "app" in repr(auth)
    assert SECRET not in repr(auth) + repr(vars(auth))


def at_socket(answer_: Callable[[socket.socket], None]) -> str:
    """Return the URL of a server that answers one connection after another by hand."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    answer_(connection)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_dying_token_endpoint_costs_a_plain_client_one_call_and_the_rest_nothing(time: FakeTime) -> None:
    """While the old token is good: a TokenError for whoever renewed in line, then a minute of quiet."""
    auth0 = FakeAuth0(lifetime=1000)
    with auth0.client(make_auth(time)) as client:
        client.get(CLIENTS_URL)
        time.pass_(850)
        auth0.token_answers = [httpx.ConnectError("refused")]
        with pytest.raises(TokenError, match="ConnectError"):
            client.get(CLIENTS_URL)
        assert client.get(CLIENTS_URL).status_code == 200
    assert auth0.bearers == ["Bearer token-1"] * 2


def test_one_impatient_caller_leaves_the_others_their_time(time: FakeTime) -> None:
    """Its own short timeout is its own error; one of those who wait takes over."""
    auth = make_auth(time)
    impatient = httpx.Request("GET", CLIENTS_URL, extensions={"timeout": {"connect": 0.2, "read": 0.2}})
    flow = auth.sync_auth_flow(impatient)
    next(flow)
    waiting = auth.token_source.claim()
    assert isinstance(waiting, Future)
    with pytest.raises(TokenError, match="ReadTimeout"):
        flow.throw(httpx.ReadTimeout("slow"))
    assert waiting.result(0) is None
    renewal = auth.token_source.claim()
    assert isinstance(renewal, Renewal)
    assert renewal.delay == 0


def test_an_endpoint_that_was_down_before_the_timeout_is_down_for_all(time: FakeTime) -> None:
    """Who waits does not ask it anew, one after the other."""
    auth = make_auth(time)
    impatient = httpx.Request("GET", CLIENTS_URL, extensions={"timeout": {"connect": 2, "read": 2}})
    flow = auth.sync_auth_flow(impatient)
    request = next(flow)
    waiting = auth.token_source.claim()
    assert isinstance(waiting, Future)
    assert flow.send(httpx.Response(500, request=request)).url == request.url
    time.pass_(1.2)
    with pytest.raises(TokenError, match="ReadTimeout"):
        flow.throw(httpx.ReadTimeout("slow"))
    with pytest.raises(TokenError, match="ReadTimeout"):
        waiting.result(0)


def test_who_comes_just_after_an_outage_was_found_asks_nothing(time: FakeTime) -> None:
    """Callers that begin one after the other are no storm; with more time than the pause, one asks again."""
    auth0 = FakeAuth0(token_answers=[httpx.Response(500)] * 99)
    with auth0.client(make_auth(time)) as client:
        client.timeout = httpx.Timeout(1.9)
        for _ in range(5):
            with pytest.raises(TokenError, match="500"):
                client.get(CLIENTS_URL)
            time.pass_(0.2)
        assert len(auth0.token_requests) == 3
        client.timeout = httpx.Timeout(15)
        began = time.monotonic
        with pytest.raises(TokenError, match="500"):
            client.get(CLIENTS_URL)
    assert len(auth0.token_requests) == 6
    assert time.monotonic - began > 2


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(60):
        connection.sendall(b" ")
        threading.Event().wait(0.05)


def test_a_dripping_answer_of_the_token_endpoint_is_bounded() -> None:
    """A byte now and then resets every timeout but the deadline."""
    url = at_socket(drip)
    auth = ManagementAuth(domain=url, client_id="app", client_secret=SECRET)
    began = monotonic()
    with httpx.Client(auth=auth, timeout=0.5) as client, pytest.raises(TokenError, match="ReadTimeout"):
        client.get(f"{url}/api/v2/clients")
    assert monotonic() - began < 2.5


@pytest.mark.anyio
async def test_a_dripping_answer_of_the_token_endpoint_is_bounded_for_tasks() -> None:
    """As for threads."""
    url = at_socket(drip)
    auth = ManagementAuth(domain=url, client_id="app", client_secret=SECRET)
    began = monotonic()
    async with httpx.AsyncClient(auth=auth, timeout=0.5) as client:
        with pytest.raises(TokenError, match="ReadTimeout"):
            await client.get(f"{url}/api/v2/clients")
    assert monotonic() - began < 2.5


def test_a_huge_answer_of_the_token_endpoint_is_refused(time: FakeTime) -> None:
    """What is too long to be a token is dropped."""
    auth0 = FakeAuth0(token_answers=[httpx.Response(200, stream=httpx.ByteStream(b" " * 70_000))])
    with auth0.client(make_auth(time)) as client, pytest.raises(TokenError, match="no JSON"):
        client.get(CLIENTS_URL)


def test_no_frame_holds_the_body_of_a_token_answer(time: FakeTime) -> None:
    """A token in an answer that is refused for something else is in no local variable."""
    body = {"access_token": "sesame-open", "token_type": "mac", "expires_in": 5}
    auth0 = FakeAuth0(token_answers=[httpx.Response(200, json=body)])
    with auth0.client(make_auth(time)) as client, pytest.raises(TokenError, match="token_type") as caught:
        client.get(CLIENTS_URL)
    assert "sesame-open" not in locals_of(caught.value)


def test_an_answer_that_broke_off_is_followed_by_another_request(time: FakeTime) -> None:
    """In a plain client, which reads every response of a flow itself, too."""

    def broken() -> Iterator[bytes]:
        yield b'{"access_'
        raise httpx.ReadError("reset")

    auth0 = FakeAuth0(token_answers=[httpx.Response(200, content=broken())])
    with auth0.client(make_auth(time)) as client:
        assert client.get(CLIENTS_URL).status_code == 200
    assert len(auth0.token_requests) == 2


def test_a_lifetime_beyond_all_numbers_is_capped(time: FakeTime) -> None:
    """Thirty days, however many digits it has."""
    body = b'{"access_token": "t", "token_type": "Bearer", "expires_in": 1' + b"0" * 400 + b"}"
    auth0 = FakeAuth0(token_answers=[httpx.Response(200, content=body)])
    auth = make_auth(time)
    with auth0.client(auth) as client:
        client.get(CLIENTS_URL)
    assert auth.token_source.status().expires_in == 2592000


def test_an_internationalised_domain_gets_its_token(time: FakeTime) -> None:
    """Httpx shows such a host decoded; the comparison is of what is sent."""
    auth = ManagementAuth(
        domain="xn--mnchen-3ya.example", client_id="app", client_secret=SECRET, clock=time.clock()
    )
    auth0 = FakeAuth0()
    with auth0.client(auth) as client:
        client.get("https://xn--mnchen-3ya.example/api/v2/clients")
    assert auth0.bearers == ["Bearer token-1"]


def test_a_refusal_is_not_slept_over(time: FakeTime) -> None:
    """The same credentials will be refused in a second, too: the stored error comes at once."""
    refusals = [httpx.Response(401, json={"error": "access_denied"}) for _ in range(9)]
    auth0 = FakeAuth0(token_answers=list(refusals))
    with auth0.client(make_auth(time)) as client:
        for _ in range(5):
            with pytest.raises(TokenError, match="access_denied"):
                client.get(CLIENTS_URL)
    assert not time.slept
    assert len(auth0.token_requests) == 2


@pytest.mark.parametrize("secret", [SECRET, 'a"b&c=d%e'])
def test_a_refusal_that_echoes_the_secret_is_masked(time: FakeTime, secret: str) -> None:
    """Raw, URL-encoded, in JSON, and that of the basic header."""
    encoded = urllib.parse.quote_plus(secret)
    echo = {"error": secret, "error_description": f"Invalid client secret {secret} or {encoded}"}
    for grant in (ClientSecretPost("app", secret), ClientSecretBasic("app", secret)):
        auth0 = FakeAuth0(token_answers=[httpx.Response(401, json=echo)])
        auth = ManagementAuth(domain=DOMAIN, credentials=grant, clock=time.clock())
        with auth0.client(auth) as client, pytest.raises(TokenError, match=r"\*\*\*") as caught:
            client.get(CLIENTS_URL)
        for shown in (str(caught.value), caught.value.error or "", caught.value.error_description or ""):
            assert secret not in shown
            assert encoded not in shown


def test_a_401_of_another_origin_says_nothing_about_the_token(time: FakeTime) -> None:
    """After a redirect elsewhere, where the token was not sent."""
    away = httpx.Response(302, headers={"location": "https://elsewhere.example/"})
    auth0 = FakeAuth0(api_answers=[away, httpx.Response(401)])
    with auth0.client(make_auth(time), follow_redirects=True) as client:
        assert client.get(CLIENTS_URL).status_code == 401
        assert client.get(CLIENTS_URL).status_code == 200
    assert len(auth0.token_requests) == 1


@pytest.mark.anyio
async def test_a_rotated_secret_is_tried_at_once(time: FakeTime) -> None:
    """Refused, the source is asked again: one more request, and the caller sees no error."""
    secrets = iter(["old", "new"])

    async def source() -> str:
        return next(secrets)

    refusal = httpx.Response(401, json={"error": "access_denied"})
    auth0 = FakeAuth0(token_answers=[refusal])
    auth = ManagementAuth(domain=DOMAIN, client_id="app", client_secret=source, clock=time.clock())
    async with auth0.async_client(auth) as client:
        assert (await client.get(CLIENTS_URL)).status_code == 200
    sent = [
        urllib.parse.parse_qs(request.content.decode())["client_secret"] for request in auth0.token_requests
    ]
    assert sent == [["old"], ["new"]]


def test_mutual_tls_asks_where_discovery_says(time: FakeTime) -> None:
    """Once, and without a secret."""
    mtls = "https://mtls.tenant.example.com/oauth/token"
    document = {"issuer": f"{ORIGIN}/", "mtls_endpoint_aliases": {"token_endpoint": mtls}}
    auth0 = FakeAuth0()
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        if request.url.path.endswith("openid-configuration"):
            return httpx.Response(200, json=document)
        return auth0(request)

    auth = ManagementAuth(domain=DOMAIN, credentials=MutualTLS("app"), clock=time.clock())
    with httpx.Client(transport=httpx.MockTransport(handle), auth=auth) as client:
        response = client.get(CLIENTS_URL)
    assert seen == [f"{ORIGIN}/.well-known/openid-configuration", mtls, CLIENTS_URL]
    assert not response.history
    assert set(urllib.parse.parse_qs(auth0.token_requests[0].content.decode())) == {
        "grant_type",
        "client_id",
        "audience",
    }
    auth = ManagementAuth(domain=DOMAIN, credentials=MutualTLS("app"), clock=time.clock())
    document.clear()
    client = httpx.Client(transport=httpx.MockTransport(handle), auth=auth)
    with client, pytest.raises(TokenError, match="openid-configuration"):
        client.get(CLIENTS_URL)


def test_a_compressed_answer_of_the_token_endpoint_is_bounded_too(time: FakeTime) -> None:
    """Nobody asked for compression, and little becomes much."""
    body = gzip.compress(b'{"access_token": "' + b"x" * 10_000_000 + b'", "token_type": "Bearer"}')
    answer = httpx.Response(200, content=body, headers={"Content-Encoding": "gzip"})
    auth0 = FakeAuth0(token_answers=[answer])
    with auth0.client(make_auth(time)) as client, pytest.raises(TokenError, match="no JSON object"):
        client.get(CLIENTS_URL)
