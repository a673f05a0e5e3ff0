"""One call, attempt by attempt: what bounds it, who is told, and what goes with it."""

from __future__ import annotations

import threading
import time as time_of_day
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

import evertoken.setup
from evertoken import (
    ArgumentError,
    AsyncManagementClient,
    Attempt,
    EvertokenError,
    ManagementClient,
    RateLimitError,
    ServerError,
    Throttle,
    TokenError,
    TransportError,
    correlation_id,
)
from scripted_server import ScriptedServer, drip
from support import DOMAIN, SECRET, FakeAuth0, FakeTime, api_error, locals_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_server import Exchange


@pytest.fixture
def fake_clock(time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    monkeypatch.setattr(evertoken.setup, "SYSTEM_CLOCK", time.clock())
    return time


def make_client(auth0: FakeAuth0, **options: Any) -> ManagementClient:
    return ManagementClient(domain=DOMAIN, token="fixed", httpx_client=auth0.client(), **options)


def ok() -> httpx.Response:
    return httpx.Response(200, json={"client_id": "abc"})


def test_a_deadline_ends_the_retries(fake_clock: FakeTime) -> None:
    """The last answer is the error; no wait that would end after it is begun."""
    auth0 = FakeAuth0(api_answers=[api_error(503)] * 9)
    began = fake_clock.monotonic
    with pytest.raises(ServerError):
        make_client(auth0, deadline=1.0).clients.get("abc")
    assert fake_clock.monotonic - began < 1.0
    assert len(auth0.api_requests) == 2


def test_a_deadline_of_one_call_goes_ahead_of_the_clients(fake_clock: FakeTime) -> None:
    """Longer or shorter."""
    auth0 = FakeAuth0(api_answers=[api_error(503), api_error(503), ok()])
    client = make_client(auth0, deadline=0.1)
    assert client.clients.get("abc", request_options={"deadline_in_seconds": 60}).client_id == "abc"


def test_a_deadline_shortens_the_timeouts_of_each_attempt(fake_clock: FakeTime) -> None:
    """What is left of it is all that an attempt may wait for."""
    seen: list[float] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"]["read"])
        return api_error(503) if len(seen) < 3 else ok()

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = ManagementClient(domain=DOMAIN, token="fixed", httpx_client=http, timeout=5, deadline=5.4)
    client.clients.get("abc")
    assert seen[0] == 5
    assert 5 > seen[1] > seen[2] > 0
    assert seen[2] == pytest.approx(5.4 - sum(fake_clock.slept))


@pytest.mark.anyio
async def test_a_task_is_held_to_its_deadline_whatever_happens() -> None:
    """Though data drips in, so that no timeout of httpx ends it."""

    async def handle(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(30)
        return ok()

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    client = AsyncManagementClient(domain=DOMAIN, token="fixed", httpx_client=http, deadline=0.1)
    with anyio.fail_after(10), pytest.raises(TransportError, match="Deadline") as caught:
        await client.clients.delete("abc")
    assert caught.value.maybe_carried_out


@pytest.mark.parametrize("status", [200, 429])
def test_a_thread_is_held_to_its_deadline_while_a_body_comes_in_drops(status: int) -> None:
    """No single wait is long, so that no timeout of httpx ends it; an error's body is no other."""
    head = f"HTTP/1.1 {status} OK\r\nRetry-After: 0\r\nContent-Length: 600\r\n\r\n".encode()

    def answer(exchange: Exchange) -> None:
        exchange.send(head)
        drip(b" " * 600, 0.05)(exchange)

    with ScriptedServer(tls=False) as server:
        server.api_default = answer
        client = ManagementClient(**server.credentials(), share_token=False, deadline=1.0)
        began = time_of_day.monotonic()
        with client, pytest.raises(TransportError, match=f"{status}, but the answer broke off"):
            client.clients.get("abc")
        assert time_of_day.monotonic() - began < 15  # of 30


@pytest.mark.parametrize("patience", [0, 4.9])
def test_a_wait_beyond_patience_is_an_error_at_once(fake_clock: FakeTime, patience: float) -> None:
    """It says when to try again, and what the bucket holds."""
    limited = api_error(429, retry_after="5", x_ratelimit_limit="10", x_ratelimit_remaining="0")
    auth0 = FakeAuth0(api_answers=[limited])
    client = make_client(auth0, max_wait=patience)
    with pytest.raises(RateLimitError, match="try again in 5 s") as caught:
        client.clients.get("abc")
    assert caught.value.retry_after == 5
    assert caught.value.rate_limit is not None
    assert caught.value.rate_limit.limit == 10
    assert not fake_clock.slept
    auth0.api_answers = [limited, ok()]
    assert client.clients.get("abc", request_options={"max_wait_in_seconds": 9}).client_id == "abc"


def test_every_attempt_is_told(fake_clock: FakeTime) -> None:
    """With template instead of id, what came of it, and when it goes on; a broken listener costs nothing."""
    auth0 = FakeAuth0(
        api_answers=[
            httpx.ReadTimeout("slow"),
            api_error(503, x_auth0_requestid="req-1"),
            httpx.Response(200, json={}, headers={"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9"}),
        ]
    )
    told: list[Attempt] = []

    def broken(attempt: Attempt) -> None:
        raise RuntimeError(attempt.operation)

    client = make_client(auth0)
    client.add_listener(broken)
    client.add_listener(told.append)
    client.clients.get("an-id")
    client.remove_listener(told.append)
    client.clients.get("an-id")
    assert [(one.operation, one.method, one.path, one.number) for one in told] == [
        ("clients.get", "GET", "/clients/{id}", number) for number in (1, 2, 3)
    ]
    assert [(one.status_code, one.reason) for one in told] == [
        (None, "ReadTimeout"),
        (503, None),
        (200, None),
    ]
    assert [one.again_in for one in told][:2] == fake_clock.slept[:2]
    assert told[2].again_in is None
    assert told[1].request_id == "req-1"
    assert told[2].rate_limit is not None
    assert "an-id" not in repr(told)


def test_the_response_is_there_beside_the_value() -> None:
    """For any operation; a list tells of each page."""
    pages = [
        {"clients": [{"client_id": str(number)}], "next": "cursor" if number == 0 else None}
        for number in range(2)
    ]
    auth0 = FakeAuth0(api_answers=[httpx.Response(200, json=page, headers={"etag": "1"}) for page in pages])
    seen: list[httpx.Response] = []
    client = make_client(auth0)
    assert len(list(client.clients.list(take=1, request_options={"on_response": seen.append}))) == 2
    assert [response.json()["clients"][0]["client_id"] for response in seen] == ["0", "1"]
    assert seen[0].headers["etag"] == "1"


@pytest.mark.anyio
async def test_the_response_is_there_for_tasks_and_errors() -> None:
    """It comes before the error is raised."""
    auth0 = FakeAuth0(api_answers=[api_error(404)])
    seen: list[int] = []
    client = AsyncManagementClient(domain=DOMAIN, token="fixed", httpx_client=auth0.async_client())
    with pytest.raises(Exception, match="404"):
        await client.clients.get(
            "abc", request_options={"on_response": lambda response: seen.append(response.status_code)}
        )
    assert seen == [404]


def headers_of(auth0: FakeAuth0, name: str) -> list[str | None]:
    return [request.headers.get(name) for request in auth0.api_requests]


def test_writes_carry_the_correlation_id() -> None:
    """That of the call, else that of the block; reads carry none."""
    auth0 = FakeAuth0()
    client = make_client(auth0)
    with correlation_id("job-17"):
        client.clients.delete("abc")
        client.clients.delete("abc", request_options={"correlation_id": "call-1"})
        client.clients.list(page=0)
        thread = threading.Thread(target=client.clients.delete, args=("abc",))
        thread.start()
        thread.join(10)
    client.clients.delete("abc")
    assert headers_of(auth0, "x-correlation-id") == ["job-17", "call-1", None, None, None]


@pytest.mark.parametrize("bad", ["", "x" * 65, "line\nbreak", "ümlaut", " padded "])
def test_an_id_that_cannot_be_sent_is_refused(bad: str) -> None:
    """Before anything is sent, and at the block's head."""
    auth0 = FakeAuth0()
    with pytest.raises(ArgumentError, match="correlation_id"), correlation_id(bad):
        pass
    with pytest.raises(ArgumentError, match="correlation_id"):
        make_client(auth0).clients.delete("abc", request_options={"correlation_id": bad})
    assert not auth0.api_requests


def test_telemetry_can_be_left_out() -> None:
    """`client_info=False`."""
    auth0 = FakeAuth0()
    make_client(auth0).clients.list(page=0)
    make_client(auth0, client_info=False).clients.list(page=0)
    first, second = headers_of(auth0, "auth0-client")
    assert first is not None
    assert second is None


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("deadline", {"deadline": 0}),
        ("max_wait", {"max_wait": -1}),
        ("max_wait", {"max_wait": float("inf")}),
        ("max_body", {"max_body": 0}),
        ("priority", {"priority": "urgent"}),
    ],
)
def test_what_cannot_be_right_for_a_client_is_refused(argument: str, options: dict[str, Any]) -> None:
    """By name."""
    with pytest.raises(ArgumentError, match=f"^{argument}:"):
        make_client(FakeAuth0(), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"priority": "urgent"},
        {"deadline_in_seconds": 0},
        {"max_wait_in_seconds": -1},
        {"on_response": "no function"},
    ],
    ids=min,
)
def test_what_cannot_be_right_for_a_call_is_refused(options: Any) -> None:
    """By name, before anything is sent."""
    auth0 = FakeAuth0()
    with pytest.raises(ArgumentError, match=f"^{min(options)}:"):
        make_client(auth0).clients.get("abc", request_options=options)
    assert not auth0.api_requests


def test_a_call_that_a_throttle_holds_back_beyond_its_deadline_is_an_error(fake_clock: FakeTime) -> None:
    """Nothing was sent, and the error says so."""
    throttle = Throttle(clock=fake_clock.clock())
    limited = api_error(429, retry_after="30", x_ratelimit_limit="10", x_ratelimit_remaining="0")
    auth0 = FakeAuth0(api_answers=[limited])
    client = make_client(auth0, throttle=throttle, deadline=5)
    with pytest.raises(RateLimitError):
        client.clients.get("abc")
    with pytest.raises(TransportError, match="Throttled") as caught:
        client.clients.delete("abc")
    assert not caught.value.maybe_carried_out
    assert len(auth0.api_requests) == 1


def test_a_throttle_that_holds_back_a_retry_does_not_hide_what_came_before(fake_clock: FakeTime) -> None:
    """A request was sent: the error tells of it, and that the API may have acted on it."""
    throttle = Throttle(clock=fake_clock.clock())
    auth0 = FakeAuth0()

    def handle(request: httpx.Request) -> httpx.Response:
        auth0.api_requests.append(request)
        throttle.answered(99, None, refused_for=60)
        raise httpx.ReadTimeout("slow")

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = ManagementClient(domain=DOMAIN, token="fixed", httpx_client=http, throttle=throttle, deadline=5)
    with pytest.raises(TransportError, match="ReadTimeout") as caught:
        client.clients.delete("abc")
    assert (caught.value.attempts, caught.value.maybe_carried_out) == (1, True)
    assert len(auth0.api_requests) == 1


def test_a_deadline_ends_with_the_head_of_a_stream(fake_clock: FakeTime) -> None:
    """Each piece then has the client's own timeout."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        assert request.extensions["timeout"]["read"] == 1
        return httpx.Response(200, content=b"hello")

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = ManagementClient(domain=DOMAIN, token="fixed", httpx_client=http, timeout=9, deadline=1)
    with client.stream("GET", "/clients") as response:
        assert seen[0].extensions["timeout"]["read"] == 9
        assert response.read() == b"hello"


def test_a_header_given_in_another_spelling_takes_the_place_of_ours() -> None:
    """Names of headers are the same in upper and lower case (RFC 9110, 5.1)."""
    auth0 = FakeAuth0()
    client = make_client(auth0)
    client.clients.list(page=0, request_options={"additional_headers": {"accept": "text/plain"}})
    assert auth0.api_requests[0].headers.get_list("accept") == ["text/plain"]


def test_no_frame_shows_a_secret_of_the_body() -> None:
    """Whatever refuses the call, before it is sent or after."""
    client = make_client(FakeAuth0(api_answers=[api_error(404)]))
    calls: list[Callable[[], object]] = [
        lambda: client.clients.update("abc", client_secret=SECRET),
        lambda: client.clients.update("", client_secret=SECRET),
        lambda: client.clients.update(
            "abc", client_secret=SECRET, request_options={"timeout_in_seconds": -1}
        ),
        lambda: client.request("POST", "//elsewhere", body={"client_secret": SECRET}),
    ]
    for call in calls:
        with pytest.raises(EvertokenError) as caught:
            call()
        assert SECRET not in locals_of(caught.value)


def test_a_token_that_cannot_be_fetched_is_no_failure_of_the_api() -> None:
    """The caller's own function met the network: nothing was sent to the API."""
    auth0 = FakeAuth0()

    def fetch() -> str:
        raise httpx.ReadTimeout("slow")

    client = ManagementClient(domain=DOMAIN, token=fetch, httpx_client=auth0.client())
    with pytest.raises(TokenError, match="had no answer"):
        client.clients.delete("abc")
    assert not auth0.api_requests


@pytest.mark.anyio
async def test_a_deadline_that_ends_the_wait_for_a_token_tells_of_no_request() -> None:
    """Listeners count what was sent."""
    told: list[Attempt] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(30)
        return ok()

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    client = AsyncManagementClient(
        domain=DOMAIN, client_id="app", client_secret=SECRET, httpx_client=http, deadline=0.1
    )
    client.add_listener(told.append)
    with anyio.fail_after(10), pytest.raises((TransportError, TokenError)):
        await client.clients.get("abc")
    assert not [attempt for attempt in told if attempt.operation == "clients.get"]
