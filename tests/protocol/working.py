"""What a worker process does next: takes bells, claims, runs, settles, beats, looks after its leases."""

from collections.abc import Iterator

from schemas.jobs import Trigger
from tests.protocol import rows
from tests.protocol.model import (
    EMPTY_HAND,
    Hand,
    Life,
    Limits,
    Phase,
    Protocol,
    State,
    Step,
    Worker,
    incarnations,
    one_fault_less,
    unused_incarnation,
    unused_token,
    with_bell,
    with_hand,
    with_row,
    with_worker,
)
from tests.protocol.rows import Row


def worker_steps(state: State, number: int, limits: Limits, protocol: Protocol) -> Iterator[Step]:
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
        taken = with_bell(state, job, -1)
        if hand.phase is Phase.EMPTY:
            rung = with_hand(taken, number, job, Hand(Phase.BELL))
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
    token = unused_token(state, job)
    assert row is not None
    after = rows.claimed(row, worker=sender, worker_seen_alive=worker_seen_alive, token=token)
    if after is row:
        told = f"worker {number} claims job {job} as {sender}: not to be had"
        yield Step(told, with_hand(state, number, job, EMPTY_HAND))
        return
    told = f"worker {number} claims job {job} as {sender} and has token {token}"
    claimed = with_row(state, job, after)
    if worker.life is Life.GONE:
        yield Step(f"{told}, which nobody hears", with_hand(claimed, number, job, EMPTY_HAND))
        return
    phase = Phase.CLAIMED if after.crashes else Phase.RUNNING
    yield Step(told, with_hand(claimed, number, job, Hand(phase, token)))
    if state.faults:
        slow = with_hand(one_fault_less(claimed), number, job, Hand(Phase.CLAIMED, token))
        yield Step(f"{told}, but the answer is slow", slow, fault=True)
        lost = with_hand(one_fault_less(claimed), number, job, Hand(Phase.BELL))
        yield Step(f"{told}, but the answer is lost", lost, fault=True)


def _claim_slowly(state: State, number: int, job: int) -> Iterator[Step]:
    incarnation = state.workers[number].incarnation
    if state.faults and incarnation not in state.dead:
        sent = with_hand(one_fault_less(state), number, job, Hand(Phase.CLAIMING, incarnation=incarnation))
        yield Step(f"worker {number} sends a slow claim of job {job} as {incarnation}", sent, fault=True)


def _launch(state: State, number: int, job: int) -> Iterator[Step]:
    """A suspect is charged before it runs, and runs only when no other suspect does."""
    worker, row = state.workers[number], state.rows[job]
    token = worker.hands[job].token
    assert row is not None
    assert token is not None
    running = with_hand(state, number, job, Hand(Phase.RUNNING, token))
    if not row.crashes:
        yield Step(f"worker {number} runs job {job}", running)
    elif not _runs_a_suspect(state, worker):
        charged = with_row(running, job, rows.charged(row, token))
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
    assert row is not None
    assert hand.token is not None
    after = rows.settled(row, hand.token, trigger, fenced=protocol.fencing)
    effect = None if after is row else (job, hand.token)
    drained = trigger is Trigger.RELEASE and hand.phase is Phase.RUNNING
    stored = with_row(state._replace(drains=state.drains - drained), job, after)
    told = f"worker {number} ends job {job} by token {hand.token}: {trigger}"
    empty = with_hand(stored, number, job, EMPTY_HAND)
    yield Step(told if effect else f"{told}, which is discarded", empty, drained, effect)
    if effect and state.faults and state.workers[number].life is not Life.GONE:
        again = with_hand(one_fault_less(stored), number, job, hand._replace(phase=Phase.SETTLING, trigger=trigger))
        yield Step(f"{told}, but the answer is lost", again, True, effect)


def _settle_slowly(state: State, number: int, job: int, trigger: Trigger) -> Iterator[Step]:
    if state.faults and trigger is not Trigger.RELEASE:
        hand = state.workers[number].hands[job]._replace(phase=Phase.SETTLING, trigger=trigger)
        sent = with_hand(one_fault_less(state), number, job, hand)
        yield Step(f"worker {number} sends a slow end of job {job}: {trigger}", sent, fault=True)


def _heartbeat(state: State, number: int) -> Iterator[Step]:
    """`UPDATE workers … WHERE id = … AND dead_at IS NULL`: 0 rows means declared dead. Drop the runs, register anew."""
    worker = state.workers[number]
    if worker.incarnation in state.dead:
        anew = unused_incarnation(state)
        hands = tuple(EMPTY_HAND if hand.phase is Phase.RUNNING else hand for hand in worker.hands)
        told = f"worker {number} learns that it was declared dead, drops its runs and registers as {anew}"
        registered = with_worker(state, number, worker._replace(incarnation=anew, hands=hands))
        yield Step(told, registered._replace(dead=registered.dead & incarnations(registered)))


def _check_leases(state: State, number: int, protocol: Protocol) -> Iterator[Step]:
    """`SELECT lease_token, id FROM jobs WHERE lease_worker = …`: runs without lease end, leases without run go back.

    The product looks twice before it hands one back. Here one look is enough, so that a slow claim may still be about
    to run: that costs a run and must cost no more.
    """
    worker = state.workers[number]
    for job, (row, hand) in enumerate(zip(state.rows, worker.hands, strict=True)):
        held = row is not None and row.worker == worker.incarnation
        launched = hand.phase in (Phase.RUNNING, Phase.SETTLING) or _waits_as_suspect(hand, row)
        known = launched and row is not None and hand.token == row.token
        if hand.phase is Phase.RUNNING and not (held and known):
            told = f"worker {number} finds that job {job} isn't its own any more and stops it"
            yield Step(told, with_hand(state, number, job, EMPTY_HAND))
        if held and not known and row is not None and isinstance(row.token, int):
            after = rows.settled(row, row.token, Trigger.RELEASE, fenced=protocol.fencing)
            told = f"worker {number} hands back job {job}, of whose claim it knows nothing"
            yield Step(told, with_row(state, job, after), effect_of=(job, row.token))


def _waits_as_suspect(hand: Hand, row: Row | None) -> bool:
    return hand.phase is Phase.CLAIMED and row is not None and row.crashes > 0
