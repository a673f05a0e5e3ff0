"""Lists the applications of a local tenant, and goes on calling while token after token expires.

The client is the one that you would use: for a tenant at Auth0 only the domain differs, and there is no
certificate authority to name.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import anyio
import httpx
from rich.console import Console
from rich.table import Table

from evertoken import AsyncManagementClient, EvertokenError, ManagementClient
from evertoken_tenant import Tenant, serve

if TYPE_CHECKING:
    from collections.abc import Generator

    from evertoken_api.clients import Client
    from evertoken_tenant import Server

APPLICATIONS: Final = 300
LIFETIME: Final = 2
"""Seconds that a token lives: short, so that many die while you watch. Auth0 gives a day."""

LIFETIMES: Final = 5.5
"""How many of them the calls go on."""

TASKS: Final = 8
PAUSE: Final = 0.02
"""Seconds between two calls."""


@dataclasses.dataclass
class Outcome:
    """What one client went through."""

    started: float = dataclasses.field(default_factory=time.monotonic)
    listed: int = 0
    calls: int = 0
    failures: list[str] = dataclasses.field(default_factory=list[str])
    slowest: float = 0.0
    seconds: float = 0.0
    tokens: int = 0

    @property
    def lifetimes(self) -> float:
        """How many token lifetimes passed."""
        return self.seconds / LIFETIME

    @property
    def good(self) -> bool:
        """Whether everything was listed, no call failed, and tokens expired meanwhile."""
        complete = self.listed == APPLICATIONS and not self.failures
        return complete and int(self.lifetimes) >= 5 and self.tokens > int(self.lifetimes)

    def still(self) -> bool:
        """Tell whether to go on calling."""
        self.seconds = time.monotonic() - self.started
        return self.lifetimes < LIFETIMES

    @contextmanager
    def call(self) -> Generator[None]:
        """Time a call, and note its failure."""
        began = time.monotonic()
        self.calls += 1
        try:
            yield
        except EvertokenError as error:
            self.failures.append(str(error))
        self.slowest = max(self.slowest, time.monotonic() - began)


def synchronously(server: Server) -> Outcome:
    """Call with a ManagementClient, one call after the other."""
    tenant = server.tenant
    outcome = Outcome()
    with (
        httpx.Client(verify=server.ssl_context()) as http,
        ManagementClient(
            domain=server.domain,
            client_id=tenant.client_id,
            client_secret=tenant.client_secret,
            httpx_client=http,
        ) as client,
    ):
        applications = list(client.clients.list())
        outcome.listed = len(applications)
        show(applications)
        ids = [application.client_id for application in applications if application.client_id]
        while outcome.still():
            with outcome.call():
                client.clients.get(ids[outcome.calls % len(ids)])
            time.sleep(PAUSE)
        outcome.tokens = client.token_source.status().renewals
    return outcome


async def asynchronously(server: Server) -> Outcome:
    """Call with an AsyncManagementClient, from several tasks at once."""
    tenant = server.tenant
    outcome = Outcome()

    async def go_on(client: AsyncManagementClient, ids: list[str]) -> None:
        while outcome.still():
            with outcome.call():
                await client.clients.get(ids[outcome.calls % len(ids)])
            await anyio.sleep(TASKS * PAUSE)

    async with (
        httpx.AsyncClient(verify=server.ssl_context()) as http,
        AsyncManagementClient(
            domain=server.domain,
            client_id=tenant.client_id,
            client_secret=tenant.client_secret,
            httpx_client=http,
        ) as client,
    ):
        ids = [application.client_id async for application in client.clients.list() if application.client_id]
        outcome.listed = len(ids)
        async with anyio.create_task_group() as tasks:
            for _ in range(TASKS):
                tasks.start_soon(go_on, client, ids)
        outcome.tokens = client.token_source.status().renewals
    return outcome


def show(applications: list[Client]) -> None:
    """Print the first few applications."""
    table = Table("client_id", "name", "app_type", box=None)
    for application in applications[:5]:
        table.add_row(application.client_id, application.name, application.app_type)
    console.print(table)
    console.print(f"... and {len(applications) - 5} more\n")


def report(name: str, outcome: Outcome, requests: int) -> None:
    """Print what became of it."""
    console.print(
        f"{name}: {outcome.listed} applications listed, {outcome.calls} calls, {requests} token requests, "
        f"{int(outcome.lifetimes)} token lifetimes passed, {len(outcome.failures)} failures, "
        f"slowest call {1000 * outcome.slowest:.0f} ms"
    )
    for failure in sorted(set(outcome.failures)):
        console.print(f"  {failure}")


def main() -> int:
    """Return 0 if nothing failed."""
    with serve(Tenant(clients=APPLICATIONS, token_lifetime=LIFETIME), tls=True) as server:
        console.print(f"A local tenant with {APPLICATIONS} applications: {server.url}")
        console.print(f"Tokens live {LIFETIME} s here. At Auth0 the same client differs in its domain only,")
        console.print("and trusts the usual certificate authorities instead of this one's.\n")
        sync = synchronously(server)
        asked = server.tenant.token_requests
        report("ManagementClient", sync, asked)
        concurrent = anyio.run(asynchronously, server)
        report(f"AsyncManagementClient, {TASKS} tasks", concurrent, server.tenant.token_requests - asked)
    return 0 if sync.good and concurrent.good else 1


console = Console(highlight=False, markup=False, soft_wrap=True)

if __name__ == "__main__":
    sys.exit(main())
