"""The names in Redis behind a queue.

kombu keeps a queue's messages in one list for each priority step, of which it and Flower know these four. The plain name is step 0, which is where almost all
work goes, so `LLEN ai` stays the honest depth that Flower, KEDA and people read.
"""

SEPARATOR = "\x06\x16"
FIRST_STEP, URGENT_STEP, NORMAL_STEP, PATIENT_STEP = 9, 3, 0, 6
OWN_STEPS = (URGENT_STEP, NORMAL_STEP, PATIENT_STEP)
"""What a job's priority says: an order among its own tenant's jobs, urgent ones first."""
STEPS_IN_TURN = (FIRST_STEP, *OWN_STEPS)
"""BRPOP looks into the lists in this order. The first list is for tenants that had no turn lately, whatever their jobs'
priorities: see docs/decisions/0009."""
LOWEST_URGENT, LOWEST_NORMAL = 7, 3


def step_of(priority: int) -> int:
    """Our 0 to 9, where 9 is first, as one of the three steps. The column `jobs.lane` says the same."""
    if priority >= LOWEST_URGENT:
        return URGENT_STEP
    return NORMAL_STEP if priority >= LOWEST_NORMAL else PATIENT_STEP


def priority_of(step: int) -> int:
    """A priority of that step, for who knows the step only."""
    return {FIRST_STEP: LOWEST_URGENT, URGENT_STEP: LOWEST_URGENT, NORMAL_STEP: LOWEST_NORMAL}.get(step, 0)


def list_of(queue: str, step: int) -> str:
    return f"{queue}{SEPARATOR}{step}" if step else queue


def lists_of(queue: str) -> list[str]:
    return [list_of(queue, step) for step in STEPS_IN_TURN]


def service_of(queue: str) -> str:
    """A hash: what each worker says of its service, by the worker's id."""
    return f"bucatini:service:{queue}"
