"""Tables through releases: both kinds of old database end alike, and a migration keeps nobody from working."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.ports import Unavailable
from infrastructure.postgres import migration
from infrastructure.postgres.migration import VersionRefused, migrate
from infrastructure.postgres.schema import WRITTEN_FOR
from infrastructure.postgres.session import Role, connect
from tests.forked import Ended, run
from tests.system import ROOT
from tests.waiting import wait_until

SHAPE = """
SELECT 'column', table_name || '.' || column_name, data_type || is_nullable || coalesce(column_default, '')
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'policy', tablename || '.' || policyname, coalesce(qual, '') || coalesce(with_check, '')
FROM pg_policies WHERE schemaname = 'public'
UNION ALL SELECT 'right', table_name || ' to ' || grantee, privilege_type
FROM information_schema.role_table_grants WHERE table_schema = 'public'
ORDER BY 1, 2, 3
"""
SUBMIT = """
INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command)
VALUES (gen_random_uuid(), gen_random_uuid(), 'any', 'ai', 'queued', 1, '{}')
"""
BEFORE = str(int(WRITTEN_FOR) - 1).zfill(4)


@pytest.fixture
def empty_database(postgres: PostgresServer) -> Iterator[str]:
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield postgres.url_of(name)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _read(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def _change(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def _open_transaction(url: str, statement: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url) as connection:
        connection.execute(statement)
        yield connection
        connection.rollback()


@pytest.mark.parametrize(
    "index_of_failures",
    ["WHERE fingerprint IS NOT NULL", "WHERE fingerprint IS NOT NULL AND state <> 'running'"],
    ids=["made before 0004 was changed", "made after"],
)
def test_databases_of_both_kinds_end_with_the_same_tables(
    empty_database: str, database_url: str, index_of_failures: str
) -> None:
    migrate(empty_database, "0007")
    _change(
        empty_database,
        "DROP INDEX jobs_failures",
        f"CREATE INDEX jobs_failures ON jobs (tenant_id, fingerprint, failed_at, id) {index_of_failures}",
    )

    assert migrate(empty_database) == WRITTEN_FOR

    assert _read(empty_database, SHAPE) == _read(database_url, SHAPE)
    ((definition,),) = _read(empty_database, "SELECT indexdef FROM pg_indexes WHERE indexname = 'jobs_failures'")
    assert "'running'" in definition


def test_an_index_whose_building_was_killed_is_built_by_the_next_migration(
    empty_database: str, database_url: str
) -> None:
    migrate(empty_database, "0007")
    _change(empty_database, "CREATE INDEX jobs_failures_new ON jobs (id)")

    migrate(empty_database)

    assert _read(empty_database, SHAPE) == _read(database_url, SHAPE)


@pytest.mark.parametrize(
    "version", [f"{number:04}" for number in range(int(migration.FIRST_UNDOABLE), int(WRITTEN_FOR) + 1)]
)
def test_a_migration_that_is_undone_and_done_again_leaves_the_same_tables(empty_database: str, version: str) -> None:
    before = f"{int(version) - 1:04}"
    migrate(empty_database, version)
    shape = _read(empty_database, SHAPE)

    assert migrate(empty_database, before) == before
    assert migrate(empty_database, version) == version

    assert _read(empty_database, SHAPE) == shape


def test_a_version_that_can_not_be_had_is_refused_with_the_reason_and_nothing_changes(database_url: str) -> None:
    shape = _read(database_url, SHAPE)
    with pytest.raises(VersionRefused, match="restore a backup"):
        migrate(database_url, "0003")
    with pytest.raises(VersionRefused, match=f"this release knows 0001 to {WRITTEN_FOR}"):
        migrate(database_url, "0815")

    assert _read(database_url, SHAPE) == shape


def test_an_index_is_built_while_others_write(empty_database: str) -> None:
    migrate(empty_database, "0007")
    with _open_transaction(empty_database, SUBMIT):
        migrating = _in_background(empty_database)
        wait_until(
            lambda: _read(
                empty_database, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%'"
            ),
            "the index is being built",
        )

        _change(empty_database, "SET lock_timeout = '1s'", SUBMIT)

    assert migrating.wait(timeout=120) == 0
    assert _read(empty_database, "SELECT version_num FROM alembic_version") == [(WRITTEN_FOR,)]


def test_two_migrations_at_once_do_not_lock_each_other(empty_database: str) -> None:
    migrate(empty_database, "0007")
    with _open_transaction(empty_database, SUBMIT):
        migrations = [_in_background(empty_database) for _ in range(2)]
        wait_until(
            lambda: _read(
                empty_database, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%'"
            ),
            "the index is being built",
        )
        both = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bucatini migration'"
        wait_until(lambda: _read(empty_database, both) == [(2,)], "the other one waits")

    assert [one.wait(timeout=120) for one in migrations] == [0, 0]


def test_tables_that_are_locked_are_not_waited_for_and_tried_again(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty_database, "0006")
    monkeypatch.setattr(migration, "LOCK_TRIES", 1)
    with _open_transaction(empty_database, "SELECT FROM schedules"):
        with pytest.raises(Unavailable, match="pg_stat_activity"):
            migrate(empty_database)
        assert _read(empty_database, "SELECT version_num FROM alembic_version") == [("0006",)]

    assert migrate(empty_database) == WRITTEN_FOR


def test_the_command_of_an_older_release_says_in_one_line_that_the_tables_are_newer(
    database_url: str, tmp_path: Path
) -> None:
    _change(
        database_url,
        "UPDATE alembic_version SET version_num = '9999'",
        "UPDATE schema_compatibility SET serves = '9998'",
    )
    refused = _migrate_command(database_url, tmp_path)
    _change(database_url, f"UPDATE schema_compatibility SET serves = '{WRITTEN_FOR}'")
    served = _migrate_command(database_url, tmp_path)

    assert refused.returncode == 1
    assert "9999" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert served.returncode == 0
    assert "serve it: nothing was done" in served.stdout


@pytest.mark.parametrize(
    "module", [("api",), ("producers.dispatcher",), ("workers.runtime", "ai")], ids=lambda one: one[0]
)
@pytest.mark.parametrize("version", [BEFORE, "9999"])
def test_a_process_refuses_tables_it_was_not_written_for(
    database_url: str, redis_url: str, tmp_path: Path, module: tuple[str, ...], version: str
) -> None:
    if version == BEFORE:
        migrate(database_url, BEFORE)
    else:
        _change(
            database_url,
            "UPDATE alembic_version SET version_num = '9999'",
            "UPDATE schema_compatibility SET serves = '9999'",
        )

    ended = _run(database_url, tmp_path, *module, REDIS_URL=redis_url, API_PORT="0")

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert version in ended.stderr
    assert WRITTEN_FOR in ended.stderr


def test_a_connection_to_tables_that_were_changed_meanwhile_is_refused(database_url: str) -> None:
    async def acts() -> None:
        async with await connect(database_url, Role.SYSTEM, "test") as connection:
            await connection.execute("SELECT 1 FROM jobs")

    asyncio.run(acts())
    migrate(database_url, BEFORE)

    with pytest.raises(Unavailable, match=f"{BEFORE}.*bucatini migrate"):
        asyncio.run(acts())


def _in_background(url: str) -> subprocess.Popen[bytes]:
    command = "import sys; from infrastructure.postgres.migration import migrate; migrate(sys.argv[1])"
    return subprocess.Popen([sys.executable, "-c", command, url], cwd=ROOT)


def _migrate_command(url: str, home: Path) -> Ended:
    return _run(url, home, "producers.cli", "migrate")


def _run(url: str, home: Path, *module: str, **environment: str) -> Ended:
    known = {"PATH": os.environ["PATH"], "DATABASE_URL": url, "BUCATINI_HOME": str(home), **environment}
    return run(*module, environment=known, folder=ROOT)
