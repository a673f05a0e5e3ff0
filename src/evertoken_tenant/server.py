"""The tenant on a loopback socket, http or https."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import pathlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import trustme
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from evertoken_tenant.call import MAX_BODY, Answer, Call
from evertoken_tenant.feed import HEARTBEAT
from evertoken_tenant.streaming import BEAT

if TYPE_CHECKING:
    from evertoken_tenant.feed import Stream
    from evertoken_tenant.tenant import Tenant

# ASGI's own types are as loose as this.
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_KEEP_ALIVE: Final = 300  # seconds; shorter ones race with clients that reuse an idle connection
_JOIN: Final = 10.0  # seconds; the thread ends within milliseconds


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A tenant that is being served. `ca_file` is its authority's certificate, None without TLS."""

    tenant: Tenant
    url: str
    port: int
    ca_file: str | None

    @property
    def domain(self) -> str:
        """Host and port."""
        return self.url.partition("://")[2]

    def ssl_context(self) -> ssl.SSLContext:
        """Return a client's context that trusts this server's authority, besides the usual ones."""
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        return context


class _Uvicorn(uvicorn.Server):
    """Ends at once when told, without signals, and closes a connection where the tenant says so."""

    def __init__(self, tenant: Tenant, certificate: pathlib.Path | None) -> None:
        super().__init__(
            uvicorn.Config(
                self._serve_call,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                ssl_certfile=certificate,
            )
        )
        self._tenant = tenant
        self._end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ready = threading.Event()

    def end(self) -> None:
        """Close all connections and return from `serve`; to be called from another thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready.set()
        # It keeps the Date header right, and would notice the end only at the next tick.
        ticking = asyncio.ensure_future(super().main_loop())
        await self._end.wait()
        ticking.cancel()
        await asyncio.wait([ticking])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        # Nobody waits for clients that are idle, or for answers that are being held back.
        while self.server_state.connections or self.server_state.tasks:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0.001)

    async def _serve_call(self, scope: Message, receive: Receive, send: Send) -> None:
        call = await _read(scope, receive)
        if call is None:
            return
        reply = self._tenant.respond(call)
        if reply.delay:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), reply.delay)
        if reply.answer is None:
            self._close(scope)
            await _until_closed(receive)
        elif self._end.is_set():
            await _until_closed(receive)
        else:
            await _write(reply.answer, receive, send)

    def _close(self, scope: Message) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol) and connection.client == scope["client"]:
                connection.transport.close()


async def _read(scope: Message, receive: Receive) -> Call | None:
    """Return the call; of a body that is too large only as much as it takes to tell.

    None where the connection broke before the body's end: half a request is none.
    """
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        del body[MAX_BODY + 1 :]
        more = message.get("more_body", False)
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    host = headers.get("host", "").lower()
    return Call(scope["method"], host, path, query, headers, bytes(body))


async def _write(answer: Answer, receive: Receive, send: Send) -> None:
    headers = dict(answer.headers)
    if answer.status != 204 and answer.stream is None:
        headers["content-length"] = str(len(answer.body))
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    if answer.stream is None:
        await send({"type": "http.response.body", "body": answer.body})
    else:
        await _follow(answer.stream, receive, send)


async def _follow(stream: Stream, receive: Receive, send: Send) -> None:
    """Send what happens, until the stream ends or the client is gone."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        # Told by whichever thread changes something, even while the loop is being closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(changed.set)

    closed = asyncio.ensure_future(_until_closed(receive))
    stream.feed.listen(wake)
    try:
        while not closed.done():
            changed.clear()
            chunk = stream.take()
            if chunk is None:
                await send({"type": "http.response.body", "body": b""})
                return
            if not chunk:
                waiting = asyncio.ensure_future(changed.wait())
                done, _ = await asyncio.wait(
                    (waiting, closed), timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED
                )
                waiting.cancel()
                chunk = b"" if done else BEAT
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        stream.feed.unlisten(wake)
        closed.cancel()


async def _until_closed(receive: Receive) -> None:
    # Returning earlier would make the server answer 500 in the tenant's place.
    while (await receive())["type"] != "http.disconnect":
        pass


@contextlib.contextmanager
def serve(tenant: Tenant, *, tls: bool = False, host: str = "127.0.0.1", port: int = 0) -> Generator[Server]:
    """Serve a tenant on a loopback address while the block runs; port 0 is any free one.

    The tenant's origin, domain and audience become those of the address. Raises ValueError for a host
    that is not this machine, OSError where the port is taken.
    """
    address = _loopback(host)
    tenant.prepare()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listen(address, port))
        port = int(listener.getsockname()[1])
        literal = f"[{address}]" if ":" in address else address
        origin = f"{'https' if tls else 'http'}://{literal}:{port}"
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())) if tls else None
        certificate = None if folder is None else _certify(folder, address)
        tenant.move_to(origin, aliases=[f"localhost:{port}"])
        running = _Uvicorn(tenant, certificate)
        thread = threading.Thread(target=_run, args=(running, listener), name=origin, daemon=True)
        thread.start()
        running.ready.wait()
        try:
            yield Server(tenant, origin, port, None if folder is None else str(folder / "ca.pem"))
        finally:
            running.end()
            thread.join(_JOIN)


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Only where the protocol is named, asyncio turns Nagle's algorithm off; with it an answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(2048)
    except BaseException:
        listener.close()
        raise
    return listener


def _run(running: _Uvicorn, listener: socket.socket) -> None:
    try:
        asyncio.run(running.serve([listener]))
    finally:
        # Should it have failed to start, nobody waits for it forever.
        running.ready.set()


def _loopback(host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"host: {host!r} is no address; use 127.0.0.1, ::1 or localhost") from None
    if not address.is_loopback:
        raise ValueError(f"host: {host} is not a loopback address; the tenant is for this machine only")
    return str(address)


def _certify(folder: pathlib.Path, address: str) -> pathlib.Path:
    """Write `ca.pem`, and return a file with the server's key and certificates."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert(address, "localhost")
    # The folder is open to its owner only.
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder / "server.pem"
