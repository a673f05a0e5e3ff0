"""What users sign in with, and what they signed in to: factors, sessions, refresh tokens, blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.described import items, row
from evertoken_tenant.generic import no_answer, remove
from evertoken_tenant.listing import listed
from evertoken_tenant.work import Work, answer, gone, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.call import Answer, Json, Row

_BLOCKS: Final = "/user-blocks"
_RECOVERY: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def _of_user(collection: str, parameter: str) -> Callable[[Work], Answer]:
    def carry_out(work: Work) -> Answer:
        placed = work.state.collection(collection).where("user_id", work.path[parameter])
        return listed(work, placed)

    return carry_out


def _drop_of_user(*collections: str, parameter: str = "user_id") -> Callable[[Work], Answer]:
    def carry_out(work: Work) -> Answer:
        for collection in collections:
            work.state.collection(collection).drop_where("user_id", work.path[parameter])
        return no_answer(work)

    return carry_out


def _revoke_access(work: Work) -> Answer:
    session = work.given.get("session_id")
    for collection, field in (("/sessions", "id"), ("/refresh-tokens", "session_id")):
        if collection == "/refresh-tokens" and work.given.get("preserve_refresh_tokens") is True:
            continue
        for one in work.state.collection(collection).where("user_id", work.path["id"]):
            if session is None or one.get(field) == session:
                work.state.collection(collection).drop(str(one["id"]))
    return no_answer(work)


def _revoke_session(work: Work) -> Answer:
    remove(work, "/sessions", work.path["id"])
    work.state.collection("/refresh-tokens").drop_where("session_id", work.path["id"])
    return no_answer(work)


def _revoke_tokens(work: Work) -> Answer:
    ids = work.texts("ids")
    criteria = {name: work.given[name] for name in ("user_id", "client_id") if name in work.given}
    if not ids and not criteria:
        raise invalid("Give ids, user_id or client_id")
    for one in work.state.collection("/refresh-tokens").rows():
        if (not ids or one["id"] in ids) and all(one.get(name) == value for name, value in criteria.items()):
            work.state.collection("/refresh-tokens").drop(str(one["id"]))
    return no_answer(work)


def _set_methods(work: Work) -> Answer:
    path = work.place()
    work.state.empty(path)
    made: list[Json] = []
    for one in items(work.body):
        method_id = work.state.new("authentication-method|", 22)
        method: Row = {"id": method_id, "created_at": work.world.moment(), **row(one)}
        work.state.collection(path).put(method_id, method)
        made.append(method)
    return answer(work, made)


def _recover(work: Work) -> Answer:
    return answer(work, {"recovery_code": work.state.new(length=24, alphabet=_RECOVERY)})


def _names_of(work: Work) -> list[Json]:
    """Return the identifiers of the user in the path, by which blocks are known."""
    user = work.state.collection("/users").get(work.path["id"])
    if user is None:
        raise gone("user")
    return [user[name] for name in ("email", "username", "phone_number") if user.get(name)]


def _blocks(identifiers: Callable[[Work], list[Json]]) -> Callable[[Work], Answer]:
    def carry_out(work: Work) -> Answer:
        wanted = identifiers(work)
        blocks = [one for one in work.state.collection(_BLOCKS).rows() if one.get("identifier") in wanted]
        return answer(work, {"blocked_for": [{k: v for k, v in one.items() if k != "id"} for one in blocks]})

    return carry_out


def _unblock(identifiers: Callable[[Work], list[Json]]) -> Callable[[Work], Answer]:
    def carry_out(work: Work) -> Answer:
        for identifier in identifiers(work):
            work.state.collection(_BLOCKS).drop_where("identifier", identifier)
        return no_answer(work)

    return carry_out


def _asked(work: Work) -> list[Json]:
    return [work.query.text("identifier")]


def _enrollments(work: Work) -> Answer:
    return listed(work, work.state.collection("/guardian/enrollments").where("user_id", work.path["id"]))


def _grants_of_user(work: Work) -> Answer:
    work.state.collection("/grants").drop_where("user_id", work.query.text("user_id"))
    return no_answer(work)


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "users.sessions.list": _of_user("/sessions", "user_id"),
    "users.sessions.delete": _drop_of_user("/sessions"),
    "users.refresh_token.list": _of_user("/refresh-tokens", "user_id"),
    "users.refresh_token.delete": _drop_of_user("/refresh-tokens"),
    "users.revoke_access": _revoke_access,
    "users.authentication_methods.set": _set_methods,
    "users.regenerate_recovery_code": _recover,
    "users.enrollments.get": _enrollments,
    "users.authenticators.delete_all": _drop_of_user("/guardian/enrollments", parameter="id"),
    "users.multifactor.delete_provider": no_answer,
    "users.multifactor.invalidate_remember_browser": no_answer,
    "sessions.revoke": _revoke_session,
    "refresh_tokens.revoke": _revoke_tokens,
    "user_blocks.list": _blocks(_names_of),
    "user_blocks.list_by_identifier": _blocks(_asked),
    "user_blocks.delete": _unblock(_names_of),
    "user_blocks.delete_by_identifier": _unblock(_asked),
    "user_grants.delete_by_user_id": _grants_of_user,
}
