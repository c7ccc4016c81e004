"""Every attempt ends in an outcome, whatever its handler does."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infrastructure.ports import Away, Refused, TryLater, Unavailable
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from kinds.run import AwaitChildren, Run, Then
from schemas.problems import Problem
from tests.unit.workers.runtime.runs import Brew, Brewed, KeptOutputs, claimed
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.slots import Slots
from workers.runtime.handler import Answer, Handler
from workers.runtime.running.attempt import Attempt
from workers.runtime.running.performing import perform
from workers.runtime.running.run_failures import MAX_WAIT_SECONDS, MAX_WAITED, MIN_WAIT_SECONDS
from workers.runtime.settling.outcomes import AwaitingChildren, Done, Failed, Outcome, Stop, Stopped
from workers.runtime.settling.retry import Failure

Handle = Callable[[Brew, Run], Awaitable[Answer]]
SLOTS = Slots(1, lambda _: 1)


def _outcome(handle: Handle, *, stop: Stop | None = None, **differently: Any) -> Outcome:
    """The outcome of a run that is stopped for this reason as soon as its handler awaits something."""

    async def run() -> Outcome:
        attempt = Attempt(claimed(**differently), 2.0, Delivery(1), (), SLOTS, KeptOutputs())
        task = asyncio.create_task(perform(attempt, {Brew.kind: Handler(Brew, handle)}))
        if stop is not None:
            attempt.task = task  # type: ignore[assignment]  # Attempt only cancels it, whatever it returns
            await asyncio.sleep(0)
            attempt.stop(stop)
        return await task

    return asyncio.run(run())


def _raising(error: BaseException) -> Handle:
    async def handle(command: Brew, run: Run) -> Answer:
        raise error

    return handle


async def _hang(command: Brew, run: Run) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError("nothing sets the event")


def test_a_handlers_event_is_its_outcome() -> None:
    async def brew(command: Brew, run: Run) -> Answer:
        return Brewed(notes=(f"{command.cups} cups for {run.tenant_id.int}, attempt {run.attempt}",))

    assert _outcome(brew) == Done(Brewed(notes=("2 cups for 2, attempt 1",)))


def test_a_handler_may_choose_the_delay_of_its_retry() -> None:
    problem = Problem.of("crowded", "Come back later", 503)
    outcome = _outcome(_raising(TryLater(problem, seconds=40.0, counted=False)))

    assert outcome == Failed(Failure(problem, retryable=True, wait_seconds=40.0, counted=False))


def test_waiting_for_children_is_an_outcome() -> None:
    async def delegate(command: Brew, run: Run) -> Answer:
        return AwaitChildren((Brew(),))

    assert _outcome(delegate) == AwaitingChildren(AwaitChildren((Brew(),)))


def test_a_result_with_jobs_that_follow_is_an_outcome() -> None:
    async def brew(command: Brew, run: Run) -> Answer:
        return Then(Brewed(), (Brew(cups=3),))

    assert _outcome(brew) == Done(Brewed(), (Brew(cups=3),))


def test_a_quota_that_is_used_up_is_final_and_says_which() -> None:
    outcome = _outcome(_raising(QuotaExceeded("stored_bytes", used=90, limit=100)))

    assert isinstance(outcome, Failed)
    assert (outcome.failure.problem.name, outcome.failure.retryable) == ("too-many-stored-bytes", False)
    assert "90 of 100" in outcome.failure.problem.detail


def test_a_refusal_is_final_and_keeps_its_problem() -> None:
    problem = Problem.of("no-beans", "There are no beans", 409)

    outcome = _outcome(_raising(Refused(problem)))

    assert isinstance(outcome, Failed)
    assert (outcome.failure.problem, outcome.failure.retryable) == (problem, False)


def test_an_unavailable_system_is_waited_for_as_long_as_it_asks() -> None:
    outcome = _outcome(_raising(Unavailable("the mill is busy", retry_after_seconds=7.0)))

    assert isinstance(outcome, Failed)
    assert (outcome.failure.retryable, outcome.failure.retry_after_seconds) == (True, 7.0)
    assert outcome.failure.problem.detail == "the mill is busy"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the secret is 4711"),
        SystemExit("the secret is 4711"),
        KeyboardInterrupt("the secret is 4711"),
        GeneratorExit("the secret is 4711"),
        MemoryError("the secret is 4711"),
        asyncio.CancelledError("the secret is 4711"),
        BaseExceptionGroup("the secret is 4711", [SystemExit("4711")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_handler_raises_is_an_outcome_that_leaks_no_secret(error: BaseException) -> None:
    outcome = _outcome(_raising(error))

    assert isinstance(outcome, Failed)
    assert outcome.failure.retryable
    assert "4711" not in outcome.failure.problem.model_dump_json()


@pytest.mark.parametrize("message", ["nul \x00 character", "lone \ud800 surrogate", "x" * 100_000])
def test_a_message_that_can_not_be_stored_is_an_outcome_too(message: str) -> None:
    outcome = _outcome(_raising(Unavailable(message)))

    assert isinstance(outcome, Failed)
    assert "\\u0000" not in outcome.failure.problem.model_dump_json()


def test_a_command_that_does_not_fit_its_schema_fails_for_good_and_is_not_quoted() -> None:
    outcome = _outcome(_hang, command='{"cups": "the secret is 4711"}')

    assert isinstance(outcome, Failed)
    assert not outcome.failure.retryable
    assert [error.pointer for error in outcome.failure.problem.errors] == ["/cups"]
    assert "4711" not in outcome.failure.problem.model_dump_json()


@pytest.mark.parametrize("differently", [{"version": Brew.version + 1}, {"kind": "kitchen.bake"}])
def test_a_command_from_a_newer_release_waits_for_a_worker_that_knows_it(differently: dict[str, Any]) -> None:
    outcome = _outcome(_hang, **differently)

    assert isinstance(outcome, Failed)
    assert outcome.failure.retryable
    assert outcome.failure.wait_seconds == MIN_WAIT_SECONDS
    assert not outcome.failure.counted, "what wasn't understood wasn't tried"


def test_a_command_that_no_worker_understands_is_retried_ever_less_often_and_not_for_ever() -> None:
    met = datetime.now(UTC)

    def failure_after(waited: timedelta) -> Failure:
        outcome = _outcome(_hang, version=Brew.version + 1, troubled_since=(met - waited).isoformat())
        assert isinstance(outcome, Failed)
        return outcome.failure

    a_while, long = failure_after(timedelta(seconds=10)), failure_after(timedelta(hours=20))

    assert a_while.wait_seconds == pytest.approx(10.0, abs=1.0)
    assert long.wait_seconds == MAX_WAIT_SECONDS
    assert long.until == met - timedelta(hours=20) + MAX_WAITED
    assert long.problem.since == met - timedelta(hours=20), "the next run knows since when"


def test_waiting_for_a_server_that_is_away_is_no_attempt_and_ends_after_a_day() -> None:
    async def away(command: Brew, run: Run) -> None:
        raise Away("the server is away")

    async def busy(command: Brew, run: Run) -> None:
        raise Unavailable("the server can't do this one")

    met = datetime.now(UTC)
    waited, counted = _outcome(away, troubled_since=(met - timedelta(hours=1)).isoformat()), _outcome(busy)

    assert isinstance(waited, Failed)
    assert isinstance(counted, Failed)
    assert (waited.failure.counted, counted.failure.counted) == (False, True)
    assert waited.failure.wait_seconds == MAX_WAIT_SECONDS
    assert waited.failure.until == met - timedelta(hours=1) + MAX_WAITED
    assert "the server is away" in waited.failure.problem.detail


def test_an_older_command_is_read_in_the_form_it_has_now() -> None:
    async def brew(command: Brew, run: Run) -> Answer:
        return Brewed(notes=(f"{command.cups} cups",))

    assert _outcome(brew, version=Brew.version - 1, command='{"mugs": 3}') == Done(Brewed(notes=("3 cups",)))
    refused = _outcome(brew, version=Brew.version, command='{"mugs": 3}')
    assert isinstance(refused, Failed), "what claims to be of this version has its form"
    assert not refused.failure.retryable


@pytest.mark.parametrize("reason", [Stop.CANCELLED, Stop.REVOKED, Stop.DRAINING, Stop.LEASE_LOST])
def test_a_run_that_we_ended_says_why(reason: Stop) -> None:
    assert _outcome(_hang, stop=reason) == Stopped(reason)


def test_a_run_over_its_time_limit_may_be_tried_again() -> None:
    outcome = _outcome(_hang, stop=Stop.TIME_LIMIT)

    assert isinstance(outcome, Failed)
    assert outcome.failure.retryable
    assert outcome.failure.problem.name == "time-limit"


def test_an_error_on_the_way_out_does_not_hide_that_we_ended_it() -> None:
    async def clumsy(command: Brew, run: Run) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("could not tidy up")

    assert _outcome(clumsy, stop=Stop.DRAINING) == Stopped(Stop.DRAINING)


def test_the_first_reason_to_stop_is_the_one_that_counts() -> None:
    async def run() -> Stop | None:
        attempt = Attempt(claimed(), 2.0, Delivery(1), (), SLOTS, KeptOutputs())
        attempt.stop(Stop.TIME_LIMIT)
        attempt.stop(Stop.DRAINING)
        return attempt.stopped

    assert asyncio.run(run()) is Stop.TIME_LIMIT


def test_progress_stays_within_its_bounds() -> None:
    outputs = KeptOutputs()

    async def run() -> None:
        attempt = Attempt(claimed(), 2.0, Delivery(1), (), SLOTS, outputs)
        for fraction in (-1.0, 0.25, 7.0):
            attempt.progress(fraction, "m" * 1_000)

    asyncio.run(run())

    assert [one.fraction for one in outputs.reports] == [0.0, 0.25, 1.0]
    assert all(len(one.message) == 500 for one in outputs.reports)
