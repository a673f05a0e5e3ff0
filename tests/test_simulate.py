"""What `scripts/simulate` finds, on fleets small enough to know the answer."""

from __future__ import annotations

import functools
import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import Any, cast

import pytest

from evertoken.lifetime import ADVISORY_JITTER, ADVISORY_LONGEST, ADVISORY_SHARE

PROGRAM = pathlib.Path(__file__).parent.parent / "scripts" / "_simulate.py"
DAY = 86_400
SHORT = 600

Outcome = dict[str, Any]


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout


@functools.cache
def outcomes(*arguments: str) -> list[Outcome]:
    return cast("list[Outcome]", json.loads(run("--json", *arguments))["outcomes"])


def outcome(hosts: int, store: str, lifetime: int, outage: int | None, *more: str) -> Outcome:
    """Return the one outcome; the start of a fleet comes with its everyday life."""
    found = outcomes(
        *("--hosts", str(hosts), "--store", store, "--lifetime", str(lifetime), "--outage", str(outage or 0)),
        *more,
    )
    (one,) = [one for one in found if one["scenario"]["outage"] == outage]
    return one


def test_one_process_renews_as_its_windows_say() -> None:
    """Once in a life, a quarter of it early, less the jitter."""
    rate = outcome(1, "none", SHORT, 0, "--processes", "1", "--pause", "1")["requests_per_hour"]
    window = min(ADVISORY_SHARE * SHORT, ADVISORY_LONGEST)
    # A call notices within seconds, and an answer takes less than one.
    longest = SHORT - window * (1 - ADVISORY_JITTER) + 10
    assert 3600 / longest <= rate <= 3600 / (SHORT - window)


@pytest.mark.parametrize(("store", "requests"), [("none", 24), ("file", 3), ("redis", 1)])
def test_whoever_shares_a_store_asks_once(store: str, requests: int) -> None:
    """Three hosts with eight processes each: a token for every process, host, or fleet."""
    # At once, so that nobody finds what another one has got before.
    start = outcome(3, store, DAY, None, "--starts-within", "0.05")
    assert start["requests"] == requests
    assert start["failed"] == 0
    assert start["ready_after"] is not None
    # A life and a half is watched: one renewal.
    everyday = outcome(3, store, DAY, 0, "--starts-within", "0.05")
    assert everyday["requests"] == requests
    assert everyday["failed"] == 0


def test_a_fleet_on_redis_renews_as_often_as_one_process() -> None:
    """Ten hosts ask for as many tokens as one does."""
    rate = outcome(10, "redis", SHORT, 0)["requests_per_hour"]
    assert 3600 / SHORT <= rate <= 3600 / (SHORT * (1 - ADVISORY_SHARE))


@pytest.mark.parametrize("store", ["none", "file", "redis"])
def test_a_short_outage_goes_unnoticed_with_long_lived_tokens(store: str) -> None:
    """An hour is within the advisory window of a day's token: no call fails or waits."""
    one = outcome(3, store, DAY, 3600)
    assert (one["failed"], one["waited"], one["expired"]) == (0, 0, 0)
    assert one["calls"] > 0


def test_an_outage_beyond_the_last_token_fails_calls() -> None:
    """What cannot be had is not made up: most calls of two hours fail with tokens of ten minutes."""
    one = outcome(1, "none", SHORT, 7200)
    assert 0.7 < one["failed"] / one["calls"] < 1
    # Three attempts at most each half minute or so, from each of eight processes.
    assert one["requests"] < 8 * 7500 / 30 * 3 * 1.5


def test_more_than_the_endpoint_allows_is_refused_and_comes_through_in_the_end() -> None:
    """Forty processes at once, five a second: refused, tried again, all served."""
    start = outcome(5, "none", DAY, None, "--limit", "5", "--starts-within", "1")
    assert start["refused"] > 0
    assert start["requests"] == 40 + start["refused"]
    assert start["ready_after"] >= (40 - 5) / 5 - 1


def test_clocks_that_differ_spoil_nothing() -> None:
    """Half a minute apart, no call goes out with a token that has really expired."""
    one = outcome(10, "redis", SHORT, 0, "--skew", "30")
    assert (one["expired"], one["failed"]) == (0, 0)


def test_a_large_fleet_is_sampled_and_says_so() -> None:
    """Each simulated host stands for ten, and the figures are those of the fleet."""
    one = outcome(1000, "none", DAY, 60)
    assert one["weight"] == 10
    assert one["processes"] == 8
    # Calls of 8,000 processes, every ten seconds for six minutes.
    assert one["calls"] == pytest.approx(8000 * 360 / 10, rel=0.01)


def test_the_same_seed_gives_the_same_figures() -> None:
    """Another one does not."""
    options = ("--json", "--hosts", "2", "--lifetime", str(SHORT), "--outage", "0", "60")
    assert run(*options) == run(*options)
    assert json.loads(run(*options))["outcomes"] != json.loads(run(*options, "--seed", "2"))["outcomes"]


def test_tables_and_picture_are_written(tmp_path: pathlib.Path) -> None:
    """Into a document between its marks, and as an SVG; the tables are printed, too."""
    document, image = tmp_path / "scale.md", tmp_path / "scale.svg"
    document.write_text(
        "before\n<!-- tables: scripts/simulate -->\nold\n<!-- end of tables -->\nafter\n", "utf-8"
    )
    printed = run(
        *("--hosts", "1", "--lifetime", str(DAY), "--outage", "0", "60"),
        *("--doc", str(document), "--svg", str(image)),
    )
    text = document.read_text("utf-8")
    assert text.startswith("before\n<!-- tables")
    assert text.endswith("<!-- end of tables -->\nafter\n")
    assert "old" not in text
    table = text.partition("-->\n\n")[2].partition("\n\n<!--")[0]
    assert table.startswith("###")
    assert table in printed
    root = ET.parse(image).getroot()  # noqa: S314 - made by this project a moment ago
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "no store" in labels
    assert "1 host" in labels
