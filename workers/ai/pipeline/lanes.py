"""Which lane a call takes: the cheaper the more time its job has, and the dear one as soon as a cheap one fails it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from infrastructure.model_registry.registry import ModelSpec
from infrastructure.ports.ai.batches import WINDOW_SECONDS
from infrastructure.ports.ai.errors import Concern, ModelError, Throttled
from infrastructure.ports.ai.request import Lane
from workers.ai.pipeline.call import Middleware, ModelCall, ModelReply, Next

FLEX_SECONDS: Final = 30 * 60.0
"""With so much time left a call may wait for capacity: it is given up within minutes, and made in real time then."""
BATCH_SECONDS: Final = WINDOW_SECONDS + 2 * 3_600.0
"""With so much time left a call may wait for its batch's whole day, and still be made in real time if that brings nothing."""


def lanes(now: Callable[[], datetime]) -> Middleware:
    """Says which lanes will do. When the flexible one is refused, asks again in real time."""

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        left_seconds = None if call.deadline is None else (call.deadline - now()).total_seconds()
        chosen = replace(call, lanes=lanes_for(left_seconds))
        if chosen.lanes == (Lane.REALTIME,):
            return await call_next(chosen)
        try:
            return await call_next(chosen)
        except ModelError as error:
            if error.concerns is not Concern.SERVICE and not isinstance(error, Throttled):
                raise
            return await call_next(replace(chosen, lanes=(Lane.REALTIME,)))

    return ask


def lanes_for(left_seconds: float | None) -> tuple[Lane, ...]:
    """The cheapest first. A job without a deadline is wanted now."""
    if left_seconds is None or left_seconds < FLEX_SECONDS:
        return (Lane.REALTIME,)
    if left_seconds < BATCH_SECONDS:
        return (Lane.FLEX, Lane.REALTIME)
    return (Lane.BATCH, Lane.FLEX, Lane.REALTIME)


def lane_of(call: ModelCall, spec: ModelSpec) -> Lane:
    """The first of the call's lanes that the model is served in. Batches are left out: they have a step of their own."""
    return next((lane for lane in call.lanes if lane in spec.lanes and lane is not Lane.BATCH), Lane.REALTIME)
