"""`client.stream`: answers that are read as they come, and closed with the block."""

from __future__ import annotations

import contextlib
import gc
import gzip
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from evertoken import (
    AsyncManagementClient,
    DecodeError,
    ManagementClient,
    NotFoundError,
    ServerError,
    TransportError,
)
from scripted_server import ScriptedServer, api_error, cut_short, hang, raw, reply
from support import locals_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from scripted_server import Exchange

for_kinds = pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
MEGABYTE = 1024 * 1024


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(tls=False) as served:
        yield served


def download(
    kind: str, server: ScriptedServer, *, most: int | None = None, method: str = "GET", **options: Any
) -> list[bytes]:
    """Return the pieces of an export, at most so many."""
    options = {**server.credentials(), "share_token": False, **options}
    pieces: list[bytes] = []

    def sync() -> None:
        with ManagementClient(**options) as client, client.stream(method, "/exports/1") as response:
            for piece in response.iter_bytes():
                pieces.append(piece)
                if len(pieces) == most:
                    break
        assert response.is_closed

    async def asynchronous() -> None:
        async with AsyncManagementClient(**options) as client:
            async with client.stream(method, "/exports/1") as response:
                async for piece in response.aiter_bytes():
                    pieces.append(piece)
                    if len(pieces) == most:
                        break
            assert response.is_closed
            del response
            gc.collect()  # while there is an event loop that would be asked to close what is left

    sync() if kind == "sync" else anyio.run(asynchronous, backend=kind)
    return pieces


@for_kinds
def test_pieces_come_as_they_are_sent(kind: str, server: ScriptedServer) -> None:
    """The first is there while the rest is not sent yet; what is left is not waited for."""
    server.api_script += [hang(data=HEAD + b"5\r\nfirst\r\n")]
    assert download(kind, server, most=1) == [b"first"]


@for_kinds
def test_leaving_early_closes_the_connection(kind: str, server: ScriptedServer) -> None:
    """Though more is on its way; nothing is left for the event loop to close."""
    gone = threading.Event()

    def pour(exchange: Exchange) -> None:
        exchange.send(HEAD)
        try:
            while not exchange.server.closing.is_set():
                exchange.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        except OSError:
            gone.set()
            raise

    server.api_script += [pour]
    assert len(download(kind, server, most=2)) == 2
    assert gone.wait(10)


@for_kinds
def test_a_stream_read_to_its_end_gives_the_connection_back(kind: str, server: ScriptedServer) -> None:
    """The next call of a client uses it."""

    def both() -> None:
        with ManagementClient(**server.credentials(), share_token=False) as client:
            for _ in range(2):
                with client.stream("GET", "/exports/1") as response:
                    assert response.read() == b"all"

    async def both_async() -> None:
        async with AsyncManagementClient(**server.credentials(), share_token=False) as client:
            for _ in range(2):
                async with client.stream("GET", "/exports/1") as response:
                    assert await response.aread() == b"all"

    server.api_default = reply(body=b"all")
    both() if kind == "sync" else anyio.run(both_async, backend=kind)
    assert server.connections == 1


@for_kinds
def test_what_goes_before_is_as_for_every_call(kind: str, server: ScriptedServer) -> None:
    """A token that is refused is renewed, a 503 is tried again."""
    server.api_script += [api_error(401), api_error(503), reply(body=b"rows")]
    assert b"".join(download(kind, server)) == b"rows"
    assert [request.bearer for request in server.api_requests] == [
        server.issued[0],
        server.issued[1],
        server.issued[1],
    ]


@for_kinds
def test_an_error_status_is_an_error(kind: str, server: ScriptedServer) -> None:
    """With what its body tells, in bounds."""
    server.api_script += [api_error(404, "inexistent_job", "no such job")]
    with pytest.raises(NotFoundError, match="inexistent_job"):
        download(kind, server)
    server.api_script += [api_error(503)]
    with pytest.raises(ServerError):
        download(kind, server, method="POST")
    server.api_script += [reply(404, b"x" * 5_000)]
    with pytest.raises(DecodeError, match="404, but its body is larger than 1000 bytes"):
        download(kind, server, max_body=1_000)


@for_kinds
def test_a_stream_that_breaks_off_is_an_error_of_ours(kind: str, server: ScriptedServer) -> None:
    """Whatever httpx calls it; no frame of it holds the token."""
    server.api_script += [cut_short(b"half", missing=10), raw(HEAD + b"5\r\nfirst\r\n5\r\nsec")]
    for _ in range(2):
        with pytest.raises(
            TransportError, match=r"200, but the answer broke off .*RemoteProtocolError"
        ) as caught:
            download(kind, server)
        assert not caught.value.maybe_carried_out
        assert server.issued[-1] not in locals_of(caught.value)
    bad = reply(body=b"no gzip at all", headers={"Content-Encoding": "gzip"})
    server.api_script += [bad, bad]
    with pytest.raises(TransportError, match="DecodingError") as caught:
        download(kind, server)
    assert server.issued[-1] not in locals_of(caught.value)
    with pytest.raises(TransportError) as caught:
        download(kind, server, method="POST")
    assert caught.value.maybe_carried_out


@for_kinds
def test_silence_in_a_stream_is_an_error_after_the_timeout(kind: str, server: ScriptedServer) -> None:
    """The timeout of the client holds for each piece."""
    server.api_script += [hang(data=HEAD + b"5\r\nfirst\r\n")]
    with pytest.raises(TransportError, match="ReadTimeout"):
        download(kind, server, timeout=2)


@for_kinds
def test_a_stream_has_no_bound_but_a_piece_has(kind: str, server: ScriptedServer) -> None:
    """A stream of 200 MB from a small body passes through little memory."""
    bomb = gzip.compress(b"\0" * (200 * MEGABYTE))
    server.api_script += [reply(body=bomb, headers={"Content-Encoding": "gzip"})]
    total = 0

    def count_sync() -> None:
        nonlocal total
        with (
            ManagementClient(**server.credentials(), max_body=MEGABYTE) as client,
            client.stream("GET", "/exports/1") as response,
        ):
            for piece in response.iter_bytes():
                total += len(piece)

    async def count_async() -> None:
        nonlocal total
        async with (
            AsyncManagementClient(**server.credentials(), max_body=MEGABYTE) as client,
            client.stream("GET", "/exports/1") as response,
        ):
            async for piece in response.aiter_bytes():
                total += len(piece)

    tracemalloc.start()
    try:
        count_sync() if kind == "sync" else anyio.run(count_async, backend=kind)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 200 * MEGABYTE
    assert peak < 40 * MEGABYTE


@for_kinds
def test_an_error_of_the_caller_closes_the_stream(kind: str, server: ScriptedServer) -> None:
    """And passes as it is."""
    server.api_script += [hang(data=HEAD + b"5\r\nfirst\r\n")]
    seen: list[httpx.Response] = []

    def sync() -> None:
        with (
            ManagementClient(**server.credentials()) as client,
            client.stream("GET", "/exports/1", request_options={"on_response": seen.append}) as response,
        ):
            raise KeyError(response.status_code)

    async def asynchronous() -> None:
        async with (
            AsyncManagementClient(**server.credentials()) as client,
            client.stream("GET", "/exports/1", request_options={"on_response": seen.append}) as response,
        ):
            raise KeyError(response.status_code)

    with pytest.raises(KeyError):
        sync() if kind == "sync" else anyio.run(asynchronous, backend=kind)
    assert seen[0].is_closed


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["aiter_raw", "aiter_bytes", "aiter_text", "aiter_lines"])
async def test_every_iterator_may_be_left_in_the_middle(method: str, server: ScriptedServer) -> None:
    """By break, by an error, and by a task that is cancelled in its wait or outside it."""

    async def leave(ending: str) -> None:
        with anyio.CancelScope() as scope, contextlib.suppress(KeyError):
            async with client.stream("GET", "/exports/1") as response:
                async for _ in getattr(response, method)():
                    if ending == "break":
                        break
                    if ending == "error":
                        raise KeyError
                    scope.deadline = anyio.current_time() + 0.1
                    if ending == "outside":
                        await anyio.sleep(20)

    async with AsyncManagementClient(**server.credentials(), share_token=False) as client:
        for ending in ("break", "error", "wait", "outside"):
            server.api_script += [hang(data=HEAD + b"6\r\nfirst\n\r\n")]
            await leave(ending)
            gc.collect()  # tells of what was left to the event loop
        assert len(server.api_requests) == 4


@pytest.mark.anyio
async def test_a_stream_without_a_wait_ends_too() -> None:
    """One in memory that never ends, and never waits for a network, is left all the same."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"piece"

    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=endless())))
    client = AsyncManagementClient(domain="d.example", token="t", httpx_client=http)
    with anyio.fail_after(20):
        async with client.stream("GET", "/exports/1") as response:
            async for _ in response.aiter_bytes():
                break
    assert response.is_closed
