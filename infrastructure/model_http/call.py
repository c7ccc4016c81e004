"""One request over HTTP and what is known of it: deadlines, classes of errors, events in order."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

from infrastructure.model_http import failures
from infrastructure.model_http.api import Answer, Api, ApiError, Declined, Reply, StreamReader
from infrastructure.model_http.deadlines import CallClock, DeadlinePassed
from infrastructure.model_http.event_stream import EventSplitter, StreamMalformed
from infrastructure.model_http.rate_limits import retry_after_seconds
from infrastructure.ports.ai.errors import BadRequest, ContentRefused, CutShort, Failure, Malformed
from infrastructure.ports.ai.request import Deadlines
from infrastructure.ports.ai.response import Finished, ModelEvent, ModelResponse, RateLimits, TextDelta, UsageReported

MAX_ANSWER_BYTES = 32_000_000
DRAIN_SECONDS = 0.1
"""How long the end of a response may come after its last event."""


@asynccontextmanager
async def calling(
    provider: str, model: str, api: Api, deadlines: Deadlines, *, streamed: bool
) -> AsyncIterator["HttpCall"]:
    """Everything that fails in the block leaves it as a ModelError."""
    async with AsyncExitStack() as stack:
        call = HttpCall(Failure(provider, model), CallClock(deadlines, streamed=streamed), api, stack)
        try:
            yield call
        except failures.Refusal as refusal:
            call.answered(refusal.headers)
            known = replace(
                call.failure,
                status=refusal.status,
                accepted=False,
                retry_after_seconds=retry_after_seconds(refusal.headers),
            )
            raise failures.refused(known, refusal.body) from None
        except ApiError as error:
            known = replace(call.failure, usage=error.usage or call.failure.usage)
            raise failures.refused(known, error.body) from None
        except Declined as declined:
            known = replace(call.failure, usage=declined.usage)
            raise failures.of_kind(ContentRefused, known) from None
        except StreamMalformed as malformed:
            raise failures.of_kind(Malformed, call.failure, str(malformed)) from None
        except UnicodeEncodeError:
            what = "the text has halves of characters (surrogates), which can't be sent"
            raise failures.of_kind(BadRequest, call.failure, what) from None
        except DeadlinePassed as passed:
            allowed = getattr(deadlines, f"{passed.phase}_seconds")
            raise failures.timed_out(call.failure, passed.phase, allowed) from None
        except failures.wire_faults() as error:
            raise failures.broken(call.failure, error, deadlines.connect_seconds) from None


class HttpCall:
    """One request and what is known of it."""

    def __init__(self, failure: Failure, clock: CallClock, api: Api, stack: AsyncExitStack) -> None:
        self.failure = failure
        """What a failure would say if it came now."""
        self._clock = clock
        self._api = api
        self._stack = stack

    async def open(self, opening: AbstractAsyncContextManager[Reply]) -> Reply:
        reply = await self._clock.wait(self._stack.enter_async_context(opening))
        self.answered(reply.headers)
        self.failure = replace(self.failure, status=200, accepted=True)
        return reply

    def answered(self, headers: Mapping[str, str]) -> None:
        request_id = headers.get(self._api.request_id_header)
        limits: RateLimits = self._api.rate_limits(headers)
        self.failure = replace(self.failure, request_id=request_id and request_id[:200], rate_limits=limits)

    async def read(self, reply: Reply) -> bytes:
        """The whole body. StreamMalformed when it is larger than any honest one."""
        body = bytearray()
        pieces = reply.iter_bytes()
        while (piece := await self._clock.wait(anext(pieces, None))) is not None:
            self._clock.progressed()
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise StreamMalformed(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
        return bytes(body)

    async def events(self, reply: Reply, reader: StreamReader) -> AsyncGenerator[ModelEvent, None]:
        pieces, splitter, received, progress = reply.iter_bytes(), EventSplitter(), 0, 0
        while reader.answer is None:
            piece = await self._clock.wait(anext(pieces, None))
            if piece is None:
                raise failures.of_kind(CutShort, self.failure)
            received += len(piece)
            if received > MAX_ANSWER_BYTES:
                raise StreamMalformed(f"the stream is longer than {MAX_ANSWER_BYTES} bytes")
            for data in splitter.feed(piece):
                for event in reader.take(data):
                    yield self._noted(event)
            if reader.progress > progress:
                self._clock.wrote(reader.progress - progress)
                progress = reader.progress
        await self._drain(pieces)
        yield Finished(self.response(reader.answer))

    def response(self, answer: Answer) -> ModelResponse:
        return ModelResponse(
            provider=self.failure.provider,
            model=self.failure.model,
            served_model=answer.served_model[:200],
            text=answer.text,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
            served_tier=answer.served_tier,
            request_id=self.failure.request_id,
            rate_limits=self.failure.rate_limits,
        )

    def _noted(self, event: TextDelta | UsageReported) -> TextDelta | UsageReported:
        if isinstance(event, UsageReported):
            self.failure = replace(self.failure, usage=event.usage)
        return event

    async def _drain(self, pieces: AsyncIterator[bytes]) -> None:
        # Only a response that was read to its end gives its connection to the next call. The end comes with the last
        # event or never matters: the call has succeeded.
        with suppress(TimeoutError, *failures.wire_faults()):
            async with asyncio.timeout(DRAIN_SECONDS):
                while await anext(pieces, None) is not None:
                    pass
