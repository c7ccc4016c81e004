"""Where a run's progress, events and text go."""

from datetime import datetime
from typing import Protocol

from events.ai import SectionCompleted, SectionReset
from events.envelope import DomainEvent
from infrastructure.postgres.jobs.claim import Claimed
from schemas.jobs import Progress
from workers.runtime.running.live_text import LiveText
from workers.runtime.running.notifier import Notifier
from workers.runtime.running.recorder import Recorder


class Outputs(Protocol):
    """Where a run's progress, events and text go."""

    def report(self, claimed: Claimed, progress: Progress, at: datetime) -> None: ...

    async def record(self, claimed: Claimed, event: DomainEvent) -> None: ...

    async def times_recorded(self, claimed: Claimed, event: type[DomainEvent]) -> int: ...

    def write(self, claimed: Claimed, text: str, section: int, offset: int, at: datetime) -> None: ...

    def expect_text(self, claimed: Claimed) -> None:
        """Some is about to be written."""
        ...

    def holds_text(self, claimed: Claimed) -> bool: ...

    async def send_text(self, claimed: Claimed) -> None:
        """Sends the text that waits for its interval, before the run's end is published."""
        ...

    def end(self, claimed: Claimed) -> None: ...


class RunOutputs:
    """One per worker, for all its runs."""

    def __init__(self, notifier: Notifier, recorder: Recorder, live_text: LiveText) -> None:
        self._notifier = notifier
        self._live_text = live_text
        self._recorder = recorder

    def report(self, claimed: Claimed, progress: Progress, at: datetime) -> None:
        self._notifier.report(claimed, progress, at)

    async def record(self, claimed: Claimed, event: DomainEvent) -> None:
        await self._live_text.flush(claimed)
        await self._recorder.record(claimed, event)
        match event:
            case SectionReset(section=section):
                self._live_text.reset(claimed, section)
            case SectionCompleted(section=section):
                self._live_text.complete(claimed, section)

    async def times_recorded(self, claimed: Claimed, event: type[DomainEvent]) -> int:
        return await self._recorder.times_recorded(claimed, event)

    def write(self, claimed: Claimed, text: str, section: int, offset: int, at: datetime) -> None:
        self._live_text.write(claimed, text, section, offset, at)

    def expect_text(self, claimed: Claimed) -> None:
        self._live_text.expect(claimed)

    def holds_text(self, claimed: Claimed) -> bool:
        return self._live_text.holds(claimed)

    async def send_text(self, claimed: Claimed) -> None:
        await self._live_text.flush(claimed)

    def end(self, claimed: Claimed) -> None:
        self._live_text.end(claimed)
