"""The tables as they are declared and as the migrations make them are the same, down to each index and default."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg import sql

from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.postgres.tables import OWNER, metadata

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity,
  k.collname, col_description(a.attrelid, a.attnum)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
LEFT JOIN pg_collation k ON k.oid = a.attcollation
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
  AND c.relname <> 'alembic_version'
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND conrelid::regclass::text <> 'alembic_version'
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
STORAGE = """
SELECT relname, (SELECT array_agg(o ORDER BY o) FROM unnest(reloptions) o), obj_description(oid, 'pg_class') FROM pg_class
WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic_version%'
"""


@pytest.fixture
def declared(postgres: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    """A database made of the declarations alone."""
    name = sql.Identifier(f"declared_{uuid4().hex}")
    with psycopg.connect(postgres.url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        url = postgres.url_of(name.as_string().strip('"'))
        engine = _engine(url)
        metadata.create_all(engine)
        engine.dispose()
        with psycopg.connect(url) as connection:
            yield connection
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def migrated(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        yield connection


@pytest.mark.parametrize(
    "catalogue", [COLUMNS, CONSTRAINTS, INDEXES, STORAGE], ids=["columns", "rules", "indexes", "rest"]
)
def test_declared_and_migrated_tables_are_the_same(
    declared: psycopg.Connection[Any], migrated: psycopg.Connection[Any], catalogue: str
) -> None:
    wanted, found = (set(map(repr, one.execute(catalogue).fetchall())) for one in (declared, migrated))

    assert found - wanted == set(), "a migration made what no file in infrastructure/postgres/tables declares"
    assert wanted - found == set(), "no migration makes what is declared"


def test_alembic_finds_nothing_to_migrate(database_url: str) -> None:
    engine = _engine(database_url)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()

    assert found == []


def test_each_table_with_a_tenant_says_by_which_column_and_is_closed_to_the_others(
    migrated: psycopg.Connection[Any],
) -> None:
    policies = dict(
        migrated.execute(
            "SELECT tablename, qual FROM pg_policies WHERE policyname = 'own' AND roles = '{bucatini_tenant}'"
        ).fetchall()
    )
    closed = {
        name
        for (name,) in migrated.execute(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relnamespace = 'public'::regnamespace"
        )
    }
    owned = {table.name: table.info[OWNER] for table in metadata.tables.values() if OWNER in table.info}

    assert owned.keys() == policies.keys() == closed
    assert all(policies[name].startswith(f"({column} = ") for name, column in owned.items())
    assert {name for name, table in metadata.tables.items() if "tenant_id" in table.columns} <= owned.keys()


def _engine(url: str) -> sa.Engine:
    return sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=sa.NullPool)
