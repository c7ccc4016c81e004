"""The port of the ledger: every attempt at a call, written down before it is made."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from infrastructure.ports.ai.answers import PaidAnswer
from infrastructure.ports.ai.request import Lane
from infrastructure.ports.ai.response import UNKNOWN_USAGE, Usage

SUCCEEDED = "succeeded"
CACHED = "cached"
SHARED = "shared"
ABANDONED = "abandoned"
"""We gave it up: a cancelled job, or a worker that was told to stop."""


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """An attempt that is about to be made."""

    id: UUID
    """A uuid7."""
    tenant_id: UUID
    job_id: UUID | None
    job_attempt: int | None
    kind: str | None
    """Of the job."""
    purpose: str
    section: int | None
    prompt: str | None
    prompt_version: int | None
    provider: str
    model: str
    lane: Lane
    own_key: bool
    reserved_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt went. Ending it again changes nothing."""

    id: UUID
    outcome: str
    """SUCCEEDED, CACHED, SHARED, ABANDONED, or the class of the error."""
    accepted: bool
    usage: Usage = UNKNOWN_USAGE
    cost_usd: Decimal | None = None
    """None when nobody knows it. 0 for what certainly cost nothing."""
    price_source: str | None = None
    shadow_usd: Decimal | None = None
    status: int | None = None
    error_code: str | None = field(default=None, repr=False)
    request_id: str | None = None
    served_model: str | None = None
    served_tier: str | None = None
    finish_reason: str | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None


@dataclass(frozen=True, slots=True)
class JobSpending:
    """What a job's attempts cost so far; those whose cost is unknown count with what was reserved for them."""

    dollars: Decimal
    unpriced: int
    known_dollars: Decimal
    """Of those whose cost is known, alone."""
    calls: int
    """Attempts that went to a provider, or began to."""
    cached: int
    """Answers that cost nothing: from the cache, or shared with another call."""


class Ledger(Protocol):
    """In PostgreSQL. Every call raises Unavailable when that can't be reached, and is safe to repeat."""

    async def begin(self, attempt: NewAttempt) -> None:
        """Returns once it is committed: no provider is called before."""
        ...

    async def end(self, attempt: NewAttempt, end: AttemptEnd, paid: PaidAnswer | None = None) -> None:
        """Ends it, and adds its cost to what the tenant used today and this month. Of an attempt that was never begun, such
        as an answer from the cache, it writes the whole row. In the same commit it keeps the answer for the job's next run:
        see `PaidAnswers`. One that is too long isn't kept."""
        ...

    async def spent_by_job(self, tenant_id: UUID, job_id: UUID) -> JobSpending: ...

    async def attempts_of_job(self, tenant_id: UUID, job_id: UUID) -> tuple[tuple[NewAttempt, AttemptEnd | None], ...]:
        """In order, at most 200; None: under way, or lost."""
        ...
