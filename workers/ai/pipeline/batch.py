"""Puts a call that has a day into a batch of its provider, for half of the price. The job is tried again until its answer is
there, and the call goes another way when its time runs out first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.model_registry.lanes import FLEX_SECONDS
from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.ports import TryLater
from infrastructure.ports.ai.batches import ModelBatches, Pending, Unanswered
from infrastructure.ports.ai.credentials import Credentials
from infrastructure.ports.ai.errors import AuthenticationRefused, ModelError, QuotaExhausted
from infrastructure.ports.ai.ledger import ABANDONED, AttemptEnd
from infrastructure.ports.ai.model import ModelProvider
from infrastructure.ports.ai.request import Lane
from infrastructure.ports.ai.reservations import Demand
from infrastructure.ports.ai.response import ModelResponse
from infrastructure.ports.ai.tickets import BatchTickets, Ticket
from schemas.problems import Problem
from workers.ai.pipeline.call import Attempt, ModelCall, ModelReply, Next
from workers.ai.pipeline.digest import place_of
from workers.ai.pipeline.ledger import NOTHING, Bookkeeping, made
from workers.ai.pipeline.provider import reply_of
from workers.ai.pipeline.reservation import Limits, demand_of, has_room, settle

UNANSWERED: Final = "unanswered"
"""The outcome in the ledger of a request that its batch brought no answer for. It costs nothing."""
WAITING: Final = Problem.of("in-batch", "The answer is being made", 503, "A provider's batch has it, within a day.")


@dataclass(frozen=True, slots=True)
class BatchLane:
    """The step. Its attempts last for hours and many runs of the job, so it writes their beginning and end itself."""

    tickets: BatchTickets
    books: Bookkeeping
    limits: Limits
    credentials: Credentials
    providers: Mapping[str, ModelProvider]
    registry: ModelRegistry
    now: Callable[[], datetime]
    poll_seconds: float

    async def ask(self, call: ModelCall, call_next: Next) -> ModelReply:
        """The answer once a batch has it; until then TryLater. The rest of the pipeline answers what hasn't the time, what no
        model takes in batches, and what a batch brought no answer for."""
        if call.job_id is None or call.deadline is None:
            return await call_next(call)
        asked = call.place or place_of(call)
        ticket = await self.tickets.of(call.tenant_id, call.job_id, asked)
        if ticket is not None:
            reply = await self._collect(call, ticket)
            if reply is not None:
                return reply
        elif Lane.BATCH in call.lanes and await self._submitted(call, call.job_id, asked):
            raise self._later()
        return await call_next(replace(call, lanes=tuple(lane for lane in call.lanes if lane is not Lane.BATCH)))

    async def _submitted(self, call: ModelCall, job_id: UUID, asked: str) -> bool:
        """False when no candidate takes it: it has to be asked in another lane."""
        for model in call.models:
            spec = self.registry.model(model)
            batches = self.providers[spec.provider].batches
            if Lane.BATCH not in spec.lanes or batches is None:
                continue
            credential = await self.credentials.of(call.tenant_id, spec.provider)
            attempt = Attempt(uuid7(), spec.provider, model, credential)
            batched = _in_batch(call, attempt)
            demand = _in_batches(demand_of(batched, attempt, self.limits))
            found = await self.limits.reservations.reserve(demand)
            if await has_room(found, batched, demand, self.limits):
                attempt.reserved_usd = demand.dollars
                # Begun before it is sent: one whose ticket is lost with this process counts as spent.
                await self.books.begin(batched, attempt)
                if await self._sent(batched, attempt, batches, job_id, asked):
                    return True
        return False

    async def _sent(self, call: ModelCall, attempt: Attempt, batches: ModelBatches, job_id: UUID, asked: str) -> bool:
        attempt.sent = True
        try:
            batch_id = await batches.submit(call.request, attempt.id, attempt.credential.key)
        except ModelError as error:
            await self.books.end(call, attempt, error)
            await self._settle(call, attempt, error)
            return False
        # It counts as spent from here on, as the ledger counts it: nobody holds a reservation for a day.
        await self._settle(call, attempt)
        own_key = attempt.credential.is_tenants
        await self.tickets.keep(
            Ticket(
                call.tenant_id,
                job_id,
                asked,
                attempt.id,
                batch_id,
                attempt.provider,
                attempt.model,
                own_key,
                attempt.reserved_usd,
            )
        )
        return True

    async def _collect(self, call: ModelCall, ticket: Ticket) -> ModelReply | None:
        """The answer; None when there won't be one, and the ledger says so. Raises TryLater while there may be."""
        credential = await self.credentials.of(call.tenant_id, ticket.provider)
        attempt = Attempt(ticket.request_id, ticket.provider, ticket.model, credential, ticket.reserved_usd, sent=True)
        batched = _in_batch(call, attempt)
        how = await self._outcome(batched, attempt, ticket)
        end = await self.books.end(batched, attempt, how)
        await self._settle(batched, attempt)
        await self.tickets.forget(ticket)
        if not isinstance(how, ModelResponse):
            return None  # Whatever it was: asked in real time, it fails with that again, or doesn't.
        this = made(batched, attempt.id, attempt.provider, attempt.model, end.outcome, end.cost_usd)
        return replace(reply_of(how), attempts=(this,))

    async def _outcome(
        self, call: ModelCall, attempt: Attempt, ticket: Ticket
    ) -> ModelResponse | ModelError | AttemptEnd:
        batches = self.providers[ticket.provider].batches
        assert batches is not None, "a ticket is a batch's"
        key, has_time = attempt.credential.key, self._left_seconds(call) >= FLEX_SECONDS
        try:
            outcome = await batches.outcome(ticket.batch_id, ticket.request_id, ticket.model, key)
            if isinstance(outcome, Pending) and not has_time:
                await batches.cancel(ticket.batch_id, ticket.model, key)
                outcome = await batches.outcome(ticket.batch_id, ticket.request_id, ticket.model, key)
        except (AuthenticationRefused, QuotaExhausted):
            outcome, has_time = Pending(), False  # Time brings nobody's key back.
        except ModelError as error:
            if has_time:  # The batch goes on while its provider can't be asked.
                raise self._later() from error
            outcome = Pending()
        match outcome:
            case Pending() if has_time:
                raise self._later()
            case Pending():
                # It may still be written, and charged: nobody will know.
                return AttemptEnd(attempt.id, ABANDONED, accepted=True)
            case Unanswered():
                return AttemptEnd(attempt.id, UNANSWERED, accepted=False, cost_usd=NOTHING)
            case ended:
                return ended

    async def _settle(self, call: ModelCall, attempt: Attempt, error: ModelError | None = None) -> None:
        await settle(call, attempt, _in_batches(demand_of(call, attempt, self.limits)), error, self.limits)

    def _left_seconds(self, call: ModelCall) -> float:
        assert call.deadline is not None, "without one nothing is put into a batch"
        return (call.deadline - self.now()).total_seconds()

    def _later(self) -> TryLater:
        return TryLater(WAITING, seconds=self.poll_seconds, counted=False)


def _in_batch(call: ModelCall, attempt: Attempt) -> ModelCall:
    return replace(call, request=replace(call.request, model=attempt.model, lane=Lane.BATCH), attempt=attempt)


def _in_batches(demand: Demand) -> Demand:
    """Batches have limits of their own, so none of those in a minute are asked for."""
    return replace(demand, provider=f"{demand.provider} batches", input_tokens=0, output_tokens=0)
