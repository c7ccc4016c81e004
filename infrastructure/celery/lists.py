"""The names in Redis behind a queue.

kombu keeps a queue's messages in one list for each priority step. The plain name is step 0, which is where almost all
work goes, so `LLEN ai` stays the honest depth that Flower, KEDA and people read.
"""

from functools import lru_cache
from uuid import UUID

SEPARATOR = "\x06\x16"
URGENT_STEP, NORMAL_STEP, PATIENT_STEP = 3, 0, 6
STEPS_IN_TURN = (URGENT_STEP, NORMAL_STEP, PATIENT_STEP)
"""BRPOP looks into the lists in this order, so urgent work goes first."""
LOWEST_URGENT, LOWEST_NORMAL = 7, 3


def step_of(priority: int) -> int:
    """Our 0 to 9, where 9 is first, as one of the three steps. The column `jobs.lane` says the same."""
    if priority >= LOWEST_URGENT:
        return URGENT_STEP
    return NORMAL_STEP if priority >= LOWEST_NORMAL else PATIENT_STEP


def priority_of(step: int) -> int:
    """A priority of that step, for who knows the step only."""
    return {URGENT_STEP: LOWEST_URGENT, NORMAL_STEP: LOWEST_NORMAL}.get(step, 0)


def list_of(queue: str, step: int) -> str:
    return f"{queue}{SEPARATOR}{step}" if step else queue


def lists_of(queue: str) -> list[str]:
    return [list_of(queue, step) for step in STEPS_IN_TURN]


def rung_of(queue: str) -> str:
    """A hash: how many jobs of each turn are rung and not yet taken by a worker. It may be wrong; it is only a limit."""
    return f"bucatini:rung:{queue}"


def overflow_of(queue: str) -> str:
    """A set of the turns that have more jobs than may be rung: the rest wait in PostgreSQL and is rung by turns."""
    return f"bucatini:overflow:{queue}"


def service_of(queue: str) -> str:
    """A hash: how many jobs a second each worker of the queue serves, and how many it could start now."""
    return f"bucatini:service:{queue}"


@lru_cache(maxsize=10_000)
def turn_of(step: int, tenant_id: UUID) -> str:
    """Whoever waits in line at a queue: a tenant's jobs of one step."""
    return f"{step}:{tenant_id}"


@lru_cache(maxsize=10_000)
def parts_of(turn: str) -> tuple[int, UUID]:
    step, _, tenant_id = turn.partition(":")
    return int(step), UUID(tenant_id)
