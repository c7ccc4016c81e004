"""Ends the batches of jobs that have ended themselves: a cancelled job isn't to go on costing, and what its batch did cost is
written down."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from infrastructure.concurrency.loops import Loop
from infrastructure.ports.ai.batches import ModelBatches, Pending, Unanswered
from infrastructure.ports.ai.credentials import Credentials
from infrastructure.ports.ai.errors import AuthenticationRefused, ModelError
from infrastructure.ports.ai.ledger import ABANDONED, AttemptEnd
from infrastructure.ports.ai.model import ModelProvider
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import Lane, ModelRequest
from infrastructure.ports.ai.response import ModelResponse
from infrastructure.ports.ai.tickets import BatchTickets, LeftTicket
from workers.ai.pipeline.batch import UNANSWERED
from workers.ai.pipeline.call import Attempt, ModelCall
from workers.ai.pipeline.ledger import NOTHING, Bookkeeping

PERIOD_SECONDS: Final = 30.0
AT_A_TIME: Final = 8
COLLECTED_WITHIN: Final = timedelta(hours=26)
"""From its submission on: providers end a batch within a day, and cancelling takes a while."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EndedBatches:
    """What its loop works with. Of many workers each looks after other tickets."""

    tickets: BatchTickets
    books: Bookkeeping
    credentials: Credentials
    providers: Mapping[str, ModelProvider]
    now: Callable[[], datetime]

    @property
    def loop(self) -> Loop:
        return Loop("batches of ended jobs", PERIOD_SECONDS, self.look_after)

    async def look_after(self) -> float | None:
        left = await self.tickets.left_over(AT_A_TIME)
        await asyncio.gather(*(self._end(one) for one in left))
        return 0.0 if len(left) == AT_A_TIME else None

    async def _end(self, left: LeftTicket) -> None:
        ticket = left.ticket
        provider = self.providers.get(ticket.provider)
        batches = None if provider is None else provider.batches
        credential = await self.credentials.of(ticket.tenant_id, ticket.provider)
        attempt = Attempt(ticket.request_id, ticket.provider, ticket.model, credential, ticket.reserved_usd, sent=True)
        how = await self._outcome(left, batches, attempt)
        if how is None:
            return
        end = await self.books.end(_call_of(left), attempt, how)
        await self.tickets.forget(ticket)
        log.info("batch.ended_with_its_job", attempt_id=str(ticket.request_id), outcome=end.outcome)

    async def _outcome(
        self, left: LeftTicket, batches: ModelBatches | None, attempt: Attempt
    ) -> ModelResponse | ModelError | AttemptEnd | None:
        """None while there may still be one."""
        ticket, key = left.ticket, attempt.credential.key
        has_time = self.now() < left.submitted_at + COLLECTED_WITHIN
        # It may still be written, and charged: nobody will know.
        unknown = AttemptEnd(attempt.id, ABANDONED, accepted=True)
        if batches is None:  # Its provider isn't in the registry any more.
            return unknown
        try:
            with suppress(ModelError):  # It may be done already, or be cancelled: its outcome tells.
                await batches.cancel(ticket.batch_id, ticket.model, key)
            outcome = await batches.outcome(ticket.batch_id, ticket.request_id, ticket.model, key)
        except AuthenticationRefused:
            return unknown  # Time brings nobody's key back.
        except ModelError:
            outcome = Pending()
        match outcome:
            case Pending():
                return None if has_time else unknown
            case Unanswered():
                return AttemptEnd(attempt.id, UNANSWERED, accepted=False, cost_usd=NOTHING)
            case ended:
                return ended


def _call_of(left: LeftTicket) -> ModelCall:
    """The call as far as its row in the ledger tells; what was asked isn't needed any more."""
    begun = left.begun
    return ModelCall(
        begun.tenant_id,
        Purpose(begun.purpose),
        ModelRequest(begun.model, messages=(), max_output_tokens=1, lane=Lane.BATCH),
        job_id=begun.job_id,
        job_attempt=begun.job_attempt,
        kind=begun.kind,
        section=begun.section,
    )
