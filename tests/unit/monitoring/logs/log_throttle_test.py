"""Repeated log lines are throttled to one a second, and none is left uncounted."""

from monitoring.logs.log_throttle import MAX_KEPT, LogThrottle


def test_what_was_said_a_moment_ago_is_counted_until_it_is_said_again() -> None:
    now = 100.0
    sparingly = LogThrottle(seconds=1.0, clock=lambda: now)
    times = [sparingly.times("it") for _ in range(5)]

    now += 1.0

    assert times == [1, 0, 0, 0, 0]
    assert sparingly.times("it") == 5


def test_another_subject_is_said_at_once() -> None:
    sparingly = LogThrottle(seconds=60)

    assert [sparingly.times(subject) for subject in ("one", "other", "one")] == [1, 1, 0]


def test_it_remembers_no_more_subjects_than_it_may() -> None:
    sparingly = LogThrottle(seconds=60)
    for number in range(2 * MAX_KEPT):
        sparingly.times(number)

    assert len(sparingly._logged) <= MAX_KEPT
