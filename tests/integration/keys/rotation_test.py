"""Keys rotate under real PostgreSQL while everybody reads and writes, and whoever dies on the way is no loss."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from uuid_utils.compat import uuid7

from events.keys import KeysRotated
from infrastructure.key_vault.keyring import Keyring, make_key
from infrastructure.ports import Refused, Unavailable
from infrastructure.postgres.keys.rotations import PostgresRotations
from infrastructure.postgres.keys.wrapped_keys import StoredKeys
from infrastructure.postgres.session import PostgresSession, Role
from infrastructure.settings import Settings
from schemas.keys import KeyState
from tests.integration.keys.sealing_tenant import Tenant, a_tenant
from tests.waiting import wait_until

pytestmark = pytest.mark.anyio


async def test_a_rotation_moves_every_row_to_a_new_key_and_retires_the_old_one(tenant: Tenant) -> None:
    bodies = await tenant.write_many(1_203)
    run = tenant.run()

    rotated = await tenant.rotate(run)

    assert rotated == KeysRotated(old_version=1, new_version=2, rows_reencrypted=1_203, conflicts=0)
    assert await tenant.keys() == {2: KeyState.ACTIVE, 1: KeyState.RETIRED}
    assert tenant.rows_by_version() == {2: 1_203}
    assert await tenant.read() == bodies
    assert [fraction for fraction, _ in run.reports] == sorted(fraction for fraction, _ in run.reports)
    assert run.reports[-1] == (1.0, "1203 rows re-encrypted")


async def test_a_tenant_without_a_key_gets_its_first_by_rotating(tenant: Tenant) -> None:
    rotated = await tenant.rotate()

    assert rotated == KeysRotated(old_version=None, new_version=1, rows_reencrypted=0, conflicts=0)
    await tenant.write("a", "words")
    assert tenant.rows_by_version() == {1: 1}


async def test_other_tenants_are_left_alone(tenant: Tenant, settings: Settings) -> None:
    await tenant.write_many(3)
    async with a_tenant(settings, uuid4()) as other:
        theirs = await other.write_many(3)

        await tenant.rotate()

        assert await other.keys() == {1: KeyState.ACTIVE}
        assert await other.read() == theirs


async def test_a_rotation_changes_nothing_but_the_ciphertext(tenant: Tenant) -> None:
    await tenant.write("a", "words")
    rest = "SELECT v.version, v.cell, v.created_at, updated_at FROM documents d JOIN document_versions v USING (document_id)"
    before = tenant.execute(rest)

    await tenant.rotate()

    assert tenant.execute(rest) == before


async def test_a_job_that_runs_again_after_its_end_makes_no_second_key(tenant: Tenant) -> None:
    await tenant.write_many(10)
    run = tenant.run()
    rotated = await tenant.rotate(run)

    assert await tenant.rotate(run) == rotated
    assert await tenant.keys() == {2: KeyState.ACTIVE, 1: KeyState.RETIRED}


async def test_a_writer_that_still_believes_in_the_old_key_writes_under_the_new_one(tenant: Tenant) -> None:
    async with PostgresSession(tenant.settings.database, Role.SYSTEM, "late") as session:
        late = replace(tenant, keyring=Keyring(StoredKeys(session), tenant.vault, active_seconds=3_600))
        await late.write("a", "old words")
        await tenant.rotate()

        await late.write("a", "new words")

    assert tenant.rows_by_version() == {2: 1}
    assert await tenant.read() == {"a": "new words"}


async def test_a_change_of_key_waits_for_the_write_under_way(tenant: Tenant) -> None:
    await tenant.write("a", "words")
    hold = "SELECT pg_advisory_xact_lock_shared(hashtextextended('bucatini keys ' || %s::text, 0))"
    with psycopg.connect(tenant.settings.database) as writer:
        writer.execute(hold, (tenant.id,))
        rotation = asyncio.create_task(tenant.rotate())
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        await asyncio.to_thread(
            wait_until, lambda: tenant.execute(waiting)[0][0] == 1, "the rotation waits for the writer"
        )
        assert await tenant.keys() == {1: KeyState.ACTIVE}

    await rotation
    assert await tenant.keys() == {2: KeyState.ACTIVE, 1: KeyState.RETIRED}


async def test_of_two_rotations_at_once_the_second_comes_after_the_first(tenant: Tenant) -> None:
    bodies = await tenant.write_many(700)

    rotated = await asyncio.gather(tenant.rotate(), tenant.rotate())

    assert sorted((one.old_version, one.new_version, one.rows_reencrypted) for one in rotated) == [
        (1, 2, 700),
        (2, 3, 700),
    ]
    assert await tenant.keys() == {3: KeyState.ACTIVE, 2: KeyState.RETIRED, 1: KeyState.RETIRED}
    assert await tenant.read() == bodies


async def test_a_rotation_that_waits_too_long_for_another_says_so(tenant: Tenant) -> None:
    async with PostgresRotations(tenant.settings.database).alone(tenant.id):
        with pytest.raises(Unavailable, match="another rotation") as refused:
            await tenant.rotate(wait_seconds=0.2)

    assert refused.value.retry_after_seconds is not None
    assert await tenant.keys() == {}


async def test_an_unreadable_row_keeps_the_old_key_until_it_is_replaced(tenant: Tenant) -> None:
    bodies = await tenant.write_many(600)
    tenant.execute("UPDATE document_versions SET text = set_byte(text, 80, 255) WHERE cell IN ('d00100', 'd00550')")
    run = tenant.run()

    with pytest.raises(Refused) as refused:
        await tenant.rotate(run)

    assert refused.value.problem.name == "rows-unreadable"
    assert "2 rows" in refused.value.problem.detail
    assert await tenant.keys() == {2: KeyState.ACTIVE, 1: KeyState.DECRYPT_ONLY}
    assert tenant.rows_by_version() == {1: 2, 2: 598}
    for name in ("d00100", "d00550"):
        await tenant.write(name, bodies[name])
    assert (await tenant.rotate(run)).rows_reencrypted == 598
    assert await tenant.keys() == {2: KeyState.ACTIVE, 1: KeyState.RETIRED}
    assert await tenant.read() == bodies


async def test_a_rotation_whose_job_is_dead_is_finished_by_the_next_one(tenant: Tenant) -> None:
    bodies = await tenant.write_many(20)
    dead = tenant.run()
    async with PostgresRotations(tenant.settings.database).alone(tenant.id) as session:
        await session.begin(dead.job_id, await make_key(tenant.vault))

    rotated = await tenant.rotate()

    assert (rotated.old_version, rotated.new_version) == (2, 3)
    assert await tenant.keys() == {3: KeyState.ACTIVE, 2: KeyState.RETIRED, 1: KeyState.RETIRED}
    assert (await tenant.rotate(dead)).new_version == 2, "the dead job, replayed, only tells how it went"
    assert await tenant.read() == bodies


async def test_a_row_rewritten_in_the_moment_of_its_reencryption_keeps_its_writers_content(tenant: Tenant) -> None:
    bodies = await tenant.write_many(3)
    async with PostgresRotations(tenant.settings.database).alone(tenant.id) as session:
        rotation = await session.begin(uuid7(), await make_key(tenant.vault))
        old = await session.next_rows(rotation)
        tenant.keyring.forget_active(tenant.id)
        await tenant.write("d00001", "written meanwhile")
        new = [replace(row, sealed=await tenant.keyring.reseal(rotation.key_id, row.cell, row.sealed)) for row in old]

        after = await session.replace(rotation, old, new)

        assert (after.rows_reencrypted, after.conflicts, after.cursor) == (2, 1, "document_versions.text/d00002")
        assert await session.left_over(after) == 0
    assert await tenant.read() == bodies | {"d00001": "written meanwhile"}


async def test_a_batch_is_bounded_in_bytes(tenant: Tenant) -> None:
    await tenant.write("big", "x" * 200_000)
    tenant.execute("""
        INSERT INTO document_versions (tenant_id, document_id, version, cell, state, digest, size_bytes, stored_bytes, media_type, text)
        SELECT tenant_id, document_id, n, 'copy-' || n, state, digest, size_bytes, stored_bytes, media_type, text
        FROM document_versions, generate_series(2, 61) n""")
    async with PostgresRotations(tenant.settings.database).alone(tenant.id) as session:
        rotation = await session.begin(uuid7(), await make_key(tenant.vault))
        rows = await session.next_rows(rotation)

    assert sum(len(row.sealed.ciphertext) for row in rows) <= 8_000_000
    assert len(rows) == 39
