"""What happens to every job, whatever it does."""

from enum import StrEnum
from typing import Final

from schemas.jobs import JobState


class JobEvent(StrEnum):
    SCHEDULED = "job.scheduled"
    QUEUED = "job.queued"
    """Accepted and waiting for a worker."""
    STARTED = "job.started"
    """A worker has it. The only durable trace of an attempt whose worker dies."""
    PROGRESSED = "job.progressed"
    """Live only: never stored, so a late subscriber sees the newest in the job itself."""
    RETRYING = "job.retrying"
    RELEASED = "job.released"
    """A draining worker handed it back; the attempt isn't counted."""
    REQUEUED = "job.requeued"
    """Its worker was lost."""
    WAITING = "job.waiting"
    RESUMED = "job.resumed"
    REPLAYED = "job.replayed"
    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    DEAD = "job.dead"
    CANCELLED = "job.cancelled"
    PARKED = "job.parked"
    """A cap or a hold keeps it from the workers; its data says which."""
    UNPARKED = "job.unparked"
    """A worker may have it now."""
    DISCARDED = "job.discarded"
    """A late worker's outcome came after its lease was lost, and had no effect."""


ENDINGS: Final = {
    JobEvent.SUCCEEDED: JobState.SUCCEEDED,
    JobEvent.FAILED: JobState.FAILED,
    JobEvent.DEAD: JobState.DEAD,
    JobEvent.CANCELLED: JobState.CANCELLED,
}
"""After one of these a job's stream has nothing more to say, unless somebody replays it."""
