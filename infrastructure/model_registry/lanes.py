"""Which lanes will do for a call, by the time that its job has."""

from typing import Final

from infrastructure.ports.ai.batches import WINDOW_SECONDS
from infrastructure.ports.ai.request import Lane

FLEX_SECONDS: Final = 30 * 60.0
"""With so much time left a call may wait for capacity: it is given up within minutes, and made in real time then."""
BATCH_SECONDS: Final = WINDOW_SECONDS + 2 * 3_600.0
"""With so much time left a call may wait for its batch's whole day, and still be made in real time if that brings nothing."""


def lanes_for(left_seconds: float | None) -> tuple[Lane, ...]:
    """The cheapest first. A job without a deadline is wanted now."""
    if left_seconds is None or left_seconds < FLEX_SECONDS:
        return (Lane.REALTIME,)
    if left_seconds < BATCH_SECONDS:
        return (Lane.FLEX, Lane.REALTIME)
    return (Lane.BATCH, Lane.FLEX, Lane.REALTIME)
