"""Organizations: members and their roles, connections, invitations, client grants, groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import Answer, Json, Row
from evertoken_tenant.consistency import pair
from evertoken_tenant.described import items, row
from evertoken_tenant.events import emit
from evertoken_tenant.generic import create, no_answer, shown
from evertoken_tenant.listing import listed
from evertoken_tenant.special.links import list_linked, need, rows_of
from evertoken_tenant.state import unique
from evertoken_tenant.work import Work, answer, gone, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CONNECTIONS: Final = "/organizations/{id}/enabled_connections"
_MEMBERS: Final = "organization members"
_INVITED_FOR: Final = 604_800  # seconds, a week


def _create(work: Work) -> Answer:
    given = {name: value for name, value in work.given.items() if name != "enabled_connections"}
    wanted = [row(one) for one in items(work.given.get("enabled_connections"))]
    need(work, "/connections", [str(one["connection_id"]) for one in wanted])
    made = create(work, {"display_name": work.given["name"], **given})
    enabled: list[Json] = [_enable(work, str(made["id"]), one) for one in wanted]
    emit(work.world, "organization.created", made)
    return answer(work, {**made, "enabled_connections": enabled})


def _by_name(work: Work) -> Answer:
    found = work.state.collection("/organizations").where("name", work.path["name"])
    if not found:
        raise gone("organization")
    return answer(work, found[0])


def _members(work: Work) -> Answer:
    organization = work.path["id"]
    users = rows_of(work.world, "/users", work.state.links(_MEMBERS).of(organization))
    if "roles" not in work.query.text("fields"):
        return listed(work, [{k: v for k, v in user.items() if k != "roles"} for user in users])
    rows: list[Row] = []
    for user in users:
        roles = work.state.links("member roles").of(pair(organization, str(user["user_id"])))
        rows.append({**user, "roles": list[Json](rows_of(work.world, "/roles", roles))})
    return listed(work, rows)


def _add_members(work: Work) -> Answer:
    for user_id in need(work, "/users", work.texts("members")):
        if work.state.links(_MEMBERS).add(work.path["id"], user_id):
            _tell_member(work, "organization.member.added", user_id)
    return no_answer(work)


def _drop_members(work: Work) -> Answer:
    for user_id in work.texts("members"):
        if work.state.links(_MEMBERS).drop(work.path["id"], user_id):
            work.state.links("member roles").forget_left(pair(work.path["id"], user_id))
            _tell_member(work, "organization.member.deleted", user_id)
    return no_answer(work)


def _tell_member(work: Work, kind: str, user_id: str, role: Row | None = None) -> None:
    organization = work.state.collection("/organizations").get(work.path["id"]) or {}
    about: Row = {"organization": organization, "user": {"user_id": user_id}}
    emit(work.world, kind, about if role is None else {**about, "role": role})


def _member(work: Work) -> str:
    """Return what links of a member begin with. Raises RefusedError: 404 for a user who is none."""
    if (work.path["id"], work.path["user_id"]) not in work.state.links(_MEMBERS):
        raise gone("member")
    return pair(work.path["id"], work.path["user_id"])


def _member_roles(work: Work) -> Answer:
    return listed(work, rows_of(work.world, "/roles", work.state.links("member roles").of(_member(work))))


def _assign_roles(work: Work) -> Answer:
    own = _member(work)
    for role in need(work, "/roles", work.texts("roles")):
        if work.state.links("member roles").add(own, role):
            named = work.state.collection("/roles").get(role)
            _tell_member(work, "organization.member.role.assigned", work.path["user_id"], named)
    return no_answer(work)


def _delete_roles(work: Work) -> Answer:
    own = _member(work)
    for role in work.texts("roles"):
        if work.state.links("member roles").drop(own, role):
            named = work.state.collection("/roles").get(role)
            _tell_member(work, "organization.member.role.deleted", work.path["user_id"], named)
    return no_answer(work)


def _groups_of_member(work: Work) -> list[str]:
    return work.state.links("group members").to(work.path["user_id"])


def _effective_roles(work: Work) -> Answer:
    found: dict[str, list[str]] = {
        role: ["direct"] for role in work.state.links("member roles").of(_member(work))
    }
    for group in _groups_of_member(work):
        for role in work.state.links("organization group roles").of(pair(work.path["id"], group)):
            found[role] = unique([*found.get(role, []), "groups"])
    rows: list[Row] = [
        {**one, "description": one.get("description", ""), "sources": list[Json](found[str(one["id"])])}
        for one in rows_of(work.world, "/roles", found)
    ]
    return listed(work, rows)


def _source_groups(work: Work) -> Answer:
    _member(work)
    links, role = work.state.links("organization group roles"), work.query.text("role_id")
    groups = [group for group in _groups_of_member(work) if (pair(work.path["id"], group), role) in links]
    return listed(work, rows_of(work.world, "/groups", groups), filtered=["role_id"])


def _groups(work: Work) -> Answer:
    own = f"{work.path['organization_id']} "
    pairs = work.state.links("organization group roles").pairs
    groups = unique(left.removeprefix(own) for left, _ in pairs if left.startswith(own))
    return listed(work, rows_of(work.world, "/groups", groups))


def _group(work: Work) -> str:
    need(work, "/groups", [work.path["group_id"]])
    return pair(work.path["organization_id"], work.path["group_id"])


def _group_roles(work: Work) -> Answer:
    links = work.state.links("organization group roles")
    return listed(work, rows_of(work.world, "/roles", links.of(_group(work))))


def _change_group_roles(*, add: bool) -> Callable[[Work], Answer]:
    def carry_out(work: Work) -> Answer:
        links, own = work.state.links("organization group roles"), _group(work)
        for role in need(work, "/roles", work.texts("roles")) if add else work.texts("roles"):
            if add:
                links.add(own, role)
            else:
                links.drop(own, role)
        return no_answer(work)

    return carry_out


def _enable(work: Work, organization: str, given: Row) -> Row:
    connection_id = str(given["connection_id"])
    connection = work.state.collection("/connections").get(connection_id) or {}
    made: Row = {
        "assign_membership_on_login": False,
        "show_as_button": True,
        "is_signup_enabled": False,
        "is_enabled": True,
        **given,
        "connection": {name: connection.get(name) for name in ("name", "strategy")},
    }
    work.state.collection(f"/organizations/{organization}/enabled_connections").put(connection_id, made)
    return made


def _add_connection(work: Work) -> Answer:
    [connection_id] = need(work, "/connections", [str(work.given["connection_id"])])
    if connection_id in work.collection(_CONNECTIONS) and 409 in work.described.errors:
        raise taken("connection_id", "organization connection")
    return answer(work, _enable(work, work.path["id"], work.given))


def _invite(work: Work) -> Answer:
    if work.world.applications.get(str(work.given["client_id"])) is None:
        raise gone("client")
    need(work, "/roles", work.texts("roles"))
    seconds = work.given.get("ttl_sec")
    ticket = work.state.new(length=32)
    organization = work.state.collection("/organizations").get(work.path["id"]) or {}
    origin = work.world.site().origin.replace("http://", "https://")
    life = seconds if isinstance(seconds, int) and seconds else _INVITED_FOR
    query = f"invitation={ticket}&organization={work.path['id']}&organization_name={organization.get('name')}"
    made = create(
        work,
        {
            **work.given,
            "organization_id": work.path["id"],
            "ticket_id": ticket,
            "invitation_url": f"{origin}/login?{query}",
            "expires_at": work.world.moment(after=life),
        },
    )
    return answer(work, made)


def _grants(work: Work) -> Answer:
    ids = work.state.links("organization grants").of(work.path["id"])
    wanted = work.query.texts("grant_ids")
    rows = [one for one in rows_of(work.world, "/client-grants", ids) if not wanted or one["id"] in wanted]
    return listed(work, rows, filtered=["grant_ids"])


def _add_grant(work: Work) -> Answer:
    [grant] = need(work, "/client-grants", [str(work.given["grant_id"])])
    if not work.state.links("organization grants").add(work.path["id"], grant):
        raise taken("grant_id", "organization grant")
    return answer(work, work.state.collection("/client-grants").get(grant))


def _drop_grant(work: Work) -> Answer:
    if not work.state.links("organization grants").drop(work.path["id"], work.path["grant_id"]):
        raise gone("client grant")
    return no_answer(work)


def _domain_by_name(work: Work) -> Answer:
    found = work.collection("/organizations/{id}/discovery-domains").where(
        "domain", work.path["discovery_domain"]
    )
    if not found:
        raise gone("discovery domain")
    return shown(work, found[0])


def _add_domain(work: Work) -> Answer:
    domain = work.given["domain"]
    proof: Row = {
        "status": "pending",
        "verification_txt": f"auth0-domain-verification={work.state.new(length=32)}",
    }
    return answer(
        work, create(work, {**proof, "verification_host": f"_auth0-challenge.{domain}", **work.given})
    )


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "organizations.create": _create,
    "organizations.get_by_name": _by_name,
    "organizations.members.list": _members,
    "organizations.members.create": _add_members,
    "organizations.members.delete": _drop_members,
    "organizations.members.roles.list": _member_roles,
    "organizations.members.roles.assign": _assign_roles,
    "organizations.members.roles.delete": _delete_roles,
    "organizations.members.effective_roles.list": _effective_roles,
    "organizations.members.effective_roles.sources.groups.list": _source_groups,
    "organizations.groups.list": _groups,
    "organizations.groups.roles.list": _group_roles,
    "organizations.groups.roles.create": _change_group_roles(add=True),
    "organizations.groups.roles.delete": _change_group_roles(add=False),
    "organizations.connections.create": _add_connection,
    "organizations.enabled_connections.add": _add_connection,
    "organizations.invitations.create": _invite,
    "organizations.client_grants.list": _grants,
    "organizations.client_grants.create": _add_grant,
    "organizations.client_grants.delete": _drop_grant,
    "organizations.discovery_domains.get_by_name": _domain_by_name,
    "organizations.discovery_domains.create": _add_domain,
    "client_grants.organizations.list": list_linked("organization grants", "/organizations", "id", to=True),
    "users.organizations.list": list_linked(_MEMBERS, "/organizations", "id", to=True),
}
