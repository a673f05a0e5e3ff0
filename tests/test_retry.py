"""When a request is sent again."""

from __future__ import annotations

import email.utils
import time

import pytest

from evertoken.retry import RetryPolicy, backoff, rate_limit, server_delay

NOW = 1_800_000_000.0
MATRIX = [
    (method, status, status == 429 or (method in {"GET", "PUT", "DELETE", "HEAD"} and status != 409))
    for method in ("GET", "HEAD", "PUT", "DELETE", "POST", "PATCH")
    for status in (408, 409, 429, 500, 502, 503, 504)
]


def date(when: float) -> str:
    return email.utils.formatdate(when, usegmt=True)


def answer_delay(
    method: str, status: int, *, attempt: int = 1, asked: float | None = None, waited: float = 0.0
) -> float | None:
    return RetryPolicy(max_retries=3, max_wait=60, jitter=lambda: 0.5).delay_after_answer(
        attempt=attempt, method=method, status_code=status, asked=asked, waited=waited
    )


@pytest.mark.parametrize(("method", "status", "again"), MATRIX)
def test_only_what_is_safe_is_sent_again(method: str, status: int, again: bool) -> None:
    """The matrix of statuses and methods; POST and PATCH only after 429."""
    assert (answer_delay(method, status) is not None) is again


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 501])
def test_an_answer_that_will_not_change_is_final(status: int) -> None:
    """No repetition for errors of the request itself."""
    assert answer_delay("GET", status) is None


@pytest.mark.parametrize(
    ("method", "maybe_carried_out", "again"),
    [
        ("GET", True, True),
        ("DELETE", True, True),
        ("POST", False, True),
        ("POST", True, False),
        ("PATCH", True, False),
    ],
)
def test_a_network_error_is_met_by_another_try_where_that_is_safe(
    method: str,
    maybe_carried_out: bool,
    again: bool,
) -> None:
    """A POST that may have been carried out is never sent twice."""
    delay = RetryPolicy().delay_after_failure(
        attempt=1, method=method, maybe_carried_out=maybe_carried_out, waited=0
    )
    assert (delay is not None) is again


def test_attempts_and_patience_are_bounded() -> None:
    """`max_retries` after the first; all waits together within `max_wait`."""
    assert answer_delay("GET", 500, attempt=3) is not None
    assert answer_delay("GET", 500, attempt=4) is None
    assert answer_delay("GET", 429, asked=59) is not None
    assert answer_delay("GET", 429, asked=59, waited=2) is None
    assert answer_delay("GET", 429, asked=61) is None


def test_waits_double_and_vary_by_a_fifth() -> None:
    """0.5, 1, 2 ... 20 s, from 0.8 to 1.2 times as long."""
    assert [backoff(attempt, lambda: 0.5) for attempt in (1, 2, 3, 4)] == [0.5, 1, 2, 4]
    assert backoff(1, lambda: 0.0) == pytest.approx(0.4)
    assert backoff(1, lambda: 1.0) == pytest.approx(0.6)
    assert backoff(30, lambda: 0.5) == 20


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_a_wait_as_long_as_patience_is_begun(jitter: float) -> None:
    """Jitter takes no caller's patience that what was asked for leaves."""
    policy = RetryPolicy(max_wait=60, jitter=lambda: jitter)
    for asked, waited in ((60, 0), (59.9, 0), (20, 40)):
        delay = policy.delay_after_answer(
            attempt=1, method="GET", status_code=429, asked=asked, waited=waited
        )
        assert delay is not None
        assert asked <= delay <= 60 - waited


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_a_wait_is_never_shorter_than_asked(jitter: float) -> None:
    """Whatever the jitter."""
    delay = RetryPolicy(jitter=lambda: jitter).delay_after_answer(
        attempt=1, method="GET", status_code=503, asked=5, waited=0
    )
    assert delay is not None
    assert 5 <= delay <= 5.5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": date(NOW + 9)}, 9),
        ({"retry-after": date(NOW - 9)}, 0),
        ({"retry-after": date(NOW + 9), "date": date(NOW + 4)}, 5),
        ({"retry-after": "7", "x-ratelimit-reset": str(NOW + 3)}, 7),
        ({"retry-after": "soon", "x-ratelimit-reset": str(int(NOW + 3))}, 3),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "9" * 400, "x-ratelimit-reset": str(int(NOW + 3))}, 3),
        ({"retry-after": "5, 7"}, None),
        ({"retry-after": date(NOW + 9).replace("GMT", "-0000")}, 9),
        ({"x-ratelimit-reset": str(int(NOW + 3)), "x-ratelimit-remaining": "-1"}, 3),
        ({"x-ratelimit-reset": str(int(NOW + 3) * 1000)}, None),
        ({"x-ratelimit-reset": "1e308"}, None),
        ({"retry-after": "1e9"}, None),
        ({"x-ratelimit-reset": str(int(NOW + 3)), "x-ratelimit-remaining": "0"}, 3),
        ({"x-ratelimit-reset": str(int(NOW + 3)), "x-ratelimit-remaining": "5"}, None),
        ({"x-ratelimit-reset": str(int(NOW + 3)), "date": date(NOW + 100)}, 0),
        ({"x-ratelimit-reset": "nan"}, None),
        ({}, None),
    ],
)
def test_what_an_answer_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    """Retry-After in both forms, then the bucket's reset; by the server's own clock where it tells.

    What is absurd counts as not said; a date without a zone is UTC.
    """
    assert server_delay(headers, NOW) == seconds


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process can be set on POSIX only")
def test_a_date_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the program runs (RFC 9110, 5.6.7: asctime-date)."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert server_delay({"retry-after": time.asctime(time.gmtime(NOW + 9))}, NOW) == 9
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_bucket_is_read_as_far_as_it_is_told() -> None:
    """Missing or malformed figures are None."""
    told = rate_limit({"x-ratelimit-limit": "10", "x-ratelimit-remaining": "x", "x-ratelimit-reset": "1.5"})
    assert told is not None
    assert (told.limit, told.remaining, told.reset) == (10, None, 1.5)
    assert rate_limit({}) is None
