"""Who has which role, permission and group: links between rows, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import Answer, Json, Row
from evertoken_tenant.described import items, row
from evertoken_tenant.generic import no_answer
from evertoken_tenant.listing import listed
from evertoken_tenant.state import unique
from evertoken_tenant.work import Work, gone, noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from evertoken_tenant.work import World

_SEPARATOR: Final = "\n"  # between an API's identifier and the name of its permission


def rows_of(world: World, collection: str, ids: Iterable[str]) -> list[Row]:
    """Return the rows of some ids, in order."""
    rows = (world.state.collection(collection).get(one) for one in ids)
    return [one for one in rows if one is not None]


def need(work: Work, collection: str, ids: Iterable[str]) -> list[str]:
    """Return the ids. Raises RefusedError: 404 where one has no row."""
    found = list(ids)
    if any(one not in work.state.collection(collection) for one in found):
        raise gone(noun(collection))
    return found


def list_linked(name: str, collection: str, parameter: str, *, to: bool = False) -> Callable[[Work], Answer]:
    """Return the operation that lists what a row is linked to; `to`: the links lead to the row."""

    def carry_out(work: Work) -> Answer:
        links, own = work.state.links(name), work.path[parameter]
        return listed(work, rows_of(work.world, collection, links.to(own) if to else links.of(own)))

    return carry_out


def link(
    name: str, collection: str, parameter: str, field: str, *, to: bool = False
) -> Callable[[Work], Answer]:
    """Return the operation that links a row to those whose ids the body has in `field`."""

    def carry_out(work: Work) -> Answer:
        links, own = work.state.links(name), work.path[parameter]
        for other in need(work, collection, work.texts(field)):
            links.add(*((other, own) if to else (own, other)))
        return no_answer(work)

    return carry_out


def unlink(name: str, parameter: str, field: str, *, to: bool = False) -> Callable[[Work], Answer]:
    """Return the operation that parts a row from those whose ids the body has in `field`."""

    def carry_out(work: Work) -> Answer:
        links, own = work.state.links(name), work.path[parameter]
        for other in work.texts(field):
            links.drop(*((other, own) if to else (own, other)))
        return no_answer(work)

    return carry_out


def _permission(world: World, key: str) -> Row:
    """Return a permission as it is listed."""
    identifier, _, name = key.partition(_SEPARATOR)
    apis = world.state.collection("/resource-servers").where("identifier", identifier)
    api = apis[0] if apis else {}
    scopes = [row(one) for one in items(api.get("scopes")) if row(one).get("value") == name]
    scope = scopes[0] if scopes else {}
    return {
        "resource_server_identifier": identifier,
        "permission_name": name,
        "resource_server_name": api.get("name", ""),
        "description": scope.get("description", ""),
    }


def _keys(work: Work) -> list[str]:
    """Return the permissions of the body. Raises RefusedError: 404 for an API or a permission it has not."""
    keys: list[str] = []
    for item in items(work.given.get("permissions")):
        one = row(item)
        identifier, name = str(one["resource_server_identifier"]), str(one["permission_name"])
        apis = work.state.collection("/resource-servers").where("identifier", identifier)
        if not apis:
            raise gone("resource server")
        if not any(row(scope).get("value") == name for scope in items(apis[0].get("scopes"))):
            raise gone("permission")
        keys.append(f"{identifier}{_SEPARATOR}{name}")
    return keys


def _add_permissions(name: str) -> Callable[[Work], Answer]:
    def carry_out(work: Work) -> Answer:
        for key in _keys(work):
            work.state.links(name).add(work.path["id"], key)
        return no_answer(work)

    return carry_out


def _delete_permissions(name: str) -> Callable[[Work], Answer]:
    def carry_out(work: Work) -> Answer:
        for item in items(work.given.get("permissions")):
            one = row(item)
            key = f"{one['resource_server_identifier']}{_SEPARATOR}{one['permission_name']}"
            work.state.links(name).drop(work.path["id"], key)
        return no_answer(work)

    return carry_out


def _role_permissions(work: Work) -> Answer:
    keys = work.state.links("role permissions").of(work.path["id"])
    return listed(work, [_permission(work.world, key) for key in keys])


def roles_of(world: World, user_id: str) -> dict[str, list[str]]:
    """Return the roles of a user, with where each comes from: direct, groups."""
    state = world.state
    found: dict[str, list[str]] = {role: ["direct"] for role in state.links("user roles").of(user_id)}
    for group in state.links("group members").to(user_id):
        for role in state.links("group roles").of(group):
            found[role] = unique([*found.get(role, []), "groups"])
    return found


def _sourced(world: World, found: Mapping[str, list[str]]) -> list[Row]:
    rows: list[Row] = []
    for one in rows_of(world, "/roles", found):
        sources: list[Json] = [*found[str(one["id"])]]
        rows.append({**one, "description": one.get("description", ""), "sources": sources})
    return rows


def _effective_roles(work: Work) -> Answer:
    return listed(work, _sourced(work.world, roles_of(work.world, work.path["id"])))


def _source_groups(work: Work) -> Answer:
    state, role = work.state, work.query.text("role_id")
    groups = [
        group
        for group in state.links("group members").to(work.path["id"])
        if (group, role) in state.links("group roles")
    ]
    return listed(work, rows_of(work.world, "/groups", groups), filtered=["role_id"])


def _user_permissions(work: Work) -> Answer:
    """Return the permissions a user was given, and those of the user's own roles, each with its sources."""
    state, user_id = work.state, work.path["id"]
    sources: dict[str, list[Json]] = {}
    for key in state.links("user permissions").of(user_id):
        sources[key] = [{"source_id": "", "source_name": "", "source_type": "DIRECT"}]
    for role in rows_of(work.world, "/roles", state.links("user roles").of(user_id)):
        source: Row = {"source_id": role["id"], "source_name": role["name"], "source_type": "ROLE"}
        for key in state.links("role permissions").of(str(role["id"])):
            sources.setdefault(key, []).append(source)
    return listed(work, [{**_permission(work.world, key), "sources": some} for key, some in sources.items()])


def _effective_permissions(work: Work) -> Answer:
    state, identifier = work.state, work.query.text("resource_server_identifier")
    found: dict[str, list[str]] = {
        key: ["direct"] for key in state.links("user permissions").of(work.path["id"])
    }
    for role in roles_of(work.world, work.path["id"]):
        for key in state.links("role permissions").of(role):
            found[key] = unique([*found.get(key, []), "roles"])
    rows: list[Row] = [
        {**_permission(work.world, key), "sources": list[Json](sources)}
        for key, sources in found.items()
        if key.partition(_SEPARATOR)[0] == identifier
    ]
    return listed(work, rows, filtered=["resource_server_identifier"])


def _permission_roles(work: Work) -> Answer:
    key = f"{work.query.text('resource_server_identifier')}{_SEPARATOR}{work.query.text('permission_name')}"
    found = {
        role: sources
        for role, sources in roles_of(work.world, work.path["id"]).items()
        if (role, key) in work.state.links("role permissions")
    }
    rows = _sourced(work.world, found)
    return listed(work, rows, filtered=["resource_server_identifier", "permission_name"])


def _members_of_group(work: Work) -> Answer:
    users = rows_of(work.world, "/users", work.state.links("group members").of(work.path["id"]))
    return listed(work, [{**user, "id": user["user_id"], "member_type": "user"} for user in users])


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "roles.users.list": list_linked("user roles", "/users", "id", to=True),
    "roles.users.assign": link("user roles", "/users", "id", "users", to=True),
    "roles.groups.get": list_linked("group roles", "/groups", "id", to=True),
    "roles.groups.create": link("group roles", "/groups", "id", "groups", to=True),
    "roles.groups.delete": unlink("group roles", "id", "groups", to=True),
    "roles.permissions.list": _role_permissions,
    "roles.permissions.add": _add_permissions("role permissions"),
    "roles.permissions.delete": _delete_permissions("role permissions"),
    "users.roles.list": list_linked("user roles", "/roles", "id"),
    "users.roles.assign": link("user roles", "/roles", "id", "roles"),
    "users.roles.delete": unlink("user roles", "id", "roles"),
    "users.permissions.list": _user_permissions,
    "users.permissions.create": _add_permissions("user permissions"),
    "users.permissions.delete": _delete_permissions("user permissions"),
    "users.effective_roles.list": _effective_roles,
    "users.effective_roles.sources.groups.list": _source_groups,
    "users.effective_permissions.list": _effective_permissions,
    "users.effective_permissions.sources.roles.list": _permission_roles,
    "users.groups.get": list_linked("group members", "/groups", "id", to=True),
    "groups.members.get": _members_of_group,
    "groups.roles.list": list_linked("group roles", "/roles", "id"),
    "groups.roles.create": link("group roles", "/roles", "id", "roles"),
    "groups.roles.delete": unlink("group roles", "id", "roles"),
}
