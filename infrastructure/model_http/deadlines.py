"""The deadlines of one call, each hard: whatever is waited for is cancelled at the next of them."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from infrastructure.ports.ai.errors import Phase
from infrastructure.ports.ai.request import Deadlines

T = TypeVar("T")


class DeadlinePassed(Exception):
    """`phase` says which."""

    def __init__(self, phase: Phase) -> None:
        super().__init__(phase.value)
        self.phase = phase


class CallClock:
    """Started with the call. Time that the caller takes between two waits counts towards the total only."""

    def __init__(self, deadlines: Deadlines, *, streamed: bool) -> None:
        self._now = asyncio.get_running_loop().time
        self._started_at = self._now()
        self._deadlines = deadlines
        self._total_at = self._started_at + deadlines.total_seconds
        # An answer that isn't streamed begins when it is complete: nothing but the total says how long that may take.
        self._first_token_at = self._started_at + (deadlines.first_token_seconds if streamed else float("inf"))
        self._waited_since_progress_seconds: float | None = None
        self._tokens, self._waited_for_them_seconds = 0, 0.0

    @property
    def seconds(self) -> float:
        return self._now() - self._started_at

    def progressed(self) -> None:
        """Text came, or another piece of the answer; a keep-alive is none."""
        self._waited_since_progress_seconds = 0.0

    def wrote(self, tokens: int) -> None:
        """So many pieces of a stream's text came. DeadlinePassed when they come too slowly."""
        self.progressed()
        self._tokens += tokens
        if self._waited_for_them_seconds < self._deadlines.rate_seconds:
            return
        if self._tokens < self._deadlines.min_tokens_a_second * self._waited_for_them_seconds:
            raise DeadlinePassed(Phase.RATE)
        self._tokens, self._waited_for_them_seconds = 0, 0.0

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """What it returns. DeadlinePassed, having cancelled it, when the next deadline passes first."""
        began_at = self._now()
        when, phase = self._next(began_at)
        scope = asyncio.timeout_at(when)
        try:
            async with scope:
                return await awaitable
        except TimeoutError:
            # A library's own is one too.
            if scope.expired():
                raise DeadlinePassed(phase) from None
            raise
        finally:
            if self._waited_since_progress_seconds is not None:
                waited_seconds = self._now() - began_at
                self._waited_since_progress_seconds += waited_seconds
                self._waited_for_them_seconds += waited_seconds

    def _next(self, now: float) -> tuple[float, Phase]:
        if self._waited_since_progress_seconds is None:
            soft = (self._first_token_at, Phase.FIRST_TOKEN)
        else:
            soft = (now + self._deadlines.idle_seconds - self._waited_since_progress_seconds, Phase.IDLE)
        return min(soft, (self._total_at, Phase.TOTAL))
