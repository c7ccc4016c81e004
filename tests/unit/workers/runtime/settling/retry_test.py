"""The retry decision: when a failed run is retried, with which delay, and when it is given up."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.commands import Jitter, RetryPolicy
from schemas.problems import Problem
from workers.runtime.settling.retry import MAX_WAIT_SECONDS, Failure, GiveUp, RetryIn, decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USUAL = RetryPolicy()
PROBLEM = Problem.of("unavailable", "Something can't be reached", 503)

attempts = st.integers(1, 1_000)
dice = st.floats(0.0, 1.0, exclude_max=True)
asked = st.none() | st.floats(0.0, 1e7)


def _decide(
    *,
    attempt: int = 1,
    max_attempts: int = 10_000,
    dice: float = 0.5,
    retryable: bool = True,
    retry_after_seconds: float | None = None,
    deadline: datetime | None = None,
    policy: RetryPolicy = USUAL,
) -> RetryIn | GiveUp:
    failure = Failure(PROBLEM, retryable, retry_after_seconds)
    return decide(failure, policy, attempt=attempt, max_attempts=max_attempts, now=NOW, deadline=deadline, dice=dice)


def _seconds(decision: RetryIn | GiveUp) -> float:
    assert isinstance(decision, RetryIn)
    return decision.seconds


@given(attempt=attempts, max_attempts=attempts, dice=dice, asked=asked)
def test_a_failure_that_is_not_retryable_is_given_up_at_once(
    attempt: int, max_attempts: int, dice: float, asked: float | None
) -> None:
    decision = _decide(
        attempt=attempt, max_attempts=max_attempts, dice=dice, retry_after_seconds=asked, retryable=False
    )

    assert decision == GiveUp(spent=False)


@given(attempt=attempts, max_attempts=attempts, dice=dice)
def test_a_job_has_exactly_its_max_attempts(attempt: int, max_attempts: int, dice: float) -> None:
    decision = _decide(attempt=attempt, max_attempts=max_attempts, dice=dice)

    assert isinstance(decision, RetryIn) == (attempt < max_attempts)
    assert isinstance(decision, RetryIn) or decision.spent


@given(attempt=attempts, dice=dice)
def test_the_wait_is_bounded_and_never_negative(attempt: int, dice: float) -> None:
    assert 0.0 <= _seconds(_decide(attempt=attempt, dice=dice)) <= USUAL.most_seconds


@given(attempt=attempts, dice=dice)
def test_the_longest_wait_never_shrinks_from_one_attempt_to_the_next(attempt: int, dice: float) -> None:
    assert _seconds(_decide(attempt=attempt, dice=dice)) <= _seconds(_decide(attempt=attempt + 1, dice=dice))


def test_the_longest_wait_doubles_until_it_is_long_enough() -> None:
    almost_one = 1.0 - 1e-12
    longest = [round(_seconds(_decide(attempt=attempt, dice=almost_one))) for attempt in range(1, 12)]

    assert longest == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@given(attempt=attempts, low=dice, high=dice)
def test_jitter_spreads_the_delays_over_the_whole_range(attempt: int, low: float, high: float) -> None:
    assert _seconds(_decide(attempt=attempt, dice=0.0)) == 0.0
    waits = [_seconds(_decide(attempt=attempt, dice=one)) for one in sorted((low, high))]
    assert waits == sorted(waits)


@given(attempt=attempts, dice=dice, asked=st.floats(0.0, 1e7))
def test_retry_after_is_the_minimum_delay(attempt: int, dice: float, asked: float) -> None:
    seconds = _seconds(_decide(attempt=attempt, dice=dice, retry_after_seconds=asked))

    assert min(asked, MAX_WAIT_SECONDS) <= seconds <= MAX_WAIT_SECONDS + USUAL.most_seconds


@given(attempt=attempts, dice=dice, asked=asked, left=st.floats(-1e6, 1e6))
def test_nothing_is_tried_after_its_deadline(attempt: int, dice: float, asked: float | None, left: float) -> None:
    deadline = NOW + timedelta(seconds=left)

    match _decide(attempt=attempt, dice=dice, retry_after_seconds=asked, deadline=deadline):
        case RetryIn(seconds):
            assert NOW + timedelta(seconds=seconds) < deadline
        case GiveUp(spent):
            assert spent, "only the time ran out"


@given(attempt=attempts, dice=dice)
def test_a_deadline_far_away_changes_nothing(attempt: int, dice: float) -> None:
    assert _decide(attempt=attempt, dice=dice, deadline=NOW + timedelta(days=1)) == _decide(attempt=attempt, dice=dice)


def test_a_kind_may_have_its_own_retry_policy() -> None:
    patient = RetryPolicy(base_seconds=10.0, most_seconds=35.0, jitter=Jitter.NONE)
    halfway = patient.model_copy(update={"jitter": Jitter.EQUAL})

    assert [_seconds(_decide(attempt=attempt, policy=patient)) for attempt in range(1, 5)] == [10.0, 20.0, 35.0, 35.0]
    assert [_seconds(_decide(attempt=2, dice=dice, policy=halfway)) for dice in (0.0, 0.5)] == [10.0, 15.0]


@given(dice=dice, asked=asked)
def test_a_problem_that_a_kind_never_retries_fails_it_at_once(dice: float, asked: float | None) -> None:
    policy = RetryPolicy(never=frozenset({"unavailable"}))

    assert _decide(dice=dice, retry_after_seconds=asked, policy=policy) == GiveUp(spent=False)
    assert isinstance(_decide(dice=dice, policy=USUAL), RetryIn)


@given(attempt=attempts, dice=dice, asked=st.floats(0.0, 1e7), jitter=st.sampled_from(Jitter))
def test_retry_after_counts_for_every_kind(attempt: int, dice: float, asked: float, jitter: Jitter) -> None:
    policy = RetryPolicy(base_seconds=0.001, most_seconds=0.001, jitter=jitter)

    assert _seconds(_decide(attempt=attempt, dice=dice, retry_after_seconds=asked, policy=policy)) >= min(
        asked, MAX_WAIT_SECONDS
    )


@given(attempt=attempts, dice=dice, asked=asked, wait_seconds=st.floats(0.0, 1e6))
def test_a_kinds_own_schedule_takes_the_place_of_the_back_off(
    attempt: int, dice: float, asked: float | None, wait_seconds: float
) -> None:
    failure = Failure(PROBLEM, retryable=True, retry_after_seconds=asked, wait_seconds=wait_seconds)

    decision = decide(failure, USUAL, attempt=attempt, max_attempts=attempt + 1, now=NOW, deadline=None, dice=dice)
    assert decision == RetryIn(wait_seconds)
    assert decide(failure, USUAL, attempt=attempt, max_attempts=attempt, now=NOW, deadline=None, dice=dice) == GiveUp(
        spent=True
    )


def test_an_uncounted_run_is_retried_whatever_the_number_of_attempts() -> None:
    failure = Failure(PROBLEM, retryable=True, wait_seconds=1.0, counted=False)

    assert decide(failure, USUAL, attempt=9, max_attempts=9, now=NOW, deadline=None, dice=0.5) == RetryIn(1.0)
    late = NOW + timedelta(seconds=0.5)
    assert decide(failure, USUAL, attempt=9, max_attempts=9, now=NOW, deadline=late, dice=0.5) == GiveUp(spent=True)


@given(dice=dice, left=st.floats(-1e6, 1e6))
def test_retries_with_an_end_stop_in_time(dice: float, left: float) -> None:
    until = NOW + timedelta(seconds=left)
    failure = Failure(PROBLEM, retryable=True, wait_seconds=60.0, counted=False, until=until)

    decision = decide(failure, USUAL, attempt=1, max_attempts=9, now=NOW, deadline=None, dice=dice)

    assert decision == (RetryIn(60.0) if left > 60.0 else GiveUp(spent=True))
