"""What an operation does where nothing special is known of it: told from its path, method and schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import Answer, Json, Row, json_answer, no_content
from evertoken_tenant.consistency import cascade
from evertoken_tenant.described import Described, follow, methods, normal, row
from evertoken_tenant.fitting import fit, names
from evertoken_tenant.ids import id_field, new_id
from evertoken_tenant.kinds import Kind, can_be_absent, is_setting, item_parameter, kind_of
from evertoken_tenant.listing import paged
from evertoken_tenant.state import place
from evertoken_tenant.view import selected
from evertoken_tenant.work import Work, answer, gone, noun, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.work import World

# Rows that are no rows of a collection: their operations look for them.
_ELSEWHERE: Final = frozenset({"/keys/signing", "/logs"})
# The first of these that a row has is another's name for it.
_UNIQUE: Final = ("identifier", "domain", "template", "subject_token_type", "name")
_MERGED: Final = frozenset({"app_metadata", "client_metadata", "metadata", "user_metadata"})


def carry_out(work: Work) -> Answer:
    """Do what the operation's path, method and schemas suggest."""
    return _DO[kind_of(work.described.entry.key)](work)


def check_parents(work: Work) -> None:
    """Raise RefusedError: 404 where a row is not there that the path leads through."""
    segments = work.described.entry.path.split("/")
    for index in range(2, len(segments)):
        template = "/".join(segments[:index])
        if not template.endswith("}") or "GET" not in methods().get(normal(template), ()):
            continue
        values = {name: work.path[name] for name in _parameters(template)}
        if not exists(work.world, template, values):
            raise gone(noun(template))


def _parameters(template: str) -> list[str]:
    return [segment[1:-1] for segment in template.split("/") if segment.startswith("{")]


def exists(world: World, template: str, values: Mapping[str, str]) -> bool:
    """Tell whether a row is there, by the path of its item."""
    collection, _, parameter = template.rpartition("/")
    row_id = values[parameter[1:-1]]
    if collection == "/clients":
        return world.applications.get(row_id) is not None
    return collection in _ELSEWHERE or row_id in world.state.collection(place(collection, values))


def _list(work: Work) -> Answer:
    return paged(work, work.collection(work.described.entry.path).placed())


def _found(work: Work) -> tuple[str, str, Row | None]:
    """Return the collection's path, the row's id and the row."""
    template, _, parameter = work.described.entry.path.rpartition("/")
    path, row_id = work.place(template), work.path[parameter[1:-1]]
    return path, row_id, work.state.collection(path).get(row_id)


def found(work: Work) -> Row:
    """Return the row that the path is of. Raises RefusedError: 404."""
    path, _, one = _found(work)
    if one is None:
        raise gone(noun(path))
    return one


def _read(work: Work) -> Answer:
    return shown(work, found(work))


def shown(work: Work, one: Json) -> Answer:
    """Return a row, of which `fields` may select."""
    success = work.described.success()
    if success.schema is None:
        return Answer(success.status)
    whole = fit(success.schema, one)
    if isinstance(whole, dict) and "fields" in work.query:
        whole = selected(work.query).of(whole)
    return json_answer(success.status, whole)


def _create(work: Work) -> Answer:
    return answer(work, create(work, work.given))


def create(work: Work, given: Row) -> Row:
    """Keep a new row of the collection that the path is of, and return it."""
    template = work.described.entry.path
    path = work.place(template)
    success = work.described.success()
    properties = names(success.schema) if success.schema else frozenset[str]()
    field = id_field(path, item_parameter(normal(template)), properties)
    made: Row = {**_flags(work.described), **given}
    made.setdefault(field, new_id(work.state, normal(template), field, work.described))
    row_id = str(made[field])
    if 409 in work.described.errors:
        _check_unique(work, path, made)
        if row_id in work.state.collection(path):
            raise taken(field, noun(path))
    made = _stamped(work, made, properties, "created_at", "updated_at")
    work.state.collection(path).put(row_id, made)
    return made


def _flags(described: Described) -> Row:
    """Return the switches that have a documented default: other defaults are mere examples."""
    properties = row(follow(described.body).get("properties")) if described.body else {}
    flags = {name: follow(schema).get("default") for name, schema in properties.items()}
    return {name: value for name, value in flags.items() if isinstance(value, bool)}


def _stamped(work: Work, one: Row, properties: frozenset[str], *fields: str) -> Row:
    return {**one, **{field: work.world.moment() for field in fields if field in properties}}


def _check_unique(work: Work, path: str, made: Row, *, own: Row | None = None) -> None:
    field = next((field for field in _UNIQUE if field in made), None)
    if field is None or (own is not None and own.get(field) == made[field]):
        return
    if work.state.collection(path).where(field, made[field]):
        raise taken(field, noun(path))


def merged(one: Row, given: Row) -> Row:
    """Return a row with changes: null clears, metadata is merged by key, all else is replaced."""
    whole = dict(one)
    for name, value in given.items():
        old = whole.get(name)
        if name in _MERGED and isinstance(value, dict) and isinstance(old, dict):
            both = {**old, **value}
            whole[name] = {key: item for key, item in both.items() if item is not None}
        elif value is None:
            whole.pop(name, None)
        else:
            whole[name] = value
    return whole


def _update(work: Work) -> Answer:
    return answer(work, update(work, work.given))


def update(work: Work, given: Row) -> Row:
    """Change the row that the path is of, and return it. Raises RefusedError: 404, 409."""
    path, row_id, one = _found(work)
    if one is None:
        raise gone(noun(path))
    changed = merged(one, given)
    if 409 in work.described.errors:
        _check_unique(work, path, {**given}, own=one)
    success = work.described.success()
    changed = _stamped(work, changed, names(success.schema) if success.schema else frozenset(), "updated_at")
    work.state.collection(path).put(row_id, changed)
    return changed


def _replace(work: Work) -> Answer:
    path, row_id, one = _found(work)
    if one is None and 404 in work.described.errors:
        raise gone(noun(path))
    template, _, parameter = work.described.entry.path.rpartition("/")
    success = work.described.success()
    properties = names(success.schema) if success.schema else frozenset[str]()
    field = id_field(template, parameter[1:-1], properties)
    kept: Row = {name: one[name] for name in ("created_at", "id") if name in one} if one else {}
    changed = _stamped(work, {**kept, **work.given, field: row_id}, properties, "updated_at")
    work.state.collection(path).put(row_id, changed)
    return answer(work, changed)


def _remove(work: Work) -> Answer:
    path, row_id, one = _found(work)
    if one is None and 404 in work.described.errors:
        raise gone(noun(path))
    remove(work, path, row_id)
    return answer(work)


def remove(work: Work, path: str, row_id: str) -> None:
    """Remove a row, all below it, and what refers to it."""
    work.state.collection(path).drop(row_id)
    work.state.forget(place(f"{path}/{{id}}", {"id": row_id}))
    cascade(work.world, path, row_id)


def _setting(work: Work) -> Answer:
    value = work.state.settings.get(work.place())
    if value is None and can_be_absent(work.described):
        raise gone(noun(work.described.entry.path))
    return shown(work, _told(work, {} if value is None else value))


def _told(work: Work, value: Json) -> Json:
    """Return a setting with what the path says of it."""
    if not isinstance(value, dict):
        return value
    success = work.described.success()
    known = names(success.schema) if success.schema else frozenset[str]()
    about: Row = {name: given for name, given in work.path.items() if name != "id" and name in known}
    if work.described.template.startswith("/connections/{}/"):
        connection = work.state.collection("/connections").get(work.path["id"]) or {}
        about |= {f"connection_{name}": connection.get(name) for name in ("id", "name")}
        about |= {name: connection.get(name) for name in ("strategy",)}
    return {**about, **value}


def _set(work: Work) -> Answer:
    path, entry = work.place(), work.described.entry
    old = work.state.settings.get(path)
    if old is None and "POST" in methods()[work.described.template]:
        raise gone(noun(entry.path))
    new: Json = merged(row(old), work.given) if entry.method == "PATCH" else work.body
    success = work.described.success()
    properties = names(success.schema) if success.schema else frozenset[str]()
    if isinstance(new, dict):
        new = _stamped(work, new, properties, "updated_at")
    work.state.settings[path] = new
    return answer(work, _told(work, new))


def _open(work: Work) -> Answer:
    path = work.place()
    if path in work.state.settings:
        raise taken("place", noun(path))
    success = work.described.success()
    properties = names(success.schema) if success.schema else frozenset[str]()
    made = _stamped(work, {**_flags(work.described), **work.given}, properties, "created_at", "updated_at")
    work.state.settings[path] = made
    return answer(work, _told(work, made))


def _clear(work: Work) -> Answer:
    path = work.place()
    there = work.state.settings.pop(path, None) is not None
    if not there and 404 in work.described.errors and is_setting(work.described):
        raise gone(noun(path))
    work.state.empty(path)
    return answer(work)


def _act(work: Work) -> Answer:
    """Answer an action with what is known: the row it is about, and what was sent."""
    segments = work.described.entry.path.split("/")
    about: Row = {}
    for index in range(len(segments), 2, -1):
        template = "/".join(segments[:index])
        if template.endswith("}"):
            collection, _, parameter = template.rpartition("/")
            about = work.collection(collection).get(work.path[parameter[1:-1]]) or {}
            break
    return answer(work, {**about, **work.given}) if work.described.success().schema else no_answer(work)


def no_answer(work: Work) -> Answer:
    """Return the documented success without a body."""
    status = work.described.success().status
    return no_content() if status == 204 else Answer(status)


_DO: Final[Mapping[Kind, Callable[[Work], Answer]]] = {
    "list": _list,
    "read": _read,
    "create": _create,
    "update": _update,
    "replace": _replace,
    "remove": _remove,
    "setting": _setting,
    "set": _set,
    "open": _open,
    "clear": _clear,
    "act": _act,
}
