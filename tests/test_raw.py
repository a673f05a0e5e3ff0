"""`client.request`: what no method has, sent as everything else is."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from evertoken import (
    ArgumentError,
    AsyncManagementClient,
    Attempt,
    Content,
    DecodeError,
    ManagementClient,
    NotFoundError,
    RateLimitError,
    ServerError,
    TransportError,
    UnauthorizedError,
)
from evertoken_tenant import Tenant, serve
from support import DOMAIN, SECRET, FakeAuth0, api_error, locals_of

if TYPE_CHECKING:
    import io
    import pathlib
    from collections.abc import AsyncIterator, Generator, Iterator

ROOT = f"https://{DOMAIN}/api/v2"


def make_client(auth0: FakeAuth0, **options: Any) -> ManagementClient:
    return ManagementClient(domain=DOMAIN, token="fixed", httpx_client=auth0.client(), **options)


def sent(path: str, **options: Any) -> str:
    """Return the URL that a path leads to."""
    auth0 = FakeAuth0()
    make_client(auth0).request("GET", path, **options)
    (request,) = auth0.api_requests
    return str(request.url)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/clients", "/clients"),
        ("/clients/abc", "/clients/abc"),
        ("/users/auth0|123/roles", "/users/auth0%7C123/roles"),
        ("/users/auth0%7C123/roles", "/users/auth0%7C123/roles"),
        ("/users/a%2Fb%3Fc%23d", "/users/a%2Fb%3Fc%23d"),
        ("/users/100%25", "/users/100%25"),
        ("/users/a b+c:d@e", "/users/a%20b%2Bc%3Ad%40e"),
        ("/users/ü/…", "/users/%C3%BC/%E2%80%A6"),
        ("/users/...", "/users/..."),
        ("/users/%0Ax", "/users/%0Ax"),
    ],
)
def test_a_path_is_what_is_sent(path: str, shown: str) -> None:
    """Encoded as the parameters of methods are, and what is encoded already not twice."""
    assert sent(path) == f"{ROOT}{shown}"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "clients",
        "https://evil.example/clients",
        "//evil.example/clients",
        "/clients//abc",
        "/clients/",
        "/clients/../users",
        "/..",
        "/./clients",
        "/%2e%2e/clients",
        "/clients/%2E",
        "/clients?page=0",
        "/clients#top",
        "/clients/{id}",
        "/api/v2/clients",
        "/clients/100%",
        "/clients/%zz",
        "/clients/%ff",
        "/clients/\ud800",
        "/@evil.example/clients",
        "/:80/clients",
        "/clients\\..\\users",
        None,
        7,
        b"/clients",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: Any) -> None:
    """Before anything is sent."""
    auth0 = FakeAuth0()
    for method in (make_client(auth0).request, make_client(auth0).stream):
        with pytest.raises(ArgumentError, match=r"^path:"):
            method("GET", path)
    assert not auth0.api_requests


@pytest.mark.parametrize("method", ["", "GET /", "G\nT", None, "GE-T"])
def test_a_method_that_is_none_is_refused(method: Any) -> None:
    """Before anything is sent."""
    auth0 = FakeAuth0()
    with pytest.raises(ArgumentError, match=r"^method:"):
        make_client(auth0).request(method, "/clients")
    assert not auth0.api_requests


def test_query_and_body_are_those_of_methods() -> None:
    """None is left out, booleans and lists as the API has them, a body is JSON."""
    auth0 = FakeAuth0()
    client = make_client(auth0, headers={"X-Own": "1"})
    client.request("patch", "/clients/abc", query={"a": True, "b": None, "c": ["x", "y"]}, body={"name": "ä"})
    (request,) = auth0.api_requests
    assert (request.method, request.url.query) == ("PATCH", b"a=true&c=x&c=y")
    assert json.loads(auth0.bodies[0]) == {"name": "ä"}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-own"] == "1"
    client.request("POST", "/clients", body=None)
    assert auth0.bodies[1] == b"null"


def test_the_answer_is_read_and_decompressed() -> None:
    """Any success, with a body or without."""
    auth0 = FakeAuth0(api_answers=[httpx.Response(202, json={"id": "job"}), httpx.Response(204)])
    client = make_client(auth0)
    response = client.request("POST", "/jobs/new-kind", body={})
    assert (response.status_code, response.json()) == (202, {"id": "job"})
    assert client.request("DELETE", "/jobs/1").content == b""


def test_errors_are_those_of_methods() -> None:
    """From the tree; on_response has the response before."""
    auth0 = FakeAuth0(api_answers=[api_error(404, "inexistent_client", "The client does not exist")])
    seen: list[int] = []
    with pytest.raises(NotFoundError, match="GET /api/v2/clients/abc: 404 inexistent_client") as caught:
        make_client(auth0).request(
            "GET",
            "/clients/abc",
            request_options={"on_response": lambda response: seen.append(response.status_code)},
        )
    assert caught.value.error_code == "inexistent_client"
    assert seen == [404]


def test_reads_are_repeated_and_writes_are_not() -> None:
    """The matrix of methods; listeners see each attempt, without an id."""
    auth0 = FakeAuth0(
        api_answers=[api_error(429, retry_after="0"), api_error(503), httpx.Response(200, json=[])]
    )
    told: list[Attempt] = []
    client = make_client(auth0)
    client.add_listener(told.append)
    client.request("get", "/users/auth0|123/roles")
    assert [(one.operation, one.path, one.status_code) for one in told] == [
        ("request", "/users/{1}/{2}", status) for status in (429, 503, 200)
    ]
    auth0.api_answers = [api_error(503)]
    with pytest.raises(ServerError):
        client.request("POST", "/clients", body={})
    assert len(auth0.api_requests) == 4


def test_the_custom_domain_goes_where_the_api_honours_it() -> None:
    """A path of values is known by its template."""
    auth0 = FakeAuth0()
    client = make_client(auth0, custom_domain="login.example.com")
    for path in ("/users/auth0|1", "/users", "/jobs/verification-email", "/users/1/roles", "/clients/users"):
        client.request("GET", path)
    given = [request.headers.get("auth0-custom-domain") for request in auth0.api_requests]
    assert given == ["login.example.com"] * 3 + [None] * 2


def test_an_answer_is_bounded() -> None:
    """As for methods."""
    auth0 = FakeAuth0(api_answers=[httpx.Response(200, content=iter([b"x" * 2_000]))])
    with pytest.raises(DecodeError, match="larger than 1000 bytes"):
        make_client(auth0, max_body=1_000).request("GET", "/exports/1")


@pytest.mark.anyio
async def test_tasks_do_the_same() -> None:
    """But for `await`."""
    auth0 = FakeAuth0(api_answers=[api_error(503), httpx.Response(200, json={"ok": True}), api_error(404)])
    client = AsyncManagementClient(domain=DOMAIN, token="fixed", httpx_client=auth0.async_client())
    response = await client.request("GET", "/new/thing", query={"a": 1}, request_options={"max_retries": 1})
    assert response.json() == {"ok": True}
    with pytest.raises(NotFoundError):
        await client.request("GET", "/new/thing")
    with pytest.raises(ArgumentError, match="path"):
        await client.request("GET", "new/thing")


LIMIT = 1_048_576


def test_a_body_beyond_the_apis_limit_is_refused() -> None:
    """Before it is sent, with its size and what to do; no frame holds it."""
    auth0 = FakeAuth0()
    client = make_client(auth0)
    fits = "x" * (LIMIT - len('{"k":""}'))
    client.request("POST", "/things", body={"k": fits})
    assert len(auth0.bodies[0]) == LIMIT
    for send in (
        lambda: client.request("POST", "/things", body={"k": f"{fits}x"}),
        lambda: client.clients.create(name=f"{fits}ää"),
    ):
        with pytest.raises(ArgumentError, match=r"^body: 1048\d\d\d bytes .* 1048576; send it in several"):
            send()
    assert len(auth0.api_requests) == 1


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("x" * LIMIT, "body"),
        (float("nan"), "body.more"),
        ({"a": {1, 2}}, "body.more.a"),
        ("\ud800", "body.more"),
        (dt.datetime(2030, 1, 2), "body.more"),  # noqa: DTZ001 - the case
    ],
    ids=["too long", "nan", "set", "surrogate", "naive"],
)
def test_the_error_for_a_body_that_cannot_be_sent_holds_no_secret(more: object, place: str) -> None:
    """Neither its text nor a frame, whatever the body is refused for."""
    body = {"client_secret": SECRET, "more": more}
    with pytest.raises(ArgumentError) as caught:
        make_client(FakeAuth0()).request("POST", "/clients", body=body)
    assert caught.value.argument == place
    assert SECRET not in str(caught.value)
    assert SECRET not in locals_of(caught.value)


def test_other_content_has_no_such_limit() -> None:
    """It goes as it is, under its own type."""
    auth0 = FakeAuth0()
    content = Content(b"x" * (LIMIT + 1), "application/x-ndjson")
    make_client(auth0).request("POST", "/imports", body=content)
    assert len(auth0.bodies[0]) == LIMIT + 1
    assert auth0.api_requests[0].headers["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize(
    ("argument", "content"),
    [("data", Content("text")), ("data", Content(7)), ("media_type", Content(b"", "a\nb"))],  # type: ignore[arg-type]
)
def test_content_that_cannot_be_sent_is_refused(argument: str, content: Content) -> None:
    """By name; so is that of the other colour."""
    with pytest.raises(ArgumentError, match=f"^{argument}:"):
        make_client(FakeAuth0()).request("POST", "/imports", body=content)


async def lines() -> AsyncIterator[bytes]:
    yield b"a"
    yield b"b"


@pytest.mark.anyio
async def test_content_of_the_other_colour_is_refused() -> None:
    """A blocking iterator would stop the event loop, and no thread can await."""
    auth0 = FakeAuth0()
    client = AsyncManagementClient(domain=DOMAIN, token="fixed", httpx_client=auth0.async_client())
    with pytest.raises(ArgumentError, match="AsyncIterable"):
        await client.request("POST", "/imports", body=Content(iter([b"a"])))
    iterator = lines()
    with pytest.raises(ArgumentError, match="data: async_generator cannot be sent"):
        make_client(auth0).request("POST", "/imports", body=Content(iterator))
    await client.request("POST", "/imports", body=Content(iterator))


class Once:
    """Counts how often it was begun, and what was taken."""

    def __init__(self) -> None:
        self.begun = 0
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        self.begun += 1
        for _ in range(3):
            self.taken += 1
            yield b"x"


def streaming_http(*answers: httpx.Response | Exception) -> tuple[httpx.Client, list[str]]:
    """Return a client that reads bodies before it answers."""
    left, bearers = list(answers), list[str]()

    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(left[0], httpx.ConnectError):
            raise left.pop(0)  # type: ignore[misc]
        # Not request.read(), which would keep the body, and so make it one that can be sent again.
        b"".join(cast("httpx.SyncByteStream", request.stream))
        bearers.append(request.headers["authorization"])
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    class Transport(httpx.BaseTransport):
        # httpx.MockTransport reads the body before it calls, and so makes it one that could be repeated.
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return handle(request)

    return httpx.Client(transport=Transport()), bearers


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (api_error(401), UnauthorizedError),
        (api_error(429, retry_after="0"), RateLimitError),
        (api_error(503), ServerError),
        (httpx.ReadError("gone"), TransportError),
    ],
    ids=["401", "429", "503", "broken"],
)
def test_streamed_content_is_sent_once(answer: Any, error: type[Exception]) -> None:
    """What was read of it is gone: a second attempt would send something else."""
    http, bearers = streaming_http(answer, httpx.Response(200))
    content = Once()
    client = ManagementClient(domain=DOMAIN, token=iter(["t1", "t2"]).__next__, httpx_client=http)
    with pytest.raises(error):
        client.request("PUT", "/imports/1", body=Content(content))
    assert (content.begun, content.taken, len(bearers)) == (1, 3, 1)


def test_content_that_was_not_begun_may_go_again() -> None:
    """A connection that was refused took nothing of it."""
    http, bearers = streaming_http(httpx.ConnectError("refused"), httpx.Response(200))
    content = Once()
    ManagementClient(domain=DOMAIN, token="t", httpx_client=http).request(
        "POST", "/imports", body=Content(content)
    )
    assert (content.begun, len(bearers)) == (1, 1)


@contextlib.contextmanager
def served() -> Generator[dict[str, Any]]:
    tenant = Tenant(clients=3)
    with serve(tenant, tls=False) as server:
        yield {
            "domain": server.url,
            "client_id": tenant.client_id,
            "client_secret": tenant.client_secret,
        }


def test_a_tenant_is_asked_over_a_socket(tmp_path: pathlib.Path) -> None:
    """What a method does can be done by hand: read, and create from a file that is streamed."""
    file = tmp_path / "client.json"
    file.write_text(json.dumps({"name": "from a file"}))
    with served() as credentials, ManagementClient(**credentials) as client:
        listed = client.request("GET", "/clients", query={"per_page": 2, "page": 0})
        assert len(listed.json()) == 2
        stream: io.BufferedReader
        with file.open("rb") as stream:
            created = client.request("POST", "/clients", body=Content(stream, "application/json"))
        assert client.clients.get(created.json()["client_id"]).name == "from a file"
        with pytest.raises(NotFoundError):
            client.request("GET", "/clients/none")


@pytest.mark.anyio
async def test_a_tenant_is_asked_over_a_socket_by_tasks() -> None:
    """The same, from what an async generator yields."""

    async def body() -> AsyncIterator[bytes]:
        yield b'{"name": '
        yield b'"in pieces"}'

    with served() as credentials:
        async with AsyncManagementClient(**credentials) as client:
            created = await client.request("POST", "/clients", body=Content(body(), "application/json"))
            assert (await client.clients.get(created.json()["client_id"])).name == "in pieces"
