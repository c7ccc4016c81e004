"""The supervisor of loops: what fails goes on after a pause, what keeps failing is given up, what refuses is waited for."""

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from infrastructure.concurrency import supervisor as supervising
from infrastructure.concurrency.loops import Loop, ThreadLoop, made_progress
from infrastructure.concurrency.supervisor import MAX_FAILURES_IN_A_ROW, Rounds, Supervisor
from infrastructure.ports import Unavailable
from tests.waiting import wait_until

T = TypeVar("T")
SOON_SECONDS = 10.0


class Ledger:
    """A report that remembers."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.ended = asyncio.Event()
        """Set when the process would have ended."""

    def succeeded(self, seconds: float) -> None:
        self.outcomes.append("succeeded")

    def refused(self, reason: str, seconds: float) -> None:
        self.outcomes.append(f"refused: {reason}")

    def failed(self, error: BaseException, seconds: float, *, in_a_row: int, retry_seconds: float) -> None:
        self.outcomes.append(f"failed {in_a_row}")

    def gave_up(self, error: BaseException, *, in_a_row: int) -> None:
        self.outcomes.append(f"gave up after {in_a_row}")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(supervising, "LONGEST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(supervising, "SHORTEST_WAIT_SECONDS", 0.001)


def _with(story: Callable[[Supervisor, Ledger], Awaitable[T]]) -> tuple[T, list[str]]:
    """The story's result, and the loops that would have ended the process."""
    fatal: list[str] = []

    async def told() -> T:
        ledger = Ledger()

        def end(loop: str) -> None:
            fatal.append(loop)
            ledger.ended.set()

        supervisor = Supervisor(lambda _: ledger, on_fatal=end)
        try:
            async with asyncio.timeout(SOON_SECONDS):
                return await story(supervisor, ledger)
        finally:
            await supervisor.stop()

    return asyncio.run(told()), fatal


def _steps(*outcomes: Exception | None) -> tuple[Callable[[], Awaitable[None]], asyncio.Event]:
    """A step with these outcomes, and an event that is set in the round after the last."""
    left, over = list(outcomes), asyncio.Event()

    async def step() -> None:
        if not left:
            over.set()
            await asyncio.Event().wait()
        if (error := left.pop(0)) is not None:
            raise error

    return step, over


def test_a_step_that_raises_is_repeated_and_a_success_forgives_what_was_before() -> None:
    async def story(supervisor: Supervisor, ledger: Ledger) -> list[str]:
        failures = [KeyError("no")] * (MAX_FAILURES_IN_A_ROW - 1)
        step, over = _steps(*failures, None, *failures, None)
        supervisor.start(Loop("steps", 0.0, step))
        await over.wait()
        return ledger.outcomes

    outcomes, fatal = _with(story)

    row = [f"failed {number}" for number in range(1, MAX_FAILURES_IN_A_ROW)]
    assert outcomes == [*row, "succeeded", *row, "succeeded"]
    assert fatal == []


def test_a_loop_that_keeps_failing_is_given_up_and_its_process_ends() -> None:
    async def story(supervisor: Supervisor, ledger: Ledger) -> str | None:
        async def step() -> None:
            raise KeyError("always")

        supervisor.start(Loop("steps", 0.0, step))
        await ledger.ended.wait()
        assert ledger.outcomes[-1] == f"gave up after {MAX_FAILURES_IN_A_ROW}"
        return supervisor.failed

    assert _with(story) == ("steps", ["steps"])


@pytest.mark.parametrize(
    "refusal",
    [Unavailable("PostgreSQL is away"), ConnectionError("refused"), TimeoutError()],
    ids=lambda one: type(one).__name__,
)
def test_a_server_that_refuses_is_waited_for_however_often(refusal: Exception) -> None:
    async def story(supervisor: Supervisor, ledger: Ledger) -> list[str]:
        step, over = _steps(*[refusal] * (5 * MAX_FAILURES_IN_A_ROW), None)
        supervisor.start(Loop("steps", 0.0, step))
        await over.wait()
        return ledger.outcomes

    outcomes, fatal = _with(story)

    assert [one.partition(":")[0] for one in outcomes] == ["refused"] * (5 * MAX_FAILURES_IN_A_ROW) + ["succeeded"]
    assert fatal == []


def test_a_cancellation_that_nobody_asked_for_is_a_failure_and_ends_nothing() -> None:
    async def story(supervisor: Supervisor, ledger: Ledger) -> list[str]:
        left, over = [1], asyncio.Event()

        async def step() -> None:
            if left:
                left.pop()
                raise asyncio.CancelledError
            over.set()
            await asyncio.Event().wait()

        supervisor.start(Loop("steps", 0.0, step))
        await over.wait()
        return ledger.outcomes

    assert _with(story)[0] == ["failed 1"]


def test_a_round_under_way_may_finish_within_the_time_that_a_stop_gives_it() -> None:
    async def story(supervisor: Supervisor, ledger: Ledger) -> list[str]:
        begun, finish = asyncio.Event(), asyncio.Event()

        async def step() -> None:
            begun.set()
            await finish.wait()

        (loop,) = supervisor.start(Loop("steps", 0.0, step))
        await begun.wait()
        stopping = asyncio.ensure_future(loop.stop(within_seconds=SOON_SECONDS))
        await asyncio.sleep(0)
        finish.set()
        await stopping
        return ledger.outcomes

    assert _with(story)[0] == ["succeeded"]


def test_waking_a_loop_ends_its_pause() -> None:
    async def story(supervisor: Supervisor, ledger: Ledger) -> None:
        wake, done = asyncio.Event(), asyncio.Event()

        async def step() -> None:
            if len(ledger.outcomes) == 2:
                done.set()
            wake.set()

        supervisor.start(Loop("steps", math.inf, step, wake=wake))
        await done.wait()

    _with(story)  # It ends in time.


def test_a_loop_on_a_thread_goes_on_and_is_given_up_like_any_other() -> None:
    async def story(supervisor: Supervisor, ledger: Ledger) -> list[str]:
        rounds = iter([KeyError("once"), None, *[KeyError("always")] * MAX_FAILURES_IN_A_ROW])

        def step() -> None:
            assert threading.current_thread().name == "steps"
            if (error := next(rounds)) is not None:
                raise error

        supervisor.start_thread(ThreadLoop("steps", 0.0, step))
        await ledger.ended.wait()
        return ledger.outcomes

    outcomes, fatal = _with(story)

    assert outcomes[:2] == ["failed 1", "succeeded"]
    assert outcomes[-1] == f"gave up after {MAX_FAILURES_IN_A_ROW}"
    assert fatal == ["steps"]


def test_a_round_without_progress_has_stalled_and_one_that_waits_for_a_server_has_not() -> None:
    async def story(supervisor: Supervisor, ledger: Ledger) -> list[str]:
        async def hang() -> None:
            await asyncio.Event().wait()

        async def wait_for_server() -> None:
            while True:
                made_progress()
                await asyncio.sleep(0)

        supervisor.start(
            Loop("hangs", 0.0, hang, stalled_after_seconds=0.05),
            Loop("waits", 0.0, wait_for_server, stalled_after_seconds=SOON_SECONDS),
        )
        return await asyncio.to_thread(wait_until, lambda: list(supervisor.stalled()), "one has stalled")

    assert _with(story)[0] == ["hangs"]


def test_a_pause_is_no_stall_and_a_round_that_is_not_begun_after_it_is() -> None:
    rounds = Rounds(5.0, 10.0, Ledger())
    rounds.begin()
    now = rounds._progressed_at
    assert rounds.succeeded(None) == 5.0

    assert not rounds.stalled(now + 14.9)
    assert rounds.stalled(now + 15.1)
