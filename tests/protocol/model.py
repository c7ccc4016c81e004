"""The whole protocol as a small system: PostgreSQL's rows, Redis's bells, what each worker process holds in its hands.

Every step is one thing that one party does at once: a statement, a push, a message taken. Between any two steps any
other party may act or fail. Time is left out: whatever may happen after a while may happen now, which is worse than the
truth. A statement whose beginning, commit and answer lie apart, so that others act in between, counts as a fault, as a
lost answer does.

A worker counts as silent only when its process is gone or frozen, and one worker is always spared, since the promise is
that every job ends "while one worker lives". Frozen ones may wake at any time, and need not.
"""

from collections.abc import Set
from enum import StrEnum
from typing import NamedTuple

from schemas.jobs import TERMINAL, Trigger
from tests.protocol.rows import Row

MAX_BELLS = 2
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


def with_row(state: State, job: int, row: Row) -> State:
    if row.state in TERMINAL:
        row = row._replace(attempt=0, crashes=0)  # Of a job that has ended nobody reads them any more.
    return state._replace(rows=(*state.rows[:job], row, *state.rows[job + 1 :]))


def with_bell(state: State, job: int, more: int = 1) -> State:
    count = state.bells[job] + more
    return state._replace(bells=(*state.bells[:job], count, *state.bells[job + 1 :]))


def with_worker(state: State, number: int, worker: Worker) -> State:
    return state._replace(workers=(*state.workers[:number], worker, *state.workers[number + 1 :]))


def with_hand(state: State, number: int, job: int, hand: Hand) -> State:
    worker = state.workers[number]
    return with_worker(state, number, worker._replace(hands=(*worker.hands[:job], hand, *worker.hands[job + 1 :])))


def one_fault_less(state: State) -> State:
    return state._replace(faults=state.faults - 1)


def unused_token(state: State, job: int) -> int:
    """The smallest number that no hand and no row has. Tokens are only compared, so old ones may be used again."""
    row = state.rows[job]
    return _smallest_beside({worker.hands[job].token for worker in state.workers} | {row and row.token})


def unused_incarnation(state: State) -> int:
    return _smallest_beside({*incarnations(state)})


def incarnations(state: State) -> frozenset[object]:
    """Those that anything still names; what was forgotten of the others may be forgotten of all."""
    senders = {hand.incarnation for worker in state.workers for hand in worker.hands}
    holders = {row.worker for row in state.rows if row is not None}
    return frozenset(senders | holders | {worker.incarnation for worker in state.workers})


def _smallest_beside(used: Set[object]) -> int:
    return next(number for number in range(len(used) + 1) if number not in used)
