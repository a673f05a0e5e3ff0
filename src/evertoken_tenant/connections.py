"""The connections that an application may use."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from typing import TYPE_CHECKING, Final

from evertoken_tenant.call import Answer, Row, json_answer
from evertoken_tenant.clients import inexistent
from evertoken_tenant.paging import DEFAULT_ROWS, Cursors
from evertoken_tenant.view import selected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evertoken_tenant.applications import Applications
    from evertoken_tenant.work import Work

_SEEDED: Final = (
    ("Username-Password-Authentication", "auth0", "Users"),
    ("google-oauth2", "google-oauth2", "Google"),
    ("github", "github", "GitHub"),
    ("email", "email", "E-mail"),
    ("sms", "sms", "SMS"),
    ("corporate-directory", "waad", "Corporate directory"),
    ("partner-saml", "samlp", "Partners"),
    ("staff-okta", "okta", "Staff"),
)


def seeded_connections() -> tuple[Row, ...]:
    """Return the connections of the tenant, in the order in which lists have them."""
    return tuple(_connection(name, strategy, label) for name, strategy, label in _SEEDED)


def _connection(name: str, strategy: str, label: str) -> Row:
    digest = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()
    row: Row = {
        "id": f"con_{digest[:16]}",
        "name": name,
        "display_name": label,
        "strategy": strategy,
        "options": {"brute_force_protection": True} if strategy == "auth0" else {},
        "realms": [name],
        "is_domain_connection": False,
        "show_as_button": strategy in ("waad", "samlp", "okta"),
        "metadata": {"owner": "platform"},
        "authentication": {"active": True},
        "connected_accounts": {"active": False},
    }
    return row


@dataclasses.dataclass(frozen=True, slots=True)
class ClientConnections:
    """The operation, over the applications. `usable` returns the connections of one, with their places."""

    applications: Applications
    cursors: Cursors
    usable: Callable[[str], Sequence[tuple[int, Row]]]

    def get(self, work: Work) -> Answer:
        """Return a page by checkpoint, of the strategies work for."""
        client_id = work.path["id"]
        if self.applications.get(client_id) is None:
            raise inexistent()
        strategies = work.query.texts("strategy")
        of = f"connections/{client_id}" + work.query.but("take", "from", "fields", "include_fields")
        after = self.cursors.read(of, work.query.text("from")) if "from" in work.query else -1
        rows = [
            (place, row)
            for place, row in self.usable(client_id)
            if place > after and (not strategies or row["strategy"] in strategies)
        ]
        take = work.query.whole("take", DEFAULT_ROWS)
        page = rows[:take]
        view = selected(work.query)
        body: Row = {"connections": [view.of(row) for _, row in page]}
        if len(rows) > take:
            body["next"] = self.cursors.make(of, page[-1][0])
        return json_answer(200, body)
