"""What happens to batches."""

from typing import ClassVar

from events.envelope import DomainEvent


class BatchCompleted(DomainEvent):
    """Every job of the batch has ended, each in one of these ways: once, when the last of them has. It doesn't mean that
    they succeeded, and a job that is replayed later doesn't make it come again."""

    type: ClassVar[str] = "batch.completed"

    total: int
    succeeded: int
    failed: int
    dead: int
    cancelled: int
