"""The tenant of a soak, in a process of its own: what it remembers must not count as the client's memory.

It prints where it is and with which credentials, one JSON line, and then makes trouble until its input ends.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from evertoken_tenant import Tenant, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIFETIME: Final = 5
"""Seconds that a token lives."""

PAUSE: Final = 2.0
"""Seconds from one fault to the next."""


def faults(tenant: Tenant) -> Sequence[Callable[[], None]]:
    """Return what may befall the tenant."""
    return (
        lambda: tenant.fail_token_requests(2, status=503),
        lambda: tenant.fail_token_requests(1, status=429, headers={"retry-after": "1"}),
        lambda: tenant.drop_token_requests(1),
        lambda: tenant.fail_api_requests(3, status=500),
        lambda: tenant.fail_api_requests(3, status=429, headers={"retry-after": "1"}),
        lambda: tenant.fail_api_requests(2, status=200, body="<html>a proxy's page</html>"),
        lambda: tenant.drop_api_requests(3),
        lambda: tenant.delay(token=0.3, api=0.02),
        lambda: tenant.delay(token=0.0, api=0.0),
        tenant.revoke_tokens,
        tenant.rotate_signing_key,
    )


def make_trouble(tenant: Tenant) -> None:
    """Let one thing after the other befall it, the same ones in every run."""
    chance = random.Random(0)  # noqa: S311  # no secret
    some = faults(tenant)
    while True:
        time.sleep(PAUSE)
        chance.choice(some)()
        # Its notes of every request are for tests.
        tenant.reset_counts()


def main() -> None:
    """Serve until the input ends."""
    with serve(Tenant(clients=200, token_lifetime=LIFETIME, rate_limit=500)) as server:
        tenant = server.tenant
        where = {"domain": server.url, "client_id": tenant.client_id, "client_secret": tenant.client_secret}
        sys.stdout.write(json.dumps(where) + "\n")
        sys.stdout.flush()
        threading.Thread(target=make_trouble, args=(tenant,), daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
