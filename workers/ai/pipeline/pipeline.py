"""The pipeline: everything that happens between a job's question and a model's answer, in order.

To add a step, write a file beside this one and put it into the list.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.ports.ai.answers import Answers, PaidAnswers
from infrastructure.ports.ai.model import ModelProvider
from workers.ai.pipeline import problems
from workers.ai.pipeline.batch import BatchLane
from workers.ai.pipeline.cache import cache
from workers.ai.pipeline.call import Middleware, Next
from workers.ai.pipeline.composition import composed
from workers.ai.pipeline.counting import counting
from workers.ai.pipeline.in_flight import in_flight
from workers.ai.pipeline.lanes import lanes
from workers.ai.pipeline.ledger import Bookkeeping
from workers.ai.pipeline.optimiser import optimiser
from workers.ai.pipeline.paid import paid
from workers.ai.pipeline.pricing import pricing
from workers.ai.pipeline.provider import provider
from workers.ai.pipeline.reservation import Limits, reservation
from workers.ai.pipeline.route import Routing, route
from workers.ai.pipeline.single_flight import SingleFlight
from workers.ai.pipeline.tracing import traced
from workers.ai.pipeline.validation import validation


@dataclass(frozen=True, slots=True)
class Parts:
    """What the middlewares work with."""

    registry: ModelRegistry
    providers: Mapping[str, ModelProvider]
    default_models: tuple[str, ...]
    calls: int
    """Of providers, under way at a time."""
    routing: Routing
    limits: Limits
    answers: Answers
    paid_answers: PaidAnswers
    books: Bookkeeping
    flights: SingleFlight
    batches: BatchLane
    now: Callable[[], datetime]


def pipeline(parts: Parts) -> Next:
    """Asks a model. Raises Refused, Unavailable or TryLater as a job does."""
    return composed(middlewares(parts))


def middlewares(parts: Parts) -> tuple[Middleware, ...]:
    def today() -> date:
        return parts.now().date()

    return (
        problems.for_the_job,
        counting,
        parts.books.all_written,
        validation(parts.registry, parts.providers, parts.default_models),
        optimiser,
        pricing(parts.registry, today),
        cache(parts.answers, parts.books),
        parts.flights.ask,
        paid(parts.paid_answers, parts.books, parts.registry),
        lanes(parts.now),
        parts.batches.ask,
        route(parts.routing),
        reservation(parts.limits),
        in_flight(parts.calls, parts.registry.providers),
        parts.books.each_attempt,
        traced,
        provider(parts.providers),
    )
