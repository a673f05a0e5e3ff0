"""Actions, their versions, modules and bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.described import describe, items, row
from evertoken_tenant.generic import create, found, update
from evertoken_tenant.listing import listed
from evertoken_tenant.work import Work, answer, gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from evertoken_tenant.call import Answer, Json, Row

_VERSION_FIELDS: Final = ("code", "dependencies", "runtime", "secrets", "supported_triggers", "modules")
_MODULE_FIELDS: Final = ("code", "dependencies", "secrets")


def _some(one: Row, names: Iterable[str]) -> Row:
    return {name: one[name] for name in names if name in one}


def _stamped_secrets(work: Work, given: Row) -> Row:
    """Return the body with the time at which each secret was set; their values are in no answer."""
    if "secrets" not in given:
        return given
    secrets: list[Json] = [
        {"name": row(one).get("name"), "updated_at": work.world.moment()} for one in items(given["secrets"])
    ]
    return {**given, "secrets": secrets}


def _create_action(work: Work) -> Answer:
    defaults: Row = {"code": "", "dependencies": [], "secrets": [], "runtime": "node22", "status": "built"}
    given = {**defaults, **_stamped_secrets(work, work.given), "all_changes_deployed": False}
    return answer(work, create(work, given))


def _update_action(work: Work) -> Answer:
    return answer(work, update(work, {**_stamped_secrets(work, work.given), "all_changes_deployed": False}))


def _list_actions(work: Work) -> Answer:
    rows = work.collection("/actions/actions").rows()
    query = work.query
    if "triggerId" in query:
        rows = [one for one in rows if query.text("triggerId") in _triggers(one)]
    if "actionName" in query:
        rows = [one for one in rows if one["name"] == query.text("actionName")]
    if "deployed" in query:
        deployed = query.flag("deployed", default=True)
        rows = [one for one in rows if (one.get("deployed_version") is not None) == deployed]
    return listed(work, rows, filtered=["triggerId", "actionName", "deployed", "installed"])


def _triggers(action: Row) -> list[str]:
    return [str(row(one).get("id")) for one in items(action.get("supported_triggers"))]


def _deploy(work: Work) -> Answer:
    """Make a version of the action as it is, and deploy it."""
    action = work.collection("/actions/actions").get(work.path["id"]) or {}
    return answer(work, _new_version(work, work.path["id"], action))


def _deploy_again(work: Work) -> Answer:
    """Deploy a version as a new one; the action's draft follows it where that is asked for."""
    action_id = work.path["actionId"]
    version = work.collection("/actions/actions/{actionId}/versions").get(work.path["id"])
    if version is None:
        raise gone("version")
    if work.given.get("update_draft") is True:
        action = work.state.collection("/actions/actions").get(action_id) or {}
        draft: Row = {**action, **_some(version, _VERSION_FIELDS)}
        work.state.collection("/actions/actions").put(action_id, draft)
    return answer(work, _new_version(work, action_id, version))


def _new_version(work: Work, action_id: str, source: Row) -> Row:
    versions = work.state.collection(f"/actions/actions/{action_id}/versions")
    for other in versions.rows():
        versions.put(str(other["id"]), {**other, "deployed": False})
    action = work.state.collection("/actions/actions").get(action_id) or {}
    version: Row = {
        **_some(source, _VERSION_FIELDS),
        "id": work.state.new(length=36, alphabet="0123456789abcdef"),
        "action_id": action_id,
        "number": len(versions) + 1,
        "status": "built",
        "deployed": True,
        "built_at": work.world.moment(),
        "created_at": work.world.moment(),
        "updated_at": work.world.moment(),
        "action": {
            name: action[name] for name in ("id", "name", "created_at", "updated_at") if name in action
        },
    }
    versions.put(str(version["id"]), version)
    deployed: Row = {**action, "deployed_version": version, "all_changes_deployed": True}
    work.state.collection("/actions/actions").put(action_id, deployed)
    return version


def _list_triggers(work: Work) -> Answer:
    trigger = describe("actions.triggers.bindings.list").parameters[0]
    names = [one for one in items(trigger.schema.get("enum")) if isinstance(one, str)]
    return answer(work, {"triggers": [{"id": name, "version": "v1", "status": "CURRENT"} for name in names]})


def _bindings(work: Work) -> Answer:
    return listed(work, [row(one) for one in items(work.state.settings.get(work.place()))])


def _bind(work: Work) -> Answer:
    bindings: list[Json] = []
    for item in items(work.given.get("bindings")):
        ref = row(row(item).get("ref"))
        by = "name" if ref.get("type") == "action_name" else "id"
        actions = work.state.collection("/actions/actions").where(by, ref.get("value"))
        if not actions:
            raise gone("action")
        bindings.append(
            {
                "id": work.state.new(length=36, alphabet="0123456789abcdef"),
                "trigger_id": work.path["triggerId"],
                "display_name": row(item).get("display_name", actions[0]["name"]),
                "action": actions[0],
                "created_at": work.world.moment(),
                "updated_at": work.world.moment(),
            }
        )
    work.state.settings[work.place()] = bindings
    return answer(work, {"bindings": bindings})


def _create_module(work: Work) -> Answer:
    defaults: Row = {"dependencies": [], "secrets": [], "all_changes_published": False}
    module = create(work, {**defaults, **_stamped_secrets(work, work.given), "actions_using_module_total": 0})
    if work.given.get("publish") is True:
        _publish(work, module)
    return answer(work, work.state.collection("/actions/modules").get(str(module["id"])))


def _update_module(work: Work) -> Answer:
    return answer(work, update(work, {**_stamped_secrets(work, work.given), "all_changes_published": False}))


def _publish_module(work: Work) -> Answer:
    module = work.state.collection("/actions/modules").get(work.path["id"]) or {}
    return answer(work, _publish(work, module))


def _publish(work: Work, module: Row) -> Row:
    versions = work.state.collection(f"/actions/modules/{module['id']}/versions")
    number = len(versions) + 1
    version: Row = {
        **_some(module, _MODULE_FIELDS),
        "id": work.state.new(length=36, alphabet="0123456789abcdef"),
        "module_id": module["id"],
        "version_number": number,
        "created_at": work.world.moment(),
    }
    versions.put(str(version["id"]), version)
    published: Row = {
        "all_changes_published": True,
        "latest_version_number": number,
        "latest_version": version,
    }
    work.state.collection("/actions/modules").put(str(module["id"]), {**module, **published})
    return version


def _roll_back(work: Work) -> Answer:
    modules = work.state.collection("/actions/modules")
    version = work.collection("/actions/modules/{id}/versions").get(str(work.given.get("module_version_id")))
    if version is None:
        raise gone("version")
    kept = _some(version, _MODULE_FIELDS)
    changed: Row = {**(modules.get(work.path["id"]) or {}), **kept, "updated_at": work.world.moment()}
    modules.put(work.path["id"], changed)
    return answer(work, changed)


def _test(work: Work) -> Answer:
    return answer(work, {"payload": work.given.get("payload")})


def _read_version(work: Work) -> Answer:
    return answer(work, found(work))


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "actions.create": _create_action,
    "actions.update": _update_action,
    "actions.list": _list_actions,
    "actions.deploy": _deploy,
    "actions.test": _test,
    "actions.versions.get": _read_version,
    "actions.versions.deploy": _deploy_again,
    "actions.triggers.list": _list_triggers,
    "actions.triggers.bindings.list": _bindings,
    "actions.triggers.bindings.update_many": _bind,
    "actions.modules.create": _create_module,
    "actions.modules.update": _update_module,
    "actions.modules.versions.create": _publish_module,
    "actions.modules.rollback": _roll_back,
}
