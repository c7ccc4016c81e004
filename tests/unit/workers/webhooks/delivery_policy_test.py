"""The decision after a webhook delivery attempt."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.ports.webhooks import Answered, NotReached, Sent
from schemas.problems import Problem
from schemas.webhooks import MAX_ATTEMPTS, PauseReason
from workers.webhooks.delivery_policy import (
    GAPS_SECONDS,
    MAX_ASKED_SECONDS,
    Again,
    Delivered,
    DeliveryDecision,
    GiveUp,
    Pause,
    judge,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AWAY = NotReached(Problem.of("receiver-unreachable", "The receiver can't be reached", 502), 1.0)


def _judge(sent: Sent, attempt: int = 1, failing_days: float | None = None, dice: float = 0.5) -> DeliveryDecision:
    since = None if failing_days is None else NOW - timedelta(days=failing_days)
    return judge(sent, attempt=attempt, failing_since=since, now=NOW, dice=dice)


@given(st.integers(200, 299), st.integers(1, MAX_ATTEMPTS), st.none() | st.floats(0, 100))
def test_200_to_299_means_delivered(status: int, attempt: int, failing_days: float | None) -> None:
    assert _judge(Answered(status, 0.1, 0), attempt, failing_days) == Delivered()


@given(st.integers(300, 599).filter(lambda status: status != 410), st.integers(1, MAX_ATTEMPTS - 1))
def test_any_other_answer_is_retried_until_the_attempts_are_spent(status: int, attempt: int) -> None:
    assert isinstance(_judge(Answered(status, 0.1, 0), attempt), Again)
    assert isinstance(_judge(Answered(status, 0.1, 0), MAX_ATTEMPTS), GiveUp)


def test_the_attempts_take_about_a_day() -> None:
    assert 20 * 3600 < sum(GAPS_SECONDS) < 26 * 3600


@given(st.integers(1, MAX_ATTEMPTS - 1), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e9))
def test_a_wait_is_never_shorter_than_asked_nor_without_bound(attempt: int, dice: float, asked: float | None) -> None:
    again = _judge(Answered(503, 0.1, 0, asked), attempt, dice=dice)

    assert isinstance(again, Again)
    assert again.seconds >= min(asked or 0, MAX_ASKED_SECONDS)
    assert GAPS_SECONDS[attempt - 1] <= again.seconds <= MAX_ASKED_SECONDS * 1.1


@pytest.mark.parametrize(
    ("sent", "failing_days", "reason"),
    [
        (Answered(410, 0.1, 0), None, PauseReason.GONE),
        (AWAY, 5.0, PauseReason.FAILING),
        (Answered(500, 0.1, 0), 6.0, PauseReason.FAILING),
    ],
)
def test_a_webhook_that_is_gone_or_fails_for_days_is_paused(
    sent: Sent, failing_days: float | None, reason: PauseReason
) -> None:
    verdict = _judge(sent, failing_days=failing_days)

    assert isinstance(verdict, Pause)
    assert verdict.reason is reason


def test_days_of_failure_are_counted_in_full() -> None:
    assert isinstance(_judge(AWAY, failing_days=4.99), Again)
