"""Examples of batches and schedules: many jobs at once, and jobs on time."""

from datetime import timedelta
from uuid import UUID

from api.documentation.examples.jobs import CURSOR, JOB_ID, NOON, OTHER_JOB_ID
from schemas.batches import Batch, BatchAccepted, BatchItem, ItemAnswer, ItemOutcome, SubmitBatch
from schemas.jobs import JobState
from schemas.problems import FieldProblem
from schemas.schedules import Schedule, ScheduleDefinition, SchedulePage, ScheduleSummary, Upcoming

_BATCH_ID = UUID("0199a1b2-7c40-7d2e-8f3a-4b5c6d7e8f90")
_SCHEDULE_ID = UUID("0199a1b2-7c41-7a0b-9c1d-2e3f4a5b6c7d")
_NIGHT = NOON.replace(hour=1, minute=30)
_LEASE = {"title": "Lease", "text": "This Lease is made on 3 March 2026 between Alder Ltd and Birch GmbH."}
_NIGHTLY = {"name": "nightly rotation", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "kind": "keys.rotate"}
_SUMMARY = {
    **_NIGHTLY,
    "id": _SCHEDULE_ID,
    "created_at": NOON,
    "updated_at": NOON,
    "next_at": _NIGHT + timedelta(days=1),
    "last_at": _NIGHT,
    "last_job_id": JOB_ID,
}

ANSWERS = (
    BatchAccepted(
        id=_BATCH_ID,
        name="leases of March",
        total=2,
        jobs=(
            ItemAnswer(outcome=ItemOutcome.ACCEPTED, job_id=JOB_ID),
            ItemAnswer(outcome=ItemOutcome.REPEATED, job_id=OTHER_JOB_ID),
            ItemAnswer(
                outcome=ItemOutcome.INVALID,
                errors=(FieldProblem(pointer="/jobs/2/command/title", detail="is required"),),
            ),
        ),
    ),
    Batch(
        id=_BATCH_ID,
        name="leases of March",
        state=JobState.WAITING,
        total=2,
        by_state={JobState.SUCCEEDED: 1, JobState.RUNNING: 1},
        fraction=0.5,
        created_at=NOON,
    ),
    Schedule.model_validate({**_SUMMARY, "command": {}}),
    SchedulePage(schedules=(ScheduleSummary.model_validate(_SUMMARY),), next_cursor=CURSOR),
    Upcoming(slots=tuple(_NIGHT + timedelta(days=day) for day in (1, 2, 3))),
)
REQUESTS = (
    SubmitBatch(
        name="leases of March",
        jobs=(
            BatchItem(kind="ai.process_document", command=_LEASE),
            BatchItem(kind="ai.process_document", command=_LEASE, idempotency_key="lease-0117"),
        ),
    ),
    ScheduleDefinition.model_validate({**_NIGHTLY, "command": {}}),
)
