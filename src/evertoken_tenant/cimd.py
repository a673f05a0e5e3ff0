"""Applications that describe themselves at a URL (client ID metadata documents).

The tenant reaches no network: what stands at the URL is made up from it. Hosts below `.invalid`
(RFC 6761, 6.4) cannot be reached.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import TYPE_CHECKING

from evertoken_tenant.applications import Applications, TakenError, new_id, new_secret
from evertoken_tenant.call import Answer, Json, Row, json_answer
from evertoken_tenant.refusal import refuse
from evertoken_tenant.seed import default_row

if TYPE_CHECKING:
    from evertoken_tenant.work import Work


def violations(url: str) -> list[Json]:
    """Return what keeps a URL from being a client's id."""
    if not url:
        return ["external_client_id is empty"]
    parts = urllib.parse.urlsplit(url)
    found: list[Json] = []
    if parts.path in ("", "/"):
        found.append("external_client_id has no path")
    if parts.fragment:
        found.append("external_client_id has a fragment")
    if parts.username is not None or parts.password is not None:
        found.append("external_client_id holds a user name or password")
    if {".", ".."} & set(parts.path.split("/")):
        found.append("external_client_id has a dot segment in its path")
    return found


def mapped_fields(url: str) -> Row:
    """Return the application that the document at a URL describes."""
    parts = urllib.parse.urlsplit(url)
    base = f"https://{parts.hostname}"
    return {
        "external_client_id": url,
        "name": f"{parts.hostname} {parts.path.rstrip('/').rpartition('/')[2]}",
        "app_type": "regular_web",
        "callbacks": [f"{base}/callback"],
        "logo_uri": f"{base}/logo.png",
        "description": f"Described at {url}"[:140],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        "jwks_uri": f"{base}/.well-known/jwks.json",
    }


def _unreachable(url: str) -> bool:
    return (urllib.parse.urlsplit(url).hostname or "").endswith(".invalid")


def _validation(found: list[Json]) -> Row:
    warnings: list[Json] = []
    return {"valid": not found, "violations": found, "warnings": warnings}


@dataclasses.dataclass(frozen=True, slots=True)
class Cimd:
    """The operations, over the applications they add to."""

    applications: Applications

    def preview(self, work: Work) -> Answer:
        """Return what registering would make of the URL. Problems are part of a 200."""
        url = str(work.given["external_client_id"])
        found = violations(url)
        body: Row = {"errors": [], "validation": _validation(found)}
        if _unreachable(url):
            body = {"errors": ["The document cannot be fetched"]}
        elif not found:
            body["mapped_fields"] = mapped_fields(url)
        registered = self.applications.holder("external_client_id", url)
        if registered is not None:
            body["client_id"] = registered
        return json_answer(200, body)

    def register(self, work: Work) -> Answer:
        """Add the application of the URL (201), or bring it up to date (200)."""
        url = str(work.given["external_client_id"])
        found = violations(url)
        if found:
            raise refuse(400, f"{found[0]}", "invalid_body")
        if _unreachable(url):
            raise refuse(400, "The document cannot be fetched", "invalid_body")
        mapped = mapped_fields(url)
        row = {
            **default_row(new_id(), str(mapped["name"]), "regular_web", new_secret()),
            **mapped,
            "is_first_party": False,
            "third_party_security_mode": "strict",
            "external_metadata_type": "cimd",
            "external_metadata_created_by": "admin",
        }
        try:
            client_id, status = self.applications.add(row).client_id, 201
        except TakenError as taken:
            client_id, status = taken.client_id, 200
            self.applications.change(client_id, lambda one: one.with_row({**one.row, **mapped}))
        body: Row = {"client_id": client_id, "mapped_fields": mapped, "validation": _validation(found)}
        return json_answer(status, body)
