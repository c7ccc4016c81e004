"""The doorbell window: what the workers start soon by their own reports, never a fixed number of jobs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.celery.doorbell import AHEAD_SECONDS
from infrastructure.celery.message import MAX_JOBS_IN_A_BIG_DOORBELL
from infrastructure.celery.pace import SILENT_SECONDS, Service, heard, in_words
from producers.dispatcher.doorbell_window import GROWTH, MAX_RUNG, MIN_DOORBELLS, MIN_RUNG, Window

services = st.builds(Service, st.floats(0, 100_000), st.integers(0, 20_000), st.just(100.0))


def settled(service: Service, window: Window = Window()) -> Window:  # noqa: B008  # It is frozen.
    """The window after many equal reports."""
    for _ in range(100):
        window = window.next(service, rung_since=0, ran_out=False, calm_seconds=0.1)
    return window


@given(services, st.integers(MIN_RUNG, MAX_RUNG))
def test_a_window_is_what_is_begun_soon(service: Service, before: int) -> None:
    begun_soon = service.free + int(service.jobs_per_second * AHEAD_SECONDS)

    assert settled(service, Window(before)).jobs == min(max(begun_soon, MIN_RUNG), MAX_RUNG)


@pytest.mark.parametrize(
    ("jobs_per_second", "jobs"), [(0.5, MIN_RUNG), (6.0, MIN_RUNG), (500.0, 100), (20_000.0, 4_000)]
)
def test_slow_jobs_have_a_small_window_and_quick_ones_a_large(jobs_per_second: float, jobs: int) -> None:
    assert settled(Service(jobs_per_second, 0, 100.0)).jobs == jobs


@given(services, st.integers(MIN_RUNG, MAX_RUNG), st.integers(0, 10_000))
def test_room_is_never_negative_and_fills_no_more_than_the_window(
    service: Service, before: int, doorbells: int
) -> None:
    window = settled(service, Window(before))

    room = window.room(doorbells)

    assert room == 0 or room + doorbells * window.max_jobs_per_doorbell <= window.jobs
    assert room >= 0
    assert 1 <= window.max_jobs_per_doorbell <= MAX_JOBS_IN_A_BIG_DOORBELL
    assert window.doorbells <= max(MIN_DOORBELLS, -(-window.jobs // MAX_JOBS_IN_A_BIG_DOORBELL))


def test_there_are_doorbells_for_each_worker() -> None:
    assert Window(1_000, workers=1).max_jobs_per_doorbell == 125
    assert Window(1_000, workers=20).doorbells >= 4 * 20 - 3


def test_free_slots_are_filled_once() -> None:
    service = Service(0.0, 256, 100.0)

    assert Window().next(service, rung_since=0, ran_out=False, calm_seconds=0.1).jobs == 256
    assert settled(service).next(service, rung_since=256, ran_out=False, calm_seconds=10.0).jobs == MIN_RUNG


def test_a_window_that_ran_out_grows_and_shrinks_again_within_a_second() -> None:
    service = Service(0.0, 0, 100.0)
    grown = Window(100).next(service, rung_since=0, ran_out=True, calm_seconds=0.02)

    assert grown.jobs == 100 * GROWTH
    assert grown.next(service, rung_since=0, ran_out=False, calm_seconds=1.0).jobs < 100


@given(st.lists(services, max_size=5))
def test_workers_reports_add_up(said: list[Service]) -> None:
    together = heard([in_words(one).encode() for one in said], 100.0)

    assert together.free == sum(one.free for one in said)
    assert together.jobs_per_second == pytest.approx(sum(one.jobs_per_second for one in said), abs=0.01)


@given(
    st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([b"-5 -7 100", b"nan 3 100", b"1 2 nan", b"1e9 3 1"])))
)
def test_unreadable_and_stale_reports_count_for_nothing(words: list[bytes]) -> None:
    together = heard([*words, b"2.0 3 100.0", f"9.0 9 {100 - SILENT_SECONDS - 1}".encode()], 100.0)

    assert together.free >= 3
    assert together.jobs_per_second >= 2.0
