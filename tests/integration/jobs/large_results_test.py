"""Results too large for a row lie in the object store, belong to one run of one tenant's job, and leave with it."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from infrastructure.object_store.files import FileStore
from infrastructure.object_store.places import result_place
from infrastructure.postgres.jobs.retention import first_id_of
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from producers.client import Bucatini
from producers.dispatcher.retention import ORPHAN_HOURS, RetentionRunner
from tests.folders import files_under
from tests.integration.serving import World
from tests.probe import Collect, Write
from tests.system import System
from tests.waiting import wait_until
from workers.runtime.settling.large_results import LARGE_BYTES

LARGE, SMALL = 300_000, 1_000
"""Characters of two bytes each."""


def test_a_large_result_is_fetched_like_any_other(system: System, served: World) -> None:
    tenant = served.tenant()
    system.worker()
    large, small = system.submit(Write(characters=LARGE), Write(characters=SMALL), tenant_id=tenant.id)
    for job_id in (large, small):
        system.await_state(job_id, "succeeded")
    with Bucatini(served.url, tenant.key) as client:
        results = [client.jobs.get(job_id).result(timeout_seconds=5) for job_id in (large, small)]
    with served.http(tenant) as http:
        job = http.get(f"/api/jobs/{large}").json()
        fetched = [http.get(f"/api/jobs/{job_id}/result") for job_id in (large, small)]
    with served.http(served.tenant()) as stranger:
        assert stranger.get(job["result_url"]).status_code == 404

    assert results == [{"text": "ä" * LARGE}, {"text": "ä" * SMALL}]
    assert [answer.json() for answer in fetched] == results
    assert (job["result"], job["result_bytes"]) == (None, len(fetched[0].content))
    assert job["result_bytes"] > LARGE_BYTES
    assert system.timeline(large) == ["job.queued", "job.started", "probe.written", "job.succeeded"]
    assert [path.parts[-3:-1] for path in _objects(system)] == [(str(tenant.id), str(large))]


def test_a_parent_is_told_its_childrens_large_results(system: System) -> None:
    system.worker()
    (job_id,) = system.submit(Collect(characters=LARGE))
    system.await_state(job_id, "succeeded")

    assert system.read("SELECT result FROM jobs WHERE id = %s", job_id) == [({"characters": 2 * LARGE},)]


def test_a_result_that_cant_be_kept_now_is_tried_again(system: System) -> None:
    system.worker()
    home = Path(system.environment["BUCATINI_HOME"])
    home.mkdir(exist_ok=True)
    (home / "objects").write_text("in the way")
    (job_id,) = system.submit(Write(characters=LARGE))
    system.await_state(job_id, "retrying")
    assert system.problem(job_id)["type"].endswith("/object-store-away")
    (home / "objects").unlink()

    system.await_state(job_id, "succeeded")
    assert len(_objects(system)) == 1


def test_a_result_leaves_with_its_job(system: System) -> None:
    system.worker()
    old, young = system.submit(Write(characters=LARGE), Write(characters=LARGE))
    for job_id in (old, young):
        system.await_state(job_id, "succeeded")
    aged = first_id_of(datetime.now(UTC) - timedelta(days=8))
    system.read("UPDATE jobs SET id = %s, finished_at = now() - interval '8 days' WHERE id = %s RETURNING 1", aged, old)
    system.read("UPDATE job_objects SET job_id = %s WHERE job_id = %s RETURNING 1", aged, old)
    system.dispatcher()

    wait_until(lambda: [path.parent.name for path in _objects(system)] == [str(young)], "only the young one is left")
    assert system.read("SELECT job_id FROM job_objects") == [(young,)]


def test_what_a_late_worker_wrote_overwrites_nothing_and_is_removed(system: System) -> None:
    system.worker()
    (job_id,) = system.submit(Write(characters=LARGE))
    system.await_state(job_id, "succeeded")
    (stands,) = _objects(system)
    late, fresh = _key(system, job_id), _key(system, job_id)
    strange = f"{uuid4()}/notes/readme"
    store = FileStore(_folder(system))
    for key in (late, fresh, strange):
        asyncio.run(store.put(key, b"{}"))
    long_ago = time.time() - (ORPHAN_HOURS + 2) * 3_600
    for key in (late, strange, "/".join(stands.parts[-3:])):
        os.utime(_folder(system) / key, (long_ago, long_ago))
    asyncio.run(_tidy(system, store))

    left = {"/".join(path.parts[-3:]) for path in _objects(system)}
    assert left == {fresh, strange, "/".join(stands.parts[-3:])}
    assert stands.stat().st_size > LARGE_BYTES


async def _tidy(system: System, store: FileStore) -> None:
    async with PostgresSession(system.settings.database, Role.SYSTEM, "test", BUS_SESSION) as session:
        await RetentionRunner(system.settings, session, store).tidy()


def _key(system: System, job_id: UUID) -> str:
    return result_place(system.tenant_id, job_id, uuid4())


def _folder(system: System) -> Path:
    return Path(system.environment["BUCATINI_HOME"]) / "objects"


def _objects(system: System) -> list[Path]:
    return files_under(_folder(system))
