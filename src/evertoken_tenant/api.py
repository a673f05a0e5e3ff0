"""The Management API: every operation of the documents, from route to answer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from evertoken_tenant import generic, special
from evertoken_tenant.described import describe
from evertoken_tenant.reading import check_path, read_body, read_query, route, scope_refusal
from evertoken_tenant.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evertoken_spec import Entry
    from evertoken_tenant.call import Answer, Call, Json
    from evertoken_tenant.tokens import Grant
    from evertoken_tenant.work import World


@dataclasses.dataclass(frozen=True, slots=True)
class Api:
    """What answers calls below /api/v2. `own` are operations that guard their state themselves, by key."""

    world: World
    own: Mapping[str, Callable[[Work], Answer]]

    def answer(self, call: Call, path: str, verify: Callable[[], Grant]) -> Answer:
        """Carry a call out; `verify` returns what its token allows. Raises RefusedError."""
        entry, values = route(call.method, path)
        grant = verify()
        answer = self._carry_out(entry, call, values, grant)
        if call.method != "GET":
            self._note(entry, call, values, grant)
        return answer

    def _carry_out(self, entry: Entry, call: Call, values: Mapping[str, str], grant: Grant) -> Answer:
        if entry.scopes and not grant.scopes & set(entry.scopes):
            raise scope_refusal(entry)
        described = describe(entry.key)
        check_path(described, values)
        query = read_query(described, call.query)
        body = read_body(described, call)
        work = Work(self.world, described, values, query, body, grant.scopes, grant.client_id, call)
        own = self.own.get(entry.key)
        if own is not None:
            return own(work)
        with self.world.state.lock:
            generic.check_parents(work)
            return special.HANDLERS.get(entry.key, generic.carry_out)(work)

    def _note(self, entry: Entry, call: Call, values: Mapping[str, str], grant: Grant) -> None:
        """Write into the log what was done: of a user, too, where it was done to one."""
        group, _, name = entry.key.rpartition(".")
        described = f"{name.replace('_', ' ').capitalize()} {group.replace('_', ' ').replace('.', ' ')}"
        user = next(
            (values[key] for key in ("id", "user_id") if entry.path.startswith(f"/users/{{{key}}}")), ""
        )
        details: Json = {"request": {"method": call.method, "path": call.path}}
        self.world.journal.add(
            "sapi",
            self.world.moment(),
            described,
            client_id=grant.client_id,
            user_id=user,
            user_agent=call.headers.get("user-agent", ""),
            details=details,
        )
