"""A loopback server whose every byte a test decides.

    with ScriptedServer() as server:
        server.token_script += [drop(), reply(503, headers={"Retry-After": "1"})]
        server.api_script += [json_reply([]), reset(b"HTTP/1.1 200 OK")]
        with (
            httpx.Client(verify=server.ssl_context()) as http,
            ManagementClient(**server.credentials(), httpx_client=http) as client,
        ):
            client.clients.list()
        assert len(server.token_requests) == 3
        first, second, third = (request.at for request in server.token_requests)

There are four scripts, each used up in order: `token_script` for /oauth/token, `api_script` for every other
path, `discovery_script` for /.well-known/..., and `connection_script` for a connection that was just
accepted, before TLS. What comes after a script's end is answered by `token_default` (a new good token of
`token_lifetime` seconds), `api_default` (an empty list), `discovery_default` (mTLS aliases of the server
itself) and, for a connection, by serving it. Scripts and defaults may be changed while the server runs.

An answer is a function of an `Exchange`. `reply`, `json_reply`, `token_reply`, `redirect`, `raw`, `drop`,
`reset`, `hang`, `drip` and `cut_short` make one; a test may write its own. In `connection_script` only
`drop`, `reset` and `hang` make sense, and `serve_on` for a connection that is served as usual.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http
import json
import secrets
import socket
import ssl
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias, TypedDict, cast

import trustme

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_DEADLINE: Final = 20.0
"""Seconds after which what a test waits for will not come any more."""


class Credentials(TypedDict):
    """What a client or an auth needs to be made for a server."""

    domain: str
    client_id: str
    client_secret: str


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """One request. `headers` has lower-case names, `at` is in monotonic seconds, `connection` counts from 1.

    `path` includes the query. `certificate` is the name in the client's certificate, if it showed one.
    """

    method: str = ""
    path: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    body: bytes = b""
    at: float = 0.0
    connection: int = 0
    certificate: str | None = None

    @property
    def bearer(self) -> str | None:
        """The access token that came with it."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return value if scheme == "Bearer" else None

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclasses.dataclass(slots=True)
class Exchange:
    """One request being answered: what an answer works on. Without a request, a connection just accepted."""

    server: ScriptedServer
    socket: socket.socket
    request: Received
    is_open: bool = True

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def close(self) -> None:
        """Close the connection, without TLS's farewell."""
        self.is_open = False

    def reset(self) -> None:
        """Close the connection so that the other side sees a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.is_open = False


Answer: TypeAlias = Callable[[Exchange], None]


def reply(
    status: int = 200, body: bytes = b"", *, headers: Mapping[str, str] | None = None, close: bool = False
) -> Answer:
    """Answer in full, and close the connection if so told. A Content-Length given in `headers` is kept."""
    data = _message(status, body, headers or {})

    def answer(exchange: Exchange) -> None:
        exchange.send(data)
        if close:
            exchange.close()

    return answer


def json_reply(value: object, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with JSON."""
    merged = {"Content-Type": "application/json", **(headers or {})}
    return reply(status, json.dumps(value).encode(), headers=merged)


def api_error(
    status: int, code: str = "", message: str = "", *, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with an error as the Management API words it."""
    body = {"statusCode": status, "error": "Error", "message": message, "errorCode": code}
    return json_reply(body, status, headers=headers)


def token_error(status: int, error: str, *, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with an error as RFC 6749, 5.2 words it."""
    return json_reply({"error": error, "error_description": "no token for you"}, status, headers=headers)


class _Omit:
    def __repr__(self) -> str:
        return "OMIT"


OMIT: Final = _Omit()
"""A field that `token_reply` leaves out."""


def token_reply(**changes: object) -> Answer:
    """Answer with a new token. Fields are replaced by `changes`, or left out (OMIT)."""

    def answer(exchange: Exchange) -> None:
        body = {
            "access_token": exchange.server.issue(),
            "token_type": "Bearer",
            "expires_in": exchange.server.token_lifetime,
            "scope": "read:clients",
            **changes,
        }
        json_reply({name: value for name, value in body.items() if value is not OMIT})(exchange)

    return answer


def redirect(location: str, status: int = 307) -> Answer:
    """Answer with a redirect."""
    return reply(status, headers={"Location": location})


def raw(data: bytes) -> Answer:
    """Send bytes and close the connection."""

    def answer(exchange: Exchange) -> None:
        exchange.send(data)
        exchange.close()

    return answer


def drop() -> Answer:
    """Close the connection without a word."""
    return Exchange.close


def reset(data: bytes = b"") -> Answer:
    """Send some bytes, and reset the connection."""

    def answer(exchange: Exchange) -> None:
        exchange.send(data)
        exchange.reset()

    return answer


def cut_short(body: bytes, *, missing: int = 10, headers: Mapping[str, str] | None = None) -> Answer:
    """Promise a body that is longer than what is sent before the connection is closed."""
    length = {"Content-Length": str(len(body) + missing)}
    return reply(
        200, body, headers={"Content-Type": "application/json", **(headers or {}), **length}, close=True
    )


def hang(until: threading.Event | None = None, then: Answer | None = None, *, data: bytes = b"") -> Answer:
    """Send some bytes, and then nothing until the event is set or the server closes.

    The event is `server.released` unless another is given. What follows is `then`, or the connection's end.
    """

    def answer(exchange: Exchange) -> None:
        exchange.send(data)
        event = until or exchange.server.released
        while not event.wait(0.02) and not exchange.server.closing.is_set():
            pass
        if event.is_set() and then is not None:
            then(exchange)
        else:
            exchange.close()

    return answer


def drip(data: bytes, pause: float) -> Answer:
    """Send one byte after the other with a pause (seconds) before each, then close the connection."""

    def answer(exchange: Exchange) -> None:
        for index in range(len(data)):
            if exchange.server.closing.wait(pause):
                break
            exchange.send(data[index : index + 1])
        exchange.close()

    return answer


def serve_on(_: Exchange) -> None:
    """Serve the connection as usual: for `connection_script`."""


def _message(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    merged = {"Content-Length": str(len(body)), **headers}
    if "Transfer-Encoding" in merged:
        del merged["Content-Length"]
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in merged.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _phrase(status: int) -> str:
    return http.HTTPStatus(status).phrase if status in set(http.HTTPStatus) else "Unknown"


def _discovery(exchange: Exchange) -> None:
    origin = exchange.server.origin
    aliases = {"token_endpoint": f"{origin}/oauth/token"}
    json_reply({"issuer": f"{origin}/", "mtls_endpoint_aliases": aliases})(exchange)


@functools.cache
def _authority() -> trustme.CA:
    return trustme.CA()


class ScriptedServer:
    """Serves what its scripts say, over TLS unless told otherwise, for as long as the `with` block lasts.

    `client_certificate` makes a certificate of the same authority compulsory for clients.
    """

    def __init__(self, *, tls: bool = True, client_certificate: bool = False) -> None:
        self.client_id = "app"
        self.client_secret = secrets.token_urlsafe(24)
        self.token_script: list[Answer] = []
        self.api_script: list[Answer] = []
        self.discovery_script: list[Answer] = []
        self.connection_script: list[Answer] = []
        self.token_default: Answer = token_reply()
        self.api_default: Answer = json_reply([])
        self.discovery_default: Answer = _discovery
        self.token_lifetime: float = 86400
        self.released = threading.Event()
        self.closing = threading.Event()
        self._issued: list[str] = []
        self._requests: list[Received] = []
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._connections = 0
        self._threads: list[threading.Thread] = []
        self._tls = _server_context(client_certificate=client_certificate) if tls else None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])

    @property
    def domain(self) -> str:
        """Host and port; a whole URL without TLS."""
        return self.origin if self._tls is None else f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        """The URL without a slash at its end."""
        return f"http{'' if self._tls is None else 's'}://127.0.0.1:{self.port}"

    def credentials(self) -> Credentials:
        """Return the arguments that make a client or an auth for this server."""
        return {"domain": self.domain, "client_id": self.client_id, "client_secret": self.client_secret}

    def ssl_context(self, *, client_certificate: str | None = None) -> ssl.SSLContext:
        """Return a client's context that trusts this server, and shows a certificate of the given name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _trust(context)
        if client_certificate is not None:
            _identify(context, client_certificate)
        return context

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the server's authority, for a program that trusts it by SSL_CERT_FILE."""
        return _authority().cert_pem.bytes()

    @property
    def issued(self) -> list[str]:
        """The access tokens given out so far, in order."""
        with self._changed:
            return list(self._issued)

    @property
    def requests(self) -> list[Received]:
        """All requests so far, in the order in which they had been read to their end."""
        with self._changed:
            return list(self._requests)

    @property
    def token_requests(self) -> list[Received]:
        """The requests to /oauth/token so far."""
        return [request for request in self.requests if _kind(request.path) == "token"]

    @property
    def api_requests(self) -> list[Received]:
        """The requests so far to neither /oauth/token nor /.well-known/."""
        return [request for request in self.requests if _kind(request.path) == "api"]

    @property
    def connections(self) -> int:
        """The number of connections accepted so far."""
        with self._changed:
            return self._connections

    def wait_until(self, condition: Callable[[ScriptedServer], bool], seconds: float = _DEADLINE) -> None:
        """Return when the condition holds; looked at whenever something happens. Fails after `seconds`.

        server.wait_until(lambda server: len(server.token_requests) == 2)
        """
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < deadline, "what was waited for did not happen"
            with self._changed:
                self._changed.wait(0.02)

    def release(self) -> None:
        """End every `hang()` that has no event of its own, and those to come."""
        self.released.set()

    def issue(self) -> str:
        """Return the value of a new access token."""
        with self._changed:
            self._issued.append(secrets.token_urlsafe(24))
            return self._issued[-1]

    def drop_connections(self) -> None:
        """End every open connection, idle or not, without a word."""
        with self._changed:
            for connection in self._open:
                _shut(connection)

    def close(self) -> None:
        """End all connections and threads."""
        self.closing.set()
        _shut(self._listener)
        self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(_DEADLINE)
            assert not thread.is_alive()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name="scripted-server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with self._changed:
                self._connections += 1
                number = self._connections
                self._open.add(connection)
            self._start(functools.partial(self._serve, connection, number))

    def _serve(self, connection: socket.socket, number: int) -> None:
        current = connection
        try:
            # The client may leave at any point: what is left to say to it is nobody's loss.
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                accepted = Exchange(self, connection, Received())
                self._next(self.connection_script, serve_on)(accepted)
                if not accepted.is_open:
                    return
                if self._tls is not None:
                    wrapped = self._tls.wrap_socket(
                        connection, server_side=True, do_handshake_on_connect=False
                    )
                    with self._changed:
                        self._open.discard(connection)
                        self._open.add(wrapped)
                    current = wrapped
                    if not self.closing.is_set():
                        wrapped.do_handshake()
                self._answer_all(current, number)
        finally:
            with self._changed:
                self._open.discard(connection)
                self._open.discard(current)
                self._changed.notify_all()
            current.close()

    def _answer_all(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as stream:
            while not self.closing.is_set():
                request = _read(stream, number, _certificate_name(connection))
                if request is None:
                    return
                exchange = Exchange(self, connection, request)
                with self._changed:
                    # In one step: the nth answer is that of the nth request.
                    self._requests.append(request)
                    answer = self._answer_for(request)
                    self._changed.notify_all()
                answer(exchange)
                if not exchange.is_open:
                    return

    def _answer_for(self, request: Received) -> Answer:
        match _kind(request.path):
            case "token":
                return self._next(self.token_script, self.token_default)
            case "discovery":
                return self._next(self.discovery_script, self.discovery_default)
            case _:
                return self._next(self.api_script, self.api_default)

    def _next(self, script: list[Answer], default: Answer) -> Answer:
        with self._changed:
            return script.pop(0) if script else default


def _kind(path: str) -> str:
    if path.startswith("/.well-known/"):
        return "discovery"
    return "token" if path.partition("?")[0] == "/oauth/token" else "api"


def _trust(context: ssl.SSLContext) -> None:
    # trustme knows pyOpenSSL's contexts, too, which are not installed.
    _authority().configure_trust(context)  # pyright: ignore[reportUnknownMemberType]


def _identify(context: ssl.SSLContext, *names: str) -> None:
    _authority().issue_cert(*names).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]


def _server_context(*, client_certificate: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _identify(context, "127.0.0.1", "localhost")
    if client_certificate:
        _trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _certificate_name(connection: socket.socket) -> str | None:
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    if not certificate:
        return None
    # Pairs of a kind and a name, in spite of the wider type.
    names = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    return names[0][1] if names else None


def _read(stream: BinaryIO, number: int, certificate: str | None) -> Received | None:
    """Return the next request, None where the connection ended before its end."""
    head: list[str] = []
    while (line := stream.readline()) not in {b"\r\n", b""}:
        head.append(line.decode("latin-1").rstrip("\r\n"))
    arrived = time.monotonic()
    if not head or not line:
        return None
    method, path, _ = head[0].split(" ", 2)
    pairs = (text.partition(":") for text in head[1:])
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    assert "transfer-encoding" not in headers, "a chunked request is not understood"
    length = int(headers.get("content-length", "0"))
    body = stream.read(length)
    if len(body) < length:
        return None
    return Received(method, path, headers, body, arrived, number, certificate)


def _shut(connection: socket.socket) -> None:
    # The plain shutdown wakes whoever reads; that of an SSLSocket would also take its state away from them.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class ConnectProxy:
    """A proxy for https (RFC 9110, 9.3.6): tunnels to wherever it is asked to, and notes `targets`."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """What a client is told."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _shut(self._listener)
        self._listener.close()
        for connection in self._open:
            _shut(connection)
        for thread in self._threads:
            thread.join(_DEADLINE)
        for connection in self._open:
            connection.close()

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name="connect-proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self._start(functools.partial(self._tunnel, connection))

    def _tunnel(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
                head += byte
            target = head.split(b" ")[1].decode()
            self.targets.append(target)
            host, _, port = target.partition(":")
            upstream = socket.create_connection((host, int(port)))
            self._open.append(upstream)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            self._start(functools.partial(_pump, upstream, connection))
            _pump(connection, upstream)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    _shut(sink)
