"""Batching: each caller gets its own result, waits no longer than needed, and nothing is lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.concurrency import batching
from infrastructure.concurrency.batching import (
    FULL,
    INTERVAL_SECONDS,
    MAX_IN_A_BATCH,
    MAX_WAITING,
    Batcher,
    Overloaded,
    Pace,
)

T = TypeVar("T")
ENDLESS_SECONDS = 3_600.0
AT_ONCE_SECONDS = 5.0
"""Far less than ENDLESS_SECONDS and more than any busy machine needs."""


class Doubling:
    """A flush that doubles numbers, remembers its batches and can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        await self.open.wait()
        return [2 * number for number in numbers]


def _run(story: Callable[[Doubling, "Batcher[int, int]"], Awaitable[T]]) -> T:
    async def told() -> T:
        flush = Doubling()
        return await story(flush, Batcher(flush, "numbers"))

    return asyncio.run(told())


async def _turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _promptly(work: Awaitable[T]) -> T:
    return await asyncio.wait_for(work, AT_ONCE_SECONDS)


@pytest.fixture
def endless_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the interval waits for ever, so that what doesn't is seen."""
    monkeypatch.setattr(batching, "INTERVAL_SECONDS", ENDLESS_SECONDS)
    monkeypatch.setattr(batching, "SHORTEST_INTERVAL_SECONDS", ENDLESS_SECONDS)


@given(st.lists(st.lists(st.integers(), max_size=40), max_size=12), st.data())
def test_however_they_arrive_everybody_gets_his_own_answer_and_nothing_goes_twice(
    groups: list[list[int]], data: st.DataObject
) -> None:
    pauses = [data.draw(st.integers(0, 4)) for _ in groups]
    held_up = [data.draw(st.booleans()) for _ in groups]

    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        answers: list[asyncio.Future[int]] = []
        for group, pause, hold in zip(groups, pauses, held_up, strict=True):
            answers += [batcher.put(number) for number in group]
            flush.open.clear() if hold else flush.open.set()
            await _turns(pause)
        flush.open.set()
        everything = [number for group in groups for number in group]
        assert await asyncio.gather(*answers) == [2 * number for number in everything]
        assert [number for batch in flush.batches for number in batch] == everything, "in the order they came"

    _run(story)


@pytest.mark.usefixtures("endless_interval")
def test_the_first_of_an_idle_moment_goes_at_once() -> None:
    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        assert await _promptly(batcher.put(1)) == 2

    _run(story)


@pytest.mark.usefixtures("endless_interval")
def test_what_comes_right_after_waits_for_company() -> None:
    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        await batcher.put(1)
        batcher.put(2)
        await _turns(20)
        assert flush.batches == [[1]]

    _run(story)


@pytest.mark.usefixtures("endless_interval")
def test_a_few_that_follow_a_quiet_moment_one_by_one_dont_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "AHEAD_SECONDS", 2 * ENDLESS_SECONDS)

    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        for number in range(3):
            await _promptly(batcher.put(number))
        batcher.put(3)
        await _turns(20)
        assert flush.batches == [[0], [1], [2]], "the fourth is too far ahead of its pace"

    _run(story)


@pytest.mark.usefixtures("endless_interval")
def test_enough_company_is_waited_for_no_longer() -> None:
    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        await batcher.put(1)
        answers = [batcher.put(number) for number in range(FULL)]
        await _promptly(asyncio.gather(*answers))
        assert [len(batch) for batch in flush.batches] == [1, FULL]

    _run(story)


def test_what_comes_while_a_batch_is_under_way_shares_the_next_one() -> None:
    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        flush.open.clear()
        first = batcher.put(0)
        await _turns()
        later = [batcher.put(number) for number in range(1, 6)]
        await _turns()
        flush.open.set()
        await asyncio.gather(first, *later)
        assert flush.batches == [[0], [1, 2, 3, 4, 5]]

    _run(story)


def test_no_batch_is_larger_than_a_statement_should_be() -> None:
    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        await asyncio.gather(*[batcher.put(number) for number in range(3 * MAX_IN_A_BATCH + 1)])
        assert [len(batch) for batch in flush.batches] == [MAX_IN_A_BATCH] * 3 + [1]

    _run(story)


def test_what_exceeds_the_bound_is_refused_and_the_rest_is_answered() -> None:
    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        flush.open.clear()
        answers = [batcher.put(0)]
        await _turns()
        answers += [batcher.put(number) for number in range(MAX_WAITING)]
        with pytest.raises(Overloaded, match="numbers"):
            batcher.put(1)
        flush.open.set()
        assert len(await asyncio.gather(*answers)) == MAX_WAITING + 1
        assert await batcher.put(4) == 8, "afterwards there is room again"

    _run(story)


def test_a_failed_batch_fails_its_own_callers_and_no_others() -> None:
    async def flush(numbers: Sequence[int]) -> list[int]:
        if 13 in numbers:
            raise ValueError("unlucky")
        return list(numbers)

    async def story() -> None:
        batcher: Batcher[int, int] = Batcher(flush, "numbers")
        before = batcher.put(1)
        await _turns()
        unlucky = [batcher.put(12), batcher.put(13)]
        assert await before == 1
        assert [type(answer) for answer in await asyncio.gather(*unlucky, return_exceptions=True)] == [ValueError] * 2
        assert await batcher.put(14) == 14

    asyncio.run(story())


def test_an_error_among_the_answers_is_its_own_callers_alone() -> None:
    async def flush(numbers: Sequence[int]) -> list[int | Exception]:
        return [ValueError("unlucky") if number == 13 else number for number in numbers]

    async def story() -> None:
        batcher: Batcher[int, int] = Batcher(flush, "numbers")
        answers = await asyncio.gather(*map(batcher.put, (12, 13, 14)), return_exceptions=True)
        assert (answers[0], type(answers[1]), answers[2]) == (12, ValueError, 14)

    asyncio.run(story())


def test_a_caller_who_goes_away_takes_nobody_with_him() -> None:
    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        flush.open.clear()
        batcher.put(0)
        await _turns()
        gone, stays = batcher.put(1), batcher.put(2)
        gone.cancel()
        flush.open.set()
        assert await stays == 4
        assert [1, 2] in flush.batches, "what was handed in is carried out all the same"

    _run(story)


def test_what_needs_no_answer_is_carried_out_all_the_same() -> None:
    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        for number in range(5):
            batcher.hand_in(number)
        await batcher.drain()
        assert [number for batch in flush.batches for number in batch] == list(range(5))

    _run(story)


def test_draining_waits_for_everything_put_so_far() -> None:
    async def story(flush: Doubling, batcher: "Batcher[int, int]") -> None:
        answers = [batcher.put(number) for number in range(MAX_IN_A_BATCH + 1)]
        await batcher.drain()
        assert all(answer.done() for answer in answers)
        await batcher.drain()

    _run(story)


def test_a_batch_behind_many_full_ones_waits_for_one_interval_and_not_for_theirs() -> None:
    pace = Pace()
    for _ in range(1_000):
        pace.begin()
    assert pace.rest_seconds() <= INTERVAL_SECONDS


@pytest.mark.parametrize(("items", "seconds"), [(1, 0.002), (16, 0.002), (24, 0.003), (32, 0.004), (500, 0.004)])
def test_the_next_batch_waits_the_shorter_the_smaller_the_last_one_was(
    items: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1_000.0)
    pace = Pace()
    for _ in range(100):
        pace.begin(items)
    assert pace.rest_seconds() == pytest.approx(seconds)
