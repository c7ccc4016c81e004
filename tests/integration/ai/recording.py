"""A tenant with what a worker that calls models writes down, and rows to look at."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from infrastructure.ports.ai.checkpoints import Checkpoints
from infrastructure.ports.ai.credentials import Credentials
from infrastructure.ports.ai.ledger import SUCCEEDED, AttemptEnd, Ledger, NewAttempt
from infrastructure.ports.ai.request import Lane
from infrastructure.ports.ai.response import TokenCounts, Usage
from infrastructure.postgres.ai.spending import Spending, spending_of
from infrastructure.postgres.session import Role, connect
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.usage import Amount
from infrastructure.settings import Settings
from infrastructure.wiring import keyring, model_records
from tests.tenancy import make_tenant

USAGE = Usage({"input_tokens": 100, "output_tokens": 20}, TokenCounts(100, 20))


def new_attempt(tenant_id: UUID, **fields: Any) -> NewAttempt:
    usual: dict[str, Any] = {
        "id": uuid7(),
        "tenant_id": tenant_id,
        "job_id": None,
        "job_attempt": None,
        "kind": "ai.generate_document",
        "purpose": "section",
        "section": None,
        "prompt": None,
        "prompt_version": None,
        "provider": "openai",
        "model": "gpt-5.5-mini",
        "lane": Lane.REALTIME,
        "own_key": False,
        "reserved_usd": Decimal("0.05"),
    }
    return NewAttempt(**{**usual, **fields})


def ended(attempt: NewAttempt, cost_usd: str | None = "0.01", **fields: Any) -> AttemptEnd:
    usual: dict[str, Any] = {
        "outcome": SUCCEEDED,
        "accepted": True,
        "usage": USAGE,
        "cost_usd": None if cost_usd is None else Decimal(cost_usd),
    }
    return AttemptEnd(attempt.id, **{**usual, **fields})


@dataclass
class Recording:
    """A tenant, and the worker's parts."""

    tenant_id: UUID
    settings: Settings
    ledger: Ledger
    credentials: Credentials
    checkpoints: Checkpoints
    pool: TenantPool

    async def attempt(self, cost_usd: str | None = "0.01", **fields: Any) -> NewAttempt:
        """One that was begun and ended. Fields of its end are prefixed `end_`."""
        own = {name: value for name, value in fields.items() if not name.startswith("end_")}
        new = new_attempt(self.tenant_id, **own)
        of_end = {name.removeprefix("end_"): value for name, value in fields.items() if name.startswith("end_")}
        await self.ledger.begin(new)
        await self.ledger.end(new, ended(new, cost_usd, **of_end))
        return new

    def another_tenant(self, **limits: Any) -> "Recording":
        """A new one, with the same worker's parts."""
        return replace(self, tenant_id=make_tenant(self.settings.database, **limits))

    def rows(self, columns: str, tenant_id: UUID | None = None) -> Sequence[Any]:
        statement = f"SELECT {columns} FROM ai_service_requests WHERE tenant_id = %s ORDER BY created_at, id"
        return self.execute(statement, tenant_id or self.tenant_id)

    def execute(self, statement: str, *parameters: Any) -> Sequence[Any]:
        with psycopg.connect(self.settings.database, autocommit=True) as connection:
            done = connection.execute(statement, parameters)
            return done.fetchall() if done.description else ()

    async def spending(self, tenant_id: UUID | None = None) -> Spending:
        wanted = tenant_id or self.tenant_id
        return await self.pool.run(wanted, lambda connection: spending_of(connection, wanted))

    async def amounts(self, tenant_id: UUID | None = None) -> tuple[Decimal, Decimal]:
        """What the tenant used today and this month."""
        wanted = tenant_id or self.tenant_id
        found = await self.pool.run(wanted, lambda connection: usage.amounts(connection, wanted))
        return found[Amount.AI_USD_A_DAY], found[Amount.AI_USD_A_MONTH]

    async def as_system(self, work: Any) -> Any:
        async with await connect(self.settings.database, Role.SYSTEM, "test") as connection:
            return await work(connection)


@asynccontextmanager
async def a_recording(settings: Settings, tenant_id: UUID) -> AsyncIterator[Recording]:
    async with keyring(settings) as sealer, model_records(settings, sealer) as records:
        yield Recording(tenant_id, settings, records.ledger, records.credentials, records.checkpoints, records.pool)
