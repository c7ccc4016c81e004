"""The Redis lists behind the queues.

kombu keeps a queue's messages in one list for each priority step. The plain name is step 0, which is where almost all
work goes, so `LLEN ai` stays the honest depth that Flower, KEDA and people read.
"""

SEPARATOR = "\x06\x16"
URGENT_STEP, NORMAL_STEP, PATIENT_STEP = 3, 0, 6
STEPS_IN_TURN = (URGENT_STEP, NORMAL_STEP, PATIENT_STEP)
"""BRPOP looks into the lists in this order, so urgent work goes first."""
LOWEST_URGENT, LOWEST_NORMAL = 7, 3


def step_of(priority: int) -> int:
    """Our 0 to 9, where 9 is first, as one of the three steps."""
    if priority >= LOWEST_URGENT:
        return URGENT_STEP
    return NORMAL_STEP if priority >= LOWEST_NORMAL else PATIENT_STEP


def list_of(queue: str, step: int) -> str:
    return f"{queue}{SEPARATOR}{step}" if step else queue


def lists_of(queue: str) -> list[str]:
    return [list_of(queue, step) for step in STEPS_IN_TURN]
