"""One request of a call or of a renewal, for whoever listens."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evertoken.errors import RateLimit


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request that was made, and how it ended.

    `operation` is the method's name, such as `clients.get`, or `token` for a token request. `path` is the
    template, such as `/clients/{id}`, and `url` what it is part of, such as
    `https://tenant.eu.auth0.com/api/v2/clients/{id}`: neither holds an id or a query. `number` counts the
    requests of a call from 1, those too that are repeated with a new token. `at` is the Unix time when it
    was sent, `seconds` how long it took, without what the token needed. `waited` is the number of seconds
    that a throttle held it back before. `status_code` is None where no answer came; `reason` is the name of
    the network error then, such as `ReadTimeout`, or `Deadline`, or `Cancelled`. `again_in` is the number
    of seconds after which the next attempt follows, None where this was the last.
    """

    operation: str
    method: str
    url: str
    path: str
    number: int
    at: float
    seconds: float
    waited: float = 0.0
    status_code: int | None
    reason: str | None
    again_in: float | None
    request_id: str | None = None
    rate_limit: RateLimit | None = None
