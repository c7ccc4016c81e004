"""Celery's worker pool on an event loop: Celery's hub thread receives messages and hands them over to it."""

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import uvloop
from celery.concurrency.base import BasePool
from celery.worker import state

from infrastructure.celery.bell_outcome import Raised, answer_of
from infrastructure.celery.message import Doorbell, read
from infrastructure.celery.window import Window
from schemas.jobs import JobState

DRAIN_SLACK_SECONDS = 10.0
"""How much longer than its grace period a drain may take, to settle what has ended."""
START_CHECK_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Taken(Protocol):
    """A doorbell that a consumer has accepted."""

    @property
    def done(self) -> "asyncio.Future[None]":
        """Done when every job of the doorbell has been settled, handed back or given up."""
        ...

    @property
    def tally(self) -> Mapping[JobState, int]:
        """How many of its jobs ended a run in each state."""
        ...


class Consumer(Protocol):
    """Runs the jobs of doorbells. Every method is called on the pool's event loop."""

    async def start(self) -> None:
        """Returns when it can take doorbells; waits without limit for what it needs."""
        ...

    def take(self, doorbell: Doorbell) -> Taken: ...

    def revoke(self, doorbell: Any) -> None:
        """Cancels the jobs of a taken doorbell that run or wait in this worker."""
        ...

    def resize(self, concurrency: int) -> None: ...

    async def drain(self) -> None:
        """Takes no more jobs, lets running ones finish within the grace period, hands back the rest."""
        ...


@dataclass(slots=True)
class Call:
    """One message in flight. `number` is what Celery gets as the process id."""

    number: int
    doorbell: Doorbell
    came_at: float
    answer: Callable[[tuple[int, str | Raised, float]], None]
    taken: Taken | None = None


class CoroutinePool(BasePool):
    """Hands each message's jobs to the consumer on an event loop in a thread of its own."""

    signal_safe = False
    task_join_will_block = False
    body_can_be_buffer = True
    consumer: Consumer
    window: Window

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="jobs", daemon=True)
        self._calls: dict[int, Call] = {}
        self._numbers = iter(range(1, 1 << 62))
        self._taken: deque[Call] = deque()
        self._answered: deque[Call] = deque()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def on_start(self) -> None:
        self._thread.start()
        self.window.on_room(self._wake_hub)
        starting = self._in_loop(self.consumer.start())
        # The start may wait for long; a shutdown requested meanwhile takes effect.
        while not starting.done():
            state.maybe_shutdown()
            wait([starting], timeout=START_CHECK_SECONDS)
        starting.result()

    def register_with_event_loop(self, hub: Any) -> None:
        # The hub's `call_soon` may wait for its next poll, so acknowledgements arrive through a pipe that it watches.
        hub.add_reader(self._reader, self._answer_calls)

    def on_apply(
        self,
        target: Any,
        args: Sequence[Any] = (),
        kwargs: Any = None,
        callback: Any = None,
        accept_callback: Any = None,
        **_: Any,
    ) -> None:
        _kind, _task_id, headers, body, *_rest = args
        call = Call(next(self._numbers), _doorbell(headers, body), time.monotonic(), callback)
        self._calls[call.number] = call
        self.window.named(call.doorbell.jobs)
        accept_callback(call.number, call.came_at)
        self._taken.append(call)
        if len(self._taken) == 1:
            self._loop.call_soon_threadsafe(self._hand_over)

    def terminate_job(self, pid: int, signal: Any = None) -> None:
        call = self._calls.get(pid)
        if call is not None:
            self._loop.call_soon_threadsafe(self._revoke, call)

    def grow(self, n: int = 1) -> None:
        self._resize(self.limit + n)

    def shrink(self, n: int = 1) -> None:
        self._resize(max(1, self.limit - n))

    def on_stop(self) -> None:
        self._in_loop(self.consumer.drain()).result()
        self._answer_calls()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DRAIN_SLACK_SECONDS)

    def on_terminate(self) -> None:
        self.on_stop()

    def _get_info(self) -> dict[str, Any]:
        return {**super()._get_info(), "bells": len(self._calls)}

    def _resize(self, limit: int) -> None:
        self.limit = limit
        self._loop.call_soon_threadsafe(self.consumer.resize, limit)

    def _hand_over(self) -> None:
        # Hands over every message received since the last iteration of the loop.
        while self._taken:
            call = self._taken.popleft()
            call.taken = self.consumer.take(call.doorbell)
            call.taken.done.add_done_callback(partial(self._answer_soon, call))

    def _revoke(self, call: Call) -> None:
        # `_hand_over` has run: it was scheduled on the loop before this.
        if call.taken is not None:
            self.consumer.revoke(call.taken)

    def _answer_soon(self, call: Call, _: "asyncio.Future[None]") -> None:
        self._answered.append(call)
        if len(self._answered) == 1:
            self._wake_hub()

    def _wake_hub(self) -> None:
        # Once awake, the hub also checks whether the window has room for more doorbells.
        with suppress(BlockingIOError):  # The pipe is full of wake-ups already.
            os.write(self._writer, b"!")

    def _answer_calls(self, *_: Any) -> None:
        with suppress(BlockingIOError):
            os.read(self._reader, 4096)
        while self._answered:
            call = self._answered.popleft()
            self._calls.pop(call.number, None)
            tally = {} if call.taken is None else call.taken.tally
            failed, result = answer_of(tally, call.doorbell.jobs)
            call.answer((failed, result, time.monotonic() - call.came_at))

    def _in_loop(self, work: Any) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)


def _doorbell(headers: dict[str, object], body: bytes | str) -> Doorbell:
    # A message that isn't a doorbell is acknowledged and dropped, and the worker goes on.
    try:
        return read(headers, body)
    except ValueError:
        logger.warning("dropped a message that is not a doorbell")
        return Doorbell(0, ())


def pool_of(consumer: Consumer, window: Window) -> type[CoroutinePool]:
    """The pool class for Celery, bound to this consumer and window."""
    return type("CoroutinePool", (CoroutinePool,), {"consumer": consumer, "window": window})
