"""The applications of a tenant, kept in memory."""

from __future__ import annotations

import bisect
import dataclasses
import secrets
import threading
from typing import TYPE_CHECKING, Final, TypeAlias

from evertoken_tenant.call import Json, Row, dump
from evertoken_tenant.seed import default_row, seeded_id, seeded_row
from evertoken_tenant.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UNIQUE: Final = ("external_client_id", "resource_server_identifier")
_OWN: Final = -1  # the place of the tenant's own application, before all that are listed
Place: TypeAlias = tuple[int, str]  # an application's place in lists, and its client id


class TakenError(Exception):
    """Another application, `client_id`, has the value of a field that must be unique."""

    def __init__(self, field: str, client_id: str) -> None:
        super().__init__(field, client_id)
        self.field = field
        self.client_id = client_id


@dataclasses.dataclass(frozen=True, slots=True)
class Application:
    """One application. A change makes another one: whoever holds this one sees no half of it."""

    place: int
    client_id: str
    row: Row = dataclasses.field(repr=False)
    credentials: tuple[Row, ...] = dataclasses.field(default=(), repr=False)
    _json: dict[View, str] = dataclasses.field(
        default_factory=dict[View, str], init=False, repr=False, compare=False
    )

    def json(self, view: View) -> str:
        """Return the JSON of what the view shows; that of whole rows is kept."""
        if view.fields is not None:
            return dump(view.of(self.row))
        text = self._json.get(view)
        if text is None:
            text = self._json[view] = dump(view.of(self.row))
        return text

    def with_row(self, row: Row) -> Application:
        """Return the application with other fields."""
        return Application(self.place, self.client_id, row, self.credentials)

    def with_credentials(self, credentials: Sequence[Row]) -> Application:
        """Return the application with other credentials."""
        return Application(self.place, self.client_id, self.row, tuple(credentials))


class Applications:
    """All applications, in the order of their making. Those of the seed are made when first looked at."""

    def __init__(self, *, seed: int, count: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        # An int stands for a seeded application not made yet: its index, which is its place too.
        self._all: dict[str, Application | int] = {seeded_id(seed, index): index for index in range(count)}
        self._next_place = count
        self._taken: dict[tuple[str, Json], str] = {}
        self._places: list[Place] | None = None
        self.own_id = new_id()
        row = default_row(self.own_id, "Management API client", "non_interactive", new_secret())
        self._all[self.own_id] = Application(_OWN, self.own_id, row)

    def get(self, client_id: str) -> Application | None:
        """Return an application, None where there is none of this id."""
        found = self._all.get(client_id)
        if not isinstance(found, int):
            return found
        made = Application(found, client_id, seeded_row(self._seed, found))
        with self._lock:
            # Meanwhile another thread may have made, changed or deleted it.
            now = self._all.get(client_id)
            if isinstance(now, int):
                self._all[client_id] = now = made
            return now

    def holder(self, field: str, value: Json) -> str | None:
        """Return the id of the application that has the value of a field that must be unique."""
        return self._taken.get((field, value))

    def places(self) -> Sequence[Place]:
        """Return place and id of all that are listed, in order. The tenant's own one is not."""
        with self._lock:
            if self._places is None:
                self._places = sorted(
                    (one if isinstance(one, int) else one.place, client_id)
                    for client_id, one in self._all.items()
                    if client_id != self.own_id
                )
            return self._places

    def after(self, place: int) -> Sequence[Place]:
        """Return what comes after a place, whether or not there is still something at it."""
        places = self.places()
        return places[bisect.bisect_right(places, place, key=lambda one: one[0]) :]

    def add(self, row: Row, credentials: Sequence[Row] = ()) -> Application:
        """Keep a new application. Raises TakenError."""
        client_id = str(row["client_id"])
        with self._lock:
            for field in _UNIQUE:
                other = self._taken.get((field, row.get(field)))
                if other is not None:
                    raise TakenError(field, other)
            for field in _UNIQUE:
                if row.get(field) is not None:
                    self._taken[field, row[field]] = client_id
            made = Application(self._next_place, client_id, row, tuple(credentials))
            self._next_place += 1
            self._all[client_id] = made
            self._places = None
        return made

    def change(self, client_id: str, change: Callable[[Application], Application]) -> Application | None:
        """Replace an application by what `change` makes of it; None where there is none.

        `change` must be quick: the others wait meanwhile.
        """
        self.get(client_id)
        with self._lock:
            found = self._all.get(client_id)
            if found is None or isinstance(found, int):
                return None
            changed = self._all[client_id] = change(found)
        return changed

    def remove(self, client_id: str) -> None:
        """Delete an application, if there is one of this id."""
        with self._lock:
            removed = self._all.pop(client_id, None)
            self._places = None
            if isinstance(removed, Application):
                for field in _UNIQUE:
                    self._taken.pop((field, removed.row.get(field)), None)


def new_id() -> str:
    """Return a fresh client id."""
    return secrets.token_hex(16)


def new_secret() -> str:
    """Return a fresh client secret of 64 characters."""
    return secrets.token_urlsafe(48)
