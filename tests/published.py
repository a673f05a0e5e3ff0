"""One document of the whole API, written as Auth0 publishes its own, and what such documents hold besides."""

from __future__ import annotations

import copy
import functools
import json
import pathlib
import re
from typing import Any

import yaml

SPEC = pathlib.Path(__file__).parents[1] / "spec"
Json = dict[str, Any]


def published() -> Json:
    """Return all of spec/ as one document: camelCase groups, as text or array, and both ways to a token."""
    return copy.deepcopy(_bundle())


@functools.cache
def _bundle() -> Json:
    paths: Json = {}
    components: dict[str, Json] = {}
    tags: dict[str, Json] = {}
    for path in sorted(SPEC.glob("*.yaml")):
        if path.name in {"overlay.yaml", "token.yaml"}:
            continue
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        # All are one file now, and its keys are text.
        document = json.loads(re.sub(r'"[\w-]+\.yaml#/', '"#/', json.dumps(document)))
        paths |= document.get("paths", {})
        tags |= {tag["name"]: tag for tag in document.get("tags", ())}
        for kind, entries in document.get("components", {}).items():
            components.setdefault(kind, {}).update(entries)
    operations: list[Json] = [
        operation for item in paths.values() for operation in item.values() if "responses" in operation
    ]
    for number, operation in enumerate(operations):
        _as_published(operation, number)
    scopes = {scope for one in operations for scope in _scopes(one)}
    components["securitySchemes"] = {
        "bearerAuth": {"type": "http", "scheme": "bearer"},
        "oAuth2ClientCredentials": {
            "type": "oauth2",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": "https://{tenantDomain}/oauth/token",
                    "scopes": dict.fromkeys(sorted(scopes), "Told by its name."),
                }
            },
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Auth0 Management API", "version": "2.0"},
        "servers": [
            {
                "url": "https://{tenantDomain}/api/v2",
                "variables": {"tenantDomain": {"default": "{TENANT}.auth0.com"}},
            }
        ],
        "tags": list(tags.values()),
        "paths": paths,
        "components": components,
    }


def _as_published(operation: Json, number: int) -> None:
    group = [_camel(segment) for segment in operation["x-operation-group"]]
    # Both are found: an array, and text.
    operation["x-operation-group"] = group[0] if len(group) == 1 and number % 2 else group
    operation["x-operation-name"] = _camel(operation["x-operation-name"])
    pascal = "".join(part[:1].upper() + part[1:] for part in [*group, operation["x-operation-name"]])
    operation["x-operation-request-parameters-name"] = f"{pascal}RequestParameters"
    operation.setdefault("x-release-lifecycle", "GA")
    scopes = _scopes(operation)
    operation["security"] = [{"bearerAuth": []}, *({"oAuth2ClientCredentials": [scope]} for scope in scopes)]
    operation["security"] += [] if scopes else [{"oAuth2ClientCredentials": []}]


def _scopes(operation: Json) -> list[str]:
    return [scope for one in operation["security"] for needed in one.values() for scope in needed]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
