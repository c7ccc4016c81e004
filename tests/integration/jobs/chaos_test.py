"""A minute of everything going wrong at once, and at its end nothing lost, nothing done twice, nobody left behind."""

import asyncio
import os
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import pytest

from infrastructure.postgres.jobs.submission import store
from infrastructure.postgres.session import PostgresSession, Role
from producers.submission.submitter import new_job
from tests.chaos.storm import Aftermath, Storm, blow
from tests.probe import LeaveMark, Nothing
from tests.system import System
from tests.waiting import GUARD_SECONDS, wait_until

pytestmark = pytest.mark.alone

SEED = int(os.environ.get("CHAOS_SEED", SystemRandom().randrange(1_000_000)))
"""Printed with the counts, so that a storm that broke something can blow again."""
BACKLOG = 1_600
RUNG_AGAIN_SECONDS = 15.0


@pytest.fixture(scope="module")
def aftermath() -> Aftermath:
    storm = Storm(SEED, seconds=40.0, jobs=1_500, rest_seconds=GUARD_SECONDS)
    print(f"CHAOS_SEED={SEED}")
    with TemporaryDirectory(prefix="bucatini-chaos-", ignore_cleanup_errors=True) as folder:
        aftermath = blow(storm, Path(folder))
    print(aftermath)
    return aftermath


def test_every_accepted_job_ended_once_and_its_timeline_tells_how(aftermath: Aftermath) -> None:
    assert not aftermath.ledger.wrong, "\n".join([f"CHAOS_SEED={SEED}", *aftermath.ledger.wrong[:20]])
    assert aftermath.ledger.accepted > 0
    assert aftermath.ledger.batches > 0
    assert aftermath.ledger.most_capped > 0
    assert aftermath.ledger.ends == sum(aftermath.ledger.states.values())


def test_only_what_killed_its_worker_twice_was_called_poison(aftermath: Aftermath) -> None:
    lost = {"kill_a_worker", "freeze_a_worker_past_its_lease", "restart_postgresql"}
    assert aftermath.ledger.poisoned <= sum(aftermath.faults[name] for name in lost)


def test_everybody_who_was_asked_to_end_did_and_nobody_was_left_behind(aftermath: Aftermath) -> None:
    assert set(aftermath.exit_codes) == {0}
    assert aftermath.left_behind == []


def test_no_error_was_swallowed(aftermath: Aftermath) -> None:
    assert "never retrieved" not in aftermath.logs


def test_a_lost_bell_is_rung_again_however_long_the_queue_is(system: System) -> None:
    """A worker that dies takes the bells it had with it. Their jobs stand behind what came later, but not for ever."""
    system.dispatcher(RING_AGAIN_SECONDS="1", RING_ALL_AGAIN_SECONDS="5")
    system.submit(*[LeaveMark(seconds=0.1) for _ in range(BACKLOG)])
    system.worker(WORKER_CONCURRENCY="4")
    wait_until(lambda: system.states()["running"], "the backlog is being worked off")

    job_id = _accept_without_a_bell(system)

    system.await_state(job_id, "succeeded", within_seconds=RUNG_AGAIN_SECONDS)
    assert system.states()["queued"] > BACKLOG // 2, "it didn't have to wait for the backlog's end"


def _accept_without_a_bell(system: System) -> UUID:
    job = new_job(uuid4(), Nothing())

    async def accept() -> None:
        async with PostgresSession(system.settings.database, Role.SUBMIT, "test") as session:
            await session.run(lambda connection: store(connection, [job], ring_again_seconds=1.0, idempotency_hours=1))

    asyncio.run(accept())
    return job.id
