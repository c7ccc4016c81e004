"""Has concurrent calls that ask the same share one call of a model: in this process by memory, with the text as it comes,
and across processes by a lease in Redis."""

import asyncio
from dataclasses import replace
from typing import Final

from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.ports.ai.answers import Answers, KeptAnswer, Question, Turn
from infrastructure.ports.ai.ledger import SHARED
from infrastructure.ports.ai.response import FinishReason
from workers.ai.pipeline.cache import reply_from
from workers.ai.pipeline.call import CacheOutcome, ModelCall, ModelReply, Next
from workers.ai.pipeline.flight import Ended, Flight
from workers.ai.pipeline.ledger import Bookkeeping

FIRST_LOOK_SECONDS: Final = 0.02
LAST_LOOK_SECONDS: Final = 0.25


class SingleFlight:
    """The step, and the answers that it is keeping: `finish` returns when they are kept."""

    def __init__(self, answers: Answers, books: Bookkeeping) -> None:
        self._answers = answers
        self._books = books
        self._flights: dict[bytes, Flight] = {}
        self._landing = WatchedTasks()

    async def finish(self) -> None:
        await self._landing.finish()

    async def ask(self, call: ModelCall, call_next: Next) -> ModelReply:
        question = call.question
        if question is None:
            return await call_next(call)
        while (flight := self._flights.get(question.digest)) is not None:
            if call.turn is Turn.LEAD:
                self._hand_back(question)
            outcome = await flight.follow(call.listener)
            if isinstance(outcome, ModelReply):
                return self._shared(outcome, call)
            if outcome is Ended.FAILED:
                return await call_next(call)
            call = replace(call, turn=Turn.FOLLOW)  # The leader's lease may still be on its way back.
        return await self._lead(call, call_next, question)

    async def _lead(self, call: ModelCall, call_next: Next, question: Question) -> ModelReply:
        flight = self._flights[question.digest] = Flight(call.listener)
        outcome: ModelReply | Ended = Ended.FAILED
        try:
            outcome = await self._ask_for_all(call, call_next, question, flight)
        except asyncio.CancelledError:
            outcome = Ended.ABANDONED
            raise
        finally:
            del self._flights[question.digest]
            flight.end(outcome)
        return outcome

    async def _ask_for_all(self, call: ModelCall, call_next: Next, question: Question, flight: Flight) -> ModelReply:
        turn = await self._turn(question) if call.turn is Turn.FOLLOW else call.turn
        if isinstance(turn, KeptAnswer):
            return reply_from(turn, call, self._books)
        if turn is Turn.ALONE:
            return await call_next(call)
        reply: ModelReply | None = None
        failed = True
        try:
            reply = await call_next(call if call.listener is None else replace(call, listener=flight))
            return reply
        except asyncio.CancelledError:
            failed = False
            raise
        finally:
            kept = None if reply is None else _kept(reply)
            failed = failed and kept is None
            self._landing.start(self._answers.land(question, kept, failed=failed), "a model's answer is kept")

    async def _turn(self, question: Question) -> KeptAnswer | Turn:
        look_seconds = FIRST_LOOK_SECONDS
        while (turn := await self._answers.join(question)) is Turn.FOLLOW:
            await asyncio.sleep(look_seconds)
            look_seconds = min(look_seconds * 1.5, LAST_LOOK_SECONDS)
        return turn

    def _hand_back(self, question: Question) -> None:
        """A lease that isn't needed: this process leads already, since before Redis could be asked."""
        self._landing.start(self._answers.land(question, None), "a lease goes back")

    def _shared(self, reply: ModelReply, call: ModelCall) -> ModelReply:
        return replace(reply, attempts=(self._books.free(call, _answer_in(reply), SHARED),), cache=CacheOutcome.SHARED)


def _kept(reply: ModelReply) -> KeptAnswer | None:
    """None for an answer that mustn't be given again: an abridged one, or one whose use nobody knows."""
    whole = reply.finish_reason is FinishReason.STOP and reply.usage.counts is not None
    return _answer_in(reply) if whole and reply.cache is not CacheOutcome.HIT else None


def _answer_in(reply: ModelReply) -> KeptAnswer:
    counts = reply.usage.counts
    tokens = (0, 0) if counts is None else (counts.input_tokens, counts.output_tokens)
    return KeptAnswer(reply.text, reply.provider, reply.model, reply.served_model, reply.finish_reason.value, *tokens)
