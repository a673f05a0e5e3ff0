"""The operations of the Management API that the tenant knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant import bodies
from evertoken_tenant.connections import STRATEGIES, ClientConnections
from evertoken_tenant.operation import Operation
from evertoken_tenant.schema import Choice, Flag, Many, Text, Whole

if TYPE_CHECKING:
    from evertoken_tenant.cimd import Cimd
    from evertoken_tenant.client_credentials import ClientCredentials
    from evertoken_tenant.clients import Clients
    from evertoken_tenant.query import Parameters

_FIELDS: Final[Parameters] = {"fields": Text(), "include_fields": Flag()}
_CHECKPOINT: Final[Parameters] = {"from": Text(most=1000), "take": Whole(1, 100)}
_LIST: Final[Parameters] = {
    **_FIELDS,
    **_CHECKPOINT,
    "page": Whole(0),
    "per_page": Whole(0, 100),
    "include_totals": Flag(),
    "is_global": Flag(),
    "is_first_party": Flag(),
    "app_type": Text(),
    "external_client_id": Text(1, 120),
    "q": Text(),
}
_READ: Final = "read:clients read:client_keys read:client_credentials read:client_summary"
_UPDATE: Final = (
    "update:clients update:client_keys update:client_credentials update:client_token_vault_privileged_access"
)


def operations(
    clients: Clients, credentials: ClientCredentials, connections: ClientConnections, cimd: Cimd
) -> tuple[Operation, ...]:
    """Return the operations; where two paths fit a call, the first one counts."""
    one = "/clients/{id}"
    some = "/clients/{client_id}/credentials"
    this = "/clients/{client_id}/credentials/{credential_id}"
    preview, register = "/clients/cimd/preview", "/clients/cimd/register"
    url = bodies.EXTERNAL_CLIENT
    return (
        Operation("GET", "/clients", _READ, clients.page, _LIST),
        Operation("POST", "/clients", "create:clients", clients.create, {}, bodies.CREATE_CLIENT),
        Operation("POST", preview, "read:clients", cimd.preview, {}, url),
        Operation("POST", register, "create:clients update:clients", cimd.register, {}, url),
        Operation("GET", some, "read:client_credentials", credentials.page),
        Operation(
            "POST", some, "create:client_credentials", credentials.create, {}, bodies.CREATE_CREDENTIAL
        ),
        Operation("GET", this, "read:client_credentials", credentials.get),
        Operation("DELETE", this, "delete:client_credentials", credentials.delete),
        Operation(
            "PATCH", this, "update:client_credentials", credentials.update, {}, bodies.UPDATE_CREDENTIAL
        ),
        Operation("GET", one, _READ, clients.get, _FIELDS),
        Operation("DELETE", one, "delete:clients", clients.delete),
        Operation("PATCH", one, _UPDATE, clients.update, {}, bodies.UPDATE_CLIENT),
        Operation(
            "GET",
            f"{one}/connections",
            "read:connections read:clients read:client_summary",
            connections.get,
            {**_FIELDS, **_CHECKPOINT, "strategy": Many(Choice(STRATEGIES))},
        ),
        Operation("POST", f"{one}/rotate-secret", "update:client_keys", clients.rotate_secret),
    )
