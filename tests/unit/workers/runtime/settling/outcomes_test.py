"""The settlement of each outcome of a run."""

from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import DomainEvent
from infrastructure.postgres.jobs.settlement import Settlement
from kinds.run import AwaitChildren
from schemas.bounds import MAX_STORED_LEVELS
from schemas.commands import Command
from schemas.jobs import TERMINAL, TRANSITIONS, JobState
from schemas.problems import FieldProblem, Problem
from tests.unit.workers.runtime.runs import JOB, TENANT, TOKEN, Brew, Brewed, claimed
from workers.runtime.settling.outcomes import AwaitingChildren, Done, Failed, Outcome, Stop, Stopped, settlement_of
from workers.runtime.settling.retry import Failure

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROBLEM = Problem.of("burnt", "It burnt", 500, "the stove was too hot")
TRY_AGAIN = Failed(Failure(PROBLEM, retryable=True))
HOPELESS = Failed(Failure(PROBLEM, retryable=False))
INTERRUPTED = Stopped(Stop.DRAINING)

outcomes = st.sampled_from(
    [
        Done(None),
        Done(Brewed(notes=("strong",))),
        Done(None, (Brew(),)),
        AwaitingChildren(AwaitChildren((Brew(), Brew()))),
        TRY_AGAIN,
        HOPELESS,
        INTERRUPTED,
        Stopped(Stop.REVOKED),
    ]
)


def _settled(outcome: Outcome, *, attempt: int = 1, dice: float = 0.5, **differently: object) -> Settlement:
    job = claimed(attempt=attempt, **differently)
    settlement = settlement_of(job, outcome, now=lambda: NOW, dice=lambda: dice)
    assert settlement is not None
    return settlement


def test_success_stores_the_event_as_the_result() -> None:
    settled = _settled(Done(Brewed(notes=("strong",))))

    assert (settled.state, settled.job_event, settled.domain_event) == ("succeeded", "job.succeeded", "kitchen.brewed")
    assert orjson.loads(settled.result or "") == {"notes": ["strong"]}


def test_success_without_an_event_has_no_result() -> None:
    settled = _settled(Done(None))

    assert (settled.state, settled.domain_event, settled.result) == ("succeeded", None, None)


def test_a_retryable_failure_is_retried_after_a_delay() -> None:
    settled = _settled(TRY_AGAIN, attempt=2, dice=0.5)

    assert (settled.state, settled.job_event, settled.uncounted) == ("retrying", "job.retrying", False)
    assert settled.due_seconds == 1.0
    data = orjson.loads(settled.job_event_data or "")
    assert data["attempt"] == 2
    assert data["problem"]["title"] == "It burnt"


def test_a_failure_that_is_not_retryable_is_final() -> None:
    settled = _settled(HOPELESS)

    assert (settled.state, settled.job_event, settled.due_seconds) == ("failed", "job.failed", None)
    assert Problem.model_validate_json(settled.problem or "") == PROBLEM


def test_a_failed_last_attempt_makes_the_job_dead() -> None:
    settled = _settled(TRY_AGAIN, attempt=Brew.max_attempts)

    assert (settled.state, settled.job_event, settled.due_seconds) == ("dead", "job.dead", None)


def test_a_waiting_job_is_stored_with_its_children() -> None:
    settled = _settled(
        AwaitingChildren(AwaitChildren((Brew(cups=1), Brew(cups=2)))), priority=8, traceparent="00-aa-bb-01"
    )

    assert (settled.state, settled.job_event, settled.uncounted) == ("waiting", "job.waiting", True)
    assert [orjson.loads(child.command)["cups"] for child in settled.new_jobs] == [1, 2]
    assert orjson.loads(settled.job_event_data or "") == {"children": [str(child.id) for child in settled.new_jobs]}
    for child in settled.new_jobs:
        assert (child.tenant_id, child.parent_id, child.causation_id, child.correlation_id) == (TENANT, JOB, JOB, JOB)
        assert (child.priority, child.traceparent, child.queue) == (8, "00-aa-bb-01", Brew.queue)


def test_jobs_that_follow_are_stored_with_the_success_and_wait_for_nothing() -> None:
    settled = _settled(Done(None, (Brew(cups=1), Brew(cups=2))), priority=8, traceparent="00-aa-bb-01")

    assert (settled.state, settled.due_seconds) == ("succeeded", None)
    assert [orjson.loads(job.command)["cups"] for job in settled.new_jobs] == [1, 2]
    for job in settled.new_jobs:
        assert (job.tenant_id, job.parent_id, job.causation_id, job.correlation_id) == (TENANT, None, JOB, JOB)
        assert (job.priority, job.traceparent, job.queue) == (8, "00-aa-bb-01", Brew.queue)


def test_a_run_ended_by_a_drain_is_released_and_not_counted() -> None:
    settled = _settled(INTERRUPTED)

    assert (settled.state, settled.job_event, settled.uncounted) == ("queued", "job.released", True)
    assert settled.due_seconds == 0.0
    assert settled.problem is None


def test_a_run_that_an_operator_revoked_is_cancelled() -> None:
    settled = _settled(Stopped(Stop.REVOKED))

    assert (settled.state, settled.job_event) == ("cancelled", "job.cancelled")


@pytest.mark.parametrize("reason", [Stop.CANCELLED, Stop.LEASE_LOST])
def test_nothing_is_stored_of_a_run_that_is_not_ours_any_more(reason: Stop) -> None:
    assert settlement_of(claimed(), Stopped(reason), now=lambda: NOW, dice=lambda: 0.5) is None


@given(outcome=outcomes, attempt=st.integers(1, 6), dice=st.floats(0.0, 1.0, exclude_max=True))
def test_every_settlement_shows_its_token_and_takes_a_step_the_table_allows(
    outcome: Outcome, attempt: int, dice: float
) -> None:
    settled = _settled(outcome, attempt=attempt, dice=dice)

    assert (settled.job_id, settled.token) == (JOB, TOKEN)
    assert settled.state in {after for (before, _), after in TRANSITIONS.items() if before is JobState.RUNNING}
    assert (settled.due_seconds is None) == (settled.state in TERMINAL), "an unfinished job has a due time"
    assert not settled.new_jobs or settled.state in (JobState.WAITING, JobState.SUCCEEDED)


class Poured(DomainEvent):
    type: ClassVar[str] = "kitchen.poured"

    into: dict[str, Any]


def _nested(levels: int) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for _ in range(levels - 1):
        tree = {"cup": tree}
    return tree


@pytest.mark.parametrize(
    ("into", "why"),
    [
        (_nested(MAX_STORED_LEVELS), "levels"),
        ({"cups": ["x" * 1_000] * 8_000}, "bytes"),
        ({"cups": [1] * 300_000}, "values"),
    ],
)
def test_a_result_out_of_bounds_fails_its_run_by_name(into: dict[str, Any], why: str) -> None:
    settled = _settled(Done(Poured(into=into)))

    assert (settled.state, settled.result) == ("failed", None)
    problem = Problem.model_validate_json(settled.problem or "")
    assert problem.name == "result-out-of-bounds"
    assert why in problem.detail


def test_a_result_as_deep_as_it_may_be_is_kept() -> None:
    assert _settled(Done(Poured(into=_nested(MAX_STORED_LEVELS - 1)))).state == "succeeded"


class Order(Command):
    kind: ClassVar[str] = "kitchen.order"
    queue: ClassVar[str] = "ai"

    wishes: dict[str, Any]


@pytest.mark.parametrize(
    "commands", [(Order(wishes=_nested(100)),), (Order(wishes={"long": "x" * 5_000_000}),), (Brew(),) * 1_001]
)
def test_jobs_out_of_bounds_fail_by_name_the_run_that_asks_for_them(commands: tuple[Command, ...]) -> None:
    for outcome in (AwaitingChildren(AwaitChildren(commands)), Done(None, commands)):
        settled = _settled(outcome)

        assert (settled.state, settled.new_jobs) == ("failed", ())
        assert Problem.model_validate_json(settled.problem or "").name == "result-out-of-bounds"


@pytest.mark.parametrize("retryable", [True, False])
def test_a_stored_problem_is_bounded(retryable: bool) -> None:
    errors = tuple(FieldProblem(pointer="/p" * 10_000, detail="d" * 10_000) for _ in range(1_000))
    endless = Problem.of("endless", "t" * 10_000, 500, "d" * 10_000_000, errors=errors)

    settled = _settled(Failed(Failure(endless, retryable=retryable)))

    assert len(settled.problem or "") < 150_000
    assert len(settled.job_event_data or "") < 150_000
    assert Problem.model_validate_json(settled.problem or "").name == "endless"
