"""What goes with a row that is deleted: rows that refer to it, and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evertoken_tenant.work import World

# Collection of what is deleted -> collections and fields of what refers to it.
_REFERRING: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "/clients": (
        ("/client-grants", "client_id"),
        ("/device-credentials", "client_id"),
        ("/grants", "clientID"),
        ("/refresh-tokens", "client_id"),
    ),
    "/users": (
        ("/device-credentials", "user_id"),
        ("/grants", "user_id"),
        ("/guardian/enrollments", "user_id"),
        ("/refresh-tokens", "user_id"),
        ("/sessions", "user_id"),
    ),
    "/connections": (("/groups", "connection_id"),),
}
# Collection of what is deleted -> links that it may be part of.
_LINKED: Final[Mapping[str, Sequence[str]]] = {
    "/roles": ("user roles", "group roles", "role permissions"),
    "/users": ("user roles", "user permissions", "organization members", "group members"),
    "/groups": ("group roles", "group members"),
    "/organizations": ("organization members", "organization grants"),
    "/client-grants": ("organization grants",),
    "/connections": ("connection clients",),
    "/clients": ("connection clients",),
}
# Links whose one side is a pair, and where in it the deleted one stands.
_PAIRED: Final[Mapping[str, Sequence[tuple[str, int]]]] = {
    "/roles": (("member roles", 2), ("organization group roles", 2)),
    "/users": (("member roles", 1),),
    "/groups": (("organization group roles", 1),),
    "/organizations": (("member roles", 0), ("organization group roles", 0)),
}


def pair(organization: str, other: str) -> str:
    """Return the left side of links of something within an organization."""
    return f"{organization} {other}"


def cascade(world: World, collection: str, row_id: str) -> None:
    """Remove what cannot be without a row that is gone."""
    state = world.state
    for path, field in _REFERRING.get(collection, ()):
        for row in state.collection(path).where(field, row_id):
            state.collection(path).drop(str(row["id"]))
            cascade(world, path, str(row["id"]))
    for name in _LINKED.get(collection, ()):
        state.links(name).forget(row_id)
    for name, index in _PAIRED.get(collection, ()):
        state.links(name).forget_where(_is_at(index, row_id))
    if collection == "/connections":
        for organization in state.collection("/organizations").rows():
            state.collection(f"/organizations/{organization['id']}/enabled_connections").drop(row_id)


def _is_at(index: int, row_id: str) -> Callable[[str, str], bool]:
    return lambda left, right: [*left.split(" ", 1), right][index] == row_id


def forget_permissions(world: World, identifier: str, scopes: frozenset[str] | None = None) -> None:
    """Remove permissions of an API from roles and users: all of them, or all but those of some scopes."""

    def gone(_left: str, right: str) -> bool:
        api, _, name = right.partition("\n")
        return api == identifier and (scopes is None or name not in scopes)

    for name in ("role permissions", "user permissions"):
        world.state.links(name).forget_where(gone)
