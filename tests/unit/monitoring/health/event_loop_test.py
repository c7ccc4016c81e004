"""A loop that hangs is seen from outside it."""

import asyncio
import threading

from monitoring.health.event_loop import LoopBeat, keep_beating
from tests.waiting import wait_until


def test_a_loop_that_hangs_stops_beating_and_one_that_turns_again_beats() -> None:
    beat = LoopBeat(silent_after_seconds=0.5)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    blocker = threading.Event()
    try:
        beating = asyncio.run_coroutine_threadsafe(keep_beating(beat, interval_seconds=0.01), loop)
        wait_until(beat.beating, "the loop beats")
        loop.call_soon_threadsafe(blocker.wait)
        wait_until(lambda: not beat.beating(), "the hanging loop is noticed")
        blocker.set()
        wait_until(beat.beating, "the loop beats again")
        beating.cancel()
    finally:
        blocker.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
