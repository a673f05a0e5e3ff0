"""Users: their accounts at connections, search, identities, blocks and sessions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from evertoken_tenant.described import items, row
from evertoken_tenant.events import emit
from evertoken_tenant.generic import found, merged, remove
from evertoken_tenant.listing import listed
from evertoken_tenant.refusal import refuse
from evertoken_tenant.search import terms
from evertoken_tenant.work import Work, answer, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.call import Answer, Json, Row
    from evertoken_tenant.work import World

_SOCIAL: Final = frozenset(
    {"apple", "facebook", "github", "google-oauth2", "linkedin", "twitter", "windowslive"}
)
# What a request tells and a user is not shown with.
_NOT_KEPT: Final = frozenset(
    {"client_id", "connection", "password", "verify_email", "verify_password", "verify_phone_number"}
)


def new_user(world: World, given: Row) -> Row:
    """Keep a new user, and return it. Raises RefusedError: 400 for no connection, 409 where it is there."""
    connections = world.state.collection("/connections").where("name", given["connection"])
    if not connections:
        raise refuse(400, "The connection does not exist.", "inexistent_connection")
    provider = str(connections[0]["strategy"])
    _check_free(world, given, "")
    own = str(given.get("user_id") or world.state.new(length=24, alphabet="0123456789abcdef"))
    user_id = own if own.startswith(f"{provider}|") else f"{provider}|{own}"
    if user_id in world.state.collection("/users"):
        raise _there()
    email = str(given.get("email", ""))
    name = email or str(given.get("username") or given.get("phone_number") or own)
    identity: Row = {
        "connection": given["connection"],
        "user_id": user_id.partition("|")[2],
        "provider": provider,
        "isSocial": provider in _SOCIAL,
    }
    made: Row = {
        "created_at": world.moment(),
        "email_verified": False,
        "identities": [identity],
        "name": name,
        "nickname": name.partition("@")[0],
        "picture": f"https://s.gravatar.com/avatar/{hashlib.sha256(email.encode()).hexdigest()[:32]}?s=480",
        "updated_at": world.moment(),
        "blocked": False,
        "user_metadata": {},
        "app_metadata": {},
        **{name: value for name, value in given.items() if name not in _NOT_KEPT},
        "user_id": user_id,
    }
    world.state.collection("/users").put(user_id, made)
    emit(world, "user.created", made)
    return made


def _there() -> Exception:
    return refuse(409, "The user already exists.", "auth0_idp_error")


def _check_free(world: World, given: Row, own: str) -> None:
    """Raise RefusedError: 409 where another user of the connection has what tells users apart."""
    for field in ("email", "username", "phone_number"):
        for user in world.state.collection("/users").having(field, given[field]) if given.get(field) else ():
            same = any(
                row(one).get("connection") == given.get("connection") for one in items(user["identities"])
            )
            if same and user["user_id"] != own:
                raise _there()


def _create(work: Work) -> Answer:
    return answer(work, new_user(work.world, work.given))


def _update(work: Work) -> Answer:
    user = found(work)
    connection = work.given.get("connection") or row(items(user["identities"])[0]).get("connection")
    _check_free(work.world, {**work.given, "connection": connection}, str(user["user_id"]))
    given = {name: value for name, value in work.given.items() if name not in _NOT_KEPT}
    if "email" in given and "email_verified" not in given and given["email"] != user.get("email"):
        given["email_verified"] = False
    changed = {**merged(user, given), "updated_at": work.world.moment()}
    work.state.collection("/users").put(str(user["user_id"]), changed)
    emit(work.world, "user.updated", changed)
    return answer(work, changed)


def _delete(work: Work) -> Answer:
    user = work.state.collection("/users").get(work.path["id"])
    if user is not None:
        remove(work, "/users", work.path["id"])
        emit(work.world, "user.deleted", {**user, "deleted_at": work.world.moment()})
    return answer(work)


def _list(work: Work) -> Answer:
    rows = work.state.collection("/users").rows()
    for test in terms(work.query.text("q")) if work.query.text("q") else ():
        rows = [user for user in rows if test(user)]
    connection = work.query.text("connection")
    if connection:
        rows = [
            user
            for user in rows
            if any(row(one).get("connection") == connection for one in items(user["identities"]))
        ]
    return listed(work, rows, filtered=["connection", "search_engine", "primary_order"])


def _by_email(work: Work) -> Answer:
    rows = work.state.collection("/users").having("email", work.query.text("email"))
    return listed(work, rows, filtered=["email"])


def _link(work: Work) -> Answer:
    user = work.state.collection("/users").get(work.path["id"]) or {}
    if "link_with" in work.given:
        raise invalid("link_with needs the ID token of a user who signed in; the tenant signs nobody in")
    other_id = str(work.given.get("user_id", ""))
    if "|" not in other_id:
        other_id = f"{work.given.get('provider')}|{other_id}"
    other = work.state.collection("/users").get(other_id)
    if other is None or other_id == work.path["id"]:
        raise refuse(400, "The secondary user does not exist.", "inexistent_user")
    names = ("email", "email_verified", "name", "username", "given_name", "family_name", "phone_number")
    profile: Row = {name: other[name] for name in names if name in other}
    linked: list[Json] = [{**row(one), "profileData": profile} for one in items(other["identities"])]
    identities = [*items(user["identities"]), *linked]
    remove(work, "/users", other_id)
    work.state.collection("/users").put(work.path["id"], {**user, "identities": identities})
    return answer(work, identities)


def _unlink(work: Work) -> Answer:
    user = work.state.collection("/users").get(work.path["id"]) or {}
    first, *others = items(user["identities"])
    gone_one = next((row(one) for one in others if _is_identity(work, row(one))), None)
    if gone_one is None:
        raise refuse(400, "The user has no such secondary identity.", "inexistent_identity")
    left: list[Json] = [first, *(one for one in others if one is not gone_one)]
    work.state.collection("/users").put(work.path["id"], {**user, "identities": left})
    # The account is a user of its own again.
    account = {name: value for name, value in gone_one.items() if name != "profileData"}
    user_id = f"{gone_one['provider']}|{gone_one['user_id']}"
    again: Row = {
        **row(gone_one.get("profileData")),
        "user_id": user_id,
        "identities": [account],
        "created_at": work.world.moment(),
        "updated_at": work.world.moment(),
    }
    work.state.collection("/users").put(user_id, again)
    return answer(work, left)


def _is_identity(work: Work, identity: Row) -> bool:
    wanted = (work.path["provider"], work.path["user_id"])
    return (identity.get("provider"), str(identity.get("user_id"))) == wanted


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "users.create": _create,
    "users.update": _update,
    "users.delete": _delete,
    "users.list": _list,
    "users.list_users_by_email": _by_email,
    "users.identities.link": _link,
    "users.identities.delete": _unlink,
}
