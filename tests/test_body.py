"""Bodies of answers are bounded, whatever they were compressed from."""

from __future__ import annotations

import gc
import gzip
import importlib
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from evertoken import AsyncManagementClient, DecodeError, ManagementClient, TokenError, TransportError
from scripted_server import ScriptedServer, reply
from support import DOMAIN, SECRET, token_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

MEGABYTE = 1024 * 1024


class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def answer(body: bytes, encoding: str | None, chunk: int = 65_536) -> tuple[httpx.Response, Stream]:
    stream = Stream(*(body[start : start + chunk] for start in range(0, len(body), chunk)))
    headers = {"Content-Type": "application/json"}
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    return httpx.Response(200, headers=headers, stream=stream), stream


def rows(megabytes: int) -> bytes:
    return b'[{"client_id": "' + b"x" * (megabytes * MEGABYTE) + b'"}]'


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
}


def make_client(response: httpx.Response, **options: Any) -> ManagementClient:
    http = httpx.Client(transport=httpx.MockTransport(lambda _: response))
    return ManagementClient(domain=DOMAIN, token="fixed", httpx_client=http, **options)


@pytest.mark.parametrize("encoding", [None, *COMPRESSED])
def test_a_body_within_the_bound_is_read_whole(encoding: str | None) -> None:
    """Whatever it is compressed with, and in whatever chunks it comes."""
    body = rows(1)
    response, stream = answer(COMPRESSED[encoding](body) if encoding else body, encoding, chunk=1_000)
    seen: list[httpx.Response] = []
    client = make_client(response)
    pager = client.clients.list(page=0, request_options={"on_response": seen.append})
    assert len(pager.items[0].client_id or "") == MEGABYTE
    assert seen[0].content == body
    assert stream.closed


@pytest.mark.parametrize("encoding", [None, *COMPRESSED])
def test_a_body_beyond_the_bound_is_an_error_and_costs_little_memory(encoding: str | None) -> None:
    """A bomb of 200 MB ends early."""
    response, stream = answer(COMPRESSED[encoding](rows(200)) if encoding else rows(20), encoding)
    client = make_client(response, max_body=4 * MEGABYTE)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="larger than 4194304 bytes; ask for less, or"):
            client.clients.list(page=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * MEGABYTE
    assert stream.closed


@pytest.mark.anyio
@pytest.mark.parametrize("encoding", [None, "gzip"])
async def test_tasks_read_within_the_bound_too(encoding: str | None) -> None:
    """The same in the other colour."""
    for megabytes, fits in ((1, True), (6, False)):
        body = rows(megabytes)
        response, stream = answer(gzip.compress(body) if encoding else body, encoding)
        http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _, response=response: response))
        client = AsyncManagementClient(domain=DOMAIN, token="fixed", httpx_client=http, max_body=4 * MEGABYTE)
        if fits:
            assert len((await client.clients.list(page=0)).items[0].client_id or "") == MEGABYTE
        else:
            with pytest.raises(DecodeError, match="larger than"):
                await client.clients.list(page=0)
        assert stream.closed


class _Pedantic:
    """A decoder that insists on the end of what it decodes, as that of zstd does."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj()

    def decode(self, data: bytes) -> bytes:
        return self._inner.decompress(data)

    def flush(self) -> bytes:
        if not self._inner.eof:
            raise httpx.DecodingError("incomplete")
        return b""


@pytest.mark.anyio
async def test_a_decoder_that_misses_the_end_does_not_hide_the_bound(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for once: what is too large stays so."""
    decoders = cast("dict[str, Any]", importlib.import_module("httpx._decoders").SUPPORTED_DECODERS)
    monkeypatch.setitem(decoders, "pedantic", _Pedantic)
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(zlib.compress(rows(3)), "pedantic")[0]

    async def handle_async(request: httpx.Request) -> httpx.Response:
        return handle(request)

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = ManagementClient(domain=DOMAIN, token="fixed", httpx_client=http, max_body=MEGABYTE)
    with pytest.raises(DecodeError, match="larger than 1048576 bytes"):
        client.clients.list(page=0)
    http_async = httpx.AsyncClient(transport=httpx.MockTransport(handle_async))
    tasks = AsyncManagementClient(domain=DOMAIN, token="fixed", httpx_client=http_async, max_body=MEGABYTE)
    with pytest.raises(DecodeError, match="larger than 1048576 bytes"):
        await tasks.clients.list(page=0)
    assert len(asked) == 2


def test_broken_compression_is_an_error_of_ours() -> None:
    """Httpx calls it a network error: so do we."""
    response, _ = answer(b"no gzip at all", "gzip")
    client = make_client(response)
    with pytest.raises(Exception, match="200, but the answer broke off") as caught:
        client.clients.get("id", request_options={"max_retries": 0})
    assert type(caught.value).__name__ == "TransportError"


BOMB = gzip.compress(b"x" * (200 * MEGABYTE))


def bombed(status: int, path: str) -> httpx.Client:
    """Return a client for a tenant that answers to one path with a bomb, and with a token to the other."""

    def handle(request: httpx.Request) -> httpx.Response:
        if path in str(request.url):
            response, _ = answer(BOMB, "gzip")
            response.status_code = status
            return response
        return token_answer("token")

    return httpx.Client(transport=httpx.MockTransport(handle))


@pytest.mark.parametrize(
    ("status", "path", "error"),
    [
        (401, "/clients", DecodeError),
        (403, "/clients", DecodeError),
        (200, "/oauth/token", TokenError),
        (401, "/oauth/token", TokenError),
    ],
)
def test_what_the_way_to_a_token_reads_is_bounded_too(status: int, path: str, error: type[Exception]) -> None:
    """A refusal, and the answer of the token endpoint: within twice the bound, as the pieces are joined."""
    client = ManagementClient(
        domain=DOMAIN, client_id="c", client_secret=SECRET, httpx_client=bombed(status, path)
    )
    tracemalloc.start()
    try:
        with pytest.raises(error, match=r"too large|larger than"):
            client.clients.get("id", request_options={"max_retries": 0})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * MEGABYTE


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_within_that_is_held_to_the_bound_of_the_client(status: int) -> None:
    """Though it is read before."""

    def handle(_: httpx.Request) -> httpx.Response:
        response, _stream = answer(b"x" * 3_000, None)
        response.status_code = status
        return response

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = ManagementClient(domain=DOMAIN, token=lambda: "t", httpx_client=http, max_body=1_000)
    with pytest.raises(DecodeError, match="larger than 1000 bytes"):
        client.clients.get("id")


@pytest.mark.anyio
async def test_nothing_is_left_open_by_what_cannot_be_read() -> None:
    """Neither by a body that is too long nor by broken compression, over a real connection."""
    with ScriptedServer(tls=False) as server:
        for body, encoding in ((b"x" * 200_000, "identity"), (BOMB, "gzip"), (b"\x1f" * 90_000, "gzip")):
            server.api_script += [reply(body=body, headers={"Content-Encoding": encoding})]
            async with AsyncManagementClient(**server.credentials(), max_body=10_000) as client:
                with pytest.raises((DecodeError, TransportError)):
                    await client.clients.get("id", request_options={"max_retries": 0})
            gc.collect()


def test_a_response_that_was_read_is_an_ordinary_one() -> None:
    """It can be iterated over again, as often as you like."""
    body = rows(1)
    response, _ = answer(gzip.compress(body), "gzip")
    seen: list[httpx.Response] = []
    make_client(response, max_body=2 * MEGABYTE).clients.list(
        page=0, request_options={"on_response": seen.append}
    )
    for _ in range(3):
        assert b"".join(seen[0].iter_bytes()) == body
    assert seen[0].headers["content-encoding"] == "gzip"
