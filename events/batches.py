"""Events of batches."""

from typing import ClassVar

from events.envelope import DomainEvent


class BatchCompleted(DomainEvent):
    """Every job of the batch has ended; fires once, with the number of jobs in each final state. It doesn't mean that they
    succeeded, and it doesn't fire again when one of them is replayed later."""

    type: ClassVar[str] = "batch.completed"

    total: int
    succeeded: int
    failed: int
    dead: int
    cancelled: int
