"""Which lane a call takes: the cheaper the more time its job has, and the dear one as soon as a cheap one fails it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from infrastructure.model_registry.lanes import lanes_for
from infrastructure.model_registry.registry import ModelSpec
from infrastructure.ports.ai.errors import Concern, ModelError, Throttled
from infrastructure.ports.ai.request import Lane
from workers.ai.pipeline.call import Middleware, ModelCall, ModelReply, Next


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


def lane_of(call: ModelCall, spec: ModelSpec) -> Lane:
    """The first of the call's lanes that the model is served in. Batches are left out: they have a step of their own."""
    return next((lane for lane in call.lanes if lane in spec.lanes and lane is not Lane.BATCH), Lane.REALTIME)
