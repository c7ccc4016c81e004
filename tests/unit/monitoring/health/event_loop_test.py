"""A loop that hangs is seen from outside it."""

import asyncio
import threading

from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.supervisor import Supervisor
from monitoring.health.event_loop import LoopLag
from monitoring.health.loops import EVENT_LOOP, LoopReport
from tests.waiting import wait_until


def test_an_event_loop_that_hangs_is_reported_until_it_turns_again() -> None:
    supervisor = Supervisor(LoopReport, on_fatal=print)
    event_loop = asyncio.new_event_loop()
    thread = threading.Thread(target=event_loop.run_forever)
    thread.start()
    blocker = threading.Event()
    beat = Loop(EVENT_LOOP, 0.01, LoopLag(0.01).measure, stalled_after_seconds=0.5)
    try:
        event_loop.call_soon_threadsafe(supervisor.start, beat)
        event_loop.call_soon_threadsafe(blocker.wait)
        wait_until(lambda: list(supervisor.stalled()) == [EVENT_LOOP], "the hanging loop is noticed")
        blocker.set()
        wait_until(lambda: not supervisor.stalled(), "the loop turns again")
        asyncio.run_coroutine_threadsafe(supervisor.stop(), event_loop).result()
    finally:
        blocker.set()
        event_loop.call_soon_threadsafe(event_loop.stop)
        thread.join()
        event_loop.close()
