"""The tables of a simulation, as Markdown that reads well in a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from _simulated_stores import REDIS_CAPACITY, REDIS_CONNECTION, REDIS_CONNECTION_IDLE, REDIS_ROUND_TRIP
from _world import ASKED_WAIT, LATENCY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _scenarios import Assumptions, Outcome

STORES: Final = {"none": "none", "file": "file", "redis": "Redis"}

BEGIN: Final = "<!-- tables: scripts/simulate -->"
END: Final = "<!-- end of tables -->"


def tables(outcomes: Sequence[Outcome]) -> str:
    """Return all tables for which there are outcomes."""
    starts = [outcome for outcome in outcomes if outcome.scenario.outage is None]
    days = [outcome for outcome in outcomes if outcome.scenario.outage == 0]
    outages = [outcome for outcome in outcomes if outcome.scenario.outage]
    parts: list[str] = []
    if starts:
        parts += ["### The whole fleet starts at once", _table(starts, {**_FLEET, **_START})]
    if days:
        parts += ["### Everyday life", _table(days, {**_FLEET, **_EVERYDAY})]
    if outages:
        parts += ["### The token endpoint is down", _table(outages, {**_FLEET, **_OUTAGE})]
    redis = [outcome for outcome in starts if outcome.scenario.store == "redis"]
    if redis:
        parts += ["### What Redis needs", _table(redis, _REDIS)]
    return "\n\n".join(parts)


def replace_tables(document: str, new: str) -> str:
    """Return a document with new tables between its marks."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{new}\n\n{END}", document)


def assumed(assumptions: Assumptions) -> str:
    """Return the assumptions as a sentence or two."""
    return (
        f"{assumptions.processes} processes a host, all started within {assumptions.starts_within:g} s; each "
        f"calls every {assumptions.pause:g} s (Poisson). Clocks differ by up to {assumptions.skew:g} s. "
        f"The token endpoint takes {LATENCY[0]:g} to {LATENCY[1]:g} s and {assumptions.limit:g} requests a "
        f"second, then answers 429 with Retry-After: {ASKED_WAIT}; down, it answers 503. "
        f"Redis takes {1000 * REDIS_ROUND_TRIP:g} ms and {REDIS_CAPACITY:,.0f} operations a second. "
        f"Seed {assumptions.seed}."
    )


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s" if seconds < 10 else f"{seconds:.0f} s"


def _table(outcomes: Sequence[Outcome], columns: dict[str, Callable[[Outcome], str]]) -> str:
    rows = [list(columns), *([column(outcome) for column in columns.values()] for outcome in outcomes)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    rows.insert(1, [("-" * (width - 1) + ":") if width > 1 else "-" for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )


def _about(outcome: Outcome, number: float) -> str:
    """Return a number; that of a sampled fleet is told apart."""
    about = "~" if outcome.weight > 1 and number else ""
    return f"{about}{number:,.0f}" if number >= 10 or number == int(number) else f"{about}{number:.2g}"


def _share(outcome: Outcome, number: int) -> str:
    if not number:
        return "0"
    return f"{_about(outcome, number)} ({100 * number / outcome.calls:.2g} %)"


def _seconds(number: float) -> str:
    return f"{number:.1f} s" if number else "-"


def _ready(outcome: Outcome) -> str:
    return "never" if outcome.ready_after is None else f"{outcome.ready_after:.0f} s"


_FLEET: dict[str, Callable[[Outcome], str]] = {
    "hosts": lambda outcome: f"{outcome.scenario.hosts:,}",
    "store": lambda outcome: STORES[outcome.scenario.store],
    "token lives": lambda outcome: duration(outcome.scenario.lifetime),
}

_CALLS: dict[str, Callable[[Outcome], str]] = {
    "calls that waited": lambda outcome: _share(outcome, outcome.waited),
    "p99": lambda outcome: _seconds(outcome.p99_wait),
    "longest": lambda outcome: _seconds(outcome.longest_wait),
    "calls that failed": lambda outcome: _share(outcome, outcome.failed),
}

_START: dict[str, Callable[[Outcome], str]] = {
    "token requests": lambda outcome: _about(outcome, outcome.requests),
    "worst second": lambda outcome: _about(outcome, outcome.worst_second),
    "all have a token after": _ready,
    **_CALLS,
}

_EVERYDAY: dict[str, Callable[[Outcome], str]] = {
    "token requests an hour": lambda outcome: _about(outcome, outcome.requests_per_hour),
    "worst second": lambda outcome: _about(outcome, outcome.worst_second),
    "refused (429)": lambda outcome: _about(outcome, outcome.refused),
    **_CALLS,
    "store, worst second": lambda outcome: _about(outcome, outcome.store_worst_second),
}

_OUTAGE: dict[str, Callable[[Outcome], str]] = {
    "outage": lambda outcome: duration(float(outcome.scenario.outage or 0)),
    "token requests": lambda outcome: _about(outcome, outcome.requests),
    "worst second": lambda outcome: _about(outcome, outcome.worst_second),
    **_CALLS,
    "store, worst second": lambda outcome: _about(outcome, outcome.store_worst_second),
}


def _connections(outcome: Outcome) -> int:
    return outcome.scenario.hosts * outcome.processes


_REDIS: dict[str, Callable[[Outcome], str]] = {
    "hosts": lambda outcome: f"{outcome.scenario.hosts:,}",
    "token lives": lambda outcome: duration(outcome.scenario.lifetime),
    "connections": lambda outcome: f"{_connections(outcome):,}",
    "memory for them at the start": lambda outcome: (
        f"{_connections(outcome) * REDIS_CONNECTION / 1e6:,.1f} MB"
    ),
    "idle": lambda outcome: f"{_connections(outcome) * REDIS_CONNECTION_IDLE / 1e6:,.1f} MB",
    "operations at the start": lambda outcome: _about(outcome, outcome.store_operations),
    "worst second": lambda outcome: _about(outcome, outcome.store_worst_second),
}
