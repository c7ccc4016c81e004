"""What a session of PostgreSQL's forgets, or was never given, costs nobody their requests and opens no wall."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from infrastructure.ports import Unavailable
from infrastructure.postgres import binary
from infrastructure.postgres.prepared import Prepared, Rows, fetch, fetch_together
from infrastructure.postgres.session import Connection, PostgresSession, Role, SessionChanged
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.workers import Heart
from tests.integration.serving import DOCUMENT, PROCESS, Tenant, World
from tests.waiting import wait_until

BATCH = "/api/jobs/batch"
JOB = {"kind": "ai.process_document", "command": DOCUMENT}
PLUS_ONE = Prepared("plus_one", "SELECT 1 + %(bigint)b::int8")
FORGETTING = ("DISCARD ALL", "DEALLOCATE ALL")


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant()


def test_a_refused_batch_leaves_every_later_submission_as_it_was(world: World, tenant: Tenant) -> None:
    with world.http(tenant) as http:
        assert _submit(http) == 202
        assert _submit(http, key="one") == 202
        twice = {**JOB, "idempotency_key": "same"}
        other = {**twice, "command": {**DOCUMENT, "title": "Another"}}
        assert http.post(BATCH, json={"jobs": [twice, other], "atomic": True}).status_code == 422
        assert [_submit(http), _submit(http, key="two"), _submit(http, key="one")] == [202, 202, 202]
        assert http.get("/readyz").json()["status"] == "ready"


def test_who_may_not_keep_a_job_is_not_ready_and_is_again_as_soon_as_it_may(world: World, tenant: Tenant) -> None:
    with world.http(tenant) as http:
        assert (_submit(http), http.get("/readyz").status_code) == (202, 200)
        world.database.execute("REVOKE INSERT ON jobs FROM bucatini_submit")
        assert _submit(http) == 500
        refused = wait_until(lambda: _unless_ready(http), "it says so, within a second")
        assert [part["state"] for part in refused["parts"] if part["name"] == "postgres"] == ["failed"]
        world.database.execute("GRANT INSERT ON jobs TO bucatini_submit")
        assert _submit(http) == 202
        wait_until(lambda: not _unless_ready(http), "it is ready again")


def _unless_ready(http: httpx.Client) -> Any:
    ready = http.get("/readyz")
    return None if ready.status_code == 200 else ready.json()


def _submit(http: httpx.Client, *, key: str | None = None) -> int:
    headers: dict[str, Any] = {} if key is None else {"idempotency-key": key}
    return http.post(PROCESS, json=DOCUMENT, headers=headers).status_code


def test_a_rollback_costs_a_session_nothing_that_it_has_prepared(database_url: str) -> None:
    async def story(session: PostgresSession) -> None:
        async def work(connection: Connection) -> None:
            await _plus_one(connection)
            await connection.execute("SELECT 'by psycopg'")

        await session.run(work)
        before = await session.run(_prepared_statements)
        with pytest.raises(ZeroDivisionError):
            await session.run(_failing_in_a_transaction)
        assert await session.run(_prepared_statements) == before

    _tell(database_url, story)


def test_a_statement_that_fails_often_is_prepared_once(database_url: str) -> None:
    async def divide(connection: Connection) -> None:
        await connection.execute("SELECT 1 / %s", (0,))

    async def story(session: PostgresSession) -> None:
        for _ in range(3):
            with pytest.raises(Exception, match="can't hold a value"):
                await session.run(divide)
        # The question itself is the other one.
        assert len(await session.run(_prepared_statements)) == 1

    _tell(database_url, story)


@pytest.mark.parametrize("forgetting", FORGETTING)
@pytest.mark.parametrize("together", [1, 2])
def test_who_finds_the_statements_forgotten_leaves_a_session_that_knows_them(
    database_url: str, forgetting: str, together: int
) -> None:
    calls = [PLUS_ONE(bigint=binary.bigint(1))] * together

    async def ask(connection: Connection) -> list[Rows]:
        return await fetch_together(connection, *calls)

    async def story(session: PostgresSession) -> None:
        assert await session.run(ask) == [[(2,)]] * together
        await session.run(lambda connection: connection.execute(forgetting.encode(), prepare=False))
        with pytest.raises(SessionChanged):
            await session.run(ask)
        assert await session.run(ask) == [[(2,)]] * together
        assert await session.run(_role) == Role.SYSTEM

    _tell(database_url, story)


@pytest.mark.parametrize("forgetting", FORGETTING)
def test_a_tenants_question_is_asked_once_more_where_the_session_has_forgotten(
    database_url: str, forgetting: str
) -> None:
    async def story() -> None:
        async with TenantPool(database_url, "test", 1) as lines:
            assert await lines.run(uuid4(), _role) == Role.TENANT
            (line,) = lines._sessions
            await line.run(lambda connection: connection.execute(forgetting.encode(), prepare=False))
            assert await lines.run(uuid4(), _role) == Role.TENANT

    asyncio.run(story())


def test_a_tenants_transaction_has_the_tenants_role_whatever_the_session_has(database_url: str) -> None:
    async def story() -> None:
        async with TenantPool(database_url, "test", 1) as lines:
            (line,) = lines._sessions
            await line.run(lambda connection: connection.execute("SELECT set_config('role', 'none', false)"))
            assert await lines.run(uuid4(), _role) == Role.TENANT

    asyncio.run(story())


@pytest.mark.parametrize("mistake", ["SELECT no_such_column", "SELECT 1 / 0 FROM no_such_table", "LOCK TABLE jobs"])
def test_an_error_that_nobody_expected_ends_the_session(database_url: str, mistake: str) -> None:
    async def story(session: PostgresSession) -> None:
        options = await session.run(_session)
        with pytest.raises((psycopg.Error, Unavailable)):
            await session.run(lambda connection: connection.execute(mistake.encode()))
        assert await session.run(_session) != options

    _tell(database_url, story)


def test_tables_that_change_under_a_session_cost_it_one_answer(database_url: str) -> None:
    kettles = Prepared("kettles", "SELECT * FROM kettles")

    async def ask(connection: Connection) -> Rows:
        return await fetch(connection, kettles())

    async def story(session: PostgresSession) -> None:
        assert await session.run(ask) == [(1,)]
        other.execute("ALTER TABLE kettles ADD COLUMN name text")
        with pytest.raises(SessionChanged):
            await session.run(ask)
        assert await session.run(ask) == [(1, None)]

    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("CREATE TABLE kettles AS SELECT 1 AS id")
        other.execute("GRANT SELECT ON kettles TO bucatini_system")
        _tell(database_url, story)


def test_a_heart_whose_session_was_reset_beats_on(database_url: str) -> None:
    heart, worker_id = Heart(database_url), uuid4()
    heart.register(worker_id, "ai", "here", 1)
    for _ in range(8):  # psycopg prepares by itself what is asked often.
        assert heart.beat(worker_id)
    assert heart._connection is not None
    heart._connection.execute("DISCARD ALL")
    assert heart.beat(worker_id)
    heart.close()


def _tell(database_url: str, story: Callable[[PostgresSession], Awaitable[None]]) -> None:
    async def told() -> None:
        async with PostgresSession(database_url, Role.SYSTEM, "test") as session:
            await story(session)

    asyncio.run(told())


async def _plus_one(connection: Connection) -> Rows:
    return await fetch(connection, PLUS_ONE(bigint=binary.bigint(1)))


async def _failing_in_a_transaction(connection: Connection) -> None:
    async with connection.transaction():
        raise ZeroDivisionError


async def _prepared_statements(connection: Connection) -> list[Any]:
    statement = "SELECT name FROM pg_prepared_statements ORDER BY name"
    return await (await connection.execute(statement, prepare=False)).fetchall()


async def _role(connection: Connection) -> str:
    row = await (await connection.execute("SELECT current_user::text")).fetchone()
    return "" if row is None else str(row[0])


async def _session(connection: Connection) -> int:
    return connection.info.backend_pid
