"""A local Auth0 tenant, for demos and tests: in process, or on a loopback socket.

    tenant = Tenant(clients=300, token_lifetime=60)
    httpx.Client(transport=httpx.MockTransport(tenant), base_url=tenant.origin)

    with serve(tenant) as server:
        httpx.get(f"{server.url}/.well-known/jwks.json")

`python -m evertoken_tenant` serves one until it is interrupted. Needs the extra `tenant`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evertoken_tenant.clock import Clock
from evertoken_tenant.observed import Record
from evertoken_tenant.tenant import Tenant

if TYPE_CHECKING:
    from evertoken_tenant.server import Server, serve

__all__ = ["Clock", "Record", "Server", "Tenant", "serve"]


# Type checkers would take any name for one that this finds.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # In process nobody needs to load an ASGI server.
        if name in {"Server", "serve"}:
            from evertoken_tenant import server  # noqa: PLC0415  # see above

            return getattr(server, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
