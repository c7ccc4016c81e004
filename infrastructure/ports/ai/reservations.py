"""The port of limits and budgets: one atomic reservation before each attempt, settled after it."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID

from infrastructure.ports.ai.response import RateLimits


class BudgetScope(StrEnum):
    DAY = "day"
    MONTH = "month"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Demand:
    """What an attempt needs at most."""

    attempt_id: UUID
    """Of the ledger's row; reserving twice for the same attempt reserves once."""
    tenant_id: UUID
    job_id: UUID | None
    provider: str
    model: str
    key_id: str
    """Names the credential without telling it: its own limits count for it. See `Credential`."""
    input_tokens: int
    output_tokens: int
    dollars: Decimal
    job_attempt: int | None = None
    """What earlier runs spent is read from the ledger, at each run's first call."""
    job_limit: Decimal | None = None
    """What the job may spend over all its attempts."""
    to_come: Decimal = Decimal(0)
    """What the job's further calls need at most: kept free in the tenant's budget for it, once it has begun."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """The attempt may be made. Settle it, or it counts for half an hour: then the ledger says what it cost."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class Throttled:
    """The key's limits have no room now."""

    dimension: Literal["requests", "tokens", "input_tokens", "output_tokens", "turn", "cooldown"]
    """`turn`: another tenant's call is before this one. `cooldown`: the provider said when."""
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class OverBudget:
    scope: BudgetScope
    limit: Decimal
    spent: Decimal
    reserved: Decimal
    """By calls under way."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """The job hasn't begun, and what the tenant's budget has left may be needed by jobs that have."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """A part of a budget that was reached by a settlement, the highest one; all of it when a call is refused for it."""

    scope: BudgetScope
    percent: Literal[50, 80, 100]
    spent: Decimal
    limit: Decimal


class Reservations(Protocol):
    """Shared by all processes, in Redis; what was spent is read from PostgreSQL when Redis doesn't know it (any more).

    Raises Unavailable while Redis is away: without it nothing is spent.
    """

    async def reserve(self, demand: Demand) -> Reserved | Throttled | OverBudget | NotYet: ...

    async def settle(
        self, demand: Demand, *, input_tokens: int, output_tokens: int, dollars: Decimal
    ) -> tuple[Crossed, ...]:
        """Puts what was used in place of what was reserved. Where the cost isn't known, settle what was reserved."""
        ...

    async def release(self, demand: Demand) -> None:
        """Nothing was sent."""
        ...

    async def observe(
        self, provider: str, key_id: str, limits: RateLimits, *, throttled_for_seconds: float | None = None
    ) -> None:
        """What the provider's answer said is left to the key; a refusal for coming too fast halves its rate."""
        ...
