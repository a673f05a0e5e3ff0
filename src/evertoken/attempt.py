"""One request of a call, for whoever listens."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evertoken.errors import RateLimit


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request that a call made, and how it ended.

    `operation` is the method's name, such as `clients.get`, `path` the template, such as `/clients/{id}`:
    neither holds an id. `number` counts from 1. `at` is the Unix time when it began, `seconds` how long it
    took, with whatever the token needed. `status_code` is None where no answer came; `reason` is the name
    of the network error then, such as `ReadTimeout`. `again_in` is the number of seconds after which the
    next attempt follows, None where this was the last.
    """

    operation: str
    method: str
    path: str
    number: int
    at: float
    seconds: float
    status_code: int | None
    reason: str | None
    again_in: float | None
    request_id: str | None
    rate_limit: RateLimit | None
