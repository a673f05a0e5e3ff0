"""Renewals off the callers' path, in a thread or a task."""

from __future__ import annotations

import threading
import time as real_time
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from evertoken import AsyncManagementClient, ManagementClient, TokenEvent
from support import DOMAIN, SECRET, FakeAuth0, token_answer

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT = 10.0


class SlowTokens(FakeAuth0):
    """From the second token on, the token endpoint answers when it is let to."""

    def __init__(self) -> None:
        # Old enough to be in its advisory window from the beginning.
        super().__init__()
        self.free = threading.Event()
        self.asked = threading.Event()

    def token(self) -> httpx.Response:
        number = len(self.token_requests)
        if number > 1:
            self.asked.set()
            assert self.free.wait(WAIT)
        return token_answer(f"token-{number}")

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token" and self.token_requests:
            self.token_requests.append(request)
            self.asked.set()
            while not self.free.is_set():  # noqa: ASYNC110 - set by a test in any thread
                await anyio.sleep(0.005)
            return token_answer(f"token-{len(self.token_requests)}")
        return self(request)


def make_due(client: ManagementClient | AsyncManagementClient) -> None:
    """Move the token held into its advisory window."""
    held = client.token_source._held
    assert held is not None
    held.advisory = 90_000


def make_client(auth0: FakeAuth0) -> ManagementClient:
    return ManagementClient(domain=DOMAIN, client_id="app", client_secret=SECRET, httpx_client=auth0.client())


def make_async_client(auth0: SlowTokens) -> AsyncManagementClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(auth0.handle))
    return AsyncManagementClient(domain=DOMAIN, client_id="app", client_secret=SECRET, httpx_client=http)


def renewal_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "evertoken-renewal"]


def test_a_due_renewal_keeps_no_caller_waiting() -> None:
    """The call that notices goes on with the old token; a daemon thread brings the next one, and ends."""
    auth0 = SlowTokens()
    with make_client(auth0) as client:
        client.access_token()
        make_due(client)
        assert [client.access_token().value for _ in range(5)] == ["token-1"] * 5
        assert auth0.asked.wait(WAIT)
        (thread,) = renewal_threads()
        assert thread.daemon
        client.clients.list()
        auth0.free.set()
        thread.join(WAIT)
        assert client.access_token().value == "token-2"
    assert auth0.bearers == ["Bearer token-1"]
    assert len(auth0.token_requests) == 2
    assert not renewal_threads()


def test_a_failing_renewal_aside_disturbs_nobody() -> None:
    """The old token serves on; listeners and the status tell."""
    auth0 = FakeAuth0()
    told: list[TokenEvent] = []
    with make_client(auth0) as client:
        client.access_token()
        client.token_source.add_listener(told.append)
        make_due(client)
        auth0.token_answers = [httpx.Response(500)]
        assert client.access_token().value == "token-1"
        for thread in renewal_threads():
            thread.join(WAIT)
        assert client.access_token().value == "token-1"
        assert "500" in (client.token_source.status().last_failure or "")
    assert [(event.kind, event.advisory) for event in told] == [("failed", True)]
    assert len(auth0.token_requests) == 2


def test_what_no_renewal_foresees_ends_the_thread_quietly() -> None:
    """Such as a transport that raises what httpx does not: another call takes over."""
    auth0 = FakeAuth0()
    with make_client(auth0) as client:
        client.access_token()
        make_due(client)
        auth0.token_answers = [ZeroDivisionError("a bug in a transport")]
        assert client.access_token().value == "token-1"
        for thread in renewal_threads():
            thread.join(WAIT)
        assert client.access_token().value == "token-3"


def test_without_a_thread_the_caller_renews(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more threads can be had, or the interpreter is ending."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    auth0 = FakeAuth0()
    with make_client(auth0) as client:
        client.access_token()
        make_due(client)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        assert client.access_token().value == "token-2"


def test_an_interrupt_that_comes_before_the_thread_leaves_the_renewal_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C at the wrong moment does not end all renewals."""

    def interrupt(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    auth0 = FakeAuth0()
    with make_client(auth0) as client:
        client.access_token()
        make_due(client)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", interrupt)
            with pytest.raises(KeyboardInterrupt):
                client.access_token()
        assert client.access_token().value == "token-2"


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(WAIT):
        while not condition():  # noqa: ASYNC110 - any condition
            await anyio.sleep(0.005)


@pytest.mark.anyio
async def test_a_due_renewal_keeps_no_task_waiting() -> None:
    """A task on the caller's event loop brings the next token."""
    auth0 = SlowTokens()
    async with make_async_client(auth0) as client:
        await client.access_token()
        make_due(client)
        assert [(await client.access_token()).value for _ in range(5)] == ["token-1"] * 5
        await until(auth0.asked.is_set)
        auth0.free.set()
        await until(lambda: not client.token_source.status().renewing)
        assert (await client.access_token()).value == "token-2"
    assert len(auth0.token_requests) == 2


@pytest.mark.anyio
async def test_a_cancelled_caller_takes_no_renewal_along() -> None:
    """It belongs to no caller."""
    auth0 = SlowTokens()
    async with make_async_client(auth0) as client:
        await client.access_token()
        make_due(client)
        with anyio.CancelScope() as scope:
            await client.access_token()
            scope.cancel()
        auth0.free.set()
        await until(lambda: client.token_source.status().renewals == 2)


@pytest.mark.anyio
async def test_closing_a_client_ends_its_renewal() -> None:
    """Before its connections are closed; another client of the same token takes over."""
    auth0 = SlowTokens()
    other = make_async_client(auth0)
    async with make_async_client(auth0) as client:
        await client.access_token()
        make_due(client)
        await client.access_token()
        await until(auth0.asked.is_set)
    assert not other.token_source.status().renewing
    auth0.free.set()
    assert (await other.access_token()).value == "token-3"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_event_loop_that_ends_with_every_call_costs_one_token_request(backend: str) -> None:
    """The renewal aside is cut off with the loop; the next call carries it out itself."""
    auth0 = SlowTokens()
    client = make_async_client(auth0)

    async def call() -> str:
        return (await client.access_token()).value

    anyio.run(call, backend=backend)
    make_due(client)
    assert anyio.run(call, backend=backend) == "token-1"
    assert not client.token_source.status().renewing
    auth0.free.set()
    asked = len(auth0.token_requests)
    assert [anyio.run(call, backend=backend) for _ in range(3)] == [f"token-{asked + 1}"] * 3
    assert len(auth0.token_requests) == asked + 1 <= 3


def test_a_program_ends_promptly_though_a_renewal_hangs() -> None:
    """Seen from inside: nothing joins the thread."""
    auth0 = SlowTokens()
    began = real_time.monotonic()
    with make_client(auth0) as client:
        client.access_token()
        make_due(client)
        client.access_token()
        assert auth0.asked.wait(WAIT)
    assert real_time.monotonic() - began < WAIT
    (thread,) = renewal_threads()
    auth0.free.set()
    thread.join(WAIT)
