"""A ledger in memory, for tests that concern Redis: what was begun and what was ended."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from infrastructure.ports.ai.budgets import Budget, Spent
from infrastructure.ports.ai.reservations import Demand
from infrastructure.redis import client
from infrastructure.redis.models.reservations import RedisReservations

TENANT, OTHER_TENANT = UUID(int=1), UUID(int=2)


@dataclass(slots=True)
class Book:
    """See `Budgets`."""

    budget: Budget = field(default_factory=Budget)
    begun: dict[UUID, Decimal] = field(default_factory=dict)
    ended: dict[UUID, Decimal] = field(default_factory=dict)
    times_read: int = 0

    @property
    def total(self) -> Decimal:
        return sum(self.ended.values(), Decimal(0))

    async def of(self, tenant_id: UUID) -> Budget:
        return self.budget

    async def spent(self, tenant_id: UUID) -> Spent:
        self.times_read += 1
        return Spent(self.total, self.total, tuple(self.begun.items()))

    async def spent_by_job(self, tenant_id: UUID, job_id: UUID) -> Decimal:
        return self.total + sum(self.begun.values(), Decimal(0))

    def begin(self, demand: Demand) -> None:
        self.begun[demand.attempt_id] = demand.dollars

    def end(self, demand: Demand, dollars: Decimal) -> None:
        del self.begun[demand.attempt_id]
        self.ended[demand.attempt_id] = dollars


def demand(dollars: str = "0.01", **fields: Any) -> Demand:
    given = {
        "attempt_id": uuid4(),
        "tenant_id": TENANT,
        "job_id": None,
        "provider": "openai",
        "model": "gpt-6-luna",
        "key_id": "deployment",
        "input_tokens": 100,
        "output_tokens": 100,
        "dollars": Decimal(dollars),
    }
    return Demand(**{**given, **fields})


@asynccontextmanager
async def reservations_of(redis_url: str, book: Book, count: int = 1) -> AsyncIterator[list[RedisReservations]]:
    """Each with a connection of its own, as in a process of its own."""
    async with AsyncExitStack() as stack:
        clients = [client.connect(redis_url) for _ in range(count)]
        for each in clients:
            stack.push_async_callback(each.aclose)
        yield [RedisReservations(each, book) for each in clients]
