"""Batches concurrent calls: collects the items of many callers into one flush, and gives each caller its result."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from infrastructure.concurrency import watched

Item = TypeVar("Item")
Answer = TypeVar("Answer")

INTERVAL_SECONDS = 0.004
"""Between the starts of two large batches: under load it halves PostgreSQL's CPU."""
LARGE = 32
SHORTEST_INTERVAL_SECONDS = 0.002
"""Between batches after a small one, when the load is low: shorter, so that jobs wait less (docs/performance.md)."""
AHEAD_SECONDS = 0.016
"""How far batches may run ahead of their pace. Without it, calls at a low rate that happen to come within one interval
would wait for nothing."""
FULL = 200
"""Waiting items at which the next batch starts at once."""
MAX_IN_A_BATCH = 500
MAX_WAITING = 20_000


class Overloaded(Exception):
    """Too many items wait in this process. Try again shortly, or start another process."""


class Pace:
    """When the next batch may start: at once after a quiet moment, else an interval after the last one on average. The
    interval is shorter after a small batch."""

    def __init__(self) -> None:
        self._due_at = 0.0

    def rest_seconds(self) -> float:
        """Seconds until the next batch may start; zero or negative when it may start now."""
        return self._due_at - AHEAD_SECONDS - time.monotonic()

    def begin(self, items: int = LARGE) -> None:
        """Records that a batch of `items` starts now."""
        now = time.monotonic()
        interval = max(SHORTEST_INTERVAL_SECONDS, INTERVAL_SECONDS * min(1, items / LARGE))
        # Full batches don't wait for their time. What they ran ahead is forgiven, or the first that isn't full would
        # have to wait for all of it.
        self._due_at = min(max(self._due_at, now), now + AHEAD_SECONDS) + interval


class Batcher(Generic[Item, Answer]):
    """Flushes at once when idle; items that come during a flush share the next batch.

    `flush` gets up to MAX_IN_A_BATCH items and returns a result for each, in order; an exception among the results is
    raised to its caller alone, and one that `flush` raises to every caller of that batch.
    """

    def __init__(self, flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]], name: str) -> None:
        self._flush = flush
        self._name = name
        self._waiting: deque[tuple[Item, asyncio.Future[Answer] | None]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._full = asyncio.Event()
        self._pace = Pace()

    def put(self, item: Item) -> "asyncio.Future[Answer]":
        """Adds an item and returns a future of its result. Overloaded when too many wait already."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._append(item, answer)
        return answer

    def hand_in(self, item: Item) -> None:
        """Adds an item whose caller needs no result."""
        self._append(item, None)

    async def drain(self) -> None:
        """Returns when every item added so far has its result."""
        while self._runner is not None:
            await asyncio.wait([self._runner])

    def _append(self, item: Item, answer: "asyncio.Future[Answer] | None") -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded(f"{MAX_WAITING} wait in '{self._name}' already")
        self._waiting.append((item, answer))
        if self._runner is None:
            self._runner = watched.start(self._run(), name=f"batches of {self._name}")
        elif len(self._waiting) >= FULL:
            self._full.set()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._space_out()
                most = min(len(self._waiting), MAX_IN_A_BATCH)
                self._pace.begin(most)
                await self._send([self._waiting.popleft() for _ in range(most)])
        finally:
            self._runner = None

    async def _space_out(self) -> None:
        rest = self._pace.rest_seconds()
        if rest > 0 and len(self._waiting) < FULL:
            self._full.clear()
            try:
                async with asyncio.timeout(rest):
                    await self._full.wait()
            except TimeoutError:
                pass

    async def _send(self, batch: list[tuple[Item, "asyncio.Future[Answer] | None"]]) -> None:
        try:
            answers = await self._flush([item for item, _ in batch])
        except BaseException as error:
            # Whatever went wrong belongs to those who wait for this batch; the next batch starts afresh.
            for _, waiting in batch:
                if waiting is not None and not waiting.done():
                    waiting.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if waiting is None or waiting.done():
                continue
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)
