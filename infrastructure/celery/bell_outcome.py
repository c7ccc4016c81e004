"""What Celery, and so Flower, is told of a doorbell once all its jobs were seen to."""

from collections.abc import Mapping
from dataclasses import dataclass

from celery.exceptions import Retry

from schemas.jobs import JobState

_IN_ORDER = {
    JobState.FAILED: "failed",
    JobState.DEAD: "dead",
    JobState.RETRYING: "retrying",
    JobState.CANCELLED: "cancelled",
    JobState.WAITING: "waiting",
    JobState.QUEUED: "handed back",
    JobState.SUCCEEDED: "succeeded",
}
LEFT = "not run here"
"""Of jobs that another doorbell had brought, that had ended, or that were put back before they were claimed."""


class JobsFailed(Exception):
    """Some of the doorbell's jobs failed or are dead. The message counts its jobs by their outcome."""


class JobsRetried(Exception):
    """None of its jobs failed for good, and some are to be retried."""


@dataclass(frozen=True, slots=True)
class Raised:
    """What Celery reads of an exception's information. There is no traceback: each job's problem is with the job."""

    exception: Exception
    traceback: str = ""


def answer_of(tally: Mapping[JobState, int], jobs: int) -> tuple[int, str | Raised]:
    """Whether a doorbell for `jobs` jobs failed, of which so many ended a run in each state, and its result or what was
    raised."""
    counts = {word: tally[state] for state, word in _IN_ORDER.items() if tally.get(state)}
    if left := jobs - sum(counts.values()):
        counts[LEFT] = left
    words = ", ".join(f"{count} {word}" for word, count in counts.items())
    if tally.get(JobState.FAILED) or tally.get(JobState.DEAD):
        return 1, Raised(JobsFailed(words))
    if tally.get(JobState.RETRYING):
        return 1, Raised(Retry(exc=JobsRetried(words)))
    return 0, words
