"""A tenant in which every operation of the API finds what it needs: rows, settings, a good body."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import evertoken_spec
from samples import Json, is_object, operation, resolve, sample

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from evertoken_tenant import Tenant

ENTRIES = evertoken_spec.index()
KEYS = [entry.key for entry in ENTRIES]
BY_KEY = {entry.key: entry for entry in ENTRIES}
PATHS = {entry.path: {other.method for other in ENTRIES if other.path == entry.path} for entry in ENTRIES}
_numbers = itertools.count()
# Properties that name other rows, or hold keys.
_NAMING = frozenset(
    {
        "client_authentication_methods",
        "enabled_clients",
        "enabled_connections",
        "signed_request_object",
        "token_vault_privileged_access",
    }
)
_SAMPLES = ("sample", "https://sample")


@dataclasses.dataclass
class Stage:
    """A tenant, a client with every scope, and what a call finds there."""

    tenant: Tenant
    client: httpx.Client
    ids: dict[str, str] = dataclasses.field(default_factory=dict[str, str])

    def seed(self, collection: str, **fields: Any) -> str:
        """Put one row somewhere, with what others look for in it, and return its id."""
        number = next(_numbers)
        given: Json = {"name": f"Seeded {number}", **fields}
        if collection == "users":
            given = {"email": f"user{number}@example.org", **fields}
        elif collection == "connections":
            given = {"name": f"connection-{number}", "strategy": "auth0", "options": {}, **fields}
        elif collection == "resource-servers":
            given["identifier"] = f"https://api{number}.example.org/"
        return self.tenant.seed(collection, [given])[0]

    def api(self) -> Json:
        """Make an API with one permission, and return the permission."""
        identifier = f"https://api{next(_numbers)}.example.org/"
        self.tenant.seed(
            "resource-servers", [{"identifier": identifier, "name": "A", "scopes": [{"value": "read:a"}]}]
        )
        return {"resource_server_identifier": identifier, "permission_name": "read:a"}


def identities(stage: Stage, ids: dict[str, str]) -> None:
    """Let the user have a second identity, at github."""
    other = stage.seed("users", connection="github", user_id=f"{next(_numbers)}")
    answer = stage.client.post(
        f"/users/{ids['id']}/identities", json={"provider": "github", "user_id": other.partition("|")[2]}
    )
    assert answer.status_code == 201, answer.text
    ids |= {"provider": "github", "user_id": other.partition("|")[2]}


def deliver(stage: Stage, ids: dict[str, str]) -> None:
    """Let the stream have a delivery."""
    answer = stage.client.post(f"/event-streams/{ids['id']}/test", json={"event_type": "user.created"})
    ids["event_id"] = answer.json()["id"]


def member(stage: Stage, ids: dict[str, str]) -> None:
    """Let the user of the path be a member of its organization."""
    ids["user_id"] = stage.seed("users")
    stage.tenant.seed(f"organizations/{ids['id']}/members", [{"user_id": ids["user_id"]}])


def grant_of(stage: Stage, ids: dict[str, str]) -> None:
    """Let the organization have the grant of the path."""
    ids["grant_id"] = stage.seed("client-grants", client_id="c", audience="a")
    answer = stage.client.post(
        f"/organizations/{ids['id']}/client-grants", json={"grant_id": ids["grant_id"]}
    )
    assert answer.status_code == 201, answer.text


def domain_of(stage: Stage, ids: dict[str, str]) -> None:
    """Let the organization have the domain of the path."""
    ids["discovery_domain"] = f"d{next(_numbers)}.example.org"
    stage.seed(f"organizations/{ids['id']}/discovery-domains", domain=ids["discovery_domain"])


def no_provider(stage: Stage, ids: dict[str, str]) -> None:
    """Let no other provider have the name that is sent."""
    for other in stage.tenant.rows("branding/phone/providers"):
        if other["id"] != ids.get("id"):
            stage.client.delete(f"/branding/phone/providers/{other['id']}")


def named(stage: Stage, ids: dict[str, str]) -> None:
    """Let the organization have the name of the path."""
    ids["name"] = f"organization-{next(_numbers)}"
    stage.seed("organizations", name=ids["name"])


def signing_key(stage: Stage, ids: dict[str, str]) -> None:
    """Name the key that signs."""
    ids["kid"] = stage.client.get("/keys/signing").json()[0]["kid"]


def pending_key(stage: Stage, ids: dict[str, str]) -> None:
    """Name an encryption key that waits for its material."""
    answer = stage.client.post("/keys/encryption", json={"type": "customer-provided-root-key"})
    ids["kid"] = answer.json()["kid"]


def logged(stage: Stage, ids: dict[str, str]) -> None:
    """Name an entry of the log."""
    stage.client.post("/roles", json={"name": f"role {next(_numbers)}"})
    ids["id"] = stage.client.get("/logs").json()[0]["log_id"]


def theme(stage: Stage, ids: dict[str, str]) -> None:
    """Let there be a theme."""
    stage.seed("branding/themes")


def connection_keys(stage: Stage, ids: dict[str, str]) -> None:
    """Let the connection have keys."""
    stage.client.post(f"/connections/{ids['id']}/keys", json={})


def user_in_connection(stage: Stage, ids: dict[str, str]) -> None:
    """Let the connection have a user with the address that the query names."""
    name = stage.tenant.rows("connections")[-1]["name"]
    stage.seed("users", connection=name, email="gone@example.org")


def failed_import(stage: Stage, ids: dict[str, str]) -> None:
    """Let the job have an error to tell."""
    ids["id"] = stage.tenant.seed(
        "jobs", [{"type": "users_import", "status": "completed", "errors": [{"errors": [{"code": "a"}]}]}]
    )[0]


def email_template(stage: Stage, ids: dict[str, str]) -> None:
    """Let there be the template of the path."""
    if ids["templateName"] not in {one["template"] for one in stage.tenant.rows("email-templates")}:
        stage.seed("email-templates", template=ids["templateName"])


# What must be there besides the rows that the path leads through.
BEFORE: dict[str, Callable[[Stage, dict[str, str]], None]] = {
    **dict.fromkeys(
        ("event_streams.deliveries.get_history", "event_streams.redeliveries.create_by_id"), deliver
    ),
    **{
        key: member
        for key in KEYS
        if key.startswith("organizations.members.") and "{user_id}" in BY_KEY[key].path
    },
    **dict.fromkeys((f"email_templates.{name}" for name in ("get", "set", "update")), email_template),
    "organizations.client_grants.delete": grant_of,
    "organizations.discovery_domains.get_by_name": domain_of,
    "organizations.get_by_name": named,
    **dict.fromkeys(("branding.phone.providers.create", "branding.phone.providers.update"), no_provider),
    "keys.signing.get": signing_key,
    "keys.signing.revoke": signing_key,
    "keys.encryption.import": pending_key,
    "keys.encryption.create_public_wrapping_key": pending_key,
    "logs.get": logged,
    "branding.themes.get_default": theme,
    "connections.keys.rotate": connection_keys,
    "connections.users.delete_by_email": user_in_connection,
    "users.identities.delete": identities,
    "jobs.errors.get": failed_import,
}
QUERIES: dict[str, Json] = {
    "connections.users.delete_by_email": {"email": "gone@example.org"},
    "users.list_users_by_email": {"email": "user1@example.org"},
}
# Bodies that name other rows; the rest is made from the schema.
BODIES: dict[str, Callable[[Stage, dict[str, str]], Any]] = {
    "users.create": lambda s, _: {
        "connection": "Username-Password-Authentication", "email": f"new{next(_numbers)}@example.org",
    },
    "users.update": lambda s, _: {"name": "Renamed"},
    "users.roles.assign": lambda s, _: {"roles": [s.seed("roles")]},
    "users.permissions.create": lambda s, _: {"permissions": [s.api()]},
    "users.permissions.delete": lambda s, _: {"permissions": [s.api()]},
    "users.identities.link": lambda s, _: {"provider": "auth0", "user_id": s.seed("users").partition("|")[2]},
    "roles.users.assign": lambda s, _: {"users": [s.seed("users")]},
    "roles.groups.create": lambda s, _: {"groups": [s.seed("groups")]},
    "roles.permissions.add": lambda s, _: {"permissions": [s.api()]},
    "groups.roles.create": lambda s, _: {"roles": [s.seed("roles")]},
    "organizations.members.create": lambda s, _: {"members": [s.seed("users")]},
    "organizations.members.roles.assign": lambda s, _: {"roles": [s.seed("roles")]},
    "organizations.groups.roles.create": lambda s, _: {"roles": [s.seed("roles")]},
    "organizations.connections.create": lambda s, _: {"connection_id": s.seed("connections")},
    "organizations.enabled_connections.add": lambda s, _: {"connection_id": s.seed("connections")},
    "organizations.client_grants.create": lambda s, _: {
        "grant_id": s.seed("client-grants", client_id="c", audience="a")
    },
    "organizations.invitations.create": lambda s, _: {
        "inviter": {"name": "A"}, "invitee": {"email": "b@example.org"}, "client_id": s.tenant.client_id,
    },
    "client_grants.create": lambda s, _: {
        "client_id": s.tenant.client_id, "audience": s.api()["resource_server_identifier"],
    },
    "clients.credentials.create": lambda s, _: {"credential_type": "cert_subject_dn", "subject_dn": "CN=a"},
    "connections.clients.update": lambda s, _: [{"client_id": s.tenant.client_id, "status": True}],
    "jobs.users_exports.create": lambda s, _: {},
    "jobs.verification_email.create": lambda s, _: {"user_id": s.seed("users")},
    "tickets.verify_email": lambda s, _: {"user_id": s.seed("users")},
    "tickets.change_password": lambda s, _: {"user_id": s.seed("users")},
    "guardian.enrollments.create_ticket": lambda s, _: {"user_id": s.seed("users")},
    "actions.triggers.bindings.update_many": lambda s, _: {
        "bindings": [{"ref": {"type": "action_id", "value": s.seed("actions/actions")}}]
    },
    "actions.modules.rollback": lambda s, ids: {
        "module_version_id": s.seed(f"actions/modules/{ids['id']}/versions", code="")
    },
    "custom_domains.set_default": lambda s, _: {"domain": s.tenant.domain},
    "refresh_tokens.revoke": lambda s, _: {"user_id": "auth0|nobody"},
}  # fmt: skip


def arranged(stage: Stage, key: str) -> dict[str, str]:
    """Make what the path leads through, and return the values of its parameters."""
    entry = BY_KEY[key]
    ids: dict[str, str] = {}
    segments = entry.path.strip("/").split("/")
    parameters = {
        one["name"]: resolve(one["schema"]) for one in map(resolve, operation(entry).get("parameters", ()))
    }
    for at, segment in enumerate(segments):
        if not segment.startswith("{"):
            continue
        name = segment[1:-1]
        collection = "/".join(segments[:at]).format(**ids)
        if "enum" in parameters[name]:
            ids[name] = parameters[name]["enum"][0]
        elif name in ids:
            pass
        elif collection == "user-blocks" or collection.endswith("/members"):
            ids[name] = stage.seed("users")
        elif collection.endswith("/credentials"):
            pem = {"credential_type": "cert_subject_dn", "subject_dn": "CN=a"}
            ids[name] = stage.client.post(collection, json=pem).json()["id"]
        elif collection.endswith("ips"):
            ids[name] = stage.seed(collection, id=f"192.0.2.{next(_numbers) % 256}")
        elif collection in ("logs", "organizations/name", "keys/signing"):
            ids[name] = "unknown"
        else:
            try:
                ids[name] = stage.seed(collection)
            except ValueError:
                ids[name] = stage.seed("groups")
    return ids


@dataclasses.dataclass
class Prepared:
    """What to call an operation with: values of the path and the query, and a body or the parts of one."""

    path: dict[str, str]
    query: Json
    body: Any = None
    has_body: bool = False
    parts: Json = dataclasses.field(default_factory=dict[str, Any])


def prepared(stage: Stage, key: str, *, whole: bool = False) -> Prepared:
    """Make what an operation needs, and return what to call it with; `whole`: all that a body may have."""
    described = operation(BY_KEY[key])
    ids = arranged(stage, key)
    settle(stage, key, ids)
    if key in BEFORE:
        BEFORE[key](stage, ids)
    query = QUERIES.get(key) or {
        one["name"]: sample(one["schema"])
        for one in map(resolve, described.get("parameters", ()))
        if one["in"] == "query" and one.get("required")
    }
    if key == "jobs.users_imports.create":
        connection = stage.tenant.rows("connections")[0]["id"]
        return Prepared(ids, query, parts={"users": b"[]", "connection_id": connection})
    content = resolve(described.get("requestBody", {})).get("content")
    if not content:
        return Prepared(ids, query)
    schema = next(iter(content.values()))["schema"]
    body = BODIES[key](stage, ids) if key in BODIES else renamed(sample(schema, whole=whole))
    if key == "email_templates.create":
        there = {one["template"] for one in stage.tenant.rows("email-templates")}
        known = resolve(resolve(schema)["properties"]["template"])["enum"]
        body["template"] = next(name for name in known if name not in there)
    return Prepared(ids, query, body, has_body=True)


def renamed(body: Any) -> Any:
    """Return a body of which nothing else has the name, and which names no other rows."""
    if not is_object(body):
        return body
    own = {
        name: f"https://sample{next(_numbers)}.example.org/" for name in ("identifier", "subject_token_type")
    }
    own |= {"name": f"sample-{next(_numbers)}", "domain": f"sample{next(_numbers)}.example.org"}
    kept = {name: value for name, value in body.items() if name not in _NAMING}
    return kept | {name: value for name, value in own.items() if str(kept.get(name, "")).startswith(_SAMPLES)}


def settle(stage: Stage, key: str, ids: dict[str, str]) -> None:
    """Let there be the setting that an operation reads, changes or deletes; none where it makes one."""
    entry = BY_KEY[key]
    path = entry.path.format(**ids)
    if entry.path.endswith("}") or not PATHS[entry.path] & {"POST", "DELETE"}:
        return
    if entry.method in ("GET", "PATCH", "DELETE"):
        stage.tenant.set(path, {})
    elif entry.method == "POST":
        stage.client.delete(path)
