"""Tells the event stream what happened, in the shape that the documents give each kind of event."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from evertoken_tenant.described import describe, follow, items, row
from evertoken_tenant.fitting import fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken_tenant.call import Row
    from evertoken_tenant.work import World

_SUBSCRIBE: Final = "events.subscribe"


@functools.cache
def _schemas() -> Mapping[str, Row]:
    """Return the schema of each kind of event."""
    found: dict[str, Row] = {}
    for branch in items(follow(describe(_SUBSCRIBE).success().schema).get("oneOf")):
        properties = row(follow(branch).get("properties"))
        if "event" in properties:
            kind = items(follow(properties["type"]).get("enum"))[0]
            found[str(kind)] = follow(properties["event"])
    return found


def emit(world: World, kind: str, about: Row) -> None:
    """Tell that something happened to an object."""
    event = fit(
        _schemas()[kind],
        {
            "specversion": "1.0",
            "type": kind,
            "source": f"urn:auth0:{world.tenant_name}",
            "id": world.state.new("evt_", 16),
            "time": world.moment(),
            "data": {"object": about},
            "a0tenant": world.tenant_name,
            "a0stream": "est_" + "0" * 16,
        },
    )
    world.feed.add(kind, world.clock(), row(event))
