"""Opens what the pipeline's steps work with, and closes it when everything is written that they began to write."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from infrastructure.concurrency.loops import Loop
from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.ports import Processors, Unavailable
from infrastructure.ports.ai.checkpoints import Checkpoints
from infrastructure.ports.ai.ledger import Ledger
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.ai.budgets import StoredBudgets
from infrastructure.postgres.ai.tickets import StoredTickets
from infrastructure.postgres.clock import SharedClock
from infrastructure.postgres.session import PostgresSession, Role
from infrastructure.redis import client as redis_client
from infrastructure.redis.models.answers import SealedAnswers
from infrastructure.redis.models.breakers import SharedBreakers
from infrastructure.redis.models.health import SharedHealth
from infrastructure.redis.models.reservations import RedisReservations
from infrastructure.settings import Settings
from infrastructure.wiring import keyed_providers, model_providers, model_records
from monitoring.metrics import models as metrics
from workers.ai.pipeline.batch import BatchLane
from workers.ai.pipeline.call import Next
from workers.ai.pipeline.ended_batches import EndedBatches
from workers.ai.pipeline.ledger import Bookkeeping
from workers.ai.pipeline.pipeline import Parts, pipeline
from workers.ai.pipeline.reservation import Limits
from workers.ai.pipeline.route import Routing
from workers.ai.pipeline.single_flight import SingleFlight
from workers.ai.provider_health import HealthChecks


@dataclass(frozen=True, slots=True)
class Models:
    """The pipeline, open."""

    ask: Next
    ledger: Ledger
    checkpoints: Checkpoints
    loops: tuple[Loop, ...]
    """What keeps it up, for the process's supervisor."""


@asynccontextmanager
async def open_models(
    settings: Settings, registry: ModelRegistry, processors: Processors, sealer: Sealer
) -> AsyncIterator[Models]:
    """The registry's models, asked through the pipeline. `processors` run the offline one."""
    async with AsyncExitStack() as stack:
        providers = await stack.enter_async_context(model_providers(settings, registry, processors))
        session = PostgresSession(settings.database, Role.SYSTEM, "models")
        system = await stack.enter_async_context(session)
        clock = SharedClock(system)
        redis = redis_client.connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        answers = SealedAnswers(redis, sealer)
        records = await stack.enter_async_context(model_records(settings, sealer))
        books = Bookkeeping(records.ledger, registry, lambda: clock.now().date())
        breakers = SharedBreakers(redis, report=metrics.breaker_seen)
        budgets = StoredBudgets(records.pool)
        reservations = RedisReservations(redis, budgets)
        keyed = keyed_providers(settings, registry)
        checks = HealthChecks(providers, keyed, SharedHealth(redis))
        limits = Limits(reservations, registry, budgets.report, lambda: clock.now().date())
        tickets = StoredTickets(records.pool, system)
        batches = BatchLane(
            tickets,
            books,
            limits,
            records.credentials,
            providers,
            registry,
            clock.now,
            settings.ai_batch_poll_seconds,
        )
        ended_batches = EndedBatches(tickets, books, records.credentials, providers, clock.now)
        flights = SingleFlight(answers, books)
        stack.push_async_callback(books.finish)
        stack.push_async_callback(flights.finish)
        parts = Parts(
            registry=registry,
            providers=providers,
            default_models=settings.ai_models,
            calls=settings.ai_calls,
            routing=Routing(registry, records.credentials, breakers, keyed),
            limits=limits,
            batches=batches,
            answers=answers,
            paid_answers=records.paid_answers,
            books=books,
            flights=flights,
            now=clock.now,
        )
        await clock.start()
        with suppress(Unavailable):  # The first call notes it then.
            await reservations.begin_counting()
        loops = (clock.loop, answers.loop, checks.loop, breakers.loop, ended_batches.loop)
        yield Models(pipeline(parts), records.ledger, records.checkpoints, loops)
