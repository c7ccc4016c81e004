"""The ports of kept answers: the exact cache with who asks the same right now in another process, and what jobs have paid for."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A model's answer, as the cache keeps it."""

    text: str = field(repr=False)
    provider: str
    model: str
    served_model: str
    finish_reason: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class PaidAnswer:
    """An answer that is kept with the end of its attempt."""

    asked: str
    """What was asked, as a hash."""
    answer: KeptAnswer


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    answer: KeptAnswer
    is_own: bool
    """The job paid for it itself, in an earlier run; else another one of its tenant did."""


class Turn(StrEnum):
    """What a call does while no answer is kept."""

    LEAD = "lead"
    """It asks the model, for all that ask the same."""
    FOLLOW = "follow"
    """Another process asks: look again shortly."""
    ALONE = "alone"
    """The one that asked for all has failed: each asks for itself."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by its exact hash, and who asks."""

    tenant_id: UUID
    digest: bytes
    token: str
    """Of this process's call: the lease is held by it."""


class Answers(Protocol):
    """Answers by the exact hash of what was asked, sealed: nothing in Redis can be read. Bounded in number, size and time.
    No call raises: while Redis is away nothing is kept and each process leads."""

    async def join(self, question: Question) -> KeptAnswer | Turn:
        """The answer, or whose turn it is. Whoever leads holds a lease, which is renewed until it is handed back and ends by
        itself when its process dies."""
        ...

    async def land(self, question: Question, answer: KeptAnswer | None, *, failed: bool = False) -> None:
        """Keeps the answer and hands the lease back. Without an answer the next that asks leads, or each for itself if it has
        `failed`. Does nothing to another's lease."""
        ...


class PaidAnswers(Protocol):
    """In PostgreSQL, sealed, from the commit in which their attempts end until what they are for is a checkpoint, or the job
    has ended. The ledger keeps them."""

    async def of(self, tenant_id: UUID, job_id: UUID, asked: str) -> FoundAnswer | None:
        """None too for one that can't be opened. Unavailable when PostgreSQL or the tenant's key can't be reached."""
        ...
