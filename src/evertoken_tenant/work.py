"""What an operation works with, and the ways to answer it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

from evertoken_tenant.call import Answer, Json, Row, json_answer
from evertoken_tenant.described import normal, row
from evertoken_tenant.fitting import fit
from evertoken_tenant.refusal import RefusedError, refuse
from evertoken_tenant.seed import TENANT_NAME
from evertoken_tenant.state import Collection, place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_tenant.applications import Applications
    from evertoken_tenant.call import Call
    from evertoken_tenant.described import Described
    from evertoken_tenant.feed import Feed
    from evertoken_tenant.journal import Journal
    from evertoken_tenant.paging import Cursors
    from evertoken_tenant.query import Query
    from evertoken_tenant.site import Site
    from evertoken_tenant.state import State
    from evertoken_tenant.tokens import Tokens


@dataclasses.dataclass(slots=True)
class World:
    """The tenant's parts that operations share. `site` returns where the tenant lives now."""

    state: State
    applications: Applications
    cursors: Cursors
    journal: Journal
    feed: Feed
    tokens: Tokens
    clock: Callable[[], float]
    site: Callable[[], Site]

    @property
    def tenant_name(self) -> str:
        """What tells the tenant from others in events and rows."""
        return TENANT_NAME

    def moment(self, *, after: float = 0.0) -> str:
        """Return the time, in `after` seconds, as the API writes it."""
        now = dt.datetime.fromtimestamp(self.clock() + after, dt.UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """A call that was found good."""

    world: World
    described: Described
    path: Mapping[str, str]
    query: Query
    body: Json = dataclasses.field(repr=False)
    scopes: frozenset[str]
    client_id: str
    call: Call

    @property
    def state(self) -> State:
        """What the tenant holds."""
        return self.world.state

    @property
    def given(self) -> Row:
        """The body's properties; none where it is no object."""
        return row(self.body)

    def place(self, template: str | None = None) -> str:
        """Return the path that was called, or another with the same parameters."""
        return place(template or self.described.entry.path, self.path)

    def collection(self, template: str) -> Collection:
        """Return a collection, by its path with parameters."""
        return self.state.collection(self.place(template))

    def texts(self, name: str) -> list[str]:
        """Return the strings of an array in the body."""
        value = self.given.get(name)
        return [str(item) for item in value] if isinstance(value, list) else []


def answer(work: Work, value: Json = None, *, status: int | None = None) -> Answer:
    """Return the documented answer, with the value as its schema has it."""
    success = work.described.success(status)
    if success.schema is None:
        # Without a body there is nothing to tell the type of.
        return Answer(success.status)
    return json_answer(success.status, fit(success.schema, value))


def gone(what: str = "resource") -> RefusedError:
    """Return the refusal of something that is not there."""
    return refuse(404, f"The {what} does not exist.", f"inexistent_{what.replace(' ', '_')}")


def taken(field: str, what: str = "resource") -> RefusedError:
    """Return the refusal of a value that must be unique and is another's."""
    return refuse(
        409, f"A {what} with the same {field} already exists.", f"{what.replace(' ', '_')}_conflict"
    )


def invalid(message: str) -> RefusedError:
    """Return the refusal of a body that is well formed and cannot be."""
    return refuse(400, message, "invalid_body")


def noun(path: str) -> str:
    """Return what a collection holds, in the singular: `user` for /users."""
    word = [part for part in normal(path).split("/") if part not in ("", "{}")][-1].replace("-", " ")
    return f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")
