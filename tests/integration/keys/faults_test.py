"""Keys rotate while everybody writes and processes die: nothing is lost, and next to nothing is done twice."""

import asyncio
import subprocess
import sys
from collections import Counter

import pytest

from bucatini.testing import RecordedRun
from events.keys import KeysRotated
from infrastructure.settings import Settings
from schemas.keys import RotateKeys
from schemas.search import IndexDocument
from tests.integration.keys.sealing_tenant import KEY_OF, Tenant, a_tenant
from tests.system import ROOT, System
from tests.waiting import wait_until

pytestmark = pytest.mark.anyio


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


KILLED = """
import asyncio, os, sys
from uuid import UUID
from infrastructure.settings import load
from tests.integration.keys.sealing_tenant import a_tenant
from bucatini.testing import RecordedRun

class Talkative(RecordedRun):
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


def _rotate_and_be_killed(tenant: Tenant, run: RecordedRun, *, batches: int) -> None:
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
    quick = {"HEARTBEAT_SECONDS": "1", "LEASE_SECONDS": "5"}
    system.dispatcher(**quick)
    system.start("workers.runtime", "search", **quick)
    keys = system.start("workers.runtime", "keys", **quick)
    documents = [
        IndexDocument(document_id=f"d{n}", title="Lease", text=f"words {n}", document_type="contract")
        for n in range(40)
    ]
    system.submit(*documents)
    wait_until(lambda: system.states()["succeeded"] == 40, "the documents are indexed")

    (job_id,) = system.submit(RotateKeys())
    wait_until(lambda: system.read("SELECT 1 FROM tenant_keys WHERE version = 2"), "the new key is active")
    keys.kill()
    system.submit(*documents[:10])
    system.start("workers.runtime", "keys", **quick, KEY_CACHE_SECONDS="1")

    system.await_state(job_id, "succeeded")
    assert system.timeline(job_id)[-2:] == ["keys.rotated", "job.succeeded"]
    (result,) = system.read("SELECT result FROM jobs WHERE id = %s", job_id)[0]
    assert (result["old_version"], result["new_version"]) == (1, 2)
    assert system.read(f"SELECT DISTINCT k.version FROM document_versions JOIN tenant_keys k ON k.id = {KEY_OF}") == [
        (2,)
    ]
