"""The port of budgets: what a tenant and a job may spend, and what they have spent so far."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Budget:
    """A tenant's limits, in US dollars. None: no limit."""

    day: Decimal | None = None
    month: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """By the ledger."""

    day: Decimal
    """What ended today; whose cost isn't known counts with what was reserved for it."""
    month: Decimal
    open: tuple[tuple[UUID, Decimal], ...]
    """The attempts under way, with what is reserved for each: they aren't in the two above."""


class Budgets(Protocol):
    """In PostgreSQL. Raises Unavailable when that can't be reached."""

    async def of(self, tenant_id: UUID) -> Budget:
        """A change is known within two seconds."""
        ...

    async def spent(self, tenant_id: UUID) -> Spent: ...

    async def spent_by_job(self, tenant_id: UUID, job_id: UUID) -> Decimal:
        """By all its runs so far; attempts whose cost isn't known count with what was reserved for them."""
        ...
