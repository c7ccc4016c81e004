"""What Celery is told of a doorbell once its jobs were seen to."""

import pytest
from celery.exceptions import Retry

from infrastructure.celery.bell_outcome import JobsFailed, JobsRetried, Raised, answer_of
from monitoring.flower.events import harmless
from schemas.jobs import JobState


def test_a_doorbell_whose_jobs_all_went_well_counts_them() -> None:
    assert answer_of({JobState.SUCCEEDED: 3}, 3) == (0, "3 succeeded")


def test_a_doorbell_that_came_too_late_says_so() -> None:
    assert answer_of({JobState.SUCCEEDED: 1}, 3) == (0, "1 succeeded, 2 not run here")


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.DEAD])
def test_one_job_that_failed_makes_a_failed_doorbell(state: JobState) -> None:
    failed, raised = answer_of({JobState.SUCCEEDED: 48, JobState.RETRYING: 1, state: 1}, 50)

    assert isinstance(raised, Raised)
    assert (failed, type(raised.exception)) == (1, JobsFailed)
    assert str(raised.exception) == f"1 {state}, 1 retrying, 48 succeeded"


def test_a_job_that_is_retried_makes_a_retried_doorbell() -> None:
    failed, raised = answer_of({JobState.SUCCEEDED: 1, JobState.RETRYING: 1}, 2)

    assert isinstance(raised, Raised)
    assert isinstance(raised.exception, Retry)
    assert (failed, type(raised.exception.exc)) == (1, JobsRetried)


@pytest.mark.parametrize("state", JobState)
def test_flower_may_show_every_count(state: JobState) -> None:
    _, told = answer_of({state: 200}, 201)
    words = told if isinstance(told, str) else repr(getattr(told.exception, "exc", None) or told.exception)
    counted = harmless({"type": "task-succeeded", "result": words, "exception": words})

    assert "1 not run here" in counted.get("result", counted["exception"])
