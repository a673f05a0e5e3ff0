"""Event streams over real sockets that drop, refuse, and go on."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import urllib.parse
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpx
import pydantic
import pytest

import evertoken.setup
from evertoken import (
    APIError,
    AsyncManagementClient,
    DecodeError,
    EventsOperation,
    EventStreamError,
    EvertokenError,
    ForbiddenError,
    ManagementClient,
    ServerSentEvent,
    TransportError,
)
from scripted_server import ScriptedServer, api_error, drop, hang, json_reply, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evertoken import RequestOptions
    from scripted_server import Answer, Exchange

for_kinds = pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
)
QUICK = b"retry: 1\n\n"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(tls=False) as served:
        served.api_default = reply(204)
        yield served


def event(number: int, name: str = "user.created") -> bytes:
    return f'event: {name}\nid: id-{number}\ndata: {{"offset": "id-{number}"}}\n\n'.encode()


def failure(code: str) -> bytes:
    data = json.dumps({"error": {"code": code, "message": "no more", "offset": "id-9"}})
    return f"event: error\ndata: {data}\n\n".encode()


def stream(*pieces: bytes, then: Answer | None = None) -> Answer:
    """Send pieces as chunks, and end the stream in good order, or as `then` does."""

    def answer(exchange: Exchange) -> None:
        exchange.send(HEAD)
        for piece in pieces:
            exchange.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if then is None:
            exchange.send(b"0\r\n\r\n")
        else:
            then(exchange)

    return answer


Got = list[tuple[str, str]]


def subscribe(
    kind: str,
    server: ScriptedServer,
    *,
    most: int | None = None,
    query: dict[str, Any] | None = None,
    operation: EventsOperation[Any] | None = None,
    each: Callable[[Any], object] = lambda _: None,
    request_options: RequestOptions | None = None,
    **options: Any,
) -> str:
    """Subscribe, leave the loop after so many events, call `each` with every one; return the last id."""
    options = {**server.credentials(), "share_token": False, **options}

    def sync() -> str:
        with ManagementClient(**options) as client:
            opening = (
                client.stream_events(query=query, request_options=request_options)
                if operation is None
                else client._sending.stream_events(operation, request_options)
            )
            with opening as events:
                for number, one in enumerate(events, start=1):
                    each(one)
                    if number == most:
                        break
                return events.last_event_id

    async def asynchronous() -> str:
        async with AsyncManagementClient(**options) as client:
            opening = (
                client.stream_events(query=query, request_options=request_options)
                if operation is None
                else client._sending.stream_events(operation, request_options)
            )
            async with opening as events:
                number = 0
                async for one in events:
                    number += 1
                    each(one)
                    if number == most:
                        break
                last = events.last_event_id
            del events
            gc.collect()  # while there is an event loop that would be asked to close what is left
            return last

    return sync() if kind == "sync" else anyio.run(asynchronous, backend=kind)


def ids(kind: str, server: ScriptedServer, **arguments: Any) -> list[str]:
    got: list[str] = []
    subscribe(kind, server, each=lambda one: got.append(cast("ServerSentEvent", one).id), **arguments)
    return got


def query_of(server: ScriptedServer, index: int) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(server.api_requests[index].path.partition("?")[2])


@for_kinds
def test_events_come_as_they_are_sent(kind: str, server: ScriptedServer) -> None:
    """The first is there though the second waits for what the caller does with it."""
    told = threading.Event()

    def answer(exchange: Exchange) -> None:
        stream(event(1, "user.deleted"), then=hang(told, stream_on))(exchange)

    def stream_on(exchange: Exchange) -> None:
        exchange.send(f"{len(event(2)):x}\r\n".encode() + event(2) + b"\r\n")
        hang()(exchange)

    got: list[ServerSentEvent] = []

    def each(one: ServerSentEvent) -> None:
        got.append(one)
        told.set()

    server.api_script += [answer]
    assert subscribe(kind, server, most=2, each=each, query={"event_type": ["a", "b"]}) == "id-2"
    assert got[0] == ServerSentEvent(event="user.deleted", data='{"offset": "id-1"}', id="id-1")
    (request,) = server.api_requests
    assert request.path == "/api/v2/events?event_type=a&event_type=b"
    assert request.headers["accept"] == "text/event-stream"
    assert "last-event-id" not in request.headers


@for_kinds
@pytest.mark.parametrize("end", [None, drop()], ids=["in order", "broken off"])
def test_the_next_connection_goes_on_after_the_last_event(
    kind: str, end: Answer | None, server: ScriptedServer
) -> None:
    """By header and query; where it began is asked for no more; half an event is no event."""
    server.api_script += [
        stream(QUICK, event(1), event(2)[:-1], then=end),
        stream(b": nothing new\n\n", then=end),
        stream(event(2), event(3)[:20], then=end),
        stream(event(3)),
    ]
    query = {"from_timestamp": "2026-01-01T00:00:00Z", "event_type": "user.created"}
    assert ids(kind, server, query=query) == ["id-1", "id-2", "id-3"]
    assert query_of(server, 0) == {name: [value] for name, value in query.items()}
    assert query_of(server, 1) == {"from": ["id-1"], "event_type": ["user.created"]}
    assert query_of(server, 2)["from"] == ["id-1"]
    assert query_of(server, 3)["from"] == ["id-2"]
    assert [request.headers.get("last-event-id") for request in server.api_requests][:4] == [
        None,
        "id-1",
        "id-1",
        "id-2",
    ]


@for_kinds
def test_a_token_that_is_refused_on_the_way_is_renewed(kind: str, server: ScriptedServer) -> None:
    """The stream goes on with the new one."""
    server.api_script += [
        stream(QUICK, event(1)),
        api_error(401, message="Invalid token"),
        stream(event(2)),
    ]
    assert ids(kind, server) == ["id-1", "id-2"]
    assert [request.bearer for request in server.api_requests[:3]] == [
        server.issued[0],
        server.issued[0],
        server.issued[1],
    ]
    assert query_of(server, 2) == {"from": ["id-1"]}


@for_kinds
def test_going_on_is_tried_again_as_any_call(kind: str, server: ScriptedServer) -> None:
    """After a 503, after a connection that was refused a word; then the error is the caller's."""
    server.api_script += [stream(QUICK, event(1)), api_error(503), drop(), stream(event(2))]
    assert ids(kind, server, max_wait=30) == ["id-1", "id-2"]
    server.api_script += [stream(QUICK, event(3)), drop()]
    with pytest.raises(TransportError):
        ids(kind, server, request_options={"max_retries": 0})
    server.api_script += [stream(QUICK, event(4)), api_error(403, "insufficient_scope")]
    with pytest.raises(ForbiddenError, match="insufficient_scope"):
        ids(kind, server)


@for_kinds
def test_a_cursor_that_is_gone_ends_the_stream(kind: str, server: ScriptedServer) -> None:
    """410 is an APIError: nothing is left out in silence."""
    server.api_script += [api_error(410, message="cursor expired")]
    with pytest.raises(APIError, match="410"):
        ids(kind, server, query={"from": "id-0"})


@for_kinds
def test_an_error_event_is_an_error_after_the_events_before_it(kind: str, server: ScriptedServer) -> None:
    """It says what to do, and from where."""
    got: list[str] = []
    server.api_script += [stream(event(1), failure("cursor_expired"))]
    with pytest.raises(EventStreamError, match=r"cursor_expired.*from_timestamp") as caught:
        subscribe(kind, server, each=lambda one: got.append(one.id))
    error = caught.value
    assert got == ["id-1"]
    assert (error.code, error.message, error.offset) == ("cursor_expired", "no more", "id-9")
    assert error.last_event_id == "id-1"
    assert str(error).startswith("GET /api/v2/events: the stream ended with")


@for_kinds
@pytest.mark.parametrize("code", ["timeout", "connection_timeout"])
def test_a_timeout_of_the_api_is_no_end(kind: str, code: str, server: ScriptedServer) -> None:
    """The next connection goes on."""
    server.api_script += [stream(QUICK, event(1), failure(code)), stream(event(2))]
    assert ids(kind, server) == ["id-1", "id-2"]


@for_kinds
@pytest.mark.parametrize("data", ["no JSON", "[]", '{"error": 7}', "1" * 5_000])
def test_an_error_event_of_another_shape_is_an_error_all_the_same(
    kind: str, data: str, server: ScriptedServer
) -> None:
    """Without what it does not tell."""
    server.api_script += [stream(f"event: error\ndata: {data}\n\n".encode())]
    with pytest.raises(EventStreamError, match="ended with error; subscribe again"):
        ids(kind, server)


@for_kinds
def test_what_is_no_event_stream_is_an_error(kind: str, server: ScriptedServer) -> None:
    """Such as the page of a proxy."""
    server.api_script += [json_reply({"no": "stream"})]
    with pytest.raises(DecodeError, match="no event stream but application/json"):
        ids(kind, server)


@for_kinds
def test_an_event_is_bounded(kind: str, server: ScriptedServer) -> None:
    """A line that does not end is an error, not memory. The connection is closed."""
    server.api_script += [stream(event(1), b"data: " + b"x" * 5_000, then=hang())]
    with pytest.raises(DecodeError, match="an event is larger than 1000 bytes"):
        ids(kind, server, max_body=1_000)


@for_kinds
def test_leaving_the_loop_closes_the_connection(kind: str, server: ScriptedServer) -> None:
    """At once, whatever the server still has to say; nothing is left for the event loop to close."""
    gone = threading.Event()

    def keep_on(exchange: Exchange) -> None:
        try:
            while not exchange.server.closing.wait(0.01):
                piece = event(3) * 200
                exchange.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        except OSError:
            gone.set()
            raise

    server.api_script += [stream(event(1), event(2), then=keep_on)]
    assert ids(kind, server, most=1) == ["id-1"]
    assert gone.wait(10)


@pytest.mark.anyio
async def test_a_wait_for_an_event_may_be_cut_short(server: ScriptedServer) -> None:
    """The stream goes on afterwards, over a new connection, after the last event."""
    server.api_script += [stream(QUICK, event(1), then=hang()), stream(event(2), then=hang())]
    client = AsyncManagementClient(**server.credentials(), share_token=False)
    async with client, client.stream_events() as events:
        assert (await anext(events)).id == "id-1"
        with anyio.move_on_after(0.2) as scope:
            await anext(events)
        assert scope.cancelled_caught
        with anyio.fail_after(20):
            assert (await anext(events)).id == "id-2"
    assert query_of(server, 1) == {"from": ["id-1"]}


@pytest.mark.anyio
async def test_a_task_that_is_cancelled_leaves_nothing_behind(server: ScriptedServer) -> None:
    """Within the wait, or in the caller's own code while events are there."""
    for take in (1, 2):
        server.api_script += [stream(QUICK, event(1), then=hang())]
        async with AsyncManagementClient(**server.credentials(), share_token=False) as client:
            with anyio.move_on_after(0.3):
                async with client.stream_events() as events:
                    for _ in range(take):
                        await anext(events)
                    await anyio.sleep(20)
        gc.collect()


def pauses(monkeypatch: pytest.MonkeyPatch, *bodies: bytes) -> list[float]:
    """Return the pauses that a client makes between connections with these bodies."""
    answers = [httpx.Response(200, headers={"content-type": "text/event-stream"}, content=b) for b in bodies]
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answers.pop(0)))
    slept: list[float] = []
    monkeypatch.setattr(evertoken.setup, "SYSTEM_CLOCK", evertoken.Clock(sleep=slept.append))
    answers.append(httpx.Response(204))
    with ManagementClient(domain="d.example", token="t", httpx_client=http).stream_events() as events:
        assert list(events)
    return slept


def test_pauses_are_the_servers_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never shorter; a mistaken one is cut to a minute."""
    told = pauses(monkeypatch, b"retry: 5000\n\n" + event(1), event(2), b"retry: 9999999\n\n" + event(3))
    assert 5 <= told[0] <= 6
    assert 5 <= told[1] <= 6
    assert 60 <= told[2] <= 72
    assert len(told) == 3


def test_pauses_grow_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """And are short again after an event."""
    told = pauses(monkeypatch, event(1), b":\n\n", b":\n\n", b":\n\n", b":\n\n", event(2), event(3))
    assert told[0] < 1
    assert told[1] < told[2] < told[3] < told[4]
    assert told[4] > 2
    assert told[5] < 1


def test_silence_has_a_patience_of_its_own() -> None:
    """The timeout of calls would end a quiet stream; that of the subscription goes ahead."""
    seen: list[dict[str, float]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(204)

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = ManagementClient(domain="d.example", token="t", httpx_client=http, timeout=5)
    with client.stream_events():
        pass
    with client.stream_events(request_options={"timeout_in_seconds": 7}):
        pass
    assert [(one["connect"], one["read"]) for one in seen] == [(5, 90), (7, 7)]


class Created(pydantic.BaseModel):
    type: str
    offset: str


@for_kinds
def test_an_operation_gives_its_own_type(kind: str, server: ScriptedServer) -> None:
    """The event's name is its `type`, as in the spec; where it resumes is the operation's word."""
    operation: EventsOperation[Created] = EventsOperation(
        name="streams.follow", method="GET", path="/streams/{id}", path_params={"id": "s1"}, result=Created
    )
    server.api_script += [stream(QUICK, event(1)), stream(event(2, "user.deleted"))]
    got: list[Created] = []
    subscribe(kind, server, operation=operation, each=got.append)
    assert got == [
        Created(type="user.created", offset="id-1"),
        Created(type="user.deleted", offset="id-2"),
    ]
    assert server.api_requests[1].path == "/api/v2/streams/s1"
    assert server.api_requests[1].headers["last-event-id"] == "id-1"


def test_an_event_that_does_not_fit_is_an_error_where_it_is_asked_for() -> None:
    """`strict=True`; what is no JSON always is."""
    operation: EventsOperation[Created] = EventsOperation(
        name="streams.follow", method="GET", path="/streams", result=Created
    )
    headers = {"content-type": "text/event-stream"}
    for body, strict in ((b'data: {"offset": 7}\n\n', True), (b"data: nothing\n\n", False)):
        response = httpx.Response(200, headers=headers, content=body)
        http = httpx.Client(transport=httpx.MockTransport(lambda _, response=response: response))
        client = ManagementClient(domain="d.example", token="t", httpx_client=http, strict=strict)
        with client._sending.stream_events(operation) as events, pytest.raises(EvertokenError, match="200"):
            next(events)


def typed(number: int, name: str = "user.created") -> bytes:
    data = {"offset": f"id-{number}", "event": {"id": f"e{number}", "type": name, "more": "kept"}}
    return f"event: {name}\nid: id-{number}\ndata: {json.dumps(data)}\n\n".encode()


def follow(kind: str, server: ScriptedServer, use: Callable[[Any], Any], **arguments: Any) -> Any:
    """Return what `use` makes of `client.events.subscribe(...)`: a value, or one to await."""
    if kind == "sync":
        with ManagementClient(**server.credentials(), share_token=False) as client:
            return use(client.events.subscribe(**arguments))

    async def asynchronous() -> Any:
        async with AsyncManagementClient(**server.credentials(), share_token=False) as client:
            return await use(client.events.subscribe(**arguments))

    return anyio.run(asynchronous, backend=kind)


def all_of(kind: str) -> Callable[[Any], Any]:
    """Iterate without a block."""

    async def asynchronous(stream: Any) -> list[Any]:
        return [event async for event in stream]

    return list if kind == "sync" else asynchronous


@for_kinds
def test_a_subscription_needs_no_block(kind: str, server: ScriptedServer) -> None:
    """It opens at the first event that is asked for, and goes on after the last one that came."""
    server.api_script += [
        stream(QUICK, typed(1), typed(2, "organization.created")),
        stream(typed(3, "new.kind")),
    ]
    got = follow(
        kind, server, all_of(kind), from_timestamp="2030-01-01T00:00:00Z", event_type=["user.created"]
    )
    assert [type(one).__name__ for one in got[:2]] == [
        "EventStreamCloudEventUserCreated",
        "EventStreamCloudEventOrgCreated",
    ]
    assert [one.offset for one in got] == ["id-1", "id-2", "id-3"]
    assert got[0].event.more == "kept"
    assert query_of(server, 0) == {"from_timestamp": ["2030-01-01T00:00:00Z"], "event_type": ["user.created"]}
    assert query_of(server, 1) == {"from": ["id-2"], "event_type": ["user.created"]}


@for_kinds
def test_a_subscription_that_is_not_used_sends_nothing(kind: str, server: ScriptedServer) -> None:
    """Nor does it leave anything behind."""

    async def asynchronous(_: object) -> None: ...

    follow(kind, server, asynchronous if kind != "sync" else lambda _: None)
    gc.collect()
    assert server.requests == []


@for_kinds
def test_a_block_goes_on_with_what_is_open(kind: str, server: ScriptedServer) -> None:
    """Begun by an event that was asked for before it, or by a block around it."""
    server.api_script += [stream(QUICK, typed(1), typed(2), typed(3), then=hang())]

    def sync(events: Any) -> list[str]:
        got = [next(events).offset]
        with events, events:
            got += [next(events).offset, next(events).offset]
        return got

    async def asynchronous(events: Any) -> list[str]:
        got = [(await anext(events)).offset]
        async with events, events:
            got += [(await anext(events)).offset, (await anext(events)).offset]
        return got

    assert follow(kind, server, sync if kind == "sync" else asynchronous) == ["id-1", "id-2", "id-3"]
    assert len(server.api_requests) == 1


@for_kinds
@pytest.mark.parametrize(
    "pieces",
    [[QUICK, typed(1), failure("cursor_expired")], [b"data: " + b"x" * 70_000_000], None],
    ids=["an error of the API", "beyond the bound", "no event stream"],
)
def test_a_stream_that_is_over_is_closed(
    kind: str, pieces: list[bytes] | None, server: ScriptedServer
) -> None:
    """Without a block, too; whoever asks again is told that it is over."""
    gone = threading.Event()

    def keep_on(exchange: Exchange) -> None:
        while not exchange.server.closing.wait(0.01):
            exchange.send(b"4\r\n:\n:\n\r\n" * 1_000)

    def answer(exchange: Exchange) -> None:
        try:
            if pieces is None:
                exchange.send(HEAD.replace(b"text/event-stream", b"text/html"))
                keep_on(exchange)
            else:
                stream(*pieces, then=keep_on)(exchange)
        except OSError:
            gone.set()
            raise

    server.api_script += [answer]
    held: list[Any] = []

    def sync(events: Any) -> None:
        held.append(events)
        with pytest.raises(EvertokenError):
            list(events)
        assert gone.wait(10)
        assert next(events, None) is None

    async def asynchronous(events: Any) -> None:
        held.append(events)
        with pytest.raises(EvertokenError):
            [event async for event in events]
        assert await anyio.to_thread.run_sync(gone.wait, 10)
        assert await anext(events, None) is None

    follow(kind, server, sync if kind == "sync" else asynchronous)


def test_a_loop_that_is_left_without_a_block_ends_with_its_event_loop(server: ScriptedServer) -> None:
    """Without an error that nobody can catch."""
    server.api_script += [stream(QUICK, typed(1), typed(2), then=hang())]
    told: list[object] = []

    async def leave() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        client = AsyncManagementClient(**server.credentials(), share_token=False)
        async for _ in client.events.subscribe():
            break

    anyio.run(leave, backend="asyncio")
    gc.collect()
    assert told == []
