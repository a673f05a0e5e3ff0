"""The picture of a simulation: an SVG, written by hand, for light and dark pages."""

from __future__ import annotations

import dataclasses
import html
import math
from typing import TYPE_CHECKING, Final

from _scale_report import STORES, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _scenarios import Assumptions, Outcome

WIDTH: Final = 880
HEIGHT: Final = 220
"""Pixels of one panel, without its title."""

LEFT: Final = 70
BAR: Final = 26

STYLE: Final = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px }
.title { font-weight: 600; font-size: 14px }
.axis { stroke: #8c959f; stroke-width: 1 }
.limit { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 5 4 }
.none { fill: #bf8700 } .file { fill: #2da44e } .redis { fill: #218bff }
@media (prefers-color-scheme: dark) {
  text { fill: #d0d7de } .axis { stroke: #6e7781 } .limit { stroke: #ff7b72 }
}
"""


@dataclasses.dataclass(frozen=True)
class Panel:
    """Groups of bars, one bar for each store; `height` gives the share of the panel for a value."""

    title: str
    groups: list[tuple[str, list[tuple[str, float, str]]]]
    height: Callable[[float], float]
    ticks: list[tuple[float, str]]
    line: tuple[float, str] | None = None


def picture(outcomes: Sequence[Outcome], assumptions: Assumptions) -> str:
    """Return the SVG: the start's worst second for every fleet, and failed calls of the largest one."""
    panels = [panel for panel in (_start(outcomes, assumptions), _outages(outcomes)) if panel.groups]
    height = len(panels) * (HEIGHT + 90) + 40
    label = html.escape(". ".join(panel.title for panel in panels))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"',
        f'aria-label="{label}">',
        f"<style>{STYLE}</style>",
        *_legend(),
    ]
    for index, panel in enumerate(panels):
        parts += [f'<g transform="translate(0 {40 + index * (HEIGHT + 90)})">', *_draw(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _start(outcomes: Sequence[Outcome], assumptions: Assumptions) -> Panel:
    starts = [outcome for outcome in outcomes if outcome.scenario.outage is None]
    # A start is the same for every lifetime, but for those that are over before it is.
    lifetime = max((outcome.scenario.lifetime for outcome in starts), default=0)
    bars: dict[str, list[tuple[str, float, str]]] = {}
    for outcome in starts:
        if outcome.scenario.lifetime == lifetime:
            hosts = outcome.scenario.hosts
            bars.setdefault(f"{hosts:,} host{'s' * (hosts > 1)}", []).append(
                (outcome.scenario.store, outcome.worst_second, f"{outcome.worst_second:,}")
            )
    return Panel(
        "Token requests in the worst second when the whole fleet starts (logarithmic)",
        list(bars.items()),
        # From 0.8 to 125,000: a single request shows, too.
        lambda value: math.log10(max(1.0, value) * 1.25) / 5.2,
        [(10.0**power, f"{10**power:,}") for power in range(6)],
        (assumptions.limit, f"limit: {assumptions.limit:g} a second"),
    )


def _outages(outcomes: Sequence[Outcome]) -> Panel:
    hosts = max((outcome.scenario.hosts for outcome in outcomes if outcome.scenario.outage), default=0)
    bars: dict[str, list[tuple[str, float, str]]] = {}
    for outcome in outcomes:
        if outcome.scenario.outage and outcome.scenario.hosts == hosts:
            share = 100 * outcome.failed / outcome.calls
            bars.setdefault(
                f"down {duration(outcome.scenario.outage)}, tokens of {duration(outcome.scenario.lifetime)}",
                [],
            ).append(
                (outcome.scenario.store, share, f"{share:.0f}" if share >= 1 or not share else f"{share:.1f}")
            )
    return Panel(
        f"Calls that fail while the token endpoint is down and 5 min after, {hosts:,} hosts, in %",
        list(bars.items()),
        lambda value: value / 100,
        [(float(tick), f"{tick}") for tick in (0, 25, 50, 75, 100)],
    )


def _legend() -> list[str]:
    parts: list[str] = []
    for index, (store, name) in enumerate(STORES.items()):
        left = LEFT + 150 * index
        parts.append(f'<rect class="{store}" x="{left}" y="12" width="12" height="12"/>')
        label = "no store" if store == "none" else f"{name} store"
        parts.append(f'<text x="{left + 18}" y="23">{label}</text>')
    return parts


def _draw(panel: Panel) -> list[str]:
    def y(value: float) -> float:
        return 30 + HEIGHT * (1 - min(1.0, panel.height(value)))

    parts = [f'<text class="title" x="{LEFT}" y="14">{html.escape(panel.title)}</text>']
    for value, label in panel.ticks:
        parts.append(
            f'<line class="axis" x1="{LEFT - 4}" x2="{LEFT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
        parts.append(
            f'<text class="small" x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{label}</text>'
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="30" y2="{30 + HEIGHT}"/>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 10}" y1="{30 + HEIGHT}" y2="{30 + HEIGHT}"/>')
    step = (WIDTH - LEFT - 10) / len(panel.groups)
    for number, (label, bars) in enumerate(panel.groups):
        middle = LEFT + step * (number + 0.5)
        for index, (store, value, text) in enumerate(bars):
            left = middle + (index - len(bars) / 2) * (BAR + 8) + 4
            top = min(y(value), 28.0 + HEIGHT)
            parts.append(
                f'<rect class="{store}" x="{left:.1f}" y="{top:.1f}" width="{BAR}" '
                f'height="{30 + HEIGHT - top:.1f}"/>'
            )
            parts.append(
                f'<text class="small" x="{left + BAR / 2:.1f}" y="{top - 4:.1f}" '
                f'text-anchor="middle">{text}</text>'
            )
        for row, line in enumerate(label.split(", ")):
            parts.append(
                f'<text class="small" x="{middle:.1f}" y="{46 + HEIGHT + 14 * row}" '
                f'text-anchor="middle">{html.escape(line)}</text>'
            )
    if panel.line is not None:
        value, label = panel.line
        parts.append(
            f'<line class="limit" x1="{LEFT}" x2="{WIDTH - 10}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
        parts.append(f'<text class="small" x="{LEFT + 8}" y="{y(value) - 5:.1f}">{html.escape(label)}</text>')
    return parts
