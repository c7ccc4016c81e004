"""Where a run's progress, events and text go."""

from datetime import datetime

from events.envelope import DomainEvent
from infrastructure.postgres.jobs.claim import Claimed
from schemas.jobs import Progress
from workers.runtime.running.notifier import Notifier
from workers.runtime.running.recorder import Recorder


class RunOutputs:
    """One per worker, for all its runs."""

    def __init__(self, notifier: Notifier, recorder: Recorder) -> None:
        self._notifier = notifier
        self._recorder = recorder

    def report(self, claimed: Claimed, progress: Progress, at: datetime) -> None:
        self._notifier.report(claimed, progress, at)

    async def record(self, claimed: Claimed, event: DomainEvent) -> None:
        await self._recorder.record(claimed, event)

    async def times_recorded(self, claimed: Claimed, event: type[DomainEvent]) -> int:
        return await self._recorder.times_recorded(claimed, event)

    def write(self, claimed: Claimed, text: str, section: int, offset: int, at: datetime) -> None:
        """Nobody listens yet."""
