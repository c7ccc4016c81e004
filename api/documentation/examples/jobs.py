"""Examples of jobs and of what is asked about one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from schemas.commands import Command
from schemas.explanations import Explanation, UnderCap
from schemas.jobs import Job, JobCommand, JobPage, JobState, JobToken, ReadTokenRequest, Timeline, TimelineEntry

JOB_ID = UUID("0199a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b")
OTHER_JOB_ID = UUID("0199a1b2-7c3e-7b1a-9c2d-3e4f5a6b7c8d")
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
A_SECOND_LATER = NOON + timedelta(seconds=1)
CURSOR = "AZmhsnw9fk-KW2x9jp8KG7m0Tt1hYV9x"

_TOKEN = "bctr_AZmhsnw9fk8KW2x9jp8KG7m0Tt1hYV9x"  # noqa: S105  # an example of one, which opens nothing
_FACTS = {"document_id": "contracts/2026/0117", "language": "en", "parties": ["Alder Ltd", "Birch GmbH"]}
JOB = Job(
    id=JOB_ID,
    kind="ai.process_document",
    queue="ai",
    state=JobState.SUCCEEDED,
    priority=5,
    attempt=1,
    max_attempts=5,
    created_at=NOON,
    run_at=NOON,
    started_at=NOON,
    finished_at=A_SECOND_LATER,
    result=_FACTS,
)
LISTED = JOB.model_copy(update={"result": None, "result_url": f"/api/jobs/{JOB_ID}/result"})


def submitted(command: type[Command]) -> Job:
    """A job of this kind as it is answered with 202."""
    return Job(
        id=JOB_ID,
        kind=command.kind,
        queue=command.queue,
        state=JobState.QUEUED,
        priority=5,
        attempt=0,
        max_attempts=command.max_attempts,
        created_at=NOON,
        run_at=NOON,
    )


def ended(command: type[Command]) -> Job:
    """The same once it has ended, with a result that isn't included."""
    end = {"state": JobState.SUCCEEDED, "attempt": 1, "started_at": NOON, "finished_at": A_SECOND_LATER}
    result = {"result_url": f"/api/jobs/{JOB_ID}/result", "result_bytes": 300_000}
    return submitted(command).model_copy(update={**end, **result})


ANSWERS = (
    JOB,
    JobPage(jobs=(LISTED,), next_cursor=CURSOR),
    JobCommand(
        job_id=JOB_ID,
        kind="ai.process_document",
        version=1,
        command={"title": "Lease", "text": "This Lease is made on 3 March 2026 between Alder Ltd and Birch GmbH."},
    ),
    Timeline(
        job_id=JOB_ID,
        entries=(
            TimelineEntry(seq=1, type="job.queued", at=NOON, data={"kind": "ai.process_document", "queue": "ai"}),
            TimelineEntry(seq=2, type="job.started", at=NOON, data={"attempt": 1}),
            TimelineEntry(seq=3, type="ai.document_processed", at=A_SECOND_LATER, data=_FACTS),
            TimelineEntry(seq=4, type="job.succeeded", at=A_SECOND_LATER),
        ),
    ),
    JobToken(token=_TOKEN, expires_at=NOON + timedelta(minutes=10)),
    Explanation(
        job_id=JOB_ID,
        state=JobState.QUEUED,
        summary="At most 3 jobs of the key 'acme' may be under way, and 3 are. It is number 5 of those waiting.",
        reason=UnderCap(key="acme", limit=3, in_flight=3, position=5),
    ),
)
REQUESTS = (ReadTokenRequest(ttl_seconds=600),)
