"""Bounds how many calls of providers a process has under way: its connections, memory and event loop are shared."""

from collections.abc import Mapping

from infrastructure.celery.keys import NORMAL_STEP
from infrastructure.concurrency.fair_slots import FairPlaces
from infrastructure.concurrency.work_clock import at_work, waiting
from infrastructure.model_registry.registry import Api, ProviderSpec
from workers.ai.pipeline.call import Middleware, ModelCall, ModelReply, Next


def in_flight(calls: int, providers: Mapping[str, ProviderSpec]) -> Middleware:
    """Lets so many through at a time, tenants in turn. The offline model waits for processors instead, and holds up nobody
    here."""
    places = FairPlaces(calls)

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        attempt = call.attempt
        assert attempt is not None, "the route makes it"
        if providers[attempt.provider].api is Api.OFFLINE:
            return await call_next(call)
        run = at_work.get()
        if run is not None:
            run.needs_no_processor()
        with waiting() as wait:
            async with places.one(NORMAL_STEP if run is None else run.step, call.tenant_id):
                wait.over()
                return await call_next(call)

    return ask
