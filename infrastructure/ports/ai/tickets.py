"""The port of batch tickets: which batch of a provider a job's question waits in, over all the job's runs."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from infrastructure.ports.ai.ledger import NewAttempt


@dataclass(frozen=True, slots=True)
class Ticket:
    tenant_id: UUID
    job_id: UUID
    asked: str
    """What was asked, as a hash."""
    request_id: UUID
    """Its row in the ledger, and its name in the batch."""
    batch_id: str
    provider: str
    model: str
    own_key: bool
    reserved_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class LeftTicket:
    """One whose job has ended."""

    ticket: Ticket
    begun: NewAttempt
    """Its row in the ledger."""
    submitted_at: datetime


class BatchTickets(Protocol):
    """In PostgreSQL. Every call raises Unavailable when that can't be reached, and is safe to repeat."""

    async def of(self, tenant_id: UUID, job_id: UUID, asked: str) -> Ticket | None: ...

    async def keep(self, ticket: Ticket) -> None: ...

    async def forget(self, ticket: Ticket) -> None: ...

    async def left_over(self, limit: int) -> tuple[LeftTicket, ...]:
        """Of all tenants, the oldest first. For a minute nobody else is given them."""
        ...
