"""Celery's pool as coroutines: the hub's thread receives and hands over, one event loop does everything else."""

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import uvloop
from celery.concurrency.base import BasePool
from celery.worker import state

from infrastructure.celery.message import Doorbell, read
from infrastructure.celery.window import Window

DRAIN_SLACK_SECONDS = 10.0
"""What draining may take beyond its grace period, for settling what has ended."""
START_CHECK_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Taken(Protocol):
    """A doorbell whose jobs are a consumer's business."""

    @property
    def done(self) -> "asyncio.Future[None]":
        """Done when none of the jobs is this worker's business any more."""
        ...


class Consumer(Protocol):
    """What runs the jobs that a doorbell names. All of it is called on the pool's event loop."""

    async def start(self) -> None:
        """Returns when it can take doorbells, however long it has to wait for what it needs."""
        ...

    def take(self, doorbell: Doorbell) -> Taken: ...

    def revoke(self, bell: Any) -> None:
        """Cancels those of a taken bell's jobs that run here or wait here."""
        ...

    def resize(self, concurrency: int) -> None: ...

    async def drain(self) -> None:
        """Takes nothing more, lets what runs finish within the grace period, hands back the rest."""
        ...


@dataclass(slots=True)
class Call:
    """One message under way, by the number that Celery knows it by instead of a process id."""

    number: int
    doorbell: Doorbell
    came_at: float
    answer: Callable[[tuple[int, None, float]], None]
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
        self.window.tell(self._wake_hub)
        starting = self._in_loop(self.consumer.start())
        # It may wait for long, until what it needs is there; who is told to end meanwhile ends.
        while not starting.done():
            state.maybe_shutdown()
            wait([starting], timeout=START_CHECK_SECONDS)
        starting.result()

    def register_with_event_loop(self, hub: Any) -> None:
        # The hub's own `call_soon` may wait for its next poll, so answers come back through a descriptor it watches.
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
        # Every message that came since the last turn of the loop goes over in one.
        while self._taken:
            call = self._taken.popleft()
            call.taken = self.consumer.take(call.doorbell)
            call.taken.done.add_done_callback(partial(self._answer_soon, call))

    def _revoke(self, call: Call) -> None:
        # Handed over it has been: both were put on the loop's list, that first.
        if call.taken is not None:
            self.consumer.revoke(call.taken)

    def _answer_soon(self, call: Call, _: "asyncio.Future[None]") -> None:
        self._answered.append(call)
        if len(self._answered) == 1:
            self._wake_hub()

    def _wake_hub(self) -> None:
        # Awake, it looks whether there is room for more bells, too.
        with suppress(BlockingIOError):  # The pipe is full of wake-ups already.
            os.write(self._writer, b"!")

    def _answer_calls(self, *_: Any) -> None:
        with suppress(BlockingIOError):
            os.read(self._reader, 4096)
        while self._answered:
            call = self._answered.popleft()
            self._calls.pop(call.number, None)
            call.answer((0, None, time.monotonic() - call.came_at))

    def _in_loop(self, work: Any) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)


def _doorbell(headers: dict[str, object], body: bytes | str) -> Doorbell:
    # A message that isn't ours names no job: it is answered and gone, and the worker goes on.
    try:
        return read(headers, body)
    except ValueError:
        logger.warning("a message on the queue is no doorbell; it is dropped")
        return Doorbell(0, ())


def pool_of(consumer: Consumer, window: Window) -> type[CoroutinePool]:
    """The pool class as Celery wants it, with our consumer in it and the window that it keeps."""
    return type("CoroutinePool", (CoroutinePool,), {"consumer": consumer, "window": window})
