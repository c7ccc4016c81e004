"""Adds up what became of every job, and says what doesn't add up."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from schemas.batches import BATCH_KIND
from schemas.jobs import TERMINAL, IllegalTransition, JobState
from tests.chaos.submitting import MAX_CAPPED
from tests.protocol.timelines import Told, read_timeline

_ENDED = ", ".join(f"'{state}'" for state in TERMINAL)
UNFINISHED = f"SELECT count(*) FROM jobs WHERE state NOT IN ({_ENDED})"
_JOBS = (
    "SELECT id, state, parent_id, lease_token IS NULL AND lease_worker IS NULL AND wake_at IS NULL AND parked IS NULL, "
    f"problem FROM jobs WHERE kind <> '{BATCH_KIND}'"
)
_BATCHES = f"""
SELECT b.id, b.state, (b.result->>'total')::int, count(c.id) FROM jobs b LEFT JOIN jobs c ON c.parent_id = b.id
WHERE b.kind = '{BATCH_KIND}' GROUP BY b.id
"""
_CALLED = "SELECT id FROM jobs WHERE kind = 'ai.process_document' AND causation_id IS NULL"
_FIRED = "SELECT count(*), count(DISTINCT date_trunc('minute', j.created_at)) FROM jobs j JOIN schedules s ON s.id = causation_id"
_MAX_CAPPED = """
SELECT coalesce(max(count), 0) FROM (
  SELECT sum(step) OVER (PARTITION BY tenant_id ORDER BY at, step) AS count FROM (
    SELECT e.tenant_id, e.at, CASE WHEN e.type = 'job.started' THEN 1 ELSE -1 END AS step
    FROM job_events e JOIN jobs j ON j.id = e.job_id AND j.concurrency_key IS NOT NULL
    WHERE e.type IN ('job.started', 'job.succeeded', 'job.failed', 'job.dead', 'job.retrying', 'job.requeued',
      'job.released', 'job.waiting')) s) r
"""
_EVENTS = "SELECT job_id, seq, type FROM job_events ORDER BY job_id, seq"


@dataclass(slots=True)
class Ledger:
    """The counts, and in `wrong` one sentence for each thing that breaks a promise."""

    accepted: int
    uncertain: int
    kept_of_uncertain: int = 0
    children: int = 0
    batches: int = 0
    fired: int = 0
    """Jobs that the schedule made."""
    most_capped: int = 0
    """The most that ran at once under the cap."""
    states: Counter[str] = field(default_factory=Counter)
    poisoned: int = 0
    starts: int = 0
    ends: int = 0
    marks: int = 0
    discarded: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        states = ", ".join(f"{count:,} {state}" for state, count in sorted(self.states.items()))
        return (
            f"{self.accepted:,} jobs accepted, {self.uncertain:,} uncertain ({self.kept_of_uncertain:,} kept), "
            f"{self.children:,} children, {self.batches:,} batches, {self.fired:,} by schedule, at most {self.most_capped:,} "
            f"at once under the cap of {MAX_CAPPED}: {states} ({self.poisoned:,} of the dead as poison); {self.starts:,} starts, "
            f"{self.ends:,} accepted ends, {self.marks:,} marks, {self.discarded:,} late outcomes discarded"
        )


def add_up(connection: psycopg.Connection, accepted: set[UUID], uncertain: set[UUID], called: set[UUID]) -> Ledger:
    """What the database says of the jobs; `called` are those of the accepted that were asked for over HTTP."""
    ledger = Ledger(len(accepted), len(uncertain))
    jobs = connection.execute(_JOBS).fetchall()
    timelines: dict[UUID, list[tuple[int, str]]] = defaultdict(list)
    for job_id, seq, kind in connection.execute(_EVENTS):
        timelines[job_id].append((seq, kind))
    marks = Counter(job_id for (job_id,) in connection.execute("SELECT job_id FROM marks"))
    known = {row[0] for row in jobs}
    ledger.wrong += [f"job {job_id} was accepted and is gone" for job_id in accepted - known]
    ledger.kept_of_uncertain = len(uncertain & known)
    for job_id, state, parent_id, at_rest, problem in jobs:
        ledger.children += parent_id is not None
        ledger.states[state] += 1
        ledger.poisoned += state == JobState.DEAD and str(problem["type"]).endswith("/poison")
        ledger.wrong += _enter(ledger, job_id, state, at_rest, timelines[job_id], marks[job_id])
    ledger.wrong += _of_many(ledger, connection, called)
    return ledger


def _of_many(ledger: Ledger, connection: psycopg.Connection, called: set[UUID]) -> Iterable[str]:
    for batch_id, state, total, children in connection.execute(_BATCHES):
        ledger.batches += 1
        if state != JobState.SUCCEEDED or total != children:
            yield f"batch {batch_id} is {state} and counted {total} of its {children} jobs"
    stored = {job_id for (job_id,) in connection.execute(_CALLED)}
    if unasked := stored - called:
        yield f"{len(unasked)} jobs were made twice of one idempotency key"
    ((ledger.fired, slots),) = connection.execute(_FIRED)
    if slots != ledger.fired:
        yield f"the schedule made {ledger.fired} jobs in {slots} minutes"
    ((ledger.most_capped,),) = connection.execute(_MAX_CAPPED)
    if ledger.most_capped > MAX_CAPPED:
        yield f"{ledger.most_capped} jobs ran at once under a cap of {MAX_CAPPED}"


def _enter(
    ledger: Ledger, job_id: UUID, state: str, at_rest: bool, timeline: list[tuple[int, str]], marks: int
) -> Iterable[str]:
    try:
        told = read_timeline(timeline)
    except (AssertionError, IllegalTransition) as error:
        yield f"the timeline of job {job_id} can't be: {error}; {[kind for _, kind in timeline]}"
        return
    ledger.starts += told.starts
    ledger.ends += told.ends
    ledger.marks += marks
    ledger.discarded += told.discarded
    done = [kind for _, kind in timeline].count("chaos.done")
    for wrong in _contradictions(state, at_rest, told, done, marks):
        yield f"job {job_id} {wrong}: {[kind for _, kind in timeline]}"


def _contradictions(state: str, at_rest: bool, told: Told, done: int, marks: int) -> Iterable[str]:
    if told.state != state:
        yield f"is {state}, and its timeline says {told.state}"
    if state not in TERMINAL or told.ends != 1:
        yield f"is {state} with {told.ends} ends"
    if not at_rest:
        yield "has ended and is still leased or looked at"
    if done != (state == JobState.SUCCEEDED):
        yield f"is {state} and told of its effect {done} times"
    if state == JobState.SUCCEEDED and not marks:
        yield "succeeded without having done its work"
    # A claim doesn't wait for the disk, so a killed PostgreSQL may forget one whose handler works on. What that run brings in
    # the end is discarded, and the timeline says so in place of its start.
    if marks > told.starts + told.discarded:
        yield f"did its work {marks} times and was started {told.starts} times"
