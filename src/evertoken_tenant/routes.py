"""The operations on applications, which are kept apart from other rows: there may be many thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.call import Answer
    from evertoken_tenant.cimd import Cimd
    from evertoken_tenant.client_credentials import ClientCredentials
    from evertoken_tenant.clients import Clients
    from evertoken_tenant.connections import ClientConnections
    from evertoken_tenant.work import Work


def operations(
    clients: Clients, credentials: ClientCredentials, connections: ClientConnections, cimd: Cimd
) -> Mapping[str, Callable[[Work], Answer]]:
    """Return what carries them out, by the SDK's names."""
    return {
        "clients.list": clients.page,
        "clients.create": clients.create,
        "clients.get": clients.get,
        "clients.update": clients.update,
        "clients.delete": clients.delete,
        "clients.rotate_secret": clients.rotate_secret,
        "clients.preview_cimd_metadata": cimd.preview,
        "clients.register_cimd_client": cimd.register,
        "clients.credentials.list": credentials.page,
        "clients.credentials.create": credentials.create,
        "clients.credentials.get": credentials.get,
        "clients.credentials.update": credentials.update,
        "clients.credentials.delete": credentials.delete,
        "clients.connections.get": connections.get,
    }
