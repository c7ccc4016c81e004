"""When a worker rings for its own retries."""

from hypothesis import given
from hypothesis import strategies as st

from workers.runtime.running.notifier import COALESCE_SECONDS, slot_of

MOMENTS = st.floats(0, 1e7)
ROUNDING_SECONDS = 1e-6


@given(MOMENTS, st.floats(0.001, 60))
def test_a_retry_is_rung_when_it_is_due_and_late_by_no_more_than_a_fifth_of_a_second(
    now: float, seconds: float
) -> None:
    late_seconds = slot_of(now, seconds) * COALESCE_SECONDS - (now + seconds)
    assert -ROUNDING_SECONDS <= late_seconds <= 0.2 + ROUNDING_SECONDS


@given(MOMENTS, st.floats(0.001, 0.199))
def test_a_retry_that_is_to_come_soon_is_hardly_late(now: float, seconds: float) -> None:
    late_seconds = slot_of(now, seconds) * COALESCE_SECONDS - (now + seconds)
    assert -ROUNDING_SECONDS <= late_seconds <= 0.05 + ROUNDING_SECONDS


@given(MOMENTS, st.lists(st.floats(0.2, 1.0), min_size=2))
def test_retries_of_a_second_are_rung_at_few_moments(now: float, waits: list[float]) -> None:
    assert len({slot_of(now, seconds) for seconds in waits}) <= 6
