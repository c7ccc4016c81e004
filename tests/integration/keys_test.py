"""Keys rotate under real PostgreSQL while everybody reads and writes, and whoever dies on the way is no loss."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from uuid_utils.compat import uuid7

from events.keys import KeysRotated
from infrastructure.key_vault.keyring import Keyring, make_key
from infrastructure.ports import Refused, Unavailable
from infrastructure.postgres.connections import Line, Role
from infrastructure.postgres.documents import StoredDocuments
from infrastructure.postgres.key_rotations import PostgresRotations
from infrastructure.postgres.tenant_keys import StoredKeys
from infrastructure.settings import Settings, load
from schemas.commands import Queue
from schemas.keys import KeyState, RotateKeys
from schemas.search import IndexDocument
from tests.integration.sealing_tenant import FENCE_SECONDS, KEY_OF, Tenant, a_tenant
from tests.one_run import OneRun
from tests.system import ROOT, System
from tests.waiting import wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(database_url: str, home: Path) -> Settings:
    return load({"DATABASE_URL": database_url, "BUCATINI_HOME": str(home), "KEY_CACHE_SECONDS": str(FENCE_SECONDS)})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests here: making a master key takes a second."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
async def tenant(settings: Settings) -> AsyncIterator[Tenant]:
    async with a_tenant(settings, uuid4()) as tenant:
        yield tenant


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
    rest = "SELECT version, job_id, title, document_type, tags, created_at, updated_at FROM documents"
    before = tenant.execute(rest)

    await tenant.rotate()

    assert tenant.execute(rest) == before


async def test_a_job_that_runs_again_after_its_end_makes_no_second_key(tenant: Tenant) -> None:
    await tenant.write_many(10)
    run = tenant.run()
    rotated = await tenant.rotate(run)

    assert await tenant.rotate(run) == rotated
    assert await tenant.keys() == {2: KeyState.ACTIVE, 1: KeyState.RETIRED}


async def test_live_writers_lose_nothing_while_keys_rotate(tenant: Tenant, settings: Settings) -> None:
    expected = await tenant.write_many(1_500)
    done = asyncio.Event()
    writes: Counter[str] = Counter()

    async def keep_writing(tenant: Tenant, writer: int) -> None:
        while not done.is_set():
            number = (sum(writes.values()) * 37 + writer) % 1_800
            name = f"d{number - number % 4 + writer:05}"  # No two writers share a document.
            writes[name] += 1
            body = f"{name} written by {writer}, the {writes[name]}th time"
            await tenant.write(name, body)
            expected[name] = body

    async with a_tenant(settings, tenant.id) as elsewhere:
        writers = [asyncio.create_task(keep_writing(who, n)) for n, who in enumerate([tenant, elsewhere] * 2)]
        rotations = [await tenant.rotate() for _ in range(3)]
        done.set()
        await asyncio.gather(*writers)

        assert await elsewhere.read() == expected
    assert sum(writes.values()) > 100, "the writers did write"
    assert [rotated.new_version for rotated in rotations] == [2, 3, 4]
    assert set(tenant.rows_by_version()) == {4}


async def test_a_writer_that_still_believes_in_the_old_key_writes_under_the_new_one(tenant: Tenant) -> None:
    async with Line(tenant.settings.database, Role.SYSTEM, "late") as line:
        late = Keyring(StoredKeys(line), tenant.vault, active_seconds=3_600)
        documents = StoredDocuments(tenant.lines, late)
        first = IndexDocument(document_id="a", title="Lease", body="old words", document_type="contract")
        await documents.store(tenant.id, uuid7(), first)
        await tenant.rotate()

        await documents.store(tenant.id, uuid7(), first.model_copy(update={"body": "new words"}))

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
    tenant.execute("UPDATE documents SET body = set_byte(body, 80, 255) WHERE document_id IN ('d00100', 'd00550')")
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


async def test_a_batch_is_bounded_in_bytes(tenant: Tenant) -> None:
    await tenant.write("big", "x" * 200_000)
    tenant.execute("""
        INSERT INTO documents (tenant_id, document_id, job_id, title, body, document_type)
        SELECT tenant_id, 'copy-' || n, job_id, title, body, document_type FROM documents, generate_series(1, 60) n
        WHERE document_id = 'big'""")
    async with PostgresRotations(tenant.settings.database).alone(tenant.id) as session:
        rotation = await session.begin(uuid7(), await make_key(tenant.vault))
        rows = await session.next_rows(rotation)

    assert sum(len(row.sealed.ciphertext) for row in rows) <= 8_000_000
    assert len(rows) == 39


KILLED = """
import asyncio, os, sys
from uuid import UUID
from infrastructure.settings import load
from tests.integration.sealing_tenant import a_tenant
from tests.one_run import OneRun

class Talkative(OneRun):
    def progress(self, fraction, message=""):
        print(message, flush=True)
        sys.stdin.readline()

async def main():
    async with a_tenant(load(os.environ), UUID(sys.argv[1])) as tenant:
        await tenant.rotate(Talkative(UUID(sys.argv[1]), UUID(sys.argv[2])))

asyncio.run(main())
"""


async def test_a_rotation_killed_between_batches_goes_on_where_it_was(tenant: Tenant) -> None:
    bodies = await tenant.write_many(2_600)
    run = tenant.run()
    await asyncio.to_thread(_rotate_and_be_killed, tenant, run, batches=3)
    done = tenant.rows_by_version()
    assert done == {1: 1_100, 2: 1_500}

    rotated = await tenant.rotate(run)

    assert rotated == KeysRotated(old_version=1, new_version=2, rows_reencrypted=2_600, conflicts=0)
    assert run.reports[0] == (500 / 1_100, "2000 rows re-encrypted"), "nothing is done twice"
    assert tenant.rows_by_version() == {2: 2_600}
    assert await tenant.read() == bodies


def _rotate_and_be_killed(tenant: Tenant, run: OneRun, *, batches: int) -> None:
    command = [sys.executable, "-c", KILLED, str(tenant.id), str(run.job_id)]
    environment = {
        "DATABASE_URL": tenant.settings.database,
        "BUCATINI_HOME": str(tenant.settings.bucatini_home),
        "PYTHONPATH": str(ROOT),
    }
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for batch in range(1, batches + 1):
                assert process.stdout.readline() == f"{batch * 500} rows re-encrypted\n"
                if batch < batches:
                    process.stdin.write("\n")
                    process.stdin.flush()
        finally:
            process.kill()


def test_real_workers_index_rotate_and_die(system: System) -> None:
    quick = {"HEARTBEAT_SECONDS": "0.5", "LEASE_SECONDS": "2"}
    system.dispatcher(**quick)
    system.start("workers.runtime", Queue.SEARCH.value, **quick, KEY_CACHE_SECONDS="0.2")
    keys = system.start("workers.runtime", Queue.KEYS.value, **quick, KEY_CACHE_SECONDS="2")
    documents = [
        IndexDocument(document_id=f"d{n}", title="Lease", body=f"words {n}", document_type="contract")
        for n in range(40)
    ]
    system.submit(*documents)
    wait_until(lambda: system.states()["succeeded"] == 40, "the documents are indexed")

    (job_id,) = system.submit(RotateKeys())
    wait_until(lambda: system.read("SELECT 1 FROM tenant_keys WHERE version = 2"), "the new key is active")
    keys.kill()
    system.submit(*documents[:10])
    system.start("workers.runtime", Queue.KEYS.value, **quick, KEY_CACHE_SECONDS="0.2")

    system.await_state(job_id, "succeeded", within_seconds=40)
    assert system.timeline(job_id)[-2:] == ["keys.rotated", "job.succeeded"]
    (result,) = system.read("SELECT result FROM jobs WHERE id = %s", job_id)[0]
    assert (result["old_version"], result["new_version"]) == (1, 2)
    assert system.read(f"SELECT DISTINCT k.version FROM documents JOIN tenant_keys k ON k.id = {KEY_OF}") == [(2,)]
