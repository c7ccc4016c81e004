"""SQLAlchemy's sessions keep the walls between tenants, and use and lose connections as everything else does."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped

from infrastructure.ports import Unavailable, Unstorable
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tables import metadata
from infrastructure.postgres.tables.webhooks import webhooks
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.sessions import TenantSession, TenantSessions
from tests.waiting import wait_until

SOON_SECONDS = 60.0
SIZE = 3
Story = Callable[[TenantPool, TenantSessions], Awaitable[None]]
ALL_OWNERS = select(webhooks.c.tenant_id)


def test_a_forgotten_where_finds_and_changes_no_other_tenants_rows(database_url: str) -> None:
    owner, stranger = uuid4(), uuid4()

    async def spoil(session: TenantSession) -> int:
        connection = await session.connection()
        changed = await connection.execute(update(webhooks).values(description="spoiled"))
        return changed.rowcount + (await connection.execute(delete(webhooks))).rowcount

    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        await sessions.run(owner, lambda session: _add(session, owner))
        for tenant_id, found in ((stranger, []), (owner, [owner]), (stranger, [])):
            assert await sessions.run(tenant_id, _owners) == found
        assert await sessions.run(stranger, spoil) == 0
        assert await sessions.run(owner, _owners) == [owner]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await sessions.run(stranger, lambda session: _add(session, owner))

    _run(database_url, story)


class Stored(DeclarativeBase):
    metadata = metadata


class Hook(Stored):
    __table__ = webhooks
    # A tenant's role has rights to single columns here, and a mapped class asks for each that it has.
    __mapper_args__ = {"include_properties": ["id", "tenant_id", "url", "types", "description"]}  # noqa: RUF012 -- SQLAlchemy declares it as it is

    id: Mapped[UUID]
    tenant_id: Mapped[UUID]
    url: Mapped[str]
    types: Mapped[list[str]]
    description: Mapped[str]


def test_a_mapped_class_is_kept_and_changed_in_its_own_tenants_session_only(database_url: str) -> None:
    owner, hook_id = uuid4(), uuid4()

    async def add(session: TenantSession) -> None:
        session.add(Hook(id=hook_id, tenant_id=owner, url="https://one", types=["*"]))

    async def describe(session: TenantSession) -> bool:
        hook = await session.get(Hook, hook_id)
        if hook is not None:
            hook.description += "described"
        return hook is not None

    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        await sessions.run(owner, add)
        assert [await sessions.run(tenant_id, describe) for tenant_id in (owner, uuid4())] == [True, False]
        assert await lines.run(owner, _descriptions) == ["described"]

    _run(database_url, story)


def test_a_session_without_its_tenant_finds_nothing(database_url: str) -> None:
    owner = uuid4()

    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        await sessions.run(owner, lambda session: _add(session, owner))
        engine = _connection(lines).engine
        assert engine is not None
        async with AsyncSession(engine) as unbound:
            assert (await unbound.scalars(ALL_OWNERS)).all() == []

    _run(database_url, story)


def test_a_broken_connection_is_an_outage_once_and_heals(database_url: str) -> None:
    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        before = await sessions.run(uuid4(), _session_number)
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (before,))
        with pytest.raises(Unavailable):
            await sessions.run(uuid4(), _session_number)
        assert await sessions.run(uuid4(), _session_number) != before

    _run(database_url, story)


@pytest.mark.parametrize("forgetting", ["DISCARD ALL", "DEALLOCATE ALL"])
def test_a_question_is_asked_once_more_where_the_session_has_forgotten(database_url: str, forgetting: str) -> None:
    owner = uuid4()

    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        await sessions.run(owner, lambda session: _add(session, owner))
        assert await sessions.run(owner, _owners) == [owner]
        await lines._sessions[0].run(lambda connection: connection.execute(forgetting.encode(), prepare=False))
        assert await sessions.run(uuid4(), _owners) == []
        assert await sessions.run(owner, _owners) == [owner]

    _run(database_url, story)


def test_what_postgresql_cant_hold_is_its_callers_affair_and_costs_no_session(database_url: str) -> None:
    async def divide(session: TenantSession) -> None:
        await session.scalar(select(literal(1) / 0))

    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        before = await sessions.run(uuid4(), _session_number)
        with pytest.raises(Unstorable):
            await sessions.run(uuid4(), divide)
        assert await sessions.run(uuid4(), _session_number) == before

    _run(database_url, story)


def test_a_call_that_is_given_up_leaves_a_line_that_can_be_used(database_url: str) -> None:
    async def sleep(session: TenantSession) -> None:
        await session.execute(select(func.pg_sleep(60)))

    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        asking = asyncio.create_task(sessions.run(uuid4(), sleep))
        await asyncio.to_thread(wait_until, lambda: _asleep(database_url), "PostgreSQL is at it")
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        assert await sessions.run(uuid4(), _owners) == []

    _run(database_url, story)


def test_both_ways_to_ask_are_in_one_transaction_that_holds_or_falls(database_url: str) -> None:
    owner = uuid4()

    async def add_and_count(session: TenantSession) -> int:
        await _add(session, owner)
        row = await (await session.driver.execute("SELECT count(*) FROM webhooks")).fetchone()
        assert row is not None
        return int(row[0])

    async def add_and_fail(session: TenantSession) -> None:
        await add_and_count(session)
        raise ZeroDivisionError

    async def by_the_driver_alone(session: TenantSession) -> None:
        await session.driver.execute("UPDATE webhooks SET description = 'kept'")

    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        with pytest.raises(ZeroDivisionError):
            await sessions.run(owner, add_and_fail)
        assert await sessions.run(owner, add_and_count) == 1
        await sessions.run(uuid4(), by_the_driver_alone)
        assert _connection(lines).info.transaction_status == TransactionStatus.IDLE
        await sessions.run(owner, by_the_driver_alone)
        assert await lines.run(owner, _descriptions) == ["kept"]

    _run(database_url, story)


def test_a_session_that_was_kept_or_ended_early_asks_nothing_more(database_url: str) -> None:
    kept: list[TenantSession] = []

    async def keep(session: TenantSession) -> None:
        kept.append(session)

    async def end_early(session: TenantSession) -> None:
        await session.commit()
        await session.scalars(ALL_OWNERS)

    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        await sessions.run(uuid4(), keep)
        with pytest.raises(InvalidRequestError, match="permanently closed"):
            await kept[0].scalars(ALL_OWNERS)
        with pytest.raises(InvalidRequestError, match="closed transaction"):
            await sessions.run(uuid4(), end_early)
        assert await sessions.run(uuid4(), _owners) == []

    _run(database_url, story)


def test_a_quiet_process_holds_one_connection_and_a_busy_one_no_more_than_its_lines(database_url: str) -> None:
    async def story(lines: TenantPool, sessions: TenantSessions) -> None:
        for _ in range(3):
            await sessions.run(uuid4(), _owners)
            await lines.run(uuid4(), _descriptions)
        assert _open(database_url) == 1
        await asyncio.gather(*[sessions.run(uuid4(), _owners) for _ in range(30)])
        assert _open(database_url) <= SIZE

    _run(database_url, story, size=SIZE)


def _run(database_url: str, story: Story, *, size: int = 1) -> None:
    async def run() -> None:
        async with asyncio.timeout(SOON_SECONDS), TenantPool(database_url, "test", size) as lines:
            await story(lines, TenantSessions(lines))

    asyncio.run(run())
    gc.collect()  # What SQLAlchemy or psycopg found left open it says now.


async def _add(session: TenantSession, tenant_id: UUID) -> None:
    await session.execute(insert(webhooks).values(id=uuid4(), tenant_id=tenant_id, url="https://one", types=["*"]))


async def _owners(session: TenantSession) -> list[UUID]:
    return list((await session.scalars(ALL_OWNERS)).all())


async def _session_number(session: TenantSession) -> int:
    found: int = (await session.execute(select(func.pg_backend_pid()))).scalar_one()
    return found


async def _descriptions(connection: Connection) -> list[Any]:
    return [row[0] for row in await (await connection.execute("SELECT description FROM webhooks")).fetchall()]


def _connection(lines: TenantPool) -> Connection:
    connection = lines._sessions[0]._connection
    assert connection is not None
    return connection


def _asleep(database_url: str) -> bool:
    with psycopg.connect(database_url) as other:
        found = other.execute("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        return found.fetchone() is not None


def _open(database_url: str) -> int:
    with psycopg.connect(database_url) as other:
        found = other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        ).fetchone()
        assert found is not None
        return int(found[0])
