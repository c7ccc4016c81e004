"""Whatever is sealed, in whichever table, moves to the new key: a column has to say so once, where it is declared."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, PrimaryKeyConstraint, Text, UniqueConstraint
from uuid_utils.compat import uuid7

from infrastructure.key_vault.keyring import make_key
from infrastructure.key_vault.sealed import Cell, Sealed
from infrastructure.object_store.files import FileStore
from infrastructure.object_store.places import document_place
from infrastructure.object_store.sealed import SealedObjects
from infrastructure.ports.keys import SealedRow
from infrastructure.postgres.keys.rotations import PostgresRotations
from infrastructure.postgres.keys.sealed_columns import ciphertext_columns
from infrastructure.postgres.tables import OWNER, metadata
from schemas.keys import KeyState
from tests.integration.keys.sealing_tenant import Tenant

COLUMNS = ciphertext_columns()
NOT_SEALED = {
    "ai_prompt_versions.digest": "a hash, which names what a version says",
    "ai_prompt_test_runs.tests_digest": "a hash, which the present tests are compared with",
    "ai_prompt_exposures.subject_hash": "a hash, which chooses between variants",
    "document_versions.digest": "a hash, which a repeated upload is compared with",
    "job_keys.body_hash": "a hash, which a repeated request is compared with",
    "api_keys.secret_hash": "a hash, which a given key is compared with",
    "tenant_keys.wrapped": "by the vault's master key",
    "webhook_secrets.wrapped": "by the vault's master key",
}
"""Every other column of bytes, and what is in it. A new one with ciphertext is declared `sealed` instead."""

FILL = """
INSERT INTO documents (tenant_id, document_id, version, document_type) VALUES (%(tenant)s, 'd', 2, 'contract');
INSERT INTO document_versions (tenant_id, document_id, version, cell, state, digest, size_bytes, stored_bytes, media_type)
SELECT %(tenant)s, 'd', n, 'cell/' || n, 'ready', '', 0, 0, 'text/plain' FROM generate_series(1, 2) n;
INSERT INTO document_facts (tenant_id, document_id, version, job_id, cell, kind, facts)
SELECT %(tenant)s, 'd', n, gen_random_uuid(), 'facts-' || n, 'ai.process_document', '' FROM generate_series(1, 2) n;
INSERT INTO ai_prompts (tenant_id, name, newest_version) VALUES (%(tenant)s, 'p', 2);
INSERT INTO ai_prompt_versions (tenant_id, name, version, cell, content, digest, created_by)
SELECT %(tenant)s, 'p', n, 'version-' || n, '', '', 'test' FROM generate_series(1, 2) n;
INSERT INTO ai_prompt_tests (tenant_id, name, test, cell, content)
SELECT %(tenant)s, 'p', 'test ' || n, 'test-' || n, '' FROM generate_series(1, 2) n;
INSERT INTO ai_credentials (tenant_id, provider, key, hint, updated_by)
SELECT %(tenant)s, 'provider-' || n, '', '', 'test' FROM generate_series(1, 2) n;
INSERT INTO ai_sections (tenant_id, job_id, section, cell, content)
SELECT %(tenant)s, gen_random_uuid(), n, 'section-' || n, '' FROM generate_series(1, 2) n;
INSERT INTO ai_answers (tenant_id, asked, job_id, section, cell, content)
SELECT %(tenant)s, 'asked ' || n, gen_random_uuid(), n, 'answer-' || n, '' FROM generate_series(1, 2) n;
INSERT INTO search_slow_queries (tenant_id, cell, found) SELECT %(tenant)s, 'slow-' || n, '{}' FROM generate_series(1, 2) n;
INSERT INTO search_credentials (tenant_id, key_id, key) SELECT %(tenant)s, 'key-' || n, '' FROM generate_series(1, 2) n;
INSERT INTO saved_searches (tenant_id, name, cell, content)
SELECT %(tenant)s, 'search ' || n, 'search-' || n, '' FROM generate_series(1, 2) n
"""


def test_every_column_of_bytes_says_whether_it_is_sealed() -> None:
    of_bytes = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }

    assert COLUMNS.keys().isdisjoint(NOT_SEALED)
    assert of_bytes == COLUMNS.keys() | NOT_SEALED.keys(), (
        "declare a column with ciphertext by info=sealed(...), or its keys are lost at the next rotation but one"
    )


def test_no_two_columns_share_their_cells_and_every_cell_is_one_row() -> None:
    assert len({(column.cell_table, column.cell_column) for column in COLUMNS.values()}) == len(COLUMNS)
    for column in COLUMNS.values():
        table = metadata.tables[column.table]
        keys = [rule for rule in table.constraints if isinstance(rule, UniqueConstraint | PrimaryKeyConstraint)]
        unique = [set(rule.columns.keys()) for rule in keys]
        assert {column.owner, column.row} in unique, f"{column.row} names more than one row of {column.table}"
        name = table.c[column.row].type
        assert isinstance(name, Text)
        assert name.collation == "C", "a cursor goes by the order of bytes, whatever the locale"
        assert table.info[OWNER] == column.owner


async def _fill(tenant: Tenant) -> dict[Cell, str | bytes]:
    """What is in each sealed column of two rows, by cell."""
    for statement in FILL.split(";"):
        tenant.execute(statement.replace("%(tenant)s", f"'{tenant.id}'"))
    filled: dict[Cell, str | bytes] = {}
    for name, column in COLUMNS.items():
        rows = [
            row for (row,) in tenant.execute(f"SELECT {column.row} FROM {column.table} WHERE tenant_id = %s", tenant.id)
        ]
        for number, row in enumerate(sorted(rows)):
            cell = column.cell(tenant.id, row)
            content: str | bytes = f"{name} of {row}" if number else f"{name} of {row}".encode() + b"\xff"
            sealed = (await tenant.keyring.seal(cell, content)).ciphertext
            tenant.execute(f"UPDATE {column.table} SET {column.column} = %s WHERE {column.row} = %s", sealed, row)
            filled[cell] = content
    return filled


async def _opened(tenant: Tenant) -> dict[Cell, str | bytes]:
    opened: dict[Cell, str | bytes] = {}
    for column in COLUMNS.values():
        for row, ciphertext in tenant.execute(f"SELECT {column.row}, {column.column} FROM {column.table}"):
            cell, sealed = column.cell(tenant.id, row), Sealed(ciphertext)
            is_text = ciphertext[3] == 1
            opened[cell] = await (
                tenant.keyring.open(cell, sealed) if is_text else tenant.keyring.open_bytes(cell, sealed)
            )
    return opened


@pytest.mark.anyio
async def test_a_rotation_moves_the_cells_of_every_declared_column(tenant: Tenant) -> None:
    filled = await _fill(tenant)

    rotated = await tenant.rotate()

    assert rotated.rows_reencrypted == len(filled) == 2 * len(COLUMNS)
    assert await tenant.keys() == {2: KeyState.ACTIVE, 1: KeyState.RETIRED}
    assert await _opened(tenant) == filled
    newest = tenant.execute("SELECT id FROM tenant_keys WHERE version = 2")[0][0]
    for column in COLUMNS.values():
        under = f"SELECT DISTINCT substring({column.column} FROM 5 FOR 8) FROM {column.table}"
        assert tenant.execute(under) == [(newest.to_bytes(8),)], column.name


@pytest.mark.anyio
async def test_empty_cells_are_no_work_and_dont_keep_a_rotation_from_its_end(tenant: Tenant) -> None:
    await _fill(tenant)
    emptied = ("original_key", "text", "text_key", "outline")
    tenant.execute(f"UPDATE document_versions SET {', '.join(f'{column} = NULL' for column in emptied)}")

    assert (await tenant.rotate()).rows_reencrypted == 2 * (len(COLUMNS) - len(emptied))


@pytest.mark.anyio
async def test_a_rotation_goes_on_in_the_midst_of_any_column(tenant: Tenant) -> None:
    await _fill(tenant)
    seen: list[tuple[str, str]] = []
    async with PostgresRotations(tenant.settings.database).alone(tenant.id) as session:
        rotation = await session.begin(uuid7(), await make_key(tenant.vault))
        while rows := await session.next_rows(rotation):
            assert len({row.column for row in rows}) == 1
            # Only the first of them, as if the process had died then.
            rotation = await session.replace(rotation, rows[:1], [])
            again = await session.of_job(rotation.job_id)
            assert again is not None
            assert again.cursor == rotation.cursor
            seen.append((rows[0].column, rows[0].cell.row))

    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) == 2 * len(COLUMNS)


@pytest.mark.anyio
@pytest.mark.parametrize("left_behind", sorted(COLUMNS))
async def test_a_cell_left_in_any_column_keeps_the_old_key(tenant: Tenant, left_behind: str) -> None:
    await _fill(tenant)
    async with PostgresRotations(tenant.settings.database).alone(tenant.id) as session:
        rotation = await session.begin(uuid7(), await make_key(tenant.vault))
        while rows := await session.next_rows(rotation):
            moved = [] if rows[0].column == left_behind else await _resealed(tenant, rotation.key_id, rows)
            rotation = await session.replace(rotation, rows, moved)

        assert await session.left_over(rotation) == 2


@pytest.mark.anyio
async def test_a_rotation_seals_the_key_of_an_object_anew_and_leaves_the_object_alone(
    tenant: Tenant, tmp_path: Path
) -> None:
    await _fill(tenant)
    objects, place = SealedObjects(FileStore(tmp_path)), document_place(tenant.id, str(uuid7()))
    written = await objects.write(place, _chunks(), max_bytes=1_000_000)
    stored = await asyncio.to_thread((tmp_path / place).read_bytes)
    column = COLUMNS["document_versions.original_key"]
    cell = column.cell(tenant.id, "cell/1")
    sealed = await tenant.keyring.seal(cell, written.key)
    tenant.execute("UPDATE document_versions SET original_key = %s WHERE cell = %s", sealed.ciphertext, cell.row)

    await tenant.rotate()

    [(rotated,)] = tenant.execute("SELECT original_key FROM document_versions WHERE cell = %s", cell.row)
    assert rotated != sealed.ciphertext
    assert await asyncio.to_thread((tmp_path / place).read_bytes) == stored
    key = await tenant.keyring.open_bytes(cell, Sealed(rotated))
    found = await objects.read(place, key, size_bytes=written.size_bytes)
    assert found is not None
    assert b"".join([part async for part in found]) == b"sealed once" * 10_000


async def _chunks() -> AsyncIterator[bytes]:
    yield b"sealed once" * 10_000


async def _resealed(tenant: Tenant, key_id: int, rows: Sequence[SealedRow]) -> list[SealedRow]:
    return [replace(row, sealed=await tenant.keyring.reseal(key_id, row.cell, row.sealed)) for row in rows]
