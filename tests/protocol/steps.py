"""Everything that can happen next in the model, by any party, and everything that can go wrong."""

from collections.abc import Iterator

from schemas.jobs import JobState
from tests.protocol import rows
from tests.protocol.model import (
    EMPTY_HAND,
    MAX_BELLS,
    Life,
    Limits,
    Phase,
    Protocol,
    State,
    Step,
    Worker,
    one_fault_less,
    with_bell,
    with_row,
    with_worker,
)
from tests.protocol.working import worker_steps


def steps(state: State, limits: Limits, protocol: Protocol) -> Iterator[Step]:
    """Everything that can happen next."""
    yield from _submitter(state)
    for number in range(limits.workers):
        yield from worker_steps(state, number, limits, protocol)
    yield from _dispatcher(state, protocol)
    yield from _owner(state)
    yield from _faults(state)


def _submitter(state: State) -> Iterator[Step]:
    for job, row in enumerate(state.rows):
        if row is None:
            kept = with_row(state, job, rows.stored())
            yield Step(f"job {job} is submitted and rung", with_bell(kept, job))
            yield Step(f"job {job} is submitted, but Redis doesn't take its bell", kept)


def _dispatcher(state: State, protocol: Protocol) -> Iterator[Step]:
    if protocol.ring_again and not any(state.bells):
        waiting = [job for job, row in enumerate(state.rows) if row is not None and row.state is JobState.QUEUED]
        if waiting:
            bells = tuple(int(job in waiting) for job in range(len(state.rows)))
            yield Step(f"no bell waits: the dispatcher rings {waiting} again", state._replace(bells=bells))
    for job, row in enumerate(state.rows):
        if row is not None and row.state is JobState.RETRYING and not state.bells[job]:
            yield Step(f"the retry of job {job} is due and rung", with_bell(state, job))
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
                cancelled = with_row(state, job, after)._replace(cancels=state.cancels - 1)
                yield Step(f"the owner cancels job {job}", cancelled, fault=True)


def _faults(state: State) -> Iterator[Step]:
    for number, worker in enumerate(state.workers):
        if worker.life is Life.FROZEN:
            yield Step(f"worker {number} wakes", with_worker(state, number, worker._replace(life=Life.UP)), fault=True)
    if not state.faults:
        return
    less = one_fault_less(state)
    if any(state.bells):
        yield Step("Redis is wiped", less._replace(bells=(0,) * len(state.bells)), fault=True)
    for job, count in enumerate(state.bells):
        if 0 < count < MAX_BELLS:
            yield Step(f"the bell of job {job} is delivered twice", with_bell(less, job), fault=True)
    for number, worker in enumerate(state.workers):
        yield from _process_fails(less, number, worker)


def _process_fails(state: State, number: int, worker: Worker) -> Iterator[Step]:
    if worker.life is Life.GONE or not _another_is_up(state, number):
        return
    sent = tuple(hand if hand.phase in (Phase.CLAIMING, Phase.SETTLING) else EMPTY_HAND for hand in worker.hands)
    gone = worker._replace(life=Life.GONE, hands=sent)
    yield Step(f"worker {number} is killed", with_worker(state, number, gone), fault=True)
    if worker.life is Life.UP:
        frozen = worker._replace(life=Life.FROZEN)
        yield Step(f"worker {number} freezes", with_worker(state, number, frozen), fault=True)


def _another_is_up(state: State, number: int) -> bool:
    return any(other.life is Life.UP for at, other in enumerate(state.workers) if at != number)
