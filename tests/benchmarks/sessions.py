"""`python -m tests.benchmarks.sessions`: what the same call costs by psycopg and by SQLAlchemy, on the same connection.

Both in turn, so that whatever else the machine does meets both. The numbers are in docs/decisions/0018.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import insert

from infrastructure.local_stack.servers.postgres import postgres_server
from infrastructure.postgres.migration import migrate
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tables.webhooks import webhooks as table
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.sessions import TenantSession, TenantSessions
from infrastructure.postgres.webhooks import endpoints
from schemas.webhooks import Webhook

ROUNDS, CALLS = 30, 50
FIND = """SELECT id, url, types, description, created_at, paused_at, paused_because, failing_since
FROM webhooks WHERE tenant_id = %s AND id = %s"""
Call = Callable[[], Awaitable[object]]


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        postgres_server(Path(folder) / "postgres") as server,
    ):
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE sessions")
        migrate(server.url_of("sessions"))
        asyncio.run(_measure(server.url_of("sessions")))
    return 0


async def _measure(database_url: str) -> None:
    tenant_id, webhook_id = uuid4(), uuid4()
    async with TenantPool(database_url, "bench", 1) as lines:
        sessions = TenantSessions(lines)

        async def add(session: TenantSession) -> None:
            await session.execute(insert(table).values(id=webhook_id, tenant_id=tenant_id, url="https://one", types=[]))

        async def by_psycopg(connection: Connection) -> Webhook:
            return await _found(connection, tenant_id, webhook_id)

        async def by_sqlalchemy(session: TenantSession) -> Webhook | None:
            return await endpoints.find(session, tenant_id, webhook_id)

        async def nothing(_: object) -> None:
            return None

        await lines.run(tenant_id, nothing)  # Connects.
        print(f"the first call on a connection: {1e3 * await _seconds(lambda: sessions.run(tenant_id, add)):.1f} ms")
        ways: dict[str, Call] = {
            "psycopg, a webhook": lambda: lines.run(tenant_id, by_psycopg),
            "SQLAlchemy, a webhook": lambda: sessions.run(tenant_id, by_sqlalchemy),
            "psycopg, nothing": lambda: lines.run(tenant_id, nothing),
            "SQLAlchemy, nothing": lambda: sessions.run(tenant_id, nothing),
        }
        await _compare(ways)


async def _found(connection: Connection, tenant_id: UUID, webhook_id: UUID) -> Webhook:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(FIND, (tenant_id, webhook_id))
        return Webhook.model_validate(await cursor.fetchone())


async def _compare(ways: dict[str, Call]) -> None:
    """The median of the rounds: how long a call took, and how much of the process's own time it was."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, call in ways.items():
            wall, own = time.perf_counter(), time.process_time()
            for _ in range(CALLS):
                await call()
            took[name].append(((time.perf_counter() - wall) / CALLS, (time.process_time() - own) / CALLS))
    print(f"{ROUNDS} rounds of {CALLS} calls each in turn; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, rounds in took.items():
        wall, own = (1e6 * median(column) for column in zip(*rounds, strict=True))
        print(f"{name:>24}: {wall:6.0f} µs, {own:6.0f} µs of them our own processor time")


async def _seconds(call: Call) -> float:
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
