"""Jobs that finish, and tickets."""

from __future__ import annotations

import csv
import gzip
import io
from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import Answer, Json, Row, dump, load
from evertoken_tenant.described import items, row
from evertoken_tenant.generic import found
from evertoken_tenant.refusal import RefusedError, refuse
from evertoken_tenant.special.users import new_user
from evertoken_tenant.work import Work, World, answer, gone, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EXPORTS: Final = "/exports/"
_IMPORT_MOST: Final = 500_000  # bytes
_FIELDS: Final = (
    "user_id",
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "created_at",
    "updated_at",
)


def _start(work: Work, kind: str, **more: Json) -> Answer:
    job_id = work.state.new("job_", 16)
    job: Row = {
        "id": job_id,
        "type": kind,
        "status": "pending",
        "created_at": work.world.moment(),
        **{name: value for name, value in more.items() if value is not None},
    }
    work.state.collection("/jobs").put(job_id, {**job, "reads": 0})
    return answer(work, job)


def _known_connection(work: Work) -> Row:
    connection = work.state.collection("/connections").get(str(work.given.get("connection_id")))
    if connection is None:
        raise refuse(400, "The connection does not exist.", "inexistent_connection")
    return connection


def _import(work: Work) -> Answer:
    _known_connection(work)
    text = str(work.given["users"])
    if len(text.encode()) > _IMPORT_MOST:
        raise refuse(413, "The file is larger than 500 KB", "payload_too_large")
    try:
        users = load(text.encode())
    except (ValueError, RecursionError):
        raise invalid("The file of users is not JSON") from None
    if not isinstance(users, list):
        raise invalid("The file of users is not an array")
    given = {name: work.given.get(name) for name in ("connection_id", "external_id", "upsert")}
    return _start(work, "users_import", **given, users=users)


def _export(work: Work) -> Answer:
    if "connection_id" in work.given:
        _known_connection(work)
    given = {name: work.given.get(name) for name in ("connection_id", "format", "limit", "fields")}
    return _start(work, "users_export", **given)


def _verify(work: Work) -> Answer:
    if str(work.given["user_id"]) not in work.state.collection("/users"):
        raise refuse(400, "The user does not exist.", "inexistent_user")
    return _start(work, "verification_email")


def _get(work: Work) -> Answer:
    """Return a job: pending when it is first looked at, done after that."""
    job = found(work)
    reads = job.get("reads")
    if job.get("status") == "pending" and isinstance(reads, int):
        job = {**job, "reads": reads + 1}
        if reads:
            job = _done(work.world, job)
        work.state.collection("/jobs").put(str(job["id"]), job)
    hidden = ("reads", "users", "errors", "upsert")
    return answer(work, {name: value for name, value in job.items() if name not in hidden})


def _done(world: World, job: Row) -> Row:
    finished: Row = {**job, "status": "completed", "percentage_done": 100, "time_left_seconds": 0}
    if job["type"] == "users_export":
        suffix = "csv" if job.get("format") == "csv" else "json"
        return {**finished, "location": f"{world.site().origin}{EXPORTS}{job['id']}.{suffix}.gz"}
    return {**finished, **_imported(world, job)} if job["type"] == "users_import" else finished


def _imported(world: World, job: Row) -> Row:
    connection = world.state.collection("/connections").get(str(job["connection_id"])) or {}
    counts = {"failed": 0, "updated": 0, "inserted": 0, "total": 0}
    errors: list[Json] = []
    for item in items(job.get("users")):
        user = {**row(item), "connection": connection.get("name")}
        counts["total"] += 1
        try:
            counts[_import_one(world, user, upsert=job.get("upsert") is True)] += 1
        except RefusedError as refused:
            counts["failed"] += 1
            answered = row(load(refused.answer.body))
            problem: Row = {"code": answered.get("errorCode", ""), "message": answered["message"], "path": ""}
            errors.append({"user": item, "errors": [problem]})
    return {"summary": {**counts}, "errors": errors}


def _import_one(world: World, user: Row, *, upsert: bool) -> str:
    email = user.get("email")
    if not isinstance(email, str):
        raise invalid("Missing required property: email")
    there = world.state.collection("/users").where("email", email)
    if there and upsert:
        known = {name: value for name, value in user.items() if name not in ("connection", "password_hash")}
        world.state.collection("/users").put(
            str(there[0]["user_id"]), {**there[0], **known, "user_id": there[0]["user_id"]}
        )
        return "updated"
    new_user(world, {name: value for name, value in user.items() if name != "password_hash"})
    return "inserted"


def _errors(work: Work) -> Answer:
    job = work.state.collection("/jobs").get(work.path["id"]) or {}
    errors = items(job.get("errors"))
    return answer(work, errors, status=200 if errors else 204)


def export(world: World, name: str) -> bytes | None:
    """Return the file of a finished export by its name, None where there is none."""
    job = world.state.collection("/jobs").get(name.partition(".")[0])
    if job is None or not str(job.get("location", "")).endswith(f"{EXPORTS}{name}"):
        return None
    limit = job.get("limit")
    users = world.state.collection("/users").rows()[: limit if isinstance(limit, int) else None]
    fields = [row(one) for one in items(job.get("fields"))] or [{"name": name} for name in _FIELDS]
    rows = [
        {str(one.get("export_as", one["name"])): user.get(str(one["name"])) for one in fields}
        for user in users
    ]
    # A fixed time, so that the same users make the same file.
    return gzip.compress((_csv(rows) if name.endswith(".csv.gz") else _lines(rows)).encode(), mtime=0)


def _lines(rows: list[Row]) -> str:
    return "".join(f"{dump(one)}\n" for one in rows)


def _csv(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _ticket(path: str) -> Callable[[Work], Answer]:
    def carry_out(work: Work) -> Answer:
        _check_user(work)
        origin = work.world.site().origin
        return answer(work, {"ticket": f"{origin}{path}?ticket={work.state.new(length=32)}#"})

    return carry_out


def _check_user(work: Work) -> None:
    """Raise RefusedError: 400 where the body names nobody, 404 where nobody is there."""
    users, given = work.state.collection("/users"), work.given
    if "user_id" in given:
        if str(given["user_id"]) not in users:
            raise gone("user")
        return
    if "email" not in given or "connection_id" not in given:
        raise invalid("Give user_id, or email and connection_id")
    connection = _known_connection(work)
    for user in users.where("email", given["email"]):
        if any(row(one).get("connection") == connection["name"] for one in items(user["identities"])):
            return
    raise gone("user")


def _enroll(work: Work) -> Answer:
    if str(work.given["user_id"]) not in work.state.collection("/users"):
        raise gone("user")
    ticket = work.state.new(length=32)
    url = f"{work.world.site().origin}/guardian/enroll?ticket={ticket}"
    return answer(work, {"ticket_id": ticket, "ticket_url": url})


def _sso_ticket(work: Work) -> Answer:
    ticket = work.state.new(length=32)
    return answer(
        work, {"ticket": f"{work.world.site().origin}/self-service/connections-flow?ticket={ticket}"}
    )


HANDLERS: Final[Mapping[str, Callable[[Work], Answer]]] = {
    "jobs.users_imports.create": _import,
    "jobs.users_exports.create": _export,
    "jobs.verification_email.create": _verify,
    "jobs.get": _get,
    "jobs.errors.get": _errors,
    "tickets.verify_email": _ticket("/u/email-verification"),
    "tickets.change_password": _ticket("/u/reset-verify"),
    "guardian.enrollments.create_ticket": _enroll,
    "self_service_profiles.sso_ticket.create": _sso_ticket,
}
