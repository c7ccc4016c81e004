"""A rolling deploy as it happens: the release before and this one on the same tables and the same Redis, at work at once."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from infrastructure.local_stack.servers.loopback import free_port
from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.postgres.migration import migrate
from infrastructure.redis import client as redis_client
from infrastructure.redis.pubsub import Channel, announce
from tests.integration.serving import DOCUMENT, PROCESS
from tests.previous_release import unpack
from tests.probe import LeaveMark, Nothing
from tests.system import ROOT, System

TABLES = "import sys; from infrastructure.postgres.migration import migrate; migrate(sys.argv[1])"
FIRST_KEY = """
import sys
from infrastructure.postgres.tenants.api_keys import create_first_admin_key

print(create_first_admin_key(sys.argv[1]))
"""
SUBMIT = """
import asyncio, sys
from uuid import UUID
from infrastructure.settings import load
from producers.submission.submitter import new_job, open_submitter
from tests.probe import LeaveMark

async def submit():
    async with open_submitter(load()) as submitter:
        await submitter.submit_all([new_job(UUID(sys.argv[1]), LeaveMark()) for _ in range(int(sys.argv[2]))])

asyncio.run(submit())
"""


@pytest.fixture(scope="session")
def before(server_folder: Path) -> Path:
    """Where the files of the release before are."""
    return unpack(server_folder / "release-before")


@pytest.fixture
def system(postgres: PostgresServer, before: Path, redis_url: str, tmp_path: Path) -> Iterator[System]:
    """On the tables of the release before, which made them itself."""
    name = f"before_{uuid4().hex}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    subprocess.run([sys.executable, "-c", TABLES, postgres.url_of(name)], cwd=before, check=True)
    with System(postgres.url_of(name), redis_url, tmp_path, uuid4()) as running:
        yield running
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _submit_as_before(system: System, before: Path, count: int) -> None:
    subprocess.run(
        [sys.executable, "-c", SUBMIT, str(system.tenant_id), str(count)],
        cwd=before,
        env={**system.environment, "PYTHONPATH": str(before)},
        check=True,
    )


def _first_key_as_before(system: System, before: Path) -> str:
    made = subprocess.run(
        [sys.executable, "-c", FIRST_KEY, system.settings.database],
        cwd=before,
        check=True,
        capture_output=True,
        text=True,
    )
    return made.stdout.strip()


def test_the_release_before_and_this_one_share_the_work_and_do_each_job_once(system: System, before: Path) -> None:
    system.start_from(before, "producers.dispatcher")
    old = system.start_from(before, "tests.probe", "ai", WORKER_CONCURRENCY="8")
    _submit_as_before(system, before, 50)

    migrate(system.settings.database)
    _submit_as_before(system, before, 50)
    new_dispatcher = system.dispatcher()
    new = system.worker(WORKER_CONCURRENCY="8")
    for _ in range(3):
        _submit_as_before(system, before, 50)
        system.submit(*[LeaveMark() for _ in range(50)])
    system.await_all_finished(400)

    old.stop()
    _submit_as_before(system, before, 50)
    assert system.await_all_finished(450) == {"succeeded": 450}
    assert system.read("SELECT count(*), count(DISTINCT job_id) FROM marks") == [(450, 450)]
    assert {new.exit_code, new_dispatcher.exit_code} == {None}
    assert old.exit_code == 0


def test_a_worker_of_the_release_before_hears_what_this_one_announces(system: System, before: Path) -> None:
    patient = {"HEARTBEAT_SECONDS": "60", "LEASE_SECONDS": "120"}  # It doesn't find out by itself meanwhile.
    migrate(system.settings.database)
    system.start_from(before, "tests.probe", "ai", WORKER_CONCURRENCY="1", **patient)
    (job_id,) = system.submit(LeaveMark(seconds=600))
    system.await_state(job_id, "running")
    (after,) = system.submit(Nothing())

    asyncio.run(_stop(system, job_id))

    system.await_state(after, "succeeded", within_seconds=45)


async def _stop(system: System, job_id: UUID) -> None:
    redis = redis_client.connect(system.settings.redis)
    system.read(
        "UPDATE jobs SET state = 'cancelled', lease_token = NULL, lease_worker = NULL WHERE id = %s RETURNING id",
        job_id,
    )
    await announce(redis, Channel.STOP, [job_id])
    await redis.aclose()


def test_callers_notice_nothing_of_a_deploy(system: System, before: Path) -> None:
    key = _first_key_as_before(system, before)
    old = [
        system.start_from(before, "producers.dispatcher"),
        system.start_from(before, "workers.runtime", "ai"),
    ]
    old_url = _serve(system, release=before)

    def ask(url: str, idempotency_key: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}", "prefer": "wait=20", "idempotency-key": idempotency_key}
        return httpx.post(url + PROCESS, json=DOCUMENT, headers=headers, timeout=30, trust_env=False)

    assert ask(old_url, "before").status_code == 200
    migrate(system.settings.database)
    assert ask(old_url, "during").status_code == 200
    system.dispatcher()
    system.start("workers.runtime", "ai")
    new_url = _serve(system)

    answers = [ask(url, f"{number} at {url}") for number in range(10) for url in (old_url, new_url)]
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    assert ask(new_url, "before").headers["idempotency-replayed"] == "true"

    for one in old:
        one.stop()
    assert {ask(url, f"after, {url}").status_code for url in (old_url, new_url)} == {200}
    assert httpx.get(f"{new_url}/readyz", trust_env=False).json()["status"] == "ready"
    assert system.states() == {"succeeded": 24}


def _serve(system: System, *, release: Path = ROOT) -> str:
    port = free_port()
    system.start_from(release, "api", API_PORT=str(port))
    return f"http://127.0.0.1:{port}"
