"""Lifecycle events of jobs, common to all kinds."""

from enum import StrEnum
from typing import Final

from schemas.jobs import JobState


class JobEvent(StrEnum):
    """Lifecycle event types. `meaning` says when each fires and what it does not mean."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> "JobEvent":
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    SCHEDULED = (
        "job.scheduled",
        "Accepted, to run at its `run_at` or later. It doesn't mean that it starts right then: it is queued then.",
    )
    QUEUED = (
        "job.queued",
        "Accepted, or due, and waiting for a worker. It doesn't mean that a worker is free, or that one is running.",
    )
    STARTED = (
        "job.started",
        (
            "A worker has claimed it and starts an attempt. One event per attempt, and the only trace of an attempt whose "
            "worker dies. It doesn't mean that this attempt is the last."
        ),
    )
    PROGRESSED = (
        "job.progressed",
        (
            "Its handler reported progress. Sent live and never stored: the job itself has the latest progress. Its absence "
            "doesn't mean that the job is stuck."
        ),
    )
    RETRYING = (
        "job.retrying",
        "An attempt failed, and the job is retried at the time in its data. It doesn't mean that the job has failed.",
    )
    RELEASED = (
        "job.released",
        (
            "Its worker returned it to the queue, because it is shutting down or has no free slot. The attempt isn't counted; "
            "it doesn't mean that anything failed."
        ),
    )
    REQUEUED = (
        "job.requeued",
        (
            "Its worker's lease expired and it is queued again. It doesn't mean that the lost worker has stopped running it, "
            "only that its outcome will be discarded."
        ),
    )
    WAITING = (
        "job.waiting",
        "It has submitted child jobs and waits for them to end. It doesn't occupy a worker meanwhile.",
    )
    RESUMED = (
        "job.resumed",
        "Its child jobs have ended and it is queued again. It doesn't mean that they succeeded.",
    )
    REPLAYED = (
        "job.replayed",
        (
            "A job that had ended was queued again with its attempts reset. Its earlier final event doesn't apply any "
            "more."
        ),
    )
    SUCCEEDED = ("job.succeeded", "It succeeded and its result is stored. The last event, unless it is replayed.")
    FAILED = (
        "job.failed",
        (
            "It failed with a problem that a retry can't fix. It doesn't mean that its attempts were used up: then it is "
            "dead."
        ),
    )
    DEAD = (
        "job.dead",
        (
            "Its attempts or its deadline were used up, or it crashed its worker. It doesn't mean that it can't succeed: "
            "replay it once the cause is fixed."
        ),
    )
    CANCELLED = (
        "job.cancelled",
        (
            "Its owner, its batch or an operator cancelled it. It doesn't mean that it had no effect: an attempt may have "
            "called other systems, though none of its result is stored."
        ),
    )
    CAPPED = (
        "job.capped",
        (
            "As many jobs of its concurrency key or tenant are in flight as may be, so it waits for one of them to end. It "
            "doesn't mean that anything is wrong with it."
        ),
    )
    ADMITTED = (
        "job.admitted",
        (
            "A slot of its concurrency limit is free, and it is queued. It doesn't mean that a worker has it yet, nor that it "
            "was capped for long."
        ),
    )
    HELD = (
        "job.held",
        (
            "A hold keeps it from running; its data has the hold's id and reason. It doesn't mean that anything is wrong with "
            "it."
        ),
    )
    HOLD_LIFTED = (
        "job.hold_lifted",
        (
            "The hold that kept it from running was removed, and it is queued. It doesn't mean that a worker has it yet: its "
            "data says whether it is `capped` now."
        ),
    )
    DISCARDED = (
        "job.discarded",
        (
            "An outcome was discarded, because its worker had lost its lease. It doesn't mean that the job failed: another "
            "worker runs it, or will. Not recorded for a job that has ended."
        ),
    )


ENDINGS: Final = {
    JobEvent.SUCCEEDED: JobState.SUCCEEDED,
    JobEvent.FAILED: JobState.FAILED,
    JobEvent.DEAD: JobState.DEAD,
    JobEvent.CANCELLED: JobState.CANCELLED,
}
"""The final events. A job's stream ends after one of these, unless the job is replayed."""
