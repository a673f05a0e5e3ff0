"""Who renews, who waits, and when."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from evertoken import AccessToken, TokenError, TokenSource
from evertoken.renewal import Renewal, is_fresh

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
    time.pass_(advisory - mandatory)
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
    assert claim_renewal(source).rejected == "refused"


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
