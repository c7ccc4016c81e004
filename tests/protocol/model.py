"""The whole protocol as a small system: PostgreSQL's rows, Redis's bells, what each worker process holds in its hands.

Every step is one thing that one party does at once: a statement, a push, a message taken. Between any two steps any other
party may act or fail. Time is left out: whatever may happen after a while may happen now, which is worse than the truth.

A worker counts as silent only when its process is gone or frozen, and one worker is always spared, since the promise is
that every job ends "while one worker lives". Frozen ones may wake at any time, and need not.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from schemas.jobs import TERMINAL, JobState, Trigger
from tests.protocol import rows
from tests.protocol.rows import Row

MOST_BELLS = 2
"""Of one job. A third duplicate could do nothing that the second can't."""


class Protocol(NamedTuple):
    """Its parts, so that a test can take one out."""

    fencing: bool = True
    ring_again: bool = True
    reaper: bool = True
    lease_check: bool = True
    joins_all_dead: bool = True
    """The reaper looks at all dead workers' jobs, not only at those of the workers it has just declared dead."""


class Limits(NamedTuple):
    """How large the searched system is, and how much may go wrong in one history of it."""

    jobs: int
    workers: int
    faults: int
    cancels: int = 0
    drains: int = 0
    max_attempts: int = 2


class Life(StrEnum):
    UP = "up"
    FROZEN = "frozen"
    GONE = "gone"


class Phase(StrEnum):
    EMPTY = "empty"
    BELL = "has its bell"
    CLAIMING = "has sent a claim"
    """PostgreSQL saw the worker alive when the statement began, and commits it whatever becomes of the process."""
    ANSWERED = "is being told that it has it"
    RUNNING = "runs it"
    SETTLING = "has sent its end"


class Hand(NamedTuple):
    """What a process holds of one job."""

    phase: Phase = Phase.EMPTY
    token: int | None = None
    incarnation: int | None = None
    """Whose claim was sent."""
    trigger: Trigger | None = None


class Worker(NamedTuple):
    """A process."""

    life: Life
    incarnation: int
    """Its row in `workers`."""
    hands: tuple[Hand, ...]


class State(NamedTuple):
    rows: tuple[Row | None, ...]
    """None for a job that isn't submitted yet."""
    bells: tuple[int, ...]
    workers: tuple[Worker, ...]
    dead: frozenset[int]
    """The incarnations whose row says so."""
    faults: int
    cancels: int
    drains: int


class Step(NamedTuple):
    """What happened, by whom, and how things stand then."""

    told: str
    state: State
    fault: bool = False
    """Nobody may count on it: the system must end its jobs without it."""
    effect_of: tuple[int, int | None] | None = None
    """(job, token) when a worker's word changed the job's row."""


EMPTY_HAND = Hand()


def beginning(limits: Limits) -> State:
    hands = (EMPTY_HAND,) * limits.jobs
    return State(
        rows=(None,) * limits.jobs,
        bells=(0,) * limits.jobs,
        workers=tuple(Worker(Life.UP, number, hands) for number in range(limits.workers)),
        dead=frozenset(),
        faults=limits.faults,
        cancels=limits.cancels,
        drains=limits.drains,
    )


def all_ended(state: State) -> bool:
    return all(row is not None and row.state in TERMINAL for row in state.rows)


def steps(state: State, limits: Limits, protocol: Protocol) -> Iterator[Step]:
    """Everything that can happen next."""
    yield from _submitter(state)
    for number in range(limits.workers):
        yield from _worker(state, number, limits, protocol)
    yield from _dispatcher(state, protocol)
    yield from _owner(state)
    yield from _faults(state)


def _submitter(state: State) -> Iterator[Step]:
    for job, row in enumerate(state.rows):
        if row is None:
            kept = _with_row(state, job, rows.stored())
            yield Step(f"job {job} is submitted and rung", _with_bell(kept, job))
            yield Step(f"job {job} is submitted, but Redis doesn't take its bell", kept)


# Workers


def _worker(state: State, number: int, limits: Limits, protocol: Protocol) -> Iterator[Step]:
    worker = state.workers[number]
    for job, hand in enumerate(worker.hands):
        # What a process had sent is PostgreSQL's to do, whether the process still lives or not.
        if hand.phase is Phase.CLAIMING:
            yield _claim_commits(state, number, job)
        if hand.phase is Phase.SETTLING:
            yield from _settle_commits(state, number, job, protocol)
        if worker.life is Life.UP:
            yield from _hand_acts(state, number, job, limits)
    if worker.life is Life.UP:
        yield from _heartbeat(state, number)
        if protocol.lease_check:
            yield from _check_leases(state, number, protocol)


def _hand_acts(state: State, number: int, job: int, limits: Limits) -> Iterator[Step]:
    worker = state.workers[number]
    hand = worker.hands[job]
    who = f"worker {number}"
    if state.bells[job]:
        taken = _with_bell(state, job, -1)
        if hand.phase is Phase.EMPTY:
            yield Step(f"{who} takes the bell of job {job}", _with_hand(taken, number, job, Hand(Phase.BELL)))
        else:
            yield Step(f"{who} takes a bell of job {job}, which it has already, and drops it", taken)
    match hand.phase:
        case Phase.BELL if worker.incarnation in state.dead:
            yield Step(f"{who} claims job {job} as a dead worker: no", _with_hand(state, number, job, EMPTY_HAND))
        case Phase.BELL:
            sent = Hand(Phase.CLAIMING, incarnation=worker.incarnation)
            yield Step(f"{who} sends its claim of job {job}", _with_hand(state, number, job, sent))
        case Phase.ANSWERED:
            yield from _launch(state, number, job)
        case Phase.RUNNING:
            yield from _run_ends(state, number, job, limits)


def _launch(state: State, number: int, job: int) -> Iterator[Step]:
    """A suspect is charged before it runs, and runs only when no other suspect does."""
    worker, row = state.workers[number], state.rows[job]
    token = worker.hands[job].token
    assert row is not None and token is not None
    running = _with_hand(state, number, job, Hand(Phase.RUNNING, token))
    if not row.crashes:
        yield Step(f"worker {number} runs job {job}", running)
    elif not _runs_a_suspect(state, worker):
        charged = _with_row(running, job, rows.charged(row, token))
        yield Step(f"worker {number} charges job {job}, a suspect, and runs it", charged)


def _runs_a_suspect(state: State, worker: Worker) -> bool:
    return any(
        hand.phase is Phase.RUNNING and row is not None and row.crashes > 1
        for row, hand in zip(state.rows, worker.hands, strict=True)
    )


def _run_ends(state: State, number: int, job: int, limits: Limits) -> Iterator[Step]:
    row, hand = state.rows[job], state.workers[number].hands[job]
    assert row is not None
    failed = Trigger.RETRY if row.attempt < limits.max_attempts else Trigger.BURY
    for trigger in (Trigger.SUCCEED, failed):
        sent = hand._replace(phase=Phase.SETTLING, trigger=trigger)
        yield Step(f"worker {number} ends job {job}: {trigger}", _with_hand(state, number, job, sent))
    if state.drains:
        sent = hand._replace(phase=Phase.SETTLING, trigger=Trigger.RELEASE)
        drained = state._replace(drains=state.drains - 1)
        yield Step(f"worker {number} drains: releases job {job}", _with_hand(drained, number, job, sent), fault=True)


def _claim_commits(state: State, number: int, job: int) -> Step:
    row, hand = state.rows[job], state.workers[number].hands[job]
    assert row is not None and hand.incarnation is not None
    token = _unused_token(state, job)
    after = rows.claimed(row, worker=hand.incarnation, worker_seen_alive=True, token=token)
    if after is row:
        return Step(f"worker {number}'s claim of job {job} finds it taken", _with_hand(state, number, job, EMPTY_HAND))
    told = f"worker {number}'s claim of job {job} commits as {hand.incarnation} with token {token}"
    return Step(told, _with_hand(_with_row(state, job, after), number, job, Hand(Phase.ANSWERED, token)))


def _settle_commits(state: State, number: int, job: int, protocol: Protocol) -> Iterator[Step]:
    row, hand = state.rows[job], state.workers[number].hands[job]
    assert row is not None and hand.token is not None and hand.trigger is not None
    after = rows.settled(row, hand.token, hand.trigger, fenced=protocol.fencing)
    effect = None if after is row else (job, hand.token)
    what = f"worker {number}'s '{hand.trigger}' for job {job} by token {hand.token}"
    stored = _with_row(state, job, after)
    told = f"{what} is stored" if effect else f"{what} is discarded"
    yield Step(told, _with_hand(stored, number, job, EMPTY_HAND), effect_of=effect)
    if effect and state.faults:
        yield Step(f"{what} is stored, but the answer is lost", _one_fault_less(stored), True, effect)


def _heartbeat(state: State, number: int) -> Iterator[Step]:
    """`UPDATE workers … WHERE id = … AND dead_at IS NULL`: 0 rows means declared dead. Drop the runs, register anew."""
    worker = state.workers[number]
    if worker.incarnation in state.dead:
        anew = worker.incarnation + len(state.workers)
        hands = tuple(EMPTY_HAND if hand.phase is Phase.RUNNING else hand for hand in worker.hands)
        told = f"worker {number} learns that it was declared dead, drops its runs and registers as {anew}"
        yield Step(told, _with_worker(state, number, worker._replace(incarnation=anew, hands=hands)))


def _check_leases(state: State, number: int, protocol: Protocol) -> Iterator[Step]:
    """`SELECT lease_token, id FROM jobs WHERE lease_worker = …`: runs without a lease end, leases without a run go back.

    The product looks twice before it hands one back. Here one look is enough, so that a claim's answer may still be under
    way: that costs a run and must cost no more.
    """
    worker = state.workers[number]
    for job, (row, hand) in enumerate(zip(state.rows, worker.hands, strict=True)):
        held = row is not None and row.worker == worker.incarnation
        known = hand.phase in (Phase.RUNNING, Phase.SETTLING) and row is not None and hand.token == row.token
        if hand.phase is Phase.RUNNING and not (held and known):
            told = f"worker {number} finds that job {job} isn't its own any more and stops it"
            yield Step(told, _with_hand(state, number, job, EMPTY_HAND))
        if held and not known and row is not None and isinstance(row.token, int):
            after = rows.settled(row, row.token, Trigger.RELEASE, fenced=protocol.fencing)
            told = f"worker {number} hands back job {job}, of whose claim it knows nothing"
            yield Step(told, _with_row(state, job, after), effect_of=(job, row.token))


# The dispatcher, the owner, and what goes wrong


def _dispatcher(state: State, protocol: Protocol) -> Iterator[Step]:
    if protocol.ring_again and not any(state.bells):
        waiting = [job for job, row in enumerate(state.rows) if row is not None and row.state is JobState.QUEUED]
        if waiting:
            bells = tuple(int(job in waiting) for job in range(len(state.rows)))
            yield Step(f"no bell waits: the dispatcher rings {waiting} again", state._replace(bells=bells))
    for job, row in enumerate(state.rows):
        if row is not None and row.state is JobState.RETRYING and state.bells[job] < MOST_BELLS:
            yield Step(f"the retry of job {job} is due and rung", _with_bell(state, job))
    if protocol.reaper:
        yield from _reaper(state, protocol)


def _reaper(state: State, protocol: Protocol) -> Iterator[Step]:
    """`UPDATE workers SET dead_at = now() WHERE … heartbeat_at < …`, then `… FROM workers w JOIN jobs j
    ON j.lease_worker = w.id WHERE w.dead_at IS NOT NULL`"""
    for number, worker in enumerate(state.workers):
        if worker.life is not Life.UP and worker.incarnation not in state.dead:
            declared = state._replace(dead=state.dead | {worker.incarnation})
            if protocol.joins_all_dead:
                yield Step(f"worker {number} is declared dead", declared)
            else:
                taken = _reap(declared, worker.incarnation)
                yield Step(f"worker {number} is declared dead and its jobs are taken", taken)
    if protocol.joins_all_dead:
        for incarnation in state.dead:
            if any(row is not None and row.worker == incarnation for row in state.rows):
                yield Step(f"the jobs of dead worker {incarnation} are taken", _reap(state, incarnation))


def _reap(state: State, incarnation: int) -> State:
    beside = [row for row in state.rows if row is not None]
    return state._replace(
        rows=tuple(
            rows.reaped(row, beside) if row is not None and row.worker == incarnation else row for row in state.rows
        )
    )


def _owner(state: State) -> Iterator[Step]:
    if state.cancels:
        for job, row in enumerate(state.rows):
            if row is not None and (after := rows.cancelled(row)) is not row:
                cancelled = _with_row(state, job, after)._replace(cancels=state.cancels - 1)
                yield Step(f"the owner cancels job {job}", cancelled, fault=True)


def _faults(state: State) -> Iterator[Step]:
    for number, worker in enumerate(state.workers):
        if worker.life is Life.FROZEN:
            yield Step(f"worker {number} wakes", _with_worker(state, number, worker._replace(life=Life.UP)), fault=True)
    if not state.faults:
        return
    less = _one_fault_less(state)
    if any(state.bells):
        yield Step("Redis is wiped", less._replace(bells=(0,) * len(state.bells)), fault=True)
    for job, count in enumerate(state.bells):
        if 0 < count < MOST_BELLS:
            yield Step(f"the bell of job {job} is delivered twice", _with_bell(less, job), fault=True)
    for number, worker in enumerate(state.workers):
        yield from _process_fails(less, number, worker)


def _process_fails(state: State, number: int, worker: Worker) -> Iterator[Step]:
    for job, hand in enumerate(worker.hands):
        if hand.phase is Phase.ANSWERED and worker.life is Life.UP:
            again = Hand(Phase.CLAIMING, incarnation=worker.incarnation)
            told = f"worker {number} never hears of its claim of job {job} and sends it again"
            yield Step(told, _with_hand(state, number, job, again), fault=True)
    if worker.life is Life.GONE or not _another_is_up(state, number):
        return
    sent = tuple(hand if hand.phase in (Phase.CLAIMING, Phase.SETTLING) else EMPTY_HAND for hand in worker.hands)
    gone = worker._replace(life=Life.GONE, hands=sent)
    yield Step(f"worker {number} is killed", _with_worker(state, number, gone), fault=True)
    if worker.life is Life.UP:
        frozen = worker._replace(life=Life.FROZEN)
        yield Step(f"worker {number} freezes", _with_worker(state, number, frozen), fault=True)


def _another_is_up(state: State, number: int) -> bool:
    return any(other.life is Life.UP for at, other in enumerate(state.workers) if at != number)


# Changing one thing of a frozen state


def _with_row(state: State, job: int, row: Row) -> State:
    return state._replace(rows=(*state.rows[:job], row, *state.rows[job + 1 :]))


def _with_bell(state: State, job: int, more: int = 1) -> State:
    count = state.bells[job] + more
    return state._replace(bells=(*state.bells[:job], count, *state.bells[job + 1 :]))


def _with_worker(state: State, number: int, worker: Worker) -> State:
    return state._replace(workers=(*state.workers[:number], worker, *state.workers[number + 1 :]))


def _with_hand(state: State, number: int, job: int, hand: Hand) -> State:
    worker = state.workers[number]
    return _with_worker(state, number, worker._replace(hands=(*worker.hands[:job], hand, *worker.hands[job + 1 :])))


def _one_fault_less(state: State) -> State:
    return state._replace(faults=state.faults - 1)


def _unused_token(state: State, job: int) -> int:
    """The smallest number that no hand and no row has: tokens are only ever compared, so old names may be used again."""
    row = state.rows[job]
    used = {worker.hands[job].token for worker in state.workers} | {row.token if row is not None else None}
    return next(number for number in range(len(used) + 1) if number not in used)
