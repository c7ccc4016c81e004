"""Drives the product's real statements through the model's steps, in any order Hypothesis can think of.

After every step each row must be what `rows.py` says it is, its timeline legal, its columns sound. Time is moved by moving
the columns that hold times.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from infrastructure.postgres import workers
from infrastructure.postgres.jobs import cancellation, submission, sweep
from infrastructure.postgres.jobs import claim as claiming
from infrastructure.postgres.jobs import settlement as settling
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.jobs.settlement import Settlement
from infrastructure.postgres.jobs.sweep import Verdict
from schemas.jobs import JobState
from schemas.problems import Problem
from tests.protocol import rows
from tests.protocol.database import TENANT, Database, new_job
from tests.protocol.endings import OUTCOMES, TRIGGERS, settlement
from tests.protocol.rows import Row, illegal_step, wrong_with
from workers.runtime.settling.outcomes import Outcome, released

RING_AGAIN_SECONDS, LEASE_SECONDS = 5.0, 15.0
MAX_WORKERS = 3
A_STRANGER = UUID(int=99)
POISON = Verdict(Problem.of("poison", "It kills", 500).model_dump_json(), "")


class ProtocolMachine(RuleBasedStateMachine):
    """Holds what the model expects of every row, beside the database that has it."""

    submitted = Bundle("submitted")
    processes = Bundle("processes")
    runs = Bundle("runs")
    """Claims whose worker believes that it holds them, though their time may be over."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.expected: dict[UUID, Row] = {}
        self.parents: dict[UUID, UUID] = {}
        self.not_yet: set[UUID] = set()
        """Jobs whose time to run hasn't come."""
        self.last_id = 0
        self.registered: set[UUID] = set()
        self.dead: set[UUID] = set()
        self.silent: set[UUID] = set()
        database.clear()

    # Submitting

    @initialize(target=processes)
    def the_first_workers(self) -> object:
        return multiple(self._register(), self._register())

    @initialize(target=submitted)
    def the_first_jobs(self) -> object:
        return multiple(*self._submit(3, None), *self._submit(1, _in_an_hour()))

    @rule(target=submitted, count=st.integers(1, 3), later=st.booleans())
    def submit(self, count: int, later: bool) -> object:
        return multiple(*self._submit(count, _in_an_hour() if later else None))

    # Claiming

    @precondition(lambda self: len(self.alive()) < MAX_WORKERS)
    @rule(target=processes)
    def a_worker_starts(self) -> UUID:
        return self._register()

    @rule(target=runs, worker=processes, newest=st.integers(1, 8))
    def claim(self, worker: UUID, newest: int) -> object:
        # Doorbells are redelivered and come late, so a job may be claimed whatever its state, and named twice.
        ids = list(self.expected)[-newest:]
        return multiple(*self._claim(worker, ids + ids[:1]))

    @rule(target=runs, newest=st.integers(1, 3))
    def a_worker_is_given_up_and_another_has_its_jobs(self, newest: int) -> object:
        ids = list(self.expected)[-newest:]
        first = self._register()
        late = self._claim(first, ids)
        self.a_worker_leaves(first)
        self.reap()
        return multiple(*late, *self._claim(self._register(), ids))

    @rule(worker=processes, newest=st.integers(1, 3))
    def claim_and_never_hear_of_it(self, worker: UUID, newest: int) -> None:
        self._claim(worker, list(self.expected)[-newest:])

    @rule(worker=processes)
    def hand_back_leases_that_no_run_knows(self, worker: UUID) -> None:
        held = self.database.do(lambda connection: workers.leases_of(connection, worker))
        leased = {job_id: row.token for job_id, row in self.expected.items() if row.worker == worker}
        assert held == leased
        self._settle([released(job_id, token) for job_id, token in leased.items() if isinstance(token, UUID)])

    @rule(run=runs)
    def charge_a_suspect(self, run: Claimed) -> None:
        self.database.do(lambda connection: claiming.charge(connection, run))
        row = self.expected[run.id]
        # The model counts no further than it must.
        self.expected[run.id] = row._replace(crashes=row.crashes + 1) if row.token == run.token else row

    # Settling

    @rule(run=runs, outcome=st.sampled_from(OUTCOMES))
    def settle(self, run: Claimed, outcome: Outcome) -> None:
        note = (run.id, run.token, '{"fraction": 0.5}')
        self.database.do(lambda connection: claiming.note_progress(connection, [note]))
        self._settle([settlement(run, outcome)])

    @rule(run=consumes(runs), outcome=st.sampled_from(OUTCOMES))
    def settle_twice_because_the_answer_was_lost(self, run: Claimed, outcome: Outcome) -> None:
        ended = settlement(run, outcome)
        self._settle([ended])
        self._settle([ended])

    @rule(
        ended=st.lists(
            st.tuples(runs, st.sampled_from(OUTCOMES)), max_size=5, unique_by=lambda pair: (pair[0].id, pair[0].token)
        )
    )
    def settle_many_at_once(self, ended: list[tuple[Claimed, Outcome]]) -> None:
        self._settle([settlement(run, outcome) for run, outcome in ended])

    @rule(run=runs, outcome=st.sampled_from(OUTCOMES))
    def settle_a_late_run_beside_the_one_that_holds_the_lease(self, run: Claimed, outcome: Outcome) -> None:
        token = self.expected[run.id].token
        if isinstance(token, UUID) and token != run.token:
            self._settle([settlement(run, outcome), released(run.id, token)])

    @rule(job_id=submitted, worker=processes)
    def note_that_an_outcome_was_discarded(self, job_id: UUID, worker: UUID) -> None:
        self.database.do(lambda connection: settling.record_discarded(connection, [job_id], worker))

    # Losing workers

    @rule(worker=processes)
    def a_worker_falls_silent(self, worker: UUID) -> None:
        self.database.change("UPDATE workers SET heartbeat_at = now() - interval '1 hour' WHERE id = %s", worker)
        self.silent.add(worker)

    @rule(worker=processes)
    def a_worker_beats(self, worker: UUID) -> None:
        assert self.database.beat(worker) is (worker not in self.dead)
        if worker not in self.dead:
            self.silent.discard(worker)

    @rule(worker=processes)
    def a_worker_leaves(self, worker: UUID) -> None:
        self.database.leave(worker)
        self.dead.add(worker)

    @rule()
    def reap(self) -> None:
        due = self.database.do(lambda connection: sweep.look(connection, lease_seconds=LEASE_SECONDS, declare=True))
        self.dead |= self.silent
        reaped = self.database.do(lambda connection: sweep.reap(connection, poison=POISON, stall=POISON))
        lost = {job_id: row for job_id, row in self.expected.items() if row.worker in self.dead}
        self.expected |= {job_id: rows.reaped(row, list(lost.values())) for job_id, row in lost.items()}
        assert {one.job_id for one in (*reaped.requeued, *reaped.buried)} == lost.keys(), "nobody else's"
        assert due.lost is bool(lost)

    # The owner and the clock

    @rule(job_id=submitted)
    def cancel(self, job_id: UUID) -> None:
        assert self.database.do(lambda connection: cancellation.cancel(connection, A_STRANGER, job_id)) is None
        answer = self.database.do(lambda connection: cancellation.cancel(connection, TENANT, job_id))
        before = self.expected[job_id]
        self.expected[job_id] = rows.cancelled(before)
        if isinstance(answer, cancellation.Cancelled):
            assert answer.was_running is (before.state is JobState.RUNNING)
        else:
            assert answer == cancellation.AlreadyOver(before.state)

    @rule()
    def time_passes(self) -> None:
        self.database.change("UPDATE jobs SET run_at = now() - interval '1 s' WHERE state <> 'running'")
        self.database.change("UPDATE jobs SET wake_at = now() - interval '1 s' WHERE wake_at IS NOT NULL")
        self.not_yet.clear()

    @rule()
    def the_dispatcher_looks_at_what_is_due(self) -> None:
        bells, _ = self.database.do(
            lambda connection: sweep.stage_scheduled(connection, ring_again_seconds=RING_AGAIN_SECONDS)
        )
        due = {bell.job_id for bell in bells}
        scheduled = {job_id for job_id, row in self.expected.items() if row.state is JobState.SCHEDULED}
        assert due == scheduled - self.not_yet
        self.expected |= {job_id: rows.stage_scheduled(self.expected[job_id]) for job_id in due}

        bells = self.database.do(
            lambda connection: sweep.queue_retries(connection, ring_again_seconds=RING_AGAIN_SECONDS)
        )
        retrying = {job_id for job_id, row in self.expected.items() if row.state is JobState.RETRYING}
        assert {bell.job_id for bell in bells} <= retrying
        self.expected |= {bell.job_id: rows.stage_scheduled(self.expected[bell.job_id]) for bell in bells}

    @rule()
    def waiting_parents_are_looked_at(self) -> None:
        bells = self.database.do(sweep.resume_waiting)
        waiting = {job_id for job_id, row in self.expected.items() if row.state is JobState.WAITING} - self.not_yet
        complete = {job_id for job_id in waiting if self._children_have_ended(job_id)}
        assert {bell.job_id for bell in bells} == complete
        self.not_yet |= waiting
        self._resumed(complete)

    @rule(job_id=submitted)
    def the_last_child_tells_its_parent(self, job_id: UUID) -> None:
        resumed = self.database.do(lambda connection: settling.resume_parents(connection, [job_id]))
        complete = self.expected[job_id].state is JobState.WAITING and self._children_have_ended(job_id)
        assert {row[0] for row in resumed} == ({job_id} if complete else set())
        self._resumed({row[0] for row in resumed})

    # What must hold after every step

    @invariant()
    def the_database_is_as_the_model_says(self) -> None:
        found = self.database.rows()
        assert found == self.expected
        assert not [wrong for row in found.values() if (wrong := wrong_with(row))]

    def _submit(self, count: int, run_at: datetime | None) -> list[UUID]:
        jobs = [new_job(self._new_id(), run_at=run_at) for _ in range(count)]
        for _ in ("once", "again, because the answer was lost"):
            stored = self.database.submit(
                lambda connection: submission.store(
                    connection, jobs, ring_again_seconds=RING_AGAIN_SECONDS, idempotency_hours=1
                )
            )
            assert stored == [submission.Accepted(job.id) for job in jobs]
        self.expected |= {job.id: rows.stored(later=run_at is not None) for job in jobs}
        self.not_yet |= {job.id for job in jobs if run_at is not None}
        return [job.id for job in jobs]

    def alive(self) -> set[UUID]:
        return self.registered - self.dead

    def _register(self) -> UUID:
        worker = self._new_id()
        self.database.register(worker)
        self.registered.add(worker)
        return worker

    def _new_id(self) -> UUID:
        # Counted, so that a history that Hypothesis tries again takes the same course.
        self.last_id += 1
        return UUID(int=self.last_id)

    def _claim(self, worker: UUID, ids: list[UUID]) -> list[Claimed]:
        claims = self.database.do(
            lambda connection: claiming.claim(connection, worker, sorted(one.bytes for one in ids))
        )
        assert not self.not_yet & {claimed.id for claimed in claims}, "nothing is given before its time"
        for claimed in claims:
            before = self.expected[claimed.id]
            after = rows.claimed(before, worker=worker, worker_seen_alive=True, token=claimed.token)
            assert after.attempt == claimed.attempt
            self._step(claimed.id, after)
        free = {job_id for job_id in ids if self.expected[job_id].state in rows.CLAIMABLE} - self.not_yet
        assert worker in self.dead or not free, "whatever is free is given to a living worker"
        assert worker not in self.dead or not claims, "a dead worker is given nothing"
        return sorted(claims, key=lambda claimed: claimed.id)

    def _settle(self, settlements: list[Settlement]) -> None:
        settle = settling.settle
        settled = self.database.do(
            lambda connection: settle(connection, settlements, ring_again_seconds=RING_AGAIN_SECONDS)
        )
        assert set(settled.late) == {one for one in settlements if self.expected[one.job_id].token != one.token}
        for one in settlements:
            before = self.expected[one.job_id]
            if before.token == one.token:
                self._step(one.job_id, rows.settled(before, one.token, TRIGGERS[one.state]))
                self._bring_new_jobs(one)
                if one.due_seconds:
                    self.not_yet.add(one.job_id)

    def _bring_new_jobs(self, ended: Settlement) -> None:
        for job in ended.new_jobs:
            self.expected[job.id] = rows.stored()
            if job.parent_id is not None:
                self.parents[job.id] = job.parent_id

    def _step(self, job_id: UUID, after: Row) -> None:
        wrong = illegal_step(self.expected[job_id], after)
        assert wrong is None, wrong
        self.expected[job_id] = after

    def _children_have_ended(self, parent: UUID) -> bool:
        return all(self.expected[child].ends for child, its_parent in self.parents.items() if its_parent == parent)

    def _resumed(self, ids: set[UUID]) -> None:
        self.not_yet -= ids
        self.expected |= {job_id: rows.resumed(self.expected[job_id]) for job_id in ids}


def _in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)
