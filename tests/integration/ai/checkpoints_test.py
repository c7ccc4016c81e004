"""What a job has finished is kept once, sealed, for its own tenant."""

import asyncio

import pytest
from uuid_utils.compat import uuid7

from infrastructure.ports import Unstorable
from infrastructure.ports.ai.checkpoints import PLAN, Checkpoint
from infrastructure.postgres.ai.checkpoints import MAX_CONTENT_BYTES, MAX_SECTIONS
from tests.integration.ai.recording import Recording

pytestmark = pytest.mark.anyio


async def test_a_run_finds_what_earlier_ones_finished(recording: Recording) -> None:
    job_id = uuid7()
    plan, section = Checkpoint(PLAN, {"sections": ["One"]}), Checkpoint(0, {"text": "Grüße 🌻", "tokens": 3})
    for one in (plan, section):
        await recording.checkpoints.keep(recording.tenant_id, job_id, one)

    assert await recording.checkpoints.of_job(recording.tenant_id, job_id) == {PLAN: plan, 0: section}
    assert await recording.checkpoints.of_job(recording.tenant_id, uuid7()) == {}


async def test_of_two_runs_that_finish_a_section_the_first_is_kept_for_both(recording: Recording) -> None:
    job_id = uuid7()

    kept = await asyncio.gather(
        *(
            recording.checkpoints.keep(recording.tenant_id, job_id, Checkpoint(4, {"by": number}))
            for number in range(10)
        )
    )

    assert len({str(one.content) for one in kept}) == 1
    assert await recording.checkpoints.of_job(recording.tenant_id, job_id) == {4: kept[0]}


async def test_nobody_reads_a_section_in_the_database_or_as_another_tenant(recording: Recording) -> None:
    job_id, stranger = uuid7(), recording.another_tenant()
    await recording.checkpoints.keep(recording.tenant_id, job_id, Checkpoint(0, {"text": "Zyzzyva"}))

    [(content,)] = recording.execute("SELECT content FROM ai_sections")

    assert b"Zyzzyva" not in content
    assert await stranger.checkpoints.of_job(stranger.tenant_id, job_id) == {}
    await stranger.checkpoints.delete(stranger.tenant_id, job_id)
    assert len(await recording.checkpoints.of_job(recording.tenant_id, job_id)) == 1


async def test_a_job_keeps_a_bounded_number_of_sections_of_a_bounded_size(recording: Recording) -> None:
    job_id = uuid7()
    with pytest.raises(Unstorable):
        await recording.checkpoints.keep(recording.tenant_id, job_id, Checkpoint(0, {"text": "x" * MAX_CONTENT_BYTES}))
    recording.execute(
        "INSERT INTO ai_sections (tenant_id, job_id, section, cell, content) "
        "SELECT %s, %s, n, 'cell-' || n, '' FROM generate_series(1, %s) n",
        recording.tenant_id,
        job_id,
        MAX_SECTIONS,
    )

    with pytest.raises(Unstorable):
        await recording.checkpoints.keep(recording.tenant_id, job_id, Checkpoint(0, {}))


async def test_what_is_deleted_is_gone(recording: Recording) -> None:
    job_id = uuid7()
    await recording.checkpoints.keep(recording.tenant_id, job_id, Checkpoint(0, {}))

    for _ in range(2):
        await recording.checkpoints.delete(recording.tenant_id, job_id)

    assert await recording.checkpoints.of_job(recording.tenant_id, job_id) == {}
