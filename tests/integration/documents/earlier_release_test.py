"""Documents of a release without versions are there after the migration: each is its own first version."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from infrastructure.key_vault.sealed import Cell
from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.postgres.migration import migrate
from infrastructure.settings import load
from schemas.documents import DocumentRef
from tests.integration.documents.library import a_library

pytestmark = pytest.mark.anyio

TENANT, JOB = UUID(int=7), UUID(int=8)
BODY = bytes(100)


@pytest.fixture
def earlier_database(postgres: PostgresServer) -> Iterator[str]:
    name = f"earlier_{uuid4().hex}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(postgres.url_of(name), "0010")
    yield postgres.url_of(name)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def execute(url: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(statement, parameters)
        return found.fetchall() if found.description else []


async def test_a_document_becomes_its_first_version_is_counted_and_can_be_removed(
    earlier_database: str, home: Path
) -> None:
    url = earlier_database
    execute(url, "INSERT INTO tenants (id, name) VALUES (%s, 'acme')", TENANT)
    add = """INSERT INTO documents (tenant_id, document_id, version, job_id, title, body, document_type, language)
        VALUES (%s, 'lease', 3, %s, 'Lease', %b, 'contract', 'en')"""
    execute(url, add, TENANT, JOB, BODY)

    migrate(url)

    settings = load({"DATABASE_URL": url, "BUCATINI_HOME": str(home)})
    async with a_library(settings, TENANT) as library:
        document = await library.document("lease")
        assert document is not None
        assert (document.version, document.current_version, document.title) == (3, 3, "Lease")
        assert await library.used() == (1, 100)
        sealed = await library.keyring.seal(Cell(TENANT, "documents", "body", "lease"), "sealed as it was before")
        library.execute("UPDATE document_versions SET text = %b", sealed.ciphertext)
        assert await library.text("lease") == "sealed as it was before"
        await library.delete("lease")
        assert await library.store.remove(TENANT, DocumentRef(id="lease", version=3))
        assert await library.used() == (0, 0)


async def test_the_migration_is_undone_with_all_texts_in_place(earlier_database: str) -> None:
    url = earlier_database
    execute(url, "INSERT INTO tenants (id, name) VALUES (%s, 'acme')", TENANT)
    add = """INSERT INTO documents (tenant_id, document_id, job_id, title, body, document_type)
        VALUES (%s, 'lease', %s, 'Lease', %b, 'contract')"""
    execute(url, add, TENANT, JOB, BODY)
    columns = "tenant_id, document_id, version, job_id, title, body, document_type, tags, created_at, updated_at"
    before = execute(url, f"SELECT {columns} FROM documents")

    migrate(url)
    migrate(url, "0010")

    assert execute(url, f"SELECT {columns} FROM documents") == before
