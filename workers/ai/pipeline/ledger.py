"""Writes every attempt into the ledger: before its call, and how it went, whatever happens."""

import asyncio
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from uuid import UUID

from uuid_utils.compat import uuid7

from events.ai.provenance import ModelAttempt
from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.model_registry.pricing import ModelPrices, price_of
from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.ports import Refused
from infrastructure.ports.ai.answers import KeptAnswer, PaidAnswer
from infrastructure.ports.ai.errors import ContentRefused, ModelError
from infrastructure.ports.ai.ledger import ABANDONED, SUCCEEDED, AttemptEnd, Ledger, NewAttempt
from infrastructure.ports.ai.response import ModelResponse, TokenCounts
from workers.ai.pipeline.call import Attempt, ModelCall, ModelReply, Next
from workers.ai.pipeline.shadow_price import shadow_usd

NOTHING = Decimal(0)


class Bookkeeping:
    """The ledger as the pipeline writes it. Ends are written while the call goes on; `finish` returns when they are."""

    def __init__(self, ledger: Ledger, registry: ModelRegistry, today: Callable[[], date]) -> None:
        self._ledger = ledger
        self._registry = registry
        self._today = today
        self._writing = WatchedTasks()

    async def finish(self) -> None:
        await self._writing.finish()

    async def all_written(self, call: ModelCall, call_next: Next) -> ModelReply:
        """The first step: a job learns of an answer, or of an error, when what it cost is written down."""
        try:
            return await call_next(call)
        except asyncio.CancelledError:
            call.unwritten.clear()  # It has no time left, and what is being written is written all the same.
            raise
        finally:
            if call.unwritten:
                await asyncio.wait(call.unwritten)

    async def each_attempt(self, call: ModelCall, call_next: Next) -> ModelReply:
        """The step before the provider's. No provider is called unless the ledger says so."""
        attempt = call.attempt
        assert attempt is not None, "the route makes it"
        new = _new(call, attempt)
        started_at = time.perf_counter()
        error: BaseException | None = None
        try:
            await self._ledger.begin(new)
            started_at = time.perf_counter()
            return await call_next(call)
        except BaseException as raised:
            error = raised
            raise
        finally:
            # Also when it isn't known whether it was begun. A tenant that is being erased has no rows.
            if not isinstance(error, Refused):
                total_ms = (time.perf_counter() - started_at) * 1_000
                attempt.end = self._end(call, attempt, error, total_ms)
                writing = self._ledger.end(new, attempt.end, _paid(call, attempt))
                call.unwritten.append(self._writing.start(writing, "an attempt's end"))

    async def begin(self, call: ModelCall, attempt: Attempt) -> None:
        """Writes it down before anything is sent."""
        await self._ledger.begin(_new(call, attempt))

    async def end(self, call: ModelCall, attempt: Attempt, how: ModelResponse | ModelError | AttemptEnd) -> AttemptEnd:
        """Writes down how an attempt went that ended long after it began, and returns that."""
        match how:
            case ModelResponse():
                attempt.response = how
                attempt.end = self._end(call, attempt, None, None)
            case ModelError():
                attempt.end = self._end(call, attempt, how, None)
            case AttemptEnd():
                attempt.end = how
        await self._ledger.end(_new(call, attempt), attempt.end, _paid(call, attempt))
        return attempt.end

    def free(self, call: ModelCall, answer: KeptAnswer, outcome: str) -> ModelAttempt:
        """Of an answer that cost nothing, since another call paid for it. Its row is written behind the call's back."""
        attempt_id = uuid7()
        new = _row(call, attempt_id, answer.provider, answer.model, own_key=False, reserved_usd=None)
        counts = TokenCounts(answer.input_tokens, answer.output_tokens)
        end = AttemptEnd(
            attempt_id,
            outcome,
            accepted=False,
            cost_usd=NOTHING,
            shadow_usd=shadow_usd(call.request, call.shadow, counts, self._prices(answer.model), self._today()),
            served_model=answer.served_model,
            finish_reason=answer.finish_reason,
        )
        self._writing.start(self._ledger.end(new, end), "a free answer's row")
        return made(call, attempt_id, answer.provider, answer.model, outcome, NOTHING)

    def _end(
        self, call: ModelCall, attempt: Attempt, error: BaseException | None, total_ms: float | None
    ) -> AttemptEnd:
        if isinstance(error, ModelError):
            return self._failed(attempt, error, total_ms)
        if error is not None or attempt.response is None:
            return self._abandoned(attempt, total_ms)
        response = attempt.response
        counts = response.usage.counts
        prices = self._registry.prices(attempt.model)
        price = price_of(counts, prices, response.served_tier, self._today())
        return AttemptEnd(
            attempt.id,
            SUCCEEDED,
            accepted=True,
            usage=response.usage,
            cost_usd=None if price is None else price.dollars,
            price_source=None if price is None else price.source,
            shadow_usd=shadow_usd(call.request, call.shadow, counts, prices, self._today()),
            status=200,
            request_id=response.request_id,
            served_model=response.served_model,
            served_tier=response.served_tier,
            finish_reason=response.finish_reason.value,
            first_token_ms=attempt.first_token_ms,
            total_ms=total_ms,
        )

    def _failed(self, attempt: Attempt, error: ModelError, total_ms: float | None) -> AttemptEnd:
        failure = error.failure
        cost, source = self._cost_of_failure(attempt, error)
        return AttemptEnd(
            attempt.id,
            error.error_class,
            accepted=failure.accepted,
            usage=failure.usage,
            cost_usd=cost,
            price_source=source,
            status=failure.status,
            error_code=failure.code,
            request_id=failure.request_id,
            first_token_ms=attempt.first_token_ms,
            total_ms=total_ms,
        )

    def _cost_of_failure(self, attempt: Attempt, error: ModelError) -> tuple[Decimal | None, str | None]:
        failure = error.failure
        if not failure.accepted and (failure.unsent or failure.status is not None or not attempt.sent):
            return NOTHING, None
        if isinstance(error, ContentRefused):
            price = price_of(failure.usage.counts, self._registry.prices(attempt.model), None, self._today())
            return (None, None) if price is None else (price.dollars, price.source)
        # What a stream reported before it broke isn't all of what it is charged for.
        return None, None

    def _abandoned(self, attempt: Attempt, total_ms: float | None) -> AttemptEnd:
        return AttemptEnd(
            attempt.id,
            ABANDONED,
            accepted=attempt.accepted,
            usage=attempt.usage,
            cost_usd=None if attempt.sent else NOTHING,
            first_token_ms=attempt.first_token_ms,
            total_ms=total_ms,
        )

    def _prices(self, model: str) -> ModelPrices | None:
        # An answer may have been kept before its model was taken out of the registry.
        return self._registry.prices(model) if model in self._registry.models else None


def made(
    call: ModelCall, attempt_id: UUID, provider: str, model: str, outcome: str, cost_usd: Decimal | None
) -> ModelAttempt:
    """The attempt as a result's provenance shows it."""
    return ModelAttempt(
        id=attempt_id,
        provider=provider,
        model=model,
        purpose=call.purpose.value,
        section=call.section,
        outcome=outcome,
        cost_usd=cost_usd,
    )


def _paid(call: ModelCall, attempt: Attempt) -> PaidAnswer | None:
    """The answer, whole or cut at its limit, for the job's next run."""
    response, end = attempt.response, attempt.end
    if call.place is None or response is None or end is None or end.outcome != SUCCEEDED or end.cost_usd == NOTHING:
        return None
    counts = response.usage.counts or TokenCounts(0, 0)
    answer = KeptAnswer(
        response.text,
        response.provider,
        response.model,
        response.served_model,
        response.finish_reason.value,
        counts.input_tokens,
        counts.output_tokens,
    )
    return PaidAnswer(call.place, answer)


def _new(call: ModelCall, attempt: Attempt) -> NewAttempt:
    return _row(
        call,
        attempt.id,
        attempt.provider,
        attempt.model,
        own_key=attempt.credential.is_tenants,
        reserved_usd=attempt.reserved_usd,
    )


def _row(
    call: ModelCall, attempt_id: UUID, provider: str, model: str, *, own_key: bool, reserved_usd: Decimal | None
) -> NewAttempt:
    prompt = call.prompt
    return NewAttempt(
        id=attempt_id,
        tenant_id=call.tenant_id,
        job_id=call.job_id,
        job_attempt=call.job_attempt,
        kind=call.kind,
        purpose=call.purpose.value,
        section=call.section,
        prompt=None if prompt is None else prompt.name,
        prompt_version=None if prompt is None else prompt.version,
        provider=provider,
        model=model,
        lane=call.request.lane,
        own_key=own_key,
        reserved_usd=reserved_usd,
    )
