"""What each statement makes of a job's row, as far as the protocol goes: the model beside the SQL it stands for.

The search (`model.py`) composes these into a whole system. The state machine (`machine.py`) runs the real statements
and compares every row with what is said here, so the two can't drift apart.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from infrastructure.postgres.jobs.sweep import CRASHES_ALLOWED
from schemas.jobs import TERMINAL, TRANSITIONS, JobState, Trigger, states_that_allow, transition

Name = int | UUID
"""A token or a worker: small numbers in the search, real ids in the database."""

CLAIMABLE = frozenset(states_that_allow(Trigger.CLAIM))
CANCELLABLE = frozenset(states_that_allow(Trigger.CANCEL))
UNCOUNTED = frozenset({Trigger.RELEASE, Trigger.AWAIT})
"""Ends of a run that don't count as an attempt."""
LEGAL_STEPS = frozenset((before, after) for (before, _), after in TRANSITIONS.items())
ENOUGH = 2
"""Counting further than the number that is already wrong would only make the state space larger."""


class Row(NamedTuple):
    """A job in PostgreSQL."""

    state: JobState
    attempt: int = 0
    crashes: int = 0
    token: Name | None = None
    worker: Name | None = None
    ends: int = 0
    """Terminal events in its timeline."""
    ends_of_attempt: int = 0
    """Events in its timeline that ended a run, since the last `job.started`."""


def stored(*, later: bool = False) -> Row:
    """`INSERT INTO jobs … CASE WHEN run_at > now() THEN 'scheduled' ELSE 'queued' END`"""
    return Row(JobState.SCHEDULED if later else JobState.QUEUED)


def stage_scheduled(row: Row) -> Row:
    """`UPDATE jobs SET state = 'queued' … WHERE wake_at <= now() AND state = 'scheduled'`, or 'retrying'."""
    if row.state not in (JobState.SCHEDULED, JobState.RETRYING):
        return row
    return row._replace(state=transition(row.state, Trigger.COME_DUE))


def claimed(row: Row, *, worker: Name, worker_seen_alive: bool, token: Name) -> Row:
    """`SET state = 'running', attempt = attempt + 1, lease_token = …, lease_worker = … WHERE state IN (claimable) AND
    EXISTS (… workers w … AND w.dead_at IS NULL)`"""
    if row.state not in CLAIMABLE or not worker_seen_alive:
        return row
    return row._replace(
        state=transition(row.state, Trigger.CLAIM),
        attempt=row.attempt + 1,
        token=token,
        worker=worker,
        ends_of_attempt=0,
    )


def charged(row: Row, token: Name) -> Row:
    """`UPDATE jobs SET crashes = crashes + 1 WHERE id = … AND lease_token = …`"""
    return row._replace(crashes=min(row.crashes + 1, ENOUGH)) if row.token == token else row


def settled(row: Row, token: Name, trigger: Trigger, *, fenced: bool = True) -> Row:
    """`UPDATE jobs SET state = d.state, lease_token = NULL, lease_worker = NULL, attempt = attempt - d.uncounted,
    crashes = 0 … WHERE j.id = d.id AND j.lease_token = d.token`"""
    if fenced and row.token != token:
        return row
    return _ended(row, transition(JobState.RUNNING, trigger), ran=True)._replace(
        attempt=row.attempt - (trigger in UNCOUNTED), crashes=0
    )


def reaped(row: Row, beside: Iterable[Row]) -> Row:
    """`lost.crashes >= CRASHES_ALLOWED AS poison`, then `SET state = CASE WHEN c.poison THEN 'dead' ELSE 'queued' END,
    crashes = c.crashes, lease_token = NULL, lease_worker = NULL … WHERE j.lease_worker IS NOT NULL`

    A job that hadn't crashed before is charged only where no suspect ran beside it on the same dead worker.
    """
    if row.worker is None:
        return row
    suspected = any(one.worker == row.worker and one.crashes >= CRASHES_ALLOWED for one in beside)
    crashes = row.crashes + (row.crashes == 0 and not suspected)
    poison = crashes >= CRASHES_ALLOWED
    after = transition(row.state, Trigger.BURY if poison else Trigger.LOSE)
    return _ended(row, after, ran=True)._replace(crashes=crashes)


def cancelled(row: Row) -> Row:
    """`UPDATE jobs SET state = 'cancelled', lease_token = NULL, lease_worker = NULL … WHERE c.state IN (…)`"""
    if row.state not in CANCELLABLE:
        return row
    return _ended(row, transition(row.state, Trigger.CANCEL), ran=row.state is JobState.RUNNING)


def resumed(row: Row) -> Row:
    """`UPDATE jobs SET state = 'queued' … WHERE state = 'waiting' AND NOT EXISTS (… children that haven't ended)`"""
    return row._replace(state=transition(row.state, Trigger.RESUME)) if row.state is JobState.WAITING else row


def wrong_with(row: Row) -> str | None:
    """What no row may ever look like; None when this one is sound."""
    leased = row.state is JobState.RUNNING
    if (row.token is not None, row.worker is not None) != (leased, leased):
        return f"a {row.state} job is leased to {row.worker} by token {row.token}"
    if row.ends_of_attempt > 1:
        return "one attempt ended twice"
    if row.ends != (row.state in TERMINAL):
        return f"a {row.state} job has {row.ends} terminal events"
    return None


def illegal_step(before: Row, after: Row) -> str | None:
    """What no statement may do to a row; None when this step is a transition of the table, or none at all."""
    if before.state is after.state or (before.state, after.state) in LEGAL_STEPS:
        return None
    return f"a {before.state} job became {after.state}"


def _ended(row: Row, state: JobState, *, ran: bool) -> Row:
    return row._replace(
        state=state,
        token=None,
        worker=None,
        ends=min(row.ends + (state in TERMINAL), ENOUGH),
        ends_of_attempt=min(row.ends_of_attempt + ran, ENOUGH),
    )
