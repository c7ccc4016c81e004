"""The pipeline: everything that happens between a job's question and a model's answer, in order.

To add a step, write a file beside this one and put it into the list.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from uuid_utils.compat import uuid7

from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.ports.ai.answers import Answers
from infrastructure.ports.ai.credentials import Credentials
from infrastructure.ports.ai.model import ModelProvider
from workers.ai.pipeline import problems
from workers.ai.pipeline.cache import cache
from workers.ai.pipeline.call import Attempt, Middleware, ModelCall, ModelReply, Next
from workers.ai.pipeline.composition import composed
from workers.ai.pipeline.in_flight import in_flight
from workers.ai.pipeline.lanes import lanes
from workers.ai.pipeline.ledger import Bookkeeping, made
from workers.ai.pipeline.optimiser import optimiser
from workers.ai.pipeline.pricing import pricing
from workers.ai.pipeline.provider import provider
from workers.ai.pipeline.single_flight import SingleFlight
from workers.ai.pipeline.validation import validation


@dataclass(frozen=True, slots=True)
class Parts:
    """What the middlewares work with."""

    registry: ModelRegistry
    providers: Mapping[str, ModelProvider]
    default_models: tuple[str, ...]
    calls: int
    """Of providers, under way at a time."""
    credentials: Credentials
    answers: Answers
    books: Bookkeeping
    flights: SingleFlight
    now: Callable[[], datetime]


def pipeline(parts: Parts) -> Next:
    """Asks a model. Raises Refused, Unavailable or TryLater as a job does."""
    return composed(middlewares(parts))


def middlewares(parts: Parts) -> tuple[Middleware, ...]:
    def today() -> date:
        return parts.now().date()

    return (
        problems.for_the_job,
        parts.books.all_written,
        validation(parts.registry, parts.providers, parts.default_models),
        optimiser,
        pricing(parts.registry, today),
        cache(parts.answers, parts.books),
        parts.flights.ask,
        lanes(parts.now),
        _first_model(parts),
        in_flight(parts.calls, parts.registry.providers),
        parts.books.each_attempt,
        provider(parts.providers),
    )


def _first_model(parts: Parts) -> Middleware:
    # Until routing, limits and budget stand here.
    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        model = call.models[0]
        provider_name = parts.registry.model(model).provider
        credential = await parts.credentials.of(call.tenant_id, provider_name)
        attempt = Attempt(uuid7(), provider_name, model, credential)
        reply = await call_next(replace(call, request=replace(call.request, model=model), attempt=attempt))
        assert attempt.end is not None, "the ledger notes it"
        this = made(call, attempt.id, attempt.provider, model, attempt.end.outcome, attempt.end.cost_usd)
        return replace(reply, attempts=(this,))

    return ask
