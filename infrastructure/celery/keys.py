"""The names of a queue's Redis lists.

kombu keeps a queue's messages in one list for each priority step, and it and Flower know these four. The list with the
queue's plain name is step 0, which holds almost all work, so that Flower, KEDA and people can read `LLEN ai` as the
depth.
"""

SEPARATOR = "\x06\x16"
FIRST_STEP, URGENT_STEP, NORMAL_STEP, PATIENT_STEP = 9, 3, 0, 6
OWN_STEPS = (URGENT_STEP, NORMAL_STEP, PATIENT_STEP)
"""The steps of jobs' priorities, in order: they order jobs of the same tenant."""
STEPS_IN_TURN = (FIRST_STEP, *OWN_STEPS)
"""The order in which BRPOP reads the lists. The first is for tenants that had no turn lately, whatever their jobs'
priorities: see docs/decisions/0009."""
LOWEST_URGENT, LOWEST_NORMAL = 7, 3


def step_of(priority: int) -> int:
    """The priority step of a priority from 0 to 9, where 9 is first. The column `jobs.lane` holds the same number."""
    if priority >= LOWEST_URGENT:
        return URGENT_STEP
    return NORMAL_STEP if priority >= LOWEST_NORMAL else PATIENT_STEP


def priority_of(step: int) -> int:
    """The lowest priority of a step."""
    return {FIRST_STEP: LOWEST_URGENT, URGENT_STEP: LOWEST_URGENT, NORMAL_STEP: LOWEST_NORMAL}.get(step, 0)


def list_of(queue: str, step: int) -> str:
    return f"{queue}{SEPARATOR}{step}" if step else queue


def lists_of(queue: str) -> list[str]:
    return [list_of(queue, step) for step in STEPS_IN_TURN]


def service_of(queue: str) -> str:
    """The key of the hash with each worker's rate and free slots, by worker id."""
    return f"bucatini:service:{queue}"
