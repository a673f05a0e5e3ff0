"""Who renews, who waits, and when."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from evertoken import AccessToken, Secret, TokenError, TokenEvent, TokenSource
from evertoken.lifetime import is_fresh
from evertoken.renewal import Renewal

if TYPE_CHECKING:
    from support import FakeTime

DAY = 86400.0


def make_source(time: FakeTime, jitter: float = 0.0) -> TokenSource:
    return TokenSource(clock=time.clock(), jitter=lambda: jitter)


def issue(time: FakeTime, value: str = "token", lifetime: float = DAY) -> AccessToken:
    return AccessToken(value, issued_at=time.wall, expires_at=time.wall + lifetime)


def claim_renewal(source: TokenSource) -> Renewal:
    claimed = source.claim()
    assert isinstance(claimed, Renewal)
    return claimed


def hold(source: TokenSource, token: AccessToken) -> AccessToken:
    with claim_renewal(source) as renewal:
        return renewal.succeed(token)


def fail(source: TokenSource, sentence: str = "down") -> None:
    with pytest.raises(TokenError, match=sentence), claim_renewal(source) as renewal:
        renewal.fail(TokenError(sentence))


def test_the_first_to_claim_renews_and_the_rest_wait(time: FakeTime) -> None:
    """One renewal at a time: the second claim is a future, which gets the token."""
    source = make_source(time)
    renewal = claim_renewal(source)
    waiting = source.claim()
    assert isinstance(waiting, Future)
    assert not waiting.done()
    token = renewal.succeed(issue(time))
    assert waiting.result(0) is token
    assert source.claim() is token


def test_a_waiter_cannot_cancel_the_outcome(time: FakeTime) -> None:
    """One impatient waiter leaves the future of the others alone."""
    source = make_source(time)
    renewal = claim_renewal(source)
    waiting = source.claim()
    assert isinstance(waiting, Future)
    assert not waiting.cancel()
    renewal.succeed(issue(time))
    assert waiting.result(0) is not None


@pytest.mark.parametrize("lifetime", [5.0, 600.0, DAY])
def test_windows_are_proportional(time: FakeTime, lifetime: float) -> None:
    """A token is used by all until a quarter (2 h) before expiry, others wait from a tenth (60 s)."""
    source = make_source(time)
    token = hold(source, issue(time, lifetime=lifetime))
    mandatory = max(min(0.1 * lifetime, 60), 1.5)
    advisory = max(min(0.25 * lifetime, 7200), 1.2 * mandatory)
    time.pass_(lifetime - advisory - 0.001)
    assert source.claim() is token
    time.pass_(0.002)
    renewal = claim_renewal(source)
    assert renewal.advisory
    assert source.claim() is token, "nobody waits in the advisory window"
    renewal.abandon()
    time.pass_(advisory - mandatory)
    renewal = claim_renewal(source)
    assert not renewal.advisory
    assert isinstance(source.claim(), Future), "everyone waits in the mandatory window"
    renewal.succeed(issue(time, "second"))


def test_the_advisory_window_is_shortened_by_jitter_once_per_token(time: FakeTime) -> None:
    """With the greatest jitter the window is a fifth shorter, so that a fleet spreads out."""
    source = make_source(time, jitter=1.0)
    token = hold(source, issue(time))
    time.pass_(DAY - 7200)
    assert source.claim() is token
    time.pass_(0.2 * 7200 + 1)
    assert claim_renewal(source).advisory


def test_a_renewal_left_unsettled_is_taken_over(time: FakeTime) -> None:
    """Cancelling whoever renews tells the waiters that nobody did, and the next claim renews."""
    source = make_source(time)
    renewal = claim_renewal(source)
    waiting = source.claim()
    with pytest.raises(KeyboardInterrupt), renewal:
        raise KeyboardInterrupt
    assert isinstance(waiting, Future)
    assert waiting.result(0) is None
    assert claim_renewal(source).delay == 0


def test_waiters_share_the_failure(time: FakeTime) -> None:
    """An error reaches all who wait, and the one who renewed."""
    source = make_source(time)
    renewal = claim_renewal(source)
    waiting = source.claim()
    assert isinstance(waiting, Future)
    with pytest.raises(TokenError, match="down"):
        renewal.fail(TokenError("down"))
    with pytest.raises(TokenError, match="down"):
        waiting.result(0)


def test_the_renewal_after_a_failure_waits_longer_each_time(time: FakeTime) -> None:
    """None after the first failure, then 2, 4, 8 ... 30 seconds; a success ends it."""
    source = make_source(time)
    delays: list[float] = []
    for _ in range(6):
        fail(source)
        renewal = claim_renewal(source)
        delays.append(renewal.delay)
        renewal.__exit__(None, None, None)
        time.pass_(renewal.delay)
    assert delays == [0, 2, 4, 8, 16, 30]
    hold(source, issue(time, lifetime=10))
    time.pass_(11)
    assert claim_renewal(source).delay == 0


def test_a_failure_disturbs_nobody_while_the_token_is_good(time: FakeTime) -> None:
    """In both windows the old token serves on, and the endpoint is asked once a minute."""
    source = make_source(time)
    token = hold(source, issue(time))
    time.pass_(DAY - 7000)
    renewal = claim_renewal(source)
    assert renewal.fail(TokenError("down")) is token
    assert source.claim() is token
    time.pass_(59)
    assert source.claim() is token
    time.pass_(2)
    assert claim_renewal(source).fail(TokenError("down")) is token
    time.pass_(7000 - 61 - 30)
    renewal = claim_renewal(source)
    assert not renewal.advisory
    assert renewal.fail(TokenError("down")) is token, "30 s are left"
    time.pass_(31)
    fail(source)


def test_exactly_the_rejected_token_is_dropped(time: FakeTime) -> None:
    """A 401 for an older token leaves the newer one alone."""
    source = make_source(time)
    first = hold(source, issue(time, "first"))
    assert source.reject(first)
    second = hold(source, issue(time, "second"))
    assert source.reject(first)
    assert source.claim() is second


def test_forced_renewals_end_after_three_without_success(time: FakeTime) -> None:
    """A tenant that refuses every token is not asked for more than three, then for one a minute."""
    source = make_source(time)
    token = hold(source, issue(time, "token-0"))
    for number in range(1, 4):
        assert source.reject(token)
        token = hold(source, issue(time, f"token-{number}"))
    assert not source.reject(token)
    assert source.claim() is token
    time.pass_(60)
    assert source.reject(token)
    token = hold(source, issue(time, "token-4"))
    source.accept(token)
    assert source.reject(token), "a success starts the count anew"


def test_the_renewal_knows_the_rejected_token(time: FakeTime) -> None:
    """A store may still hold the token that the API refused: the renewal tells which it was."""
    source = make_source(time)
    token = hold(source, issue(time, "refused"))
    source.reject(token)
    assert claim_renewal(source).rejected == Secret("refused")


def test_a_token_without_the_scope_is_renewed_once_and_not_when_young(time: FakeTime) -> None:
    """After a grant has changed only a new token has the scope; a young one cannot lack it."""
    source = make_source(time)
    token = hold(source, issue(time, "old"))
    assert not source.reject_scope(token)
    time.pass_(301)
    assert source.reject_scope(token)
    newer = hold(source, issue(time, "new"))
    assert source.reject_scope(token), "a newer one is there already"
    assert source.claim() is newer
    time.pass_(301)
    assert source.reject_scope(newer)


def test_a_wall_clock_set_ahead_ends_the_token_and_one_set_back_does_not_prolong_it(time: FakeTime) -> None:
    """Age is the larger of what both clocks tell."""
    source = make_source(time)
    hold(source, issue(time))
    time.wall += DAY
    token = hold(source, issue(time, "second"))
    time.wall -= 2 * DAY
    assert source.claim() is token
    time.monotonic += DAY
    claim_renewal(source)


def test_a_token_that_is_used_once_serves_whoever_waited(time: FakeTime) -> None:
    """expires_in 0: the renewal's token reaches the waiters, and the next claim renews."""
    source = make_source(time)
    renewal = claim_renewal(source)
    waiting = source.claim()
    token = renewal.succeed(issue(time, lifetime=0))
    assert isinstance(waiting, Future)
    assert waiting.result(0) is token
    claim_renewal(source)


def test_a_token_from_a_store_has_lived_already(time: FakeTime) -> None:
    """Its age counts from its issue, not from when it was read."""
    source = make_source(time)
    stored = issue(time, lifetime=100)
    time.pass_(80)
    hold(source, stored)
    assert claim_renewal(source).advisory


def test_only_a_fresh_token_is_worth_taking_from_a_store(time: FakeTime) -> None:
    """One that is due for renewal would have every process renew at once."""
    token = issue(time)
    assert is_fresh(token, time.wall)
    assert not is_fresh(token, token.expires_at - 7200)
    assert not is_fresh(token, token.expires_at + 1)


def test_status_tells_all_but_the_token(time: FakeTime) -> None:
    """Age, expiry, counts and the last failure, and no token in sight."""
    source = make_source(time)
    assert source.status().expires_in is None
    fail(source, "no route")
    assert source.status().last_failure == "no route"
    time.pass_(2)
    hold(source, issue(time, "sesame", lifetime=100))
    time.pass_(10)
    status = source.status()
    assert (status.age, status.expires_in, status.renewals, status.failures) == (10, 90, 1, 1)
    assert status.last_failure is None
    assert status.failed_at is not None
    assert (status.renewed_at, status.expires_at) == (time.wall - 10, time.wall + 90)
    assert (status.found, status.store, status.store_works) == (0, None, True)
    assert not status.renewing
    assert "sesame" not in repr(status)


def test_fifty_threads_cause_one_renewal(time: FakeTime) -> None:
    """However the threads interleave, one of them renews."""
    source = make_source(time)
    start, renewed = threading.Barrier(50), threading.Event()
    renewals: list[Renewal] = []
    tokens: list[AccessToken | None] = []

    def work() -> None:
        start.wait(10)
        claimed = source.claim()
        if isinstance(claimed, Renewal):
            renewals.append(claimed)
            renewed.wait(10)
            tokens.append(claimed.succeed(issue(time)))
        else:
            renewed.set()
            tokens.append(claimed.result(10) if isinstance(claimed, Future) else claimed)

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(renewals) == 1
    assert len(tokens) == 50
    assert len({id(token) for token in tokens}) == 1


def test_a_renewal_that_is_lost_is_taken_over(time: FakeTime) -> None:
    """Its event loop was stopped, say: after 20 s somebody else renews, and those who wait are told."""
    source = make_source(time)
    lost = claim_renewal(source)
    waiting = source.claim()
    assert isinstance(waiting, Future)
    time.pass_(19.9)
    assert source.claim() is waiting
    time.pass_(0.2)
    second = claim_renewal(source)
    assert waiting.result(0) is None, "nobody renewed: claim again"
    token = second.succeed(issue(time, "second"))
    lost.abandon()
    assert source.claim() is token


def test_a_lost_renewal_that_ends_after_all_brings_its_token(time: FakeTime) -> None:
    """And does not end the one that took over."""
    source = make_source(time)
    lost = claim_renewal(source)
    time.pass_(21)
    second = claim_renewal(source)
    token = lost.succeed(issue(time, "late"))
    assert source.claim() is token
    assert source.status().renewing
    second.fail(TokenError("down"))
    assert not source.status().renewing


def test_a_renewal_is_put_aside_once_and_carried_out_by_a_caller_where_that_was_cut_off(
    time: FakeTime,
) -> None:
    """An event loop that ends with every call would begin a token request for every call."""
    source = make_source(time)
    token = hold(source, issue(time))
    time.pass_(DAY - 7000)
    first = claim_renewal(source)
    assert (first.spare, first.aside) == (token, True)
    first.abandon()
    second = claim_renewal(source)
    assert (second.spare, second.aside) == (token, False)
    second.succeed(issue(time, "second"))
    time.pass_(DAY - 7000)
    assert claim_renewal(source).aside


def test_a_renewal_that_everyone_waits_for_is_not_put_aside(time: FakeTime) -> None:
    """Whoever begins it waits, too."""
    source = make_source(time)
    assert not claim_renewal(source).aside


def test_listeners_are_told_what_happens(time: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    """In order, with seconds and lives, and without the token; the log has a line for each."""
    caplog.set_level("INFO", "evertoken.token")
    source = make_source(time)
    told: list[TokenEvent] = []
    source.add_listener(told.append)
    fail(source, "no route")
    renewal = claim_renewal(source)
    time.pass_(2)
    token = renewal.succeed(issue(time, "sesame", lifetime=100))
    source.reject(token)
    claim_renewal(source).succeed(issue(time, "open", lifetime=100), found=True)
    source.store_answered("OSError")
    source.store_answered("OSError")
    source.store_answered()
    source.remove_listener(told.append)
    source.reject(token)
    assert [event.kind for event in told] == [
        "failed", "renewed", "rejected", "found", "store_failed", "store_works"
    ]  # fmt: skip
    assert (told[0].problem, told[4].problem) == ("no route", "OSError")
    assert (told[1].seconds, told[1].expires_in, told[1].advisory) == (2, 100, False)
    assert "sesame" not in repr(told)
    assert [record.levelname for record in caplog.records] == [
        "WARNING", "INFO", "INFO", "INFO", "WARNING", "INFO"
    ]  # fmt: skip
    assert "sesame" not in caplog.text


def test_a_listener_that_raises_costs_nothing(time: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the others are told; one that asks for the status does not wait for itself."""
    source = make_source(time)
    told: list[object] = []

    def broken(event: TokenEvent) -> None:
        raise ValueError(event.kind)

    source.add_listener(broken)
    source.add_listener(lambda event: told.append(source.status().renewals))
    hold(source, issue(time))
    assert told == [1]
    assert "a listener raised" in caplog.text
