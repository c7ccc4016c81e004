"""Old rows of the ledger go, and what was finished goes with its job, or is asked for anew when the job is another."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from infrastructure.ports.ai.answers import KeptAnswer, PaidAnswer
from infrastructure.ports.ai.checkpoints import Checkpoint
from infrastructure.postgres.ai.retention import forget_attempts, forget_budget_alerts, forget_orphaned_sections
from infrastructure.postgres.jobs.replay import Edit, Request, replay
from infrastructure.postgres.jobs.retention import KeptFor, Retention, first_id_of, remove_old
from tests.integration.ai.recording import Recording, ended, new_attempt

pytestmark = pytest.mark.anyio
DAY_SECONDS = 86_400.0
JOB = (
    "INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command, created_at, finished_at) "
    "VALUES (%s, %s, 'ai.generate_document', 'ai', %s, 5, '{}', %s, %s)"
)


def ended_job(recording: Recording, *, days: float, state: str) -> UUID:
    at = datetime.now(UTC) - timedelta(days=days)
    job_id = UUID(int=first_id_of(at).int + uuid7().int % 2**60)
    recording.execute(JOB, job_id, recording.tenant_id, state, at, at)
    return job_id


async def paid_answer(recording: Recording, job_id: UUID) -> None:
    attempt = new_attempt(recording.tenant_id, job_id=job_id, job_attempt=1, section=1)
    await recording.ledger.begin(attempt)
    answer = KeptAnswer("A text", "openai", "gpt-6-luna", "gpt-6-luna-2026", "stop", 10, 2)
    await recording.ledger.end(attempt, ended(attempt), PaidAnswer("asked", answer))


async def test_rows_of_the_ledger_go_when_they_are_old_and_what_was_used_stays(recording: Recording) -> None:
    old = UUID(int=first_id_of(datetime.now(UTC) - timedelta(days=41)).int + 1)
    await recording.attempt("0.5", id=old)
    recording.execute("UPDATE ai_service_requests SET created_at = now() - interval '41 days'")
    kept = await recording.attempt("0.25")
    by_a_wrong_clock = await recording.attempt("0.25", id=UUID(int=old.int + 1))

    removed = await recording.as_system(partial(forget_attempts, days=40))

    assert removed == 1
    assert {row[0] for row in recording.rows("id")} == {kept.id, by_a_wrong_clock.id}
    assert await recording.amounts() == (Decimal(1), Decimal(1))


async def test_an_attempt_under_way_is_never_too_old(recording: Recording) -> None:
    old = UUID(int=first_id_of(datetime.now(UTC) - timedelta(days=41)).int + 1)
    await recording.ledger.begin(new_attempt(recording.tenant_id, id=old))
    recording.execute("UPDATE ai_service_requests SET created_at = now() - interval '41 days'")

    assert await recording.as_system(partial(forget_attempts, days=40)) == 0


async def test_checkpoints_go_with_their_job(recording: Recording) -> None:
    old, young = ended_job(recording, days=8, state="succeeded"), ended_job(recording, days=6, state="succeeded")
    for job_id in (old, young):
        await recording.checkpoints.keep(recording.tenant_id, job_id, Checkpoint(0, {"text": "done"}))

    week = Retention(KeptFor("", 7 * DAY_SECONDS, 30 * DAY_SECONDS))
    await recording.as_system(partial(remove_old, retention=week, limit=100))

    assert recording.execute("SELECT job_id FROM ai_sections") == [(young,)]


async def test_checkpoints_of_a_job_that_is_gone_go_after_a_day(recording: Recording) -> None:
    job_id = ended_job(recording, days=2, state="failed")
    for one in (job_id, uuid7()):
        await recording.checkpoints.keep(recording.tenant_id, one, Checkpoint(0, {}))
    early = await recording.as_system(forget_orphaned_sections)
    recording.execute("UPDATE ai_sections SET created_at = now() - interval '25 hours'")

    assert (early, await recording.as_system(forget_orphaned_sections)) == (0, 1)
    assert recording.execute("SELECT job_id FROM ai_sections") == [(job_id,)]


async def test_a_replayed_job_pays_again_only_for_what_it_is_asked_anew(recording: Recording) -> None:
    as_it_was, edited = (ended_job(recording, days=1, state="failed") for _ in range(2))
    for job_id in (as_it_was, edited):
        await recording.checkpoints.keep(recording.tenant_id, job_id, Checkpoint(0, {"text": "done"}))
        # What the job failed of may be an answer that it only has.
        await paid_answer(recording, job_id)
    assert len(recording.execute("SELECT job_id FROM ai_answers")) == 2

    for job_id, edit in ((as_it_was, None), (edited, Edit('{"title": "Another"}', 1))):
        await recording.pool.run(
            recording.tenant_id,
            partial(
                replay,
                tenant_id=recording.tenant_id,
                job_id=job_id,
                request=Request("test"),
                edit=edit,
                ring_again_seconds=5,
            ),
        )

    assert recording.execute("SELECT job_id FROM ai_sections") == [(as_it_was,)]
    assert recording.execute("SELECT job_id FROM ai_answers") == []


async def test_what_was_reported_of_a_budget_goes_when_its_period_is_long_over(recording: Recording) -> None:
    for percent, days in ((50, 70), (80, 60)):
        recording.execute(
            "INSERT INTO ai_budget_alerts (tenant_id, scope, period, percent, job_id, created_at) "
            "VALUES (%s, 'day', '2026-09-01', %s, gen_random_uuid(), now() - make_interval(days => %s))",
            recording.tenant_id,
            percent,
            days,
        )

    assert await recording.as_system(forget_budget_alerts) == 1
    assert await recording.as_system(forget_budget_alerts) == 0
