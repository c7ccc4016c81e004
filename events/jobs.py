"""What happens to every job, whatever it does."""

from enum import StrEnum
from typing import Final

from schemas.jobs import JobState


class JobEvent(StrEnum):
    """Each type of event with its `meaning`: when it fires, and what it does not mean."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> "JobEvent":
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    SCHEDULED = (
        "job.scheduled",
        "Accepted, and not to begin before its `run_at`. It doesn't mean that it begins right then: it is queued then.",
    )
    QUEUED = (
        "job.queued",
        "Accepted, or due, and waiting for a worker. It doesn't mean that a worker is free, or that one is running.",
    )
    STARTED = (
        "job.started",
        (
            "A worker has claimed it and an attempt begins: one event for each attempt, and the only trace of one whose "
            "worker dies. It doesn't mean that this attempt is the last."
        ),
    )
    PROGRESSED = (
        "job.progressed",
        (
            "Its handler says how far it is. Live only and never stored: who comes late finds the newest in the job itself, "
            "and that none comes doesn't mean that nothing happens."
        ),
    )
    RETRYING = (
        "job.retrying",
        "An attempt failed, and another one begins at the time in its data. It doesn't mean that the job has failed.",
    )
    RELEASED = (
        "job.released",
        (
            "Its worker handed it back, since it is shutting down or had no room. The attempt isn't counted, and nothing "
            "failed."
        ),
    )
    REQUEUED = (
        "job.requeued",
        (
            "Its worker was lost, and it waits for another one. It doesn't mean that the lost worker has stopped working on "
            "it; only that nothing it still brings has an effect."
        ),
    )
    WAITING = (
        "job.waiting",
        "It has made other jobs and waits for them to end. No worker is kept busy meanwhile.",
    )
    RESUMED = (
        "job.resumed",
        "The jobs it waited for have ended and it is queued again. It doesn't mean that they succeeded.",
    )
    REPLAYED = (
        "job.replayed",
        (
            "Somebody had a job that had ended run again, with its attempts unspent. What was said of its end before doesn't "
            "hold any more."
        ),
    )
    SUCCEEDED = ("job.succeeded", "It is done and its result is stored. The last event, unless it is replayed.")
    FAILED = (
        "job.failed",
        (
            "It ended, and another attempt wouldn't have helped; its problem says why. It doesn't mean that its attempts were "
            "spent: then it is dead."
        ),
    )
    DEAD = (
        "job.dead",
        (
            "It ended because its attempts or its time were spent, or because it kills the processes that run it. It doesn't "
            "mean that it can't succeed: replay it once the cause is mended."
        ),
    )
    CANCELLED = (
        "job.cancelled",
        (
            "Its owner, its batch or an operator ended it. It doesn't mean that nothing was done: an attempt that ran may have "
            "reached the outside world, and none of it is stored."
        ),
    )
    PARKED = (
        "job.parked",
        (
            "A cap (`limit`) or a hold (`hold:<id>`) keeps it from the workers; its data says which. It doesn't mean that "
            "anything is wrong with it."
        ),
    )
    UNPARKED = (
        "job.unparked",
        "What kept it from the workers doesn't any more. It doesn't mean that a worker has it: it waits like any other.",
    )
    DISCARDED = (
        "job.discarded",
        (
            "An outcome came from a worker that had lost its lease, and had no effect. It says nothing of the job itself, "
            "which is another worker's or waits for one; of a job that has ended it isn't noted."
        ),
    )


ENDINGS: Final = {
    JobEvent.SUCCEEDED: JobState.SUCCEEDED,
    JobEvent.FAILED: JobState.FAILED,
    JobEvent.DEAD: JobState.DEAD,
    JobEvent.CANCELLED: JobState.CANCELLED,
}
"""After one of these a job's stream has nothing more to say, unless somebody replays it."""
