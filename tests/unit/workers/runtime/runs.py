"""A claimed job, and the command and event types of the tests in this folder."""

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from events.envelope import DomainEvent
from infrastructure.postgres.jobs.claim import Claimed
from schemas.commands import Command
from schemas.jobs import Progress

JOB, TENANT, TOKEN = UUID(int=1), UUID(int=2), UUID(int=3)


class Brew(Command):
    kind: ClassVar[str] = "kitchen.brew"
    queue: ClassVar[str] = "workflow"
    version: ClassVar[int] = 2
    max_attempts: ClassVar[int] = 3
    cups: int = 1

    @classmethod
    def upcast(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        return {"cups": fields["mugs"]} if version < 2 else fields


class Brewed(DomainEvent):
    type: ClassVar[str] = "kitchen.brewed"
    notes: tuple[str, ...] = ()


def claimed(**differently: Any) -> Claimed:
    """A claimed first attempt at a Brew."""
    usual: dict[str, Any] = {
        "id": JOB,
        "tenant_id": TENANT,
        "kind": Brew.kind,
        "version": Brew.version,
        "attempt": 1,
        "max_attempts": Brew.max_attempts,
        "crashes": 0,
        "token": TOKEN,
        "command": Brew(cups=2).model_dump_json(),
        "deadline": None,
        "due_at": datetime.now(UTC),
        "correlation_id": None,
        "traceparent": None,
        "priority": 5,
        "troubled_since": None,
        "claimed_at": datetime.now(UTC),
    }
    return Claimed(**(usual | differently))


class KeptOutputs:
    """Keeps what an attempt puts out."""

    def __init__(self) -> None:
        self.reports: list[Progress] = []
        self.recorded: list[DomainEvent] = []
        self.written: list[str] = []

    def report(self, claimed: Claimed, progress: Progress, at: datetime) -> None:
        self.reports.append(progress)

    async def record(self, claimed: Claimed, event: DomainEvent) -> None:
        self.recorded.append(event)

    async def times_recorded(self, claimed: Claimed, event: type[DomainEvent]) -> int:
        return sum(type(one) is event for one in self.recorded)

    def write(self, claimed: Claimed, text: str, section: int, offset: int, at: datetime) -> None:
        self.written.append(text)

    def expect_text(self, claimed: Claimed) -> None:
        return

    def holds_text(self, claimed: Claimed) -> bool:
        return False

    async def send_text(self, claimed: Claimed) -> None:
        raise AssertionError("it holds none")

    def end(self, claimed: Claimed) -> None:
        self.written.clear()
