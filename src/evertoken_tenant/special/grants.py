"""Client grants, APIs and connections: what applications may use."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from evertoken_tenant.consistency import forget_permissions
from evertoken_tenant.described import items, row
from evertoken_tenant.generic import carry_out, create, no_answer, remove, update
from evertoken_tenant.listing import paged
from evertoken_tenant.work import Work, answer, gone, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.call import Answer, Row
    from evertoken_tenant.work import World

_APIS: Final = "/resource-servers"
_LINKS: Final = "connection clients"


def granted(world: World, client_id: str, is_audience: Callable[[str], bool]) -> list[str] | None:
    """Return the scopes that an application is granted for an API, None where it has no grant."""
    for grant in world.state.collection("/client-grants").where("client_id", client_id):
        if is_audience(str(grant["audience"])):
            return [str(scope) for scope in items(grant.get("scope"))]
    return None


def _create_grant(work: Work) -> Answer:
    client_id, audience = str(work.given.get("client_id", "")), str(work.given["audience"])
    if "client_id" in work.given and work.world.applications.get(client_id) is None:
        raise gone("client")
    known = work.state.collection(_APIS).where("identifier", audience)
    if not known and not work.world.site().is_audience(audience):
        raise gone("resource server")
    if granted(work.world, client_id, lambda other: other == audience) is not None:
        raise taken("client_id and audience", "client grant")
    return answer(work, create(work, {"scope": [], **work.given}))


def _create_api(work: Work) -> Answer:
    defaults: Row = {
        "signing_alg": "RS256",
        "token_lifetime": 86_400,
        "token_lifetime_for_web": 7_200,
        "skip_consent_for_verifiable_first_party_clients": True,
        "allow_offline_access": False,
        "is_system": False,
        "scopes": [],
    }
    return answer(work, create(work, {**defaults, **work.given}))


def _by_id_or_identifier(work: Work) -> Work:
    """Return the work with the id of the API, which callers may name by its identifier too."""
    apis = work.state.collection(_APIS)
    named = apis.where("identifier", work.path["id"])
    if work.path["id"] in apis or not named:
        return work
    return dataclasses.replace(work, path={"id": str(named[0]["id"])})


def _read_api(work: Work) -> Answer:
    return carry_out(_by_id_or_identifier(work))


def _update_api(work: Work) -> Answer:
    work = _by_id_or_identifier(work)
    changed = update(work, work.given)
    if "scopes" in work.given:
        names = frozenset(str(row(scope).get("value")) for scope in items(changed.get("scopes")))
        forget_permissions(work.world, str(changed["identifier"]), names)
    return answer(work, changed)


def _delete_api(work: Work) -> Answer:
    work = _by_id_or_identifier(work)
    api = work.state.collection(_APIS).get(work.path["id"])
    if api is not None:
        forget_permissions(work.world, str(api["identifier"]))
        for grant in work.state.collection("/client-grants").where("audience", api["identifier"]):
            work.state.collection("/client-grants").drop(str(grant["id"]))
            work.state.links("organization grants").forget(str(grant["id"]))
    return carry_out(work)


def _list_apis(work: Work) -> Answer:
    wanted = work.query.texts("identifiers")
    placed = work.state.collection(_APIS).placed()
    rows = [one for one in placed if not wanted or one[1].get("identifier") in wanted]
    return paged(work, rows, filtered=["identifiers"])


def _create_connection(work: Work) -> Answer:
    name = work.given["name"]
    enabled = work.texts("enabled_clients")
    if any(work.world.applications.get(client_id) is None for client_id in enabled):
        raise gone("client")
    given = {key: value for key, value in work.given.items() if key != "enabled_clients"}
    made = create(work, {"options": {}, "realms": [name], "is_domain_connection": False, **given})
    for client_id in enabled:
        work.state.links(_LINKS).add(str(made["id"]), client_id)
    return answer(work, {**made, "enabled_clients": [*enabled]})


def may_use(world: World, connection: Row, client_id: str) -> bool:
    """Tell whether an application may use a connection: those of the seed, too, until that is changed."""
    link = world.state.links(_LINKS).pairs.get((str(connection["id"]), client_id))
    if link is None:
        return connection.get("is_open") is True
    return link.get("status") is not False


def connections_of(world: World, client_id: str) -> list[tuple[int, Row]]:
    """Return the connections that an application may use, with their places."""
    placed = world.state.collection("/connections").placed()
    return [
        (number, {name: value for name, value in one.items() if name != "is_open"})
        for number, one in placed
        if may_use(world, one, client_id)
    ]


def _clients_of(work: Work) -> Answer:
    connection = work.state.collection("/connections").get(work.path["id"]) or {}
    rows: list[tuple[int, Row]] = [
        (number, {"client_id": client_id})
        for number, client_id in work.world.applications.places()
        if may_use(work.world, connection, client_id)
    ]
    return paged(work, rows)


def _change_clients(work: Work) -> Answer:
    changes = [row(one) for one in items(work.body)]
    if any(work.world.applications.get(str(one["client_id"])) is None for one in changes):
        raise gone("client")
    for one in changes:
        about: Row = {"status": one["status"]}
        work.state.links(_LINKS).add(work.path["id"], str(one["client_id"]), about)
    return no_answer(work)


def _delete_user(work: Work) -> Answer:
    connection = work.state.collection("/connections").get(work.path["id"]) or {}
    for user in work.state.collection("/users").where("email", work.query.text("email")):
        if any(row(one).get("connection") == connection["name"] for one in items(user["identities"])):
            remove(work, "/users", str(user["user_id"]))
            return no_answer(work)
    raise gone("user")


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "client_grants.create": _create_grant,
    "resource_servers.create": _create_api,
    "resource_servers.list": _list_apis,
    "resource_servers.get": _read_api,
    "resource_servers.update": _update_api,
    "resource_servers.delete": _delete_api,
    "connections.create": _create_connection,
    "connections.clients.get": _clients_of,
    "connections.clients.update": _change_clients,
    "connections.users.delete_by_email": _delete_user,
}
