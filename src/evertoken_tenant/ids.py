"""Ids in the style of the API: by the pattern of the schema, else by what the API is known to make."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final

from evertoken_tenant.described import Described, follow, normal, row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken_tenant.call import Row
    from evertoken_tenant.state import State

_HEX: Final = "0123456789abcdef"
_DIGITS: Final = "0123456789"
_PREFIXED: Final = re.compile(r"\^?([a-z]+_)\[")
# Prefix and length of what follows it; those of 22 are ULIDs and the like.
_STYLES: Final[Mapping[str, tuple[str, int]]] = {
    "/roles": ("rol_", 16),
    "/organizations": ("org_", 16),
    "/organizations/{}/invitations": ("uinv_", 16),
    "/organizations/{}/discovery-domains": ("odd_", 22),
    "/connections": ("con_", 16),
    "/connections/{}/scim-configuration/tokens": ("tok_", 16),
    "/client-grants": ("cgr_", 16),
    "/groups": ("grp_", 22),
    "/rules": ("rul_", 16),
    "/jobs": ("job_", 16),
    "/event-streams": ("est_", 22),
    "/event-streams/{}/deliveries": ("evt_", 22),
    "/custom-domains": ("cd_", 16),
    "/rate-limit-policies": ("rlp_", 22),
    "/user-attribute-profiles": ("uap_", 22),
    "/connection-profiles": ("cop_", 22),
    "/token-exchange-profiles": ("tep_", 16),
    "/network-acls": ("acl_", 22),
    "/self-service-profiles": ("ssp_", 22),
    "/branding/phone/providers": ("pro_", 22),
    "/branding/phone/templates": ("tem_", 22),
    "/verifiable-credentials/verification/templates": ("vct_", 22),
    "/flows": ("af_", 22),
    "/flows/{}/executions": ("ex_", 22),
    "/flows/vault/connections": ("ac_", 22),
    "/forms": ("ap_", 22),
    "/device-credentials": ("dcr_", 16),
    "/users/{}/authentication-methods": ("authentication-method|", 22),
    "/guardian/enrollments": ("dev_", 16),
}
_UUIDS: Final = frozenset({"/actions/actions", "/actions/modules", "/actions/executions", "/hooks"})


def id_field(collection: str, parameter: str, properties: frozenset[str]) -> str:
    """Return the property that a path's parameter is compared with."""
    snake = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", parameter).lower()
    noun = collection.rsplit("/", maxsplit=1)[-1].replace("-", "_").removesuffix("s")
    known = {
        "/organizations/{}/invitations": "id",
        "/flows/{}/executions": "id",
        "/users/{}/authentication-methods": "id",
        "/email-templates": "template",
        "/custom-domains": "custom_domain_id",
    }
    if normal(collection) in known:
        return known[normal(collection)]
    wanted = (parameter, snake, f"{noun}_id", "id")
    return next((name for name in wanted if name in properties), "id")


def new_id(state: State, collection: str, field: str, described: Described) -> str:
    """Return an id for a new row of a collection."""
    pattern = _pattern(described, field)
    prefixed = _PREFIXED.match(pattern)
    path = normal(collection)
    if prefixed:
        return state.new(prefixed[1], 16 if "{16}" in pattern else 22)
    if path in _STYLES:
        prefix, length = _STYLES[path]
        return state.new(prefix, length)
    if path in _UUIDS:
        return str(uuid.UUID(state.new(length=32, alphabet=_HEX), version=4))
    if path == "/log-streams":
        return state.new("lst_", 16, alphabet=_DIGITS)
    return state.new(length=24, alphabet=_HEX)


def _pattern(described: Described, field: str) -> str:
    schema = described.success().schema
    properties: Row = row(follow(schema).get("properties")) if schema else {}
    pattern = follow(properties.get(field)).get("pattern")
    return pattern if isinstance(pattern, str) else ""
