"""Puts rows into a tenant, and shows what it holds, without calls."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Final, cast

import evertoken_spec
from evertoken_tenant.applications import new_id as new_client_id
from evertoken_tenant.applications import new_secret
from evertoken_tenant.connections import seeded_connections
from evertoken_tenant.consistency import pair
from evertoken_tenant.described import Described, describe, follow, normal, row
from evertoken_tenant.fitting import names
from evertoken_tenant.ids import id_field, new_id
from evertoken_tenant.listing import rows_key, shapes
from evertoken_tenant.seed import default_row
from evertoken_tenant.special import HANDLERS
from evertoken_tenant.special.users import new_user
from evertoken_tenant.state import same

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evertoken_tenant.call import Row
    from evertoken_tenant.work import World

# Lists of what a row is linked to: the links' name, the property of an id, and whether they lead to the row.
_LINKED: Final[Mapping[str, tuple[str, str, bool]]] = {
    "/groups/{}/members": ("group members", "user_id", False),
    "/groups/{}/roles": ("group roles", "id", False),
    "/roles/{}/users": ("user roles", "user_id", True),
    "/users/{}/roles": ("user roles", "id", False),
    "/organizations/{}/members": ("organization members", "user_id", False),
    "/organizations/{}/members/{}/roles": ("member roles", "id", False),
}
_DATABASE: Final = "Username-Password-Authentication"


def begin(world: World) -> None:
    """Put in what every tenant has."""
    for one in seeded_connections():
        world.state.collection("/connections").put(str(one["id"]), {**one, "is_open": True})


def seed(world: World, path: str, rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Keep rows in the collection of a path, and return their ids. Raises ValueError for no collection."""
    path = same(f"/{path.strip('/')}")
    given = [cast("Row", copy.deepcopy(dict(one))) for one in rows]
    with world.state.lock:
        template = _template(path)
        if template == "/logs":
            raise ValueError("/logs: is written by what is done")
        if template in _LINKED:
            return [_link(world, path, template, one) for one in given]
        if template == "/clients":
            return [_client(world, one) for one in given]
        if template == "/users":
            return [_user(world, one) for one in given]
        return [_row(world, path, template, one) for one in given]


def held(world: World, path: str) -> list[Row]:
    """Return copies of the rows in the collection of a path."""
    path = same(f"/{path.strip('/')}")
    with world.state.lock:
        _template(path)
        if path == "/clients":
            places = world.applications.places()
            found = [world.applications.get(client_id) for _, client_id in places]
            return [copy.deepcopy(one.row) for one in found if one is not None]
        if path == "/logs":
            return [copy.deepcopy(one) for one in world.journal.entries()]
        return copy.deepcopy(world.state.collection(path).rows())


def put(world: World, path: str, value: Mapping[str, object]) -> None:
    """Keep a setting, such as tenants/settings."""
    with world.state.lock:
        world.state.settings[f"/{path.strip('/')}"] = cast("Row", copy.deepcopy(dict(value)))


def _template(path: str) -> str:
    """Return a collection's path with `{}` for parameters. Raises ValueError where there is none to seed."""
    segments = path.split("/")
    known = {normal(entry.path) for entry in evertoken_spec.index()}
    collections = {template.removesuffix("/{}") for template in known if template.endswith("/{}")}
    for template in sorted(collections | known, key=lambda one: one.count("{}")):
        own = template.split("/")
        if len(own) == len(segments) and all(a in ("{}", b) for a, b in zip(own, segments, strict=True)):
            if template not in _computed() or template in _LINKED:
                return template
            raise ValueError(f"{path}: follows from other rows, and cannot be seeded or read by itself")
    raise ValueError(f"{path}: no list of the Management API has this path")


@functools.cache
def _computed() -> frozenset[str]:
    """Return the lists that have no rows of their own."""
    found = {
        normal(entry.path)
        for entry in evertoken_spec.index()
        if entry.key in HANDLERS and entry.method == "GET"
    }
    own = {"/users", "/actions/actions", "/resource-servers", "/connections/{}/keys", "/logs", "/user-blocks"}
    return frozenset(found - own) | {"/clients/{}/credentials"}


def _described(template: str) -> tuple[Described, str]:
    """Return the operation that tells most of a collection's rows, and the parameter that stands for one."""
    entries = evertoken_spec.index()
    item = next((entry for entry in entries if normal(entry.path) == f"{template}/{{}}"), None)
    of_item = [entry for entry in entries if item is not None and normal(entry.path) == normal(item.path)]
    best = next((entry for entry in of_item if entry.method == "GET"), None)
    best = best or next(entry for entry in entries if normal(entry.path) in (template, f"{template}/{{}}"))
    return describe(best.key), "id" if item is None else item.path.rpartition("{")[2][:-1]


def _row(world: World, path: str, template: str, given: Row) -> str:
    described, parameter = _described(template)
    schema = described.success().schema or {}
    properties = names(schema)
    if described.template == template:
        shape = shapes(schema)[0]
        key = rows_key(shape)
        array = follow(row(shape.get("properties"))[key]) if key else shape
        properties = names(row(array.get("items")))
    field = id_field(template, parameter, properties)
    made: Row = {field: new_id(world.state, template, field, described)}
    made |= {name: world.moment() for name in ("created_at", "updated_at") if name in properties}
    made |= given
    # Other parts of the tenant look for the id there.
    made.setdefault("id", made[field])
    world.state.collection(path).put(str(made[field]), made)
    return str(made[field])


def _user(world: World, given: Row) -> str:
    made = new_user(world, {"connection": _DATABASE, **given})
    whole: Row = {**made, **{name: value for name, value in given.items() if name != "user_id"}}
    for name in ("connection", "password"):
        whole.pop(name, None)
    world.state.collection("/users").put(str(made["user_id"]), whole)
    return str(made["user_id"])


def _client(world: World, given: Row) -> str:
    client_id = str(given.get("client_id") or new_client_id())
    app_type = given.get("app_type")
    base = default_row(
        client_id,
        str(given.get("name", "Seeded")),
        app_type if isinstance(app_type, str) else None,
        new_secret(),
    )
    return world.applications.add({**base, **given, "client_id": client_id}).client_id


def _link(world: World, path: str, template: str, given: Row) -> str:
    name, field, to = _LINKED[template]
    other = str(given[field])
    _, _, own, *more = path.split("/")
    left = pair(own, more[1]) if len(more) > 1 else own
    world.state.links(name).add(*((other, left) if to else (left, other)))
    return other
