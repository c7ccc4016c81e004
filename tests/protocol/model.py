"""The whole protocol as a small system: PostgreSQL's rows, Redis's bells, what each worker process holds in its hands.

Every step is one thing that one party does at once: a statement, a push, a message taken. Between any two steps any other
party may act or fail. Time is left out: whatever may happen after a while may happen now, which is worse than the truth.
A statement whose beginning, commit and answer lie apart, so that others act in between, counts as a fault, as a lost
answer does.

A worker counts as silent only when its process is gone or frozen, and one worker is always spared, since the promise is
that every job ends "while one worker lives". Frozen ones may wake at any time, and need not.
"""

from collections.abc import Iterator, Set
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
    CLAIMED = "has claimed it, but doesn't run it yet"
    """The answer is under way, or a suspect waits its turn."""
    RUNNING = "runs it"
    SETTLING = "has sent its end"
    """PostgreSQL commits this one, too, whatever becomes of the process."""


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
        match hand.phase:
            case Phase.CLAIMING:
                yield from _claim(state, number, job, worker_seen_alive=True)
            case Phase.SETTLING:
                assert hand.trigger is not None
                yield from _settle(state, number, job, hand.trigger, protocol)
        if worker.life is Life.UP:
            yield from _hand_acts(state, number, job, limits, protocol)
    if worker.life is Life.UP:
        yield from _heartbeat(state, number)
        if protocol.lease_check:
            yield from _check_leases(state, number, protocol)


def _hand_acts(state: State, number: int, job: int, limits: Limits, protocol: Protocol) -> Iterator[Step]:
    worker = state.workers[number]
    hand = worker.hands[job]
    if state.bells[job]:
        taken = _with_bell(state, job, -1)
        if hand.phase is Phase.EMPTY:
            rung = _with_hand(taken, number, job, Hand(Phase.BELL))
            yield Step(f"worker {number} takes the bell of job {job}", rung)
        else:
            yield Step(f"worker {number} takes a bell of job {job}, which it has already, and drops it", taken)
    match hand.phase:
        case Phase.BELL:
            yield from _claim(state, number, job, worker_seen_alive=worker.incarnation not in state.dead)
            yield from _claim_slowly(state, number, job)
        case Phase.CLAIMED:
            yield from _launch(state, number, job)
        case Phase.RUNNING:
            for trigger in _ways_to_end(state, job, limits):
                yield from _settle(state, number, job, trigger, protocol)
                yield from _settle_slowly(state, number, job, trigger)


def _claim(state: State, number: int, job: int, *, worker_seen_alive: bool) -> Iterator[Step]:
    row, worker = state.rows[job], state.workers[number]
    hand = worker.hands[job]
    sender = worker.incarnation if hand.incarnation is None else hand.incarnation
    token = _unused_token(state, job)
    assert row is not None
    after = rows.claimed(row, worker=sender, worker_seen_alive=worker_seen_alive, token=token)
    if after is row:
        told = f"worker {number} claims job {job} as {sender}: not to be had"
        yield Step(told, _with_hand(state, number, job, EMPTY_HAND))
        return
    told = f"worker {number} claims job {job} as {sender} and has token {token}"
    claimed = _with_row(state, job, after)
    if worker.life is Life.GONE:
        yield Step(f"{told}, which nobody hears", _with_hand(claimed, number, job, EMPTY_HAND))
        return
    phase = Phase.CLAIMED if after.crashes else Phase.RUNNING
    yield Step(told, _with_hand(claimed, number, job, Hand(phase, token)))
    if state.faults:
        slow = _with_hand(_one_fault_less(claimed), number, job, Hand(Phase.CLAIMED, token))
        yield Step(f"{told}, but the answer is slow", slow, fault=True)
        lost = _with_hand(_one_fault_less(claimed), number, job, Hand(Phase.BELL))
        yield Step(f"{told}, but the answer is lost", lost, fault=True)


def _claim_slowly(state: State, number: int, job: int) -> Iterator[Step]:
    incarnation = state.workers[number].incarnation
    if state.faults and incarnation not in state.dead:
        sent = _with_hand(_one_fault_less(state), number, job, Hand(Phase.CLAIMING, incarnation=incarnation))
        yield Step(f"worker {number} sends a slow claim of job {job} as {incarnation}", sent, fault=True)


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


def _ways_to_end(state: State, job: int, limits: Limits) -> Iterator[Trigger]:
    row = state.rows[job]
    assert row is not None
    yield Trigger.SUCCEED
    yield Trigger.RETRY if row.attempt < limits.max_attempts else Trigger.BURY
    if state.drains:
        yield Trigger.RELEASE


def _settle(state: State, number: int, job: int, trigger: Trigger, protocol: Protocol) -> Iterator[Step]:
    row, hand = state.rows[job], state.workers[number].hands[job]
    assert row is not None and hand.token is not None
    after = rows.settled(row, hand.token, trigger, fenced=protocol.fencing)
    effect = None if after is row else (job, hand.token)
    drained = trigger is Trigger.RELEASE and hand.phase is Phase.RUNNING
    stored = _with_row(state._replace(drains=state.drains - drained), job, after)
    told = f"worker {number} ends job {job} by token {hand.token}: {trigger}"
    empty = _with_hand(stored, number, job, EMPTY_HAND)
    yield Step(told if effect else f"{told}, which is discarded", empty, drained, effect)
    if effect and state.faults and state.workers[number].life is not Life.GONE:
        again = _with_hand(_one_fault_less(stored), number, job, hand._replace(phase=Phase.SETTLING, trigger=trigger))
        yield Step(f"{told}, but the answer is lost", again, True, effect)


def _settle_slowly(state: State, number: int, job: int, trigger: Trigger) -> Iterator[Step]:
    if state.faults and trigger is not Trigger.RELEASE:
        hand = state.workers[number].hands[job]._replace(phase=Phase.SETTLING, trigger=trigger)
        sent = _with_hand(_one_fault_less(state), number, job, hand)
        yield Step(f"worker {number} sends a slow end of job {job}: {trigger}", sent, fault=True)


def _heartbeat(state: State, number: int) -> Iterator[Step]:
    """`UPDATE workers … WHERE id = … AND dead_at IS NULL`: 0 rows means declared dead. Drop the runs, register anew."""
    worker = state.workers[number]
    if worker.incarnation in state.dead:
        anew = _unused_incarnation(state)
        hands = tuple(EMPTY_HAND if hand.phase is Phase.RUNNING else hand for hand in worker.hands)
        told = f"worker {number} learns that it was declared dead, drops its runs and registers as {anew}"
        registered = _with_worker(state, number, worker._replace(incarnation=anew, hands=hands))
        yield Step(told, registered._replace(dead=registered.dead & _incarnations(registered)))


def _check_leases(state: State, number: int, protocol: Protocol) -> Iterator[Step]:
    """`SELECT lease_token, id FROM jobs WHERE lease_worker = …`: runs without a lease end, leases without a run go back.

    The product looks twice before it hands one back. Here one look is enough, so that a slow claim may still be about to
    run: that costs a run and must cost no more.
    """
    worker = state.workers[number]
    for job, (row, hand) in enumerate(zip(state.rows, worker.hands, strict=True)):
        held = row is not None and row.worker == worker.incarnation
        launched = hand.phase in (Phase.RUNNING, Phase.SETTLING) or _waits_as_suspect(hand, row)
        known = launched and row is not None and hand.token == row.token
        if hand.phase is Phase.RUNNING and not (held and known):
            told = f"worker {number} finds that job {job} isn't its own any more and stops it"
            yield Step(told, _with_hand(state, number, job, EMPTY_HAND))
        if held and not known and row is not None and isinstance(row.token, int):
            after = rows.settled(row, row.token, Trigger.RELEASE, fenced=protocol.fencing)
            told = f"worker {number} hands back job {job}, of whose claim it knows nothing"
            yield Step(told, _with_row(state, job, after), effect_of=(job, row.token))


def _waits_as_suspect(hand: Hand, row: Row | None) -> bool:
    return hand.phase is Phase.CLAIMED and row is not None and row.crashes > 0


# The dispatcher, the owner, and what goes wrong


def _dispatcher(state: State, protocol: Protocol) -> Iterator[Step]:
    if protocol.ring_again and not any(state.bells):
        waiting = [job for job, row in enumerate(state.rows) if row is not None and row.state is JobState.QUEUED]
        if waiting:
            bells = tuple(int(job in waiting) for job in range(len(state.rows)))
            yield Step(f"no bell waits: the dispatcher rings {waiting} again", state._replace(bells=bells))
    for job, row in enumerate(state.rows):
        if row is not None and row.state is JobState.RETRYING and not state.bells[job]:
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
    if row.state in TERMINAL:
        row = row._replace(attempt=0, crashes=0)  # Of a job that has ended nobody reads them any more.
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
    return _smallest_beside({worker.hands[job].token for worker in state.workers} | {row and row.token})


def _unused_incarnation(state: State) -> int:
    return _smallest_beside({*_incarnations(state)})


def _incarnations(state: State) -> frozenset[object]:
    """Those that anything still names; what was forgotten of the others may be forgotten of all."""
    senders = {hand.incarnation for worker in state.workers for hand in worker.hands}
    holders = {row.worker for row in state.rows if row is not None}
    return frozenset(senders | holders | {worker.incarnation for worker in state.workers})


def _smallest_beside(used: Set[object]) -> int:
    return next(number for number in range(len(used) + 1) if number not in used)
