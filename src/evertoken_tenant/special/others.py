"""What is special elsewhere: places that are computed, seeded, or named by a value of the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.described import describe, items, row
from evertoken_tenant.events import emit
from evertoken_tenant.generic import carry_out, create, merged, no_answer
from evertoken_tenant.listing import listed
from evertoken_tenant.state import place
from evertoken_tenant.work import Work, answer, gone, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.call import Answer, Row

_LOGIN_PAGE: Final = "/branding/templates/universal-login"
_DOMAINS: Final = "/custom-domains"
_HIDDEN: Final = "_VALUE_NOT_SHOWN_"


def _set_login_page(work: Work) -> Answer:
    new = _LOGIN_PAGE not in work.state.settings
    body = work.body if isinstance(work.body, str) else work.given.get("template")
    work.state.settings[_LOGIN_PAGE] = {"body": body}
    return answer(work, status=201 if new else 204)


def _default_theme(work: Work) -> Answer:
    themes = work.state.collection("/branding/themes").rows()
    if not themes:
        raise gone("theme")
    return answer(work, themes[0])


def _create_theme(work: Work) -> Answer:
    return answer(work, create(work, {"displayName": "Unnamed Theme", **work.given}))


def _renderings(work: Work) -> Answer:
    rows: list[Row] = []
    for path, value in work.state.below("/prompts/", "/rendering"):
        _, _, prompt, _, screen, _ = path.split("/")
        rows.append({"tenant": work.world.tenant_name, "prompt": prompt, "screen": screen, **row(value)})
    return listed(work, rows)


def _set_renderings(work: Work) -> Answer:
    for item in items(work.given["configs"]):
        one = row(item)
        values = {name: str(one[name]) for name in ("prompt", "screen")}
        path = place("/prompts/{prompt}/screen/{screen}/rendering", values)
        work.state.settings[path] = merged(row(work.state.settings.get(path)), one)
    return answer(work, work.given)


def _of_connections(suffix: str) -> Callable[[Work], Answer]:
    def carry_out(work: Work) -> Answer:
        rows: list[Row] = []
        for path, value in work.state.below("/connections/", suffix):
            connection = work.state.collection("/connections").get(path.split("/")[2]) or {}
            about: Row = {"connection_id": connection["id"], "connection_name": connection["name"]}
            rows.append({**about, "strategy": connection["strategy"], **row(value)})
        return listed(work, rows)

    return carry_out


def _synchronized(work: Work) -> Answer:
    return listed(work, [row(one) for one in items(work.state.settings.get(work.place()))])


def _synchronize(work: Work) -> Answer:
    work.state.settings[work.place()] = work.given["groups"]
    return no_answer(work)


def _synchronization(work: Work) -> Answer:
    about: Row = {"connection_id": work.path["id"], "synchronization_id": work.state.new("sync_", 16)}
    return answer(work, about)


def _create_scim_token(work: Work) -> Answer:
    # Told once: no list has it.
    return answer(work, {**create(work, work.given), "token": f"tok_{work.state.new(length=48)}"})


def _create_domain(work: Work) -> Answer:
    first = not len(work.state.collection(_DOMAINS))
    about: Row = {"status": "pending_verification", "primary": True, "is_default": first}
    return answer(work, create(work, {**work.given, **about}))


def _verify_domain(work: Work) -> Answer:
    changed: Row = {**(work.state.collection(_DOMAINS).get(work.path["id"]) or {}), "status": "ready"}
    work.state.collection(_DOMAINS).put(work.path["id"], changed)
    return answer(work, changed)


def _test_domain(work: Work) -> Answer:
    ready = (work.state.collection(_DOMAINS).get(work.path["id"]) or {}).get("status") == "ready"
    return answer(work, {"success": ready, "message": "" if ready else "The domain is not verified"})


def _default_domain(work: Work) -> Answer:
    named = work.state.collection(_DOMAINS).where("is_default", value=True)
    return answer(work, named[0] if named else {"domain": work.world.site().domain})


def _set_default_domain(work: Work) -> Answer:
    domains, wanted = work.state.collection(_DOMAINS), work.given["domain"]
    if not domains.where("domain", wanted) and wanted != work.world.site().domain:
        raise invalid("The domain does not exist")
    for one in domains.rows():
        domains.put(str(one["custom_domain_id"]), {**one, "is_default": one.get("domain") == wanted})
    return _default_domain(work)


def _add_secrets(work: Work) -> Answer:
    path = work.place()
    work.state.settings[path] = {**row(work.state.settings.get(path)), **work.given}
    return no_answer(work)


def _hidden_secrets(work: Work) -> Answer:
    return answer(work, dict.fromkeys(row(work.state.settings.get(work.place())), _HIDDEN))


def _drop_secrets(work: Work) -> Answer:
    names = [str(name) for name in items(work.body)]
    path = work.place()
    known = row(work.state.settings.get(path))
    work.state.settings[path] = {name: value for name, value in known.items() if name not in names}
    return no_answer(work)


def _factors(work: Work) -> Answer:
    schema = describe("guardian.factors.set").parameters[0].schema
    names = [name for name in items(schema.get("enum")) if isinstance(name, str)]
    return listed(work, [{"enabled": False, **_factor(work, name), "name": name} for name in names])


def _factor(work: Work, name: str) -> Row:
    return row(work.state.settings.get(f"/guardian/factors/{name}"))


def _set_factor(work: Work) -> Answer:
    work.state.settings[work.place()] = work.given
    return answer(work, work.given)


def _policies(work: Work) -> Answer:
    return answer(work, work.state.settings.get(work.place(), []))


def _set_status(work: Work) -> Answer:
    """Let the row above `/status` have the status that is sent."""
    template = work.described.entry.path.removesuffix("/status")
    collection = work.collection(template.rpartition("/")[0])
    changed = {**(collection.get(work.path["id"]) or {}), **work.given, "updated_at": work.world.moment()}
    collection.put(work.path["id"], changed)
    return answer(work, changed)


def _validate_experiment(work: Work) -> Answer:
    return answer(work, {"is_valid": True, "errors": []})


def _test_stream(work: Work) -> Answer:
    delivery_id = f"evt_{work.state.new(length=22)}"
    delivery: Row = {
        "id": delivery_id,
        "event_stream_id": work.path["id"],
        # No destination is reached from here.
        "status": "failed",
        "event_type": work.given["event_type"],
        "attempts": [],
    }
    work.collection("/event-streams/{id}/deliveries").put(delivery_id, delivery)
    return answer(work, delivery)


def _active_users(work: Work) -> Answer:
    return answer(work, len(work.state.collection("/users")))


def _daily(work: Work) -> Answer:
    return answer(work, [])


def _told(kind: str) -> Callable[[Work], Answer]:
    """Return the generic operation, told to the event stream with the row that it is about."""

    def carry(work: Work) -> Answer:
        before = work.state.collection("/organizations").get(work.path["id"]) or {}
        done = carry_out(work)
        emit(work.world, kind, work.state.collection("/organizations").get(work.path["id"]) or before)
        return done

    return carry


def _create_stream(work: Work) -> Answer:
    return answer(work, create(work, {"status": "enabled", **work.given}))


def _create_log_stream(work: Work) -> Answer:
    return answer(work, create(work, {"status": "active", **work.given}))


def _create_device(work: Work) -> Answer:
    return answer(work, create(work, {"user_id": f"{work.client_id}@clients", **work.given}))


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "branding.templates.update_universal_login": _set_login_page,
    "branding.themes.create": _create_theme,
    "branding.themes.get_default": _default_theme,
    "prompts.rendering.list": _renderings,
    "prompts.rendering.bulk_update": _set_renderings,
    "connections.directory_provisioning.list": _of_connections("/directory-provisioning"),
    "connections.scim_configuration.list": _of_connections("/scim-configuration"),
    "connections.directory_provisioning.list_synchronized_groups": _synchronized,
    "connections.directory_provisioning.set": _synchronize,
    "connections.directory_provisioning.synchronizations.create": _synchronization,
    "connections.scim_configuration.tokens.create": _create_scim_token,
    "custom_domains.create": _create_domain,
    "custom_domains.verify": _verify_domain,
    "custom_domains.test": _test_domain,
    "custom_domains.get_default": _default_domain,
    "custom_domains.set_default": _set_default_domain,
    "device_credentials.create_public_key": _create_device,
    "event_streams.create": _create_stream,
    "event_streams.test": _test_stream,
    "experimentation.experiments.update_status": _set_status,
    "experimentation.experiments.validate": _validate_experiment,
    "experimentation.feature_flags.update_status": _set_status,
    "guardian.factors.list": _factors,
    "guardian.factors.set": _set_factor,
    "guardian.policies.list": _policies,
    "hooks.secrets.create": _add_secrets,
    "hooks.secrets.update": _add_secrets,
    "hooks.secrets.get": _hidden_secrets,
    "hooks.secrets.delete": _drop_secrets,
    "log_streams.create": _create_log_stream,
    "organizations.update": _told("organization.updated"),
    "organizations.delete": _told("organization.deleted"),
    "stats.get_active_users_count": _active_users,
    "stats.get_daily": _daily,
}
