"""`python -m tests.failing_loops MODULE [ARGUMENTS]`: a real process whose loops misbehave.

FAILING_LOOPS names which, `*` for all; FAILING_ROUNDS how many of the first rounds of each raise. HANGING_LOOP names one whose
first round never ends, and which has stalled half a second later.
"""

import asyncio
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

from infrastructure.concurrency import supervisor
from infrastructure.concurrency.loops import Loop, ThreadLoop
from infrastructure.concurrency.supervisor import Supervised, Supervisor

ENDLESS_SECONDS = 3_600.0


def main() -> None:
    failing, rounds = os.environ.get("FAILING_LOOPS", ""), int(os.environ.get("FAILING_ROUNDS", "0"))
    hanging = os.environ.get("HANGING_LOOP")
    supervisor.FIRST_BACKOFF_SECONDS = supervisor.LONGEST_BACKOFF_SECONDS = 0.01
    start, start_thread = Supervisor.start, Supervisor.start_thread

    def fails(name: str) -> bool:
        return failing in ("*", name)

    def start_failing(self: Supervisor, *loops: Loop) -> Sequence[Supervised]:
        return start(
            self,
            *(
                _hung(one) if one.name == hanging else _failing(one, rounds) if fails(one.name) else one
                for one in loops
            ),
        )

    def start_failing_thread(self: Supervisor, loop: ThreadLoop) -> Supervised:
        return start_thread(self, replace(loop, step=_raising(loop.step, rounds)) if fails(loop.name) else loop)

    Supervisor.start, Supervisor.start_thread = start_failing, start_failing_thread  # type: ignore[method-assign]  # it is made to misbehave
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _failing(loop: Loop, rounds: int) -> Loop:
    numbers, step = count(1), loop.step

    async def fail() -> float | None:
        if next(numbers) <= rounds:
            raise LookupError("this round was made to fail")
        return await step()

    return replace(loop, step=fail)


def _raising(step: Callable[[], None], rounds: int) -> Callable[[], None]:
    numbers = count(1)

    def fail() -> None:
        if next(numbers) <= rounds:
            raise LookupError("this round was made to fail")
        step()

    return fail


def _hung(loop: Loop) -> Loop:
    async def hang() -> None:
        await asyncio.sleep(ENDLESS_SECONDS)

    return replace(loop, step=hang, stalled_after_seconds=0.5)


if __name__ == "__main__":
    main()
