"""Answers from what was paid for already: a run that takes over from one that was killed doesn't ask for it again."""

from dataclasses import replace

from infrastructure.model_registry.registry import Api, ModelRegistry
from infrastructure.ports.ai.answers import FoundAnswer, KeptAnswer, PaidAnswers
from infrastructure.ports.ai.ledger import CACHED
from infrastructure.ports.ai.response import UNKNOWN_USAGE, FinishReason, TokenCounts, Usage
from workers.ai.pipeline.call import CacheOutcome, Middleware, ModelCall, ModelReply, Next
from workers.ai.pipeline.digest import place_of
from workers.ai.pipeline.ledger import Bookkeeping


def paid(answers: PaidAnswers, books: Bookkeeping, registry: ModelRegistry) -> Middleware:
    """The ledger keeps an answer in the commit that ends its attempt, by the place that is set here. Behind the cache and the
    shared calls: what they answer wasn't asked for by this job, and is looked for here only when a model would be called."""

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        if call.job_id is None or all(_is_free(model) for model in call.models):
            return await call_next(call)
        place = place_of(call)
        found = await answers.of(call.tenant_id, call.job_id, place)
        if found is None or not (found.is_own or _is_whole(found.answer)):
            return await call_next(replace(call, place=place))
        return _reply_from(found, call, books)

    def _is_free(model: str) -> bool:
        return registry.providers[registry.model(model).provider].api is Api.OFFLINE

    return ask


def _is_whole(answer: KeptAnswer) -> bool:
    """As the cache has it: an abridged one is its own job's to go on with."""
    return answer.finish_reason == FinishReason.STOP


def _reply_from(found: FoundAnswer, call: ModelCall, books: Bookkeeping) -> ModelReply:
    answer = found.answer
    if call.listener is not None:
        call.listener.write(answer.text)
    counts = TokenCounts(answer.input_tokens, answer.output_tokens)
    return ModelReply(
        answer.text,
        FinishReason(answer.finish_reason),
        answer.provider,
        answer.model,
        answer.served_model,
        # The row of the job's own attempt is in the ledger; of another job's answer this one gets a row that cost nothing.
        attempts=() if found.is_own else (books.free(call, answer, CACHED),),
        cache=CacheOutcome.PAID,
        usage=UNKNOWN_USAGE if counts == TokenCounts(0, 0) else Usage({}, counts),
    )
