"""Answers from the cache: for what was asked word for word before, by the same tenant."""

from dataclasses import replace

from uuid_utils import uuid4

from infrastructure.ports.ai.answers import Answers, KeptAnswer, Question
from infrastructure.ports.ai.ledger import CACHED
from infrastructure.ports.ai.response import FinishReason
from workers.ai.pipeline.call import CacheOutcome, Middleware, ModelCall, ModelReply, Next
from workers.ai.pipeline.digest import digest_of
from workers.ai.pipeline.ledger import Bookkeeping


def cache(answers: Answers, books: Bookkeeping) -> Middleware:
    """An answer that is kept costs nothing, and the ledger has what it saved. Without one, the same trip to Redis says whose
    turn it is to ask; `single_flight.py` keeps to that, and has the answer kept."""

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        if call.tried:
            return await call_next(call)
        question = Question(call.tenant_id, digest_of(call), uuid4().hex)
        found = await answers.join(question)
        if isinstance(found, KeptAnswer):
            return reply_from(found, call, books)
        return await call_next(replace(call, question=question, turn=found))

    return ask


def reply_from(kept: KeptAnswer, call: ModelCall, books: Bookkeeping) -> ModelReply:
    """The kept answer as this call's; its listener gets all of it at once."""
    if call.listener is not None:
        call.listener.write(kept.text)
    return ModelReply(
        kept.text,
        FinishReason(kept.finish_reason),
        kept.provider,
        kept.model,
        kept.served_model,
        attempts=(books.free(call, kept, CACHED),),
        cache=CacheOutcome.HIT,
    )
