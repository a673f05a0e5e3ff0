"""The local tenant over real sockets, http and https, and as a program."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

import evertoken_tenant
from evertoken_tenant import Server, Tenant, __main__, serve

if TYPE_CHECKING:
    from collections.abc import Callable


def form(tenant: Tenant) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": tenant.client_id,
        "client_secret": tenant.client_secret,
        "audience": tenant.audience,
    }


def connect(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, verify=server.ssl_context(), trust_env=False)


def bearer(tenant: Tenant) -> dict[str, str]:
    return {"authorization": f"Bearer {tenant.issue_token()}"}


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does, ten seconds at most."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("tls", [False, True])
def test_sync_client_gets_token_and_applications(*, tls: bool) -> None:
    """Over http and https, with domain, audience and port those of the address."""
    tenant = Tenant(clients=3)
    with serve(tenant, tls=tls) as server, connect(server) as client:
        assert server.url == tenant.origin == f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
        assert server.domain == tenant.domain == f"127.0.0.1:{server.port}"
        assert tenant.audience == f"{server.url}/api/v2/"
        assert (server.ca_file is not None) is tls
        token = client.post("/oauth/token", data=form(tenant)).json()["access_token"]
        response = client.get("/api/v2/clients", headers={"authorization": f"Bearer {token}"})
        assert len(response.json()) == 3
        assert response.headers["content-length"] == str(len(response.content))
        assert "date" in response.headers
        assert "server" not in response.headers


@pytest.mark.parametrize("tls", [False, True])
def test_async_clients_are_served_side_by_side(*, tls: bool) -> None:
    """Fifty requests at once over one pool."""
    tenant = Tenant(clients=3)

    async def work(server: Server) -> set[int]:
        async with httpx.AsyncClient(base_url=server.url, verify=server.ssl_context()) as client:
            headers = bearer(tenant)
            calls = [client.get("/api/v2/clients", headers=headers) for _ in range(50)]
            return {response.status_code for response in await asyncio.gather(*calls)}

    with serve(tenant, tls=tls) as server:
        assert asyncio.run(work(server)) == {200}
    assert tenant.api_requests == 50


def test_certificate_is_good_for_both_names_of_the_address() -> None:
    """127.0.0.1 and localhost are the same tenant, token and audience included."""
    tenant = Tenant(clients=1)
    with serve(tenant, tls=True) as server, connect(server) as client:
        other = f"https://localhost:{server.port}"
        assert tenant.audience == f"{server.url}/api/v2/"
        data = {**form(tenant), "audience": f"{other}/api/v2/"}
        token = client.post(f"{other}/oauth/token", data=data).json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        for url in (server.url, other):
            assert client.get(f"{url}/api/v2/clients", headers=headers).status_code == 200


def test_strangers_do_not_trust_the_authority() -> None:
    """The certificate is no use to anyone who was not given the authority's."""
    with serve(Tenant(clients=0), tls=True) as server:
        assert server.ca_file is not None
        assert os.path.exists(server.ca_file)  # noqa: PTH110  # a str, as clients want it
        client = httpx.Client(verify=ssl.create_default_context(), trust_env=False)
        with client, pytest.raises(httpx.ConnectError):
            client.get(server.url)
    assert not os.path.exists(server.ca_file)  # noqa: PTH110  # the same


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", ""])
def test_foreign_host_header_is_refused(host: str) -> None:
    """A page of another name that resolves to loopback reaches nothing (DNS rebinding)."""
    tenant = Tenant(clients=1)
    with serve(tenant) as server, connect(server) as client:
        response = client.get("/api/v2/clients", headers={**bearer(tenant), "host": host})
        assert response.status_code == 421
        token = client.post("/oauth/token", data=form(tenant), headers={"host": host})
        assert token.status_code == 421


def test_writes_and_empty_answers_pass_the_socket() -> None:
    """Bodies go in, 204 comes out without one, and the connection stays usable."""
    tenant = Tenant(clients=0)
    with serve(tenant) as server, connect(server) as client:
        client.headers.update(bearer(tenant))
        made = client.post("/api/v2/clients", json={"name": "é"}).json()
        assert made["name"] == "é"
        deleted = client.delete(f"/api/v2/clients/{made['client_id']}")
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert client.get("/api/v2/clients").json() == []


def test_large_body_is_refused_whatever_its_size() -> None:
    """Of a body of many megabytes no more is kept than it takes to refuse it."""
    tenant = Tenant(clients=0)
    with serve(tenant) as server, connect(server) as client:
        response = client.post("/api/v2/clients", content=b"x" * 5_000_000, headers=bearer(tenant))
        assert response.status_code == 413


@pytest.mark.parametrize("tls", [False, True])
def test_dropped_connection_has_no_answer(*, tls: bool) -> None:
    """The client sees the connection end, and the next request goes well on a new one."""
    tenant = Tenant(clients=0)
    with serve(tenant, tls=tls) as server, connect(server) as client:
        client.get("/api/v2/clients", headers=bearer(tenant))
        tenant.drop_api_requests(1)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.get("/api/v2/clients", headers=bearer(tenant))
        assert client.get("/api/v2/clients", headers=bearer(tenant)).status_code == 200


def test_delayed_token_does_not_hold_up_the_api() -> None:
    """While one answer is held back the others go on."""
    tenant = Tenant(clients=0)
    with serve(tenant) as server, connect(server) as client, connect(server) as other:
        tenant.delay(token=0.2)
        answers: list[httpx.Response] = []
        waiting = threading.Thread(
            target=lambda: answers.append(client.post("/oauth/token", data=form(tenant)))
        )
        waiting.start()
        eventually(lambda: tenant.token_requests == 1)
        assert other.get("/api/v2/clients", headers=bearer(tenant)).status_code == 200
        assert not answers
        waiting.join()
        assert answers[0].status_code == 200


@pytest.mark.parametrize("tls", [False, True])
def test_server_ends_at_once_with_requests_open(*, tls: bool) -> None:
    """An answer held back for an hour and an idle connection keep nobody."""
    tenant = Tenant(clients=0)
    caught: list[Exception] = []

    def work(client: httpx.Client) -> None:
        try:
            client.get("/api/v2/clients", timeout=60)
        except httpx.TransportError as error:
            caught.append(error)

    with contextlib.ExitStack() as stack:
        with serve(tenant, tls=tls) as server:
            idle = stack.enter_context(connect(server))
            idle.get("/.well-known/jwks.json")
            tenant.delay(api=3600)
            busy = stack.enter_context(connect(server))
            waiting = threading.Thread(target=work, args=(busy,))
            waiting.start()
            eventually(lambda: tenant.api_requests == 1)
            start = time.monotonic()
        assert time.monotonic() - start < 5
        waiting.join()
        assert caught
        with pytest.raises(httpx.TransportError):
            idle.get("/.well-known/jwks.json")
    assert not [thread for thread in threading.enumerate() if thread.name == server.url]


def test_client_that_gives_up_harms_nobody() -> None:
    """A client's timeout while the answer is held back leaves the server well."""
    tenant = Tenant(clients=0)
    with serve(tenant) as server, connect(server) as client:
        tenant.delay(api=0.1)
        with pytest.raises(httpx.ReadTimeout):
            client.get("/api/v2/clients", timeout=0.02)
        tenant.clear_faults()
        assert client.get("/api/v2/clients", headers=bearer(tenant)).status_code == 200


def test_repeated_headers_are_joined() -> None:
    """Two Authorization headers on the wire are one malformed one."""
    tenant = Tenant(clients=0)
    token = tenant.issue_token()
    with serve(tenant) as server, connect(server) as client:
        headers = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")]
        assert client.get("/api/v2/clients", headers=headers).status_code == 400


def test_two_tenants_are_served_at_once() -> None:
    """Each on its port, each with its own tokens."""
    one, two = Tenant(clients=1), Tenant(clients=2)
    with serve(one) as first, serve(two) as second, connect(second) as client:
        assert first.port != second.port
        assert client.get("/api/v2/clients", headers=bearer(one)).status_code == 401
        assert len(client.get("/api/v2/clients", headers=bearer(two)).json()) == 2


def test_served_again_a_tenant_keeps_its_applications() -> None:
    """Address and tokens change, what is kept does not."""
    tenant = Tenant(clients=0)
    with serve(tenant) as server, connect(server) as client:
        made = client.post("/api/v2/clients", json={"name": "Kept"}, headers=bearer(tenant)).json()
    with serve(tenant, host="localhost") as server, connect(server) as client:
        assert client.get("/api/v2/clients", headers=bearer(tenant)).json() == [made]


def test_ipv6_loopback_is_served() -> None:
    """The address stands in brackets."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    tenant = Tenant(clients=1)
    with serve(tenant, tls=True, host="::1") as server, connect(server) as client:
        assert server.url == f"https://[::1]:{server.port}"
        assert client.get("/api/v2/clients", headers=bearer(tenant)).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "tenant.example", "::"])  # noqa: S104  # refused
def test_only_loopback_is_served(host: str) -> None:
    """A tenant with throwaway secrets is not for the network."""
    with pytest.raises(ValueError, match="host"), serve(Tenant(clients=0), host=host):
        pass


def test_taken_port_is_an_error() -> None:
    """The error is the system's own, and nothing stays open."""
    with (
        serve(Tenant(clients=0)) as server,
        pytest.raises(OSError, match="in use"),
        serve(Tenant(clients=0), port=server.port),
    ):
        pass


def test_package_names_what_it_has() -> None:
    """Names that need a server are found on demand; others are not there."""
    assert evertoken_tenant.serve is serve
    with pytest.raises(AttributeError, match="nothing"):
        evertoken_tenant.nothing  # type: ignore[attr-defined]  # noqa: B018  # that is the point


def test_program_prints_what_clients_need(capsys: pytest.CaptureFixture[str]) -> None:
    """While it serves, the printed settings lead to the applications."""
    seen: list[int] = []

    def wait() -> None:
        lines = capsys.readouterr().out.splitlines()
        settings = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        data = {
            "grant_type": "client_credentials",
            "client_id": settings["AUTH0_CLIENT_ID"],
            "client_secret": settings["AUTH0_CLIENT_SECRET"],
            "audience": f"{settings['AUTH0_DOMAIN']}/api/v2/",
        }
        url = settings["AUTH0_DOMAIN"]
        token = httpx.post(f"{url}/oauth/token", data=data).json()
        headers = {"authorization": f"Bearer {token['access_token']}"}
        seen.append(token["expires_in"])
        seen.append(len(httpx.get(f"{url}/api/v2/clients", headers=headers).json()))

    assert __main__.main(["--clients", "7", "--token-lifetime", "9", "--delay", "0.01"], wait=wait) == 0
    assert seen == [9, 7]


def test_program_with_tls_names_its_authority(capsys: pytest.CaptureFixture[str]) -> None:
    """The domain is bare, so that clients use https, and the authority's file is told."""
    assert __main__.main(["--tls", "--clients", "0", "--rate-burst", "5"], wait=lambda: None) == 0
    out = capsys.readouterr().out
    assert "export AUTH0_DOMAIN=127.0.0.1:" in out
    assert "export SSL_CERT_FILE=" in out


@pytest.mark.parametrize(
    "argv",
    [
        ["--host", "0.0.0.0"],  # noqa: S104  # refused
        ["--clients", "-1"],
        ["--token-lifetime", "0"],
        ["--rate-limit", "inf"],
        ["--port", "70000"],
    ],
)
def test_program_refuses_bad_settings(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is wrong, and the status is 2."""
    assert __main__.main(argv, wait=lambda: pytest.fail("it served")) == 2
    error = capsys.readouterr().err
    assert error.startswith("evertoken_tenant: ")
    assert error.count("\n") == 1


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals for a thread")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_wait_and_are_given_back(number: signal.Signals) -> None:
    """Either signal ends it; afterwards the handlers are those of before."""
    before = signal.getsignal(number)
    main = threading.main_thread().ident
    assert main is not None

    def send() -> None:
        eventually(lambda: signal.getsignal(number) is not before)
        signal.pthread_kill(main, number)

    sender = threading.Thread(target=send)
    sender.start()
    __main__.until_signalled()
    sender.join()
    assert signal.getsignal(number) is before


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
def test_program_runs_until_it_is_told_to_end() -> None:
    """As a process: settings on stdout, silence on stderr, status 0 after SIGTERM."""
    command = [sys.executable, "-m", "evertoken_tenant", "--clients", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            url = line.removeprefix("export AUTH0_DOMAIN=")
            assert httpx.get(f"{url}/.well-known/jwks.json").status_code == 200
            process.send_signal(signal.SIGTERM)
            _, error = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, error) == (0, "")


def test_a_request_that_was_cut_off_is_not_carried_out() -> None:
    """Half a body is no request: nothing changes, nothing is counted."""
    tenant = Tenant(clients=1)
    with serve(tenant) as server, connect(server) as client:
        headers = bearer(tenant)
        row = client.get("/api/v2/clients", headers=headers).json()[0]
        head = (
            f"PATCH /api/v2/clients/{row['client_id']} HTTP/1.1\r\nHost: {server.domain}\r\n"
            f"Authorization: {headers['authorization']}\r\nContent-Type: application/json\r\n"
            "Content-Length: 500\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(head.encode() + b'{"name": "CUT OFF"}')
            connection.shutdown(socket.SHUT_WR)
            assert not connection.recv(1000)
        assert client.get("/api/v2/clients", headers=headers).json()[0]["name"] == row["name"]
    assert tenant.api_requests == 2


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_a_delay_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    """Like every other setting: status 2 and one line."""
    assert __main__.main(["--delay", seconds], wait=lambda: None) == 2
    assert "no number of seconds" in capsys.readouterr().err
