"""Work in child processes: what a killed child, a killed parent and a closed pool leave behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from infrastructure.concurrency.process_pool import ProcessorPool, processor_pool
from infrastructure.ports import Refused, TryLater, Unavailable
from monitoring.errors.failures import describe_failure
from schemas.problems import Problem
from tests.waiting import wait_until

ROOT = Path(__file__).parents[4]


def triple(number: int) -> int:
    return number * 3


def never_end(note: Path) -> None:
    """Leaves its process id and then waits for ever."""
    note.write_text(f"{os.getpid()}\n")
    while True:
        signal.pause()


def end_at_once() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> None:
    raise Refused(Problem.of("facts-missing", "Facts are missing", 422, "client"))


class UnpicklableError(Exception):
    def __init__(self, *, needed: str) -> None:
        super().__init__(needed)


def throw(error: BaseException) -> None:
    raise error


def raise_what_cannot_travel() -> None:
    raise UnpicklableError(needed="this")


def with_pool(children: int, work: Callable[[ProcessorPool], Awaitable[None]]) -> None:
    async def run() -> None:
        async with processor_pool(children) as pool, asyncio.timeout(60):
            await work(pool)

    asyncio.run(run())


async def started(note: Path) -> int:
    """The process id that `never_end` left."""
    return await asyncio.to_thread(process_id_in, note)


def process_id_in(note: Path) -> int:
    wait_until(lambda: note.exists() and note.read_text().endswith("\n"), "the call runs in its child")
    return int(note.read_text())


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def gone(process_id: int) -> bool:
    return not psutil.pid_exists(process_id) or psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE


def test_a_call_comes_back_from_another_process() -> None:
    async def work(pool: ProcessorPool) -> None:
        assert await pool.run(triple, 14) == 42
        assert await pool.run(os.getpid) != os.getpid()

    with_pool(1, work)


def test_the_event_loop_turns_while_a_child_works(tmp_path: Path) -> None:
    async def work(pool: ProcessorPool) -> None:
        call = asyncio.create_task(pool.run(never_end, tmp_path / "note"))
        await started(tmp_path / "note")
        assert not call.done()
        call.cancel()

    with_pool(1, work)


def test_a_killed_child_costs_the_call_it_was_running_and_no_other(tmp_path: Path) -> None:
    async def work(pool: ProcessorPool) -> None:
        doomed = asyncio.create_task(pool.run(never_end, tmp_path / "doomed"))
        spared = asyncio.create_task(pool.run(never_end, tmp_path / "spared"))
        child = await started(tmp_path / "doomed")
        await started(tmp_path / "spared")
        waiting = [asyncio.create_task(pool.run(triple, number)) for number in range(5)]
        os.kill(child, signal.SIGKILL)

        with pytest.raises(Unavailable):
            await doomed
        assert await asyncio.gather(*waiting) == [0, 3, 6, 9, 12]
        assert not spared.done()
        spared.cancel()

    with_pool(2, work)


def test_a_call_that_kills_its_own_process_is_unavailable_and_the_next_one_runs() -> None:
    async def work(pool: ProcessorPool) -> None:
        with pytest.raises(Unavailable):
            await pool.run(end_at_once)
        assert await pool.run(triple, 2) == 6

    with_pool(1, work)


def test_a_child_killed_while_it_has_nothing_to_do_costs_no_call() -> None:
    async def work(pool: ProcessorPool) -> None:
        child = await pool.run(os.getpid)
        os.kill(child, signal.SIGKILL)
        await asyncio.to_thread(wait_until, lambda: not psutil.pid_exists(child), "the child is dead and buried")
        assert await pool.run(triple, 2) == 6

    with_pool(1, work)


def test_a_cancelled_call_is_ended_for_real_and_makes_room(tmp_path: Path) -> None:
    async def work(pool: ProcessorPool) -> None:
        call = asyncio.create_task(pool.run(never_end, tmp_path / "note"))
        child = await started(tmp_path / "note")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert gone(child)
        assert await pool.run(triple, 3) == 9

    with_pool(1, work)


def test_a_refusal_comes_back_with_its_problem() -> None:
    async def work(pool: ProcessorPool) -> None:
        with pytest.raises(Refused) as refused:
            await pool.run(refuse)
        assert refused.value.problem.detail == "client"

    with_pool(1, work)


def test_an_error_that_cannot_travel_comes_back_by_its_name_and_costs_no_child() -> None:
    async def work(pool: ProcessorPool) -> None:
        child = await pool.run(os.getpid)
        with pytest.raises(Exception, match="can't be read in another process") as raised:
            await pool.run(raise_what_cannot_travel)
        assert describe_failure(raised.value).startswith(f"{__name__}.UnpicklableError at tests/")
        assert describe_failure(raised.value).endswith(" in raise_what_cannot_travel")
        assert await pool.run(os.getpid) == child

    with_pool(1, work)


@pytest.mark.parametrize("error", [StopIteration(), GeneratorExit(), asyncio.CancelledError()])
def test_an_error_that_would_end_whoever_awaits_it_comes_back_as_one_of_the_function(error: BaseException) -> None:
    async def work(pool: ProcessorPool) -> None:
        child = await pool.run(os.getpid)
        with pytest.raises(RuntimeError, match=f"the function raised {type(error).__name__}"):
            await pool.run(throw, error)
        assert await pool.run(os.getpid) == child

    with_pool(1, work)


def test_when_to_try_again_comes_back_with_its_reason() -> None:
    async def work(pool: ProcessorPool) -> None:
        with pytest.raises(TryLater) as later:
            await pool.run(throw, TryLater("the shop is closed", seconds=60, counted=False))
        assert (later.value.problem.detail, later.value.seconds, later.value.counted) == (
            "the shop is closed",
            60,
            False,
        )

    with_pool(1, work)


def test_children_don_t_end_by_the_signals_that_reach_the_whole_group() -> None:
    async def work(pool: ProcessorPool) -> None:
        child = await pool.run(os.getpid)
        os.kill(child, signal.SIGINT)
        os.kill(child, signal.SIGTERM)
        assert await pool.run(os.getpid) == child

    with_pool(1, work)


def test_no_more_calls_run_at_a_time_than_there_are_children(tmp_path: Path) -> None:
    async def work(pool: ProcessorPool) -> None:
        calls = [asyncio.create_task(pool.run(never_end, tmp_path / f"{number}")) for number in range(4)]
        await started(tmp_path / "0")
        await started(tmp_path / "1")
        assert names_in(tmp_path) == {"0", "1"}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    with_pool(2, work)


def test_warm_children_are_there_before_the_first_call() -> None:
    async def work(pool: ProcessorPool) -> None:
        await pool.warm()
        warm = {child.pid for child in psutil.Process().children()}
        assert await pool.run(os.getpid) in warm
        assert await pool.run(os.getpid) in warm

    with_pool(2, work)


def test_a_closed_pool_leaves_no_process_even_in_the_middle_of_a_call(tmp_path: Path) -> None:
    async def run() -> None:
        async with processor_pool(2) as pool:
            idle = await pool.run(os.getpid)
            call = asyncio.create_task(pool.run(never_end, tmp_path / "note"))
            busy = await started(tmp_path / "note")
        with pytest.raises(Unavailable):
            await call
        assert gone(idle)
        assert gone(busy)
        with pytest.raises(Unavailable):
            await pool.run(triple, 1)

    asyncio.run(run())


PARENT = """
import asyncio, pathlib, sys
from infrastructure.concurrency.process_pool import processor_pool
from tests.unit.infrastructure.concurrency.process_pool_test import never_end

async def main():
    async with processor_pool(2) as pool:
        await pool.warm()
        await pool.run(never_end, pathlib.Path(sys.argv[1]))

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_killed_parent_leaves_no_orphan(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    note = tmp_path / "note"
    with subprocess.Popen(
        [sys.executable, script, note], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as parent:
        child = process_id_in(note)
        family = [child.pid for child in psutil.Process(parent.pid).children(recursive=True)]
        parent.kill()
    assert child in family
    wait_until(lambda: all(gone(process_id) for process_id in family), "every child has ended")
