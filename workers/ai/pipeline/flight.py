"""A call under way that several of one process wait for: what the model wrote so far, and how it ends."""

import asyncio
from enum import StrEnum

from workers.ai.pipeline.call import Listener, ModelReply


class Ended(StrEnum):
    """A flight that brought no answer."""

    FAILED = "failed"
    """Whoever followed asks for itself."""
    ABANDONED = "abandoned"
    """Its leader was cancelled: another takes over."""


class Flight:
    """The leader writes into it as a `Listener`, and passes on to its own."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._pieces: list[str] = []
        self._restarts: list[tuple[str, str]] = []
        self._outcome: ModelReply | Ended | None = None
        self._changed = asyncio.Event()

    def write(self, delta: str) -> None:
        self._pieces.append(delta)
        if self._listener is not None:
            self._listener.write(delta)
        self._wake()

    async def restart(self, model: str, error_class: str) -> None:
        self._pieces.clear()
        self._restarts.append((model, error_class))
        self._wake()
        if self._listener is not None:
            await self._listener.restart(model, error_class)

    def end(self, outcome: ModelReply | Ended) -> None:
        self._outcome = outcome
        self._wake()

    async def follow(self, listener: Listener | None) -> ModelReply | Ended:
        """The flight's end. The listener gets everything from the beginning, as it comes."""
        seen = restarts = 0
        while True:
            while restarts < len(self._restarts):
                if listener is not None and seen:
                    await listener.restart(*self._restarts[restarts])
                restarts, seen = restarts + 1, 0
            if listener is not None and seen < len(self._pieces):
                listener.write("".join(self._pieces[seen:]))
            seen = len(self._pieces)
            if self._outcome is not None:
                return await self._landed(self._outcome, listener, seen)
            await self._changed.wait()

    async def _landed(self, outcome: ModelReply | Ended, listener: Listener | None, seen: int) -> ModelReply | Ended:
        if listener is None:
            return outcome
        if isinstance(outcome, Ended):
            if seen:
                await listener.restart("", outcome.value)
        elif not seen:
            listener.write(outcome.text)  # Nobody read along when the leader began.
        return outcome

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
