"""What an answer shows of a row: `fields`, and what the scopes allow."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from evertoken_tenant.call import Row
    from evertoken_tenant.query import Query

_SECRET: Final = frozenset(
    {"client_secret", "signing_keys", "encryption_key", "client_authentication_methods"}
)
_SECRET_SCOPES: Final = frozenset({"read:client_keys", "read:client_credentials"})
_WHOLE_SCOPES: Final = _SECRET_SCOPES | {"read:clients"}
_SUMMARY: Final = frozenset({"client_id", "name", "description", "app_type", "logo_uri", "is_first_party"})


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """Selects fields: those named, or all but those, less what the token may not see."""

    fields: frozenset[str] | None = None
    include: bool = True
    hidden: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def of(self, row: Row) -> Row:
        """Return the visible part of the row."""
        return {name: value for name, value in row.items() if self._shows(name)}

    def _shows(self, name: str) -> bool:
        if name in self.hidden or (self.only is not None and name not in self.only):
            return False
        return self.fields is None or (name in self.fields) == self.include


def selected(query: Query) -> View:
    """Return the view that `fields` and `include_fields` ask for."""
    names = frozenset(name.strip() for name in query.text("fields").split(",") if name.strip())
    return View(names or None, query.flag("include_fields", default=True))


def client_view(query: Query, scopes: AbstractSet[str]) -> View:
    """Return how a token of these scopes reads applications."""
    view = selected(query)
    if scopes & _SECRET_SCOPES:
        return view
    if scopes & _WHOLE_SCOPES:
        return dataclasses.replace(view, hidden=_SECRET)
    return dataclasses.replace(view, only=_SUMMARY)


def changed_view(scopes: AbstractSet[str]) -> View:
    """Return how the answer to a change shows an application: whole, but secrets need their scope."""
    return View() if scopes & _SECRET_SCOPES else View(hidden=_SECRET)
