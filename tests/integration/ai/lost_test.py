"""An attempt whose process died is ended as lost, and what was reserved for it counts until somebody knows better."""

from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from infrastructure.postgres.ai.lost import end_lost
from infrastructure.postgres.session import Connection
from tests.integration.ai.recording import Recording, ended, new_attempt
from tests.system import System
from tests.waiting import wait_until

NOTHING = Decimal(0)
JOB = (
    "INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, attempt, command) "
    "VALUES (%s, %s, 'ai.generate_document', 'ai', %s, 5, %s, '{}')"
)


async def sweep(connection: Connection) -> int:
    return await end_lost(connection, grace_seconds=0)


def job_of(recording: Recording, state: str, attempt: int) -> UUID:
    job_id = uuid7()
    recording.execute(JOB, job_id, recording.tenant_id, state, attempt)
    return job_id


@pytest.mark.anyio
async def test_what_a_running_try_has_under_way_is_left_alone(recording: Recording) -> None:
    job_id = job_of(recording, "running", 2)
    await recording.ledger.begin(new_attempt(recording.tenant_id, job_id=job_id, job_attempt=2))
    await recording.ledger.begin(new_attempt(recording.tenant_id))

    assert await recording.as_system(sweep) == 0


@pytest.mark.anyio
@pytest.mark.parametrize(("state", "attempt"), [("running", 3), ("queued", 2), ("dead", 2), ("retrying", 2)])
async def test_what_a_try_left_open_that_runs_no_more_is_lost_and_counts_with_what_was_reserved(
    recording: Recording, state: str, attempt: int
) -> None:
    left = new_attempt(recording.tenant_id, job_id=job_of(recording, state, attempt), job_attempt=2)
    await recording.ledger.begin(left)

    assert [await recording.as_system(sweep) for _ in range(2)] == [1, 0]

    assert recording.rows("outcome, accepted, priced, cost_usd, ended_at IS NOT NULL") == [
        ("lost", False, False, None, True)
    ]
    spending = await recording.spending()
    assert (spending.spent_today, spending.spent_this_month, spending.reserved) == (
        left.reserved_usd,
        left.reserved_usd,
        NOTHING,
    )
    assert await recording.ledger.attempts_of_job(recording.tenant_id, left.job_id or uuid7()) == ((left, None),)


@pytest.mark.anyio
async def test_what_belongs_to_no_job_is_lost_after_an_hour(recording: Recording) -> None:
    await recording.ledger.begin(new_attempt(recording.tenant_id))
    recording.execute("UPDATE ai_service_requests SET created_at = now() - interval '59 minutes'")
    before = await recording.as_system(sweep)
    recording.execute("UPDATE ai_service_requests SET created_at = now() - interval '61 minutes'")

    assert (before, await recording.as_system(sweep)) == (0, 1)


@pytest.mark.anyio
async def test_what_waits_in_a_providers_batch_is_not_lost_while_its_ticket_is_kept(recording: Recording) -> None:
    waiting = new_attempt(recording.tenant_id, job_id=job_of(recording, "retrying", 1), job_attempt=1)
    await recording.ledger.begin(waiting)
    recording.execute("UPDATE ai_service_requests SET created_at = now() - interval '20 hours'")
    recording.execute(
        "INSERT INTO ai_batches (tenant_id, job_id, asked, request_id, batch_id) VALUES (%s, %s, 'asked', %s, 'batch')",
        recording.tenant_id,
        waiting.job_id,
        waiting.id,
    )

    kept = await recording.as_system(sweep)
    recording.execute("DELETE FROM ai_batches")

    assert (kept, await recording.as_system(sweep)) == (0, 1)


@pytest.mark.anyio
async def test_the_end_of_an_attempt_that_seemed_lost_is_believed_once(recording: Recording) -> None:
    slow = new_attempt(recording.tenant_id, job_id=job_of(recording, "queued", 1), job_attempt=1)
    await recording.ledger.begin(slow)
    await recording.as_system(sweep)

    for cost in ("0.02", "0.03"):
        await recording.ledger.end(slow, ended(slow, cost))

    assert recording.rows("outcome, cost_usd") == [("succeeded", Decimal("0.02"))]
    assert await recording.amounts() == (Decimal("0.02"), Decimal("0.02"))
    assert (await recording.spending()).spent_today == Decimal("0.02")


def test_the_dispatcher_ends_what_a_killed_worker_left(system: System) -> None:
    job_id = uuid7()
    with psycopg.connect(system.settings.database, autocommit=True) as connection:
        connection.execute(JOB, (job_id, system.tenant_id, "dead", 1))
        connection.execute(
            "INSERT INTO ai_service_requests (id, tenant_id, job_id, job_attempt, purpose, provider, model, lane, own_key, "
            "outcome, created_at) VALUES (%s, %s, %s, 1, 'plan', 'openai', 'm', 'realtime', false, 'open', "
            "now() - interval '1 minute')",
            (uuid7(), system.tenant_id, job_id),
        )
    system.dispatcher()

    wait_until(lambda: system.read("SELECT outcome FROM ai_service_requests") == [("lost",)], "it is lost")
