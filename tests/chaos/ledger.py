"""Adds up what became of every job, and says what doesn't add up."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from schemas.jobs import TERMINAL, IllegalTransition, JobState
from tests.protocol.timelines import Told, read_timeline

_ENDED = ", ".join(f"'{state}'" for state in TERMINAL)
UNFINISHED = f"SELECT count(*) FROM jobs WHERE state NOT IN ({_ENDED})"
_JOBS = (
    "SELECT id, state, parent_id, lease_token IS NULL AND lease_worker IS NULL AND wake_at IS NULL, problem FROM jobs"
)
_EVENTS = "SELECT job_id, seq, type FROM job_events ORDER BY job_id, seq"


@dataclass(slots=True)
class Ledger:
    """The counts, and in `wrong` one sentence for each thing that breaks a promise."""

    accepted: int
    uncertain: int
    kept_of_uncertain: int = 0
    children: int = 0
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
            f"{self.children:,} children: {states} ({self.poisoned:,} of the dead as poison); {self.starts:,} starts, "
            f"{self.ends:,} accepted ends, {self.marks:,} marks, {self.discarded:,} late outcomes discarded"
        )


def add_up(connection: psycopg.Connection, accepted: set[UUID], uncertain: set[UUID]) -> Ledger:
    """What the database says of the jobs."""
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
    return ledger


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
    if marks > told.starts:
        yield f"did its work {marks} times and was started {told.starts} times"
