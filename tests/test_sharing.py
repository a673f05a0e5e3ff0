"""One token for many processes: the store, its lease, and what happens when either fails."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from evertoken import AccessToken, FileTokenStore, ManagementAuth, MemoryTokenStore, TokenError
from evertoken.flow import Call, Read
from evertoken_tenant import Tenant, serve
from support import CLIENTS_URL, DOMAIN, SECRET, FakeAuth0, FakeTime, api_error

if TYPE_CHECKING:
    import pathlib


class FakeLease:
    def __init__(self, store: FakeStore) -> None:
        self.store = store

    def release(self) -> None:
        self.store.leases -= 1
        self.store.released += 1


class FakeStore(MemoryTokenStore):
    """A store whose lease somebody else may have, for a number of looks; a token may appear meanwhile."""

    longest_wait = 10.0

    def __init__(self, busy: int = 0, appears: tuple[int, AccessToken] | None = None) -> None:
        super().__init__()
        self.busy = busy
        self.appears = appears
        self.looks = self.leases = self.released = 0

    def acquire(self, key: str) -> FakeLease | None:
        self.looks += 1
        if self.appears is not None and self.looks == self.appears[0]:
            self.put(key, self.appears[1])
        if self.busy > 0:
            self.busy -= 1
            return None
        self.leases += 1
        return FakeLease(self)


def make_auth(time: FakeTime, store: FakeStore) -> ManagementAuth:
    return ManagementAuth(
        domain=DOMAIN, client_id="app", client_secret=SECRET, token_store=store, clock=time.clock()
    )


def test_who_has_the_lease_renews_and_gives_it_back(time: FakeTime) -> None:
    """One token request, and the lease is free again."""
    auth0, store = FakeAuth0(), FakeStore()
    with auth0.client(make_auth(time, store)) as client:
        client.get(CLIENTS_URL)
    assert (len(auth0.token_requests), store.leases, store.released) == (1, 0, 1)


def test_who_has_no_lease_waits_for_the_token_of_the_other(time: FakeTime) -> None:
    """Looking again after 50 to 100 ms, then less and less often, without a token request."""
    token = AccessToken("theirs", issued_at=time.wall, expires_at=time.wall + 86400)
    auth0, store = FakeAuth0(), FakeStore(busy=99, appears=(4, token))
    with auth0.client(make_auth(time, store)) as client:
        client.get(CLIENTS_URL)
    assert auth0.bearers == ["Bearer theirs"]
    assert not auth0.token_requests
    assert [0.05 * 1.5**n <= seconds <= 0.1 * 1.5**n for n, seconds in enumerate(time.slept)] == [True] * 4


def test_a_holder_that_stands_still_is_not_waited_for_for_ever(time: FakeTime) -> None:
    """After the store's longest wait this process renews alone."""
    auth0, store = FakeAuth0(), FakeStore(busy=10_000)
    with auth0.client(make_auth(time, store)) as client:
        client.get(CLIENTS_URL)
    assert len(auth0.token_requests) == 1
    assert 4 <= sum(time.slept) <= 11


def test_nobody_waits_for_another_process_while_the_token_is_good(time: FakeTime) -> None:
    """In the advisory window the old token serves on, and the store is looked at again after a while."""
    auth0, store = FakeAuth0(lifetime=1000), FakeStore()
    with auth0.client(make_auth(time, store)) as client:
        client.get(CLIENTS_URL)
        time.pass_(850)
        store.busy, looks = 10_000, store.looks
        for _ in range(5):
            client.get(CLIENTS_URL)
        assert store.looks == looks + 1
        time.pass_(5)
        client.get(CLIENTS_URL)
        assert store.looks == looks + 2
    assert set(auth0.bearers) == {"Bearer token-1"}
    assert not time.slept


def test_the_lease_is_given_back_when_the_renewal_fails(time: FakeTime) -> None:
    """By an error as by a closed flow."""
    store = FakeStore()
    auth0 = FakeAuth0(token_answers=[httpx.Response(401, json={"error": "access_denied"})])
    auth = make_auth(time, store)
    with auth0.client(auth) as client, pytest.raises(TokenError):
        client.get(CLIENTS_URL)
    assert (store.leases, store.released) == (0, 1)
    flow = auth.sync_auth_flow(httpx.Request("GET", CLIENTS_URL))
    next(flow)
    assert store.leases == 1
    flow.close()
    for thread in threading.enumerate():
        if thread.name == "evertoken-release":
            thread.join(10)
    assert (store.leases, store.released) == (0, 2)


@pytest.mark.parametrize("steps", range(1, 9))
def test_the_lease_is_given_back_wherever_the_flow_is_cut_off(time: FakeTime, steps: int) -> None:
    """At a look into the store, at the token request, at keeping the token, at the release itself."""
    auth0, store = FakeAuth0(), FakeStore()
    auth = make_auth(time, store)
    flow = auth.steps(httpx.Request("GET", CLIENTS_URL))
    step = next(flow)
    for _ in range(steps):
        if isinstance(step, Call):
            step = flow.send(step.function())
        elif isinstance(step, Read):
            step.response.read()
            step = flow.send(None)
        else:
            assert isinstance(step, httpx.Request)
            response = auth0(step)
            response.request = step
            step = flow.send(response)
    flow.close()
    for thread in threading.enumerate():
        if thread.name == "evertoken-release":
            thread.join(10)
    assert store.leases <= 0


def test_a_refused_token_is_replaced_by_the_newest_of_the_store(time: FakeTime) -> None:
    """Another process has renewed already: no token request more."""
    auth0, store = FakeAuth0(), FakeStore()
    auth = make_auth(time, store)
    with auth0.client(auth) as client:
        client.get(CLIENTS_URL)
        time.pass_(10)
        store.put(auth._kept._key, AccessToken("newest", issued_at=time.wall, expires_at=time.wall + 86400))
        auth0.api_answers = [api_error(401)]
        assert client.get(CLIENTS_URL).status_code == 200
    assert auth0.bearers[-1] == "Bearer newest"
    assert len(auth0.token_requests) == 1


def due_token(time: FakeTime) -> AccessToken:
    return AccessToken("due", issued_at=time.wall - 86400 + 3600, expires_at=time.wall + 3600)


def test_a_process_that_starts_in_an_outage_goes_on_with_a_token_that_is_due(time: FakeTime) -> None:
    """In its advisory window a token is good still: it serves where no new one can be had."""
    auth0, store = FakeAuth0(token_answers=[httpx.Response(503)] * 9), FakeStore()
    auth = make_auth(time, store)
    store.put(auth._kept._key, due_token(time))
    with auth0.client(auth) as client:
        assert [client.get(CLIENTS_URL).status_code for _ in range(5)] == [200] * 5
    assert auth0.bearers == ["Bearer due"] * 5
    assert len(auth0.token_requests) <= 3
    assert store.leases == 0


def test_a_token_that_is_due_is_replaced_where_a_new_one_can_be_had(time: FakeTime) -> None:
    """Each start would find it due otherwise."""
    auth0, store = FakeAuth0(), FakeStore()
    auth = make_auth(time, store)
    store.put(auth._kept._key, due_token(time))
    with auth0.client(auth) as client:
        client.get(CLIENTS_URL)
    assert auth0.bearers == ["Bearer token-1"]


def test_nobody_waits_for_another_process_while_the_kept_token_is_good(time: FakeTime) -> None:
    """The other one brings the next token; this one begins with the one that is due."""
    auth0, store = FakeAuth0(), FakeStore(busy=10_000)
    auth = make_auth(time, store)
    store.longest_wait = 0.2
    store.put(auth._kept._key, due_token(time))
    with auth0.client(auth) as client:
        client.get(CLIENTS_URL)
    assert auth0.bearers == ["Bearer due"]
    assert not auth0.token_requests


def test_a_kept_token_that_is_about_to_end_or_was_refused_does_not_serve(time: FakeTime) -> None:
    """It could expire on its way, or be refused again."""
    auth0, store = FakeAuth0(token_answers=[httpx.Response(503)] * 9), FakeStore()
    auth = make_auth(time, store)
    store.put(auth._kept._key, AccessToken("ending", issued_at=time.wall - 86400, expires_at=time.wall + 50))
    with auth0.client(auth) as client, pytest.raises(TokenError):
        client.get(CLIENTS_URL)
    assert not auth0.bearers


PROGRAM = """
import sys
from evertoken import FileTokenStore, ManagementClient

domain, client_id, folder = sys.argv[1:]
secret = sys.stdin.read()
with ManagementClient(
    domain=domain, client_id=client_id, client_secret=secret, token_store=FileTokenStore(folder)
) as client:
    print(client.clients.list().total)
"""


def test_processes_that_start_cold_share_one_token(tmp_path: pathlib.Path) -> None:
    """Eight programs on one folder: one of them asks, two at most."""
    with serve(Tenant(clients=3)) as server:
        arguments = [sys.executable, "-c", PROGRAM, server.url, server.tenant.client_id, str(tmp_path)]
        programs = [
            subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(8)
        ]
        shown = [program.communicate(server.tenant.client_secret, timeout=60)[0] for program in programs]
        assert [program.returncode for program in programs] == [0] * 8
    assert [text.strip() for text in shown] == ["3"] * 8
    assert server.tenant.token_requests <= 2


def test_a_folder_that_cannot_be_used_costs_nothing_but_the_sharing(tmp_path: pathlib.Path) -> None:
    """Memory serves."""
    place = tmp_path / "a file"
    place.write_text("no folder")
    auth0 = FakeAuth0()
    auth = ManagementAuth(
        domain=DOMAIN, client_id="app", client_secret=SECRET, token_store=FileTokenStore(place)
    )
    with auth0.client(auth) as client:
        assert [client.get(CLIENTS_URL).status_code for _ in range(3)] == [200] * 3
    assert len(auth0.token_requests) == 1
