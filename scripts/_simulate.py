"""Simulates fleets of processes that share one set of credentials, and tells what they ask of Auth0.

What is simulated is the network, the clocks and the stores. When to renew, who renews, who waits and when to
try again is decided by the library itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import pathlib
import sys
import time
from typing import Final

from _scale_picture import picture
from _scale_report import assumed, replace_tables, tables
from _scenarios import Assumptions, Outcome, Scenario, simulate

HOSTS: Final = (1, 100, 10_000)
STORES: Final = ("none", "file", "redis")
LIFETIMES: Final = (86_400, 600)
OUTAGES: Final = (0, 60, 600, 7200)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    known = Assumptions()
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="fleets of 1 and 100 hosts, an outage of 1 minute")
    add("--hosts", type=int, nargs="+", metavar="N", help="hosts of each fleet")
    add("--store", nargs="+", choices=STORES, default=list(STORES))
    add("--lifetime", type=int, nargs="+", default=list(LIFETIMES), metavar="S", help="of a token")
    add("--outage", type=int, nargs="+", metavar="S", help="of the token endpoint; 0 is everyday life")
    add("--processes", type=int, default=known.processes, metavar="N", help="on each host (%(default)s)")
    add("--starts-within", type=float, default=known.starts_within, metavar="S", help="(%(default)s)")
    add(
        "--pause",
        type=float,
        default=known.pause,
        metavar="S",
        help="of a process between calls (%(default)s)",
    )
    add("--skew", type=float, default=known.skew, metavar="S", help="between clocks at most (%(default)s)")
    add("--limit", type=float, default=known.limit, metavar="N", help="token requests a second (%(default)s)")
    add("--seed", type=int, default=known.seed, help="same seed, same figures (%(default)s)")
    add("--json", action="store_true", help="print one JSON object")
    add("--svg", type=pathlib.Path, metavar="PATH", help="write the picture")
    add("--doc", type=pathlib.Path, metavar="PATH", help="replace the tables of a Markdown document")
    return parser.parse_args(arguments)


def scenarios(options: argparse.Namespace) -> list[Scenario]:
    """Return what to simulate: with everyday life comes the fleet's start."""
    outages = options.outage or (OUTAGES[:2] if options.quick else OUTAGES)
    kinds: list[int | None] = [kind for outage in outages for kind in ((outage,) if outage else (None, 0))]
    return [
        Scenario(hosts, store, lifetime, outage)
        for hosts in options.hosts or (HOSTS[:2] if options.quick else HOSTS)
        for store in options.store
        for lifetime in options.lifetime
        for outage in kinds
    ]


def report(assumptions: Assumptions, outcomes: list[Outcome], *, as_json: bool) -> str:
    """Return the text to print."""
    if not as_json:
        return f"{assumed(assumptions)}\n\n{tables(outcomes)}"
    facts = {
        "assumptions": dataclasses.asdict(assumptions),
        "outcomes": [dataclasses.asdict(outcome) for outcome in outcomes],
    }
    return json.dumps(facts, indent=2)


def main() -> int:
    """Simulate, and print or write what came of it."""
    options = parse(sys.argv[1:])
    # A fleet in an outage has much to warn of.
    logging.getLogger("evertoken").setLevel(logging.CRITICAL)
    assumptions = Assumptions(
        processes=options.processes,
        starts_within=options.starts_within,
        pause=options.pause,
        skew=options.skew,
        limit=options.limit,
        seed=options.seed,
    )
    began = time.perf_counter()
    outcomes: list[Outcome] = []
    for scenario in scenarios(options):
        outcomes.append(simulate(scenario, assumptions))
        if sys.stderr.isatty():
            print(f"{scenario} {time.perf_counter() - began:.0f} s", file=sys.stderr)
    print(report(assumptions, outcomes, as_json=options.json))
    if options.svg is not None:
        options.svg.write_text(picture(outcomes, assumptions), "utf-8")
    if options.doc is not None:
        text = options.doc.read_text("utf-8")
        options.doc.write_text(replace_tables(text, tables(outcomes)), "utf-8")
    print(f"Simulated in {time.perf_counter() - began:.0f} s.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
