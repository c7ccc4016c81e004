"""One request of a provider, from its body to the last byte, with whatever fault it meets."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from infrastructure.simulator import writing
from infrastructure.simulator.asked import Asked, BadBody, Used
from infrastructure.simulator.faults import Fault, FaultKind, FaultScript
from infrastructure.simulator.journal import MAX_PARAMETERS_LENGTH, Attempt, Ending, Journal, fingerprint
from infrastructure.simulator.quotas import PromptCache, Quotas
from infrastructure.simulator.wire.format import Finish, WireFormat

MAX_BODY_BYTES = 32_000_000
KEEP_ALIVE_SECONDS = 0.2
HANG_SECONDS = 3_600.0
NOT_JOURNALED = frozenset({"input", "messages", "instructions", "system", "text", "output_config", "response_format"})
REFUSALS = frozenset(
    {
        FaultKind.THROTTLE,
        FaultKind.QUOTA,
        FaultKind.OVERLOAD,
        FaultKind.SERVER_ERROR,
        FaultKind.AUTH,
        FaultKind.BAD_REQUEST,
    }
)
CUTS = frozenset({FaultKind.ERROR_IN_STREAM, FaultKind.CLEAN_CUT, FaultKind.CHUNKED_CUT, FaultKind.STALL})


class Pace(BaseModel):
    """How fast the models write, and how much if nothing else says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_token_seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    token_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    output_tokens: Annotated[int, Field(ge=1, le=100_000)] = 40
    batch_seconds: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """How long a batch takes."""


class ConnectionCut(Exception):
    """Ends a response in its middle: the server closes the connection of a handler that raises."""


@dataclass(slots=True)
class Simulator:
    """All that the simulated providers know."""

    journal: Journal = field(default_factory=Journal)
    faults: FaultScript = field(default_factory=FaultScript)
    quotas: Quotas = field(default_factory=Quotas)
    cache: PromptCache = field(default_factory=PromptCache)
    pace: Pace = field(default_factory=Pace)

    async def answer(self, request: Request, wire: WireFormat) -> Response:
        key = key_of(request)
        if key is None:
            missing = wire.error(FaultKind.AUTH, "No key was given", "req_sim")
            return JSONResponse(missing, wire.status(FaultKind.AUTH))
        try:
            body = await json_body(request)
            asked = wire.asked(body)
        except BadBody as bad:
            return JSONResponse(wire.error(FaultKind.BAD_REQUEST, str(bad), "req_sim", bad.code), bad.status)
        attempt = self._begin(request, wire, asked, body, fingerprint(key))
        fault = self.faults.next_for(asked, attempt.key)
        attempt.fault = fault.kind.value if fault else None
        answering = Answering(self, wire, asked, attempt, fault)
        return await answering.response(request)

    def _begin(self, request: Request, wire: WireFormat, asked: Asked, body: Mapping[str, Any], key: str) -> Attempt:
        attempt = self.journal.begin(
            provider=wire.provider.value,
            model=asked.model,
            key=key,
            path=request.url.path,
            stream=asked.stream,
            tier=asked.tier,
            retry=request.headers.get("x-stainless-retry-count", ""),
        )
        parameters = {name: value for name, value in body.items() if name not in NOT_JOURNALED}
        if len(orjson.dumps(parameters)) <= MAX_PARAMETERS_LENGTH:
            attempt.parameters = parameters
        return attempt


@dataclass(slots=True)
class Answering:
    simulator: Simulator
    wire: WireFormat
    asked: Asked
    attempt: Attempt
    fault: Fault | None
    headers: dict[str, str] = field(default_factory=dict)

    async def response(self, request: Request) -> Response:
        left = self.simulator.quotas.take(self.attempt.key, self.asked)
        if not self._meets(FaultKind.MISSING_HEADERS):
            name = "x-request-id" if self.wire.provider == "openai" else "request-id"
            self.headers = {name: self.attempt.request_id, **left.headers(self.wire.provider)}
        if self.fault is not None and self.fault.kind in REFUSALS:
            return self._refusal(self.fault.kind, self.fault.retry_after_seconds)
        if left.exceeded:
            return self._refusal(FaultKind.THROTTLE, round(left.seconds, 3))
        if self._meets(FaultKind.REDIRECT):
            self._end(Ending.REFUSED, 307)
            return RedirectResponse("http://127.0.0.1:1/", 307, self.headers)
        if self._meets(FaultKind.HANG):
            return await self._hang(request)
        return await self._generated()

    async def _generated(self) -> Response:
        used = self.simulator.cache.used(self.attempt.key, self.asked)
        self._note(used)
        pieces, finish = self._written()
        if self.asked.stream:
            self.attempt.status = 200
            return StreamingResponse(
                self._events(pieces, finish, used), headers=self.headers, media_type="text/event-stream"
            )
        return await self._document(pieces, finish, used)

    async def _document(self, pieces: list[str], finish: Finish, used: Used) -> Response:
        pace = self.simulator.pace
        await asyncio.sleep(self._first_token_seconds() + pace.token_seconds * len(pieces))
        if self.fault is not None and self.fault.kind is FaultKind.ERROR_IN_STREAM:
            return self._refusal(FaultKind.SERVER_ERROR, None)
        # Whether or not somebody still waits for it: it is written and charged.
        used = replace(used, output_tokens=len(pieces))
        self._note(used)
        text = "".join(pieces)
        body = orjson.dumps(self.wire.document(self.asked, self.attempt.request_id, text, finish, self._usage(used)))
        if self.fault is not None and self.fault.kind in (FaultKind.CHUNKED_CUT, FaultKind.CLEAN_CUT, FaultKind.STALL):
            self._end(Ending.FAILED, 200)
            return StreamingResponse(self._half(body), headers=self.headers, media_type="application/json")
        self._end(Ending.FINISHED, 200)
        if self._meets(FaultKind.MALFORMED):
            body = body[: len(body) // 2]
        return Response(body, headers=self.headers, media_type="application/json")

    async def _events(self, pieces: list[str], finish: Finish, used: Used) -> AsyncIterator[bytes]:
        """Ends the attempt however the stream ends; a client that leaves cancels it."""
        writer = self.wire.stream(self.asked, self.attempt.request_id, used)
        written = 0
        ending = Ending.ABORTED
        try:
            yield writer.opening()
            async for keep_alive in self._waiting(self._first_token_seconds(), writer.keep_alive()):
                yield keep_alive
            for piece in pieces:
                if self._breaks_after(written):
                    ending = Ending.FAILED
                    async for part in self._broken(writer.error(), writer.keep_alive()):
                        yield part
                    return
                await asyncio.sleep(self._token_seconds())
                written += 1
                self.attempt.first_token_at = self.attempt.first_token_at or time.monotonic()
                yield writer.delta(piece)
            usage = self._usage(replace(used, output_tokens=written))
            ending = Ending.FINISHED
            self._note(replace(used, output_tokens=written))
            yield writer.closing("".join(pieces), finish, usage)
        finally:
            self._note(replace(used, output_tokens=written))
            self._end(ending, 200)

    async def _broken(self, error: bytes, keep_alive: bytes) -> AsyncIterator[bytes]:
        assert self.fault is not None
        match self.fault.kind:
            case FaultKind.ERROR_IN_STREAM:
                yield error
            case FaultKind.MALFORMED:
                yield b'data: {"type": "nons\n\n'
            case FaultKind.STALL:
                async for one in self._waiting(self.fault.seconds, keep_alive):
                    yield one
            case FaultKind.CHUNKED_CUT:
                raise ConnectionCut

    async def _half(self, body: bytes) -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        if self._meets(FaultKind.STALL):
            assert self.fault is not None
            await asyncio.sleep(self.fault.seconds)
        if self._meets(FaultKind.CHUNKED_CUT):
            raise ConnectionCut

    async def _waiting(self, seconds: float, keep_alive: bytes) -> AsyncIterator[bytes]:
        while seconds > 0:
            await asyncio.sleep(min(KEEP_ALIVE_SECONDS, seconds))
            seconds -= KEEP_ALIVE_SECONDS
            yield keep_alive

    async def _hang(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(HANG_SECONDS):
                while (await request.receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            pass
        self._end(Ending.REFUSED, 0)
        return Response(status_code=500)

    def _refusal(self, kind: FaultKind, retry_after_seconds: float | None) -> Response:
        status = self.wire.status(kind)
        self._end(Ending.REFUSED, status)
        headers = dict(self.headers)
        if retry_after_seconds is not None:
            headers["retry-after"] = f"{retry_after_seconds:g}"
        body = self.wire.error(kind, f"simulated: {kind.value}", self.attempt.request_id)
        return JSONResponse(body, status, headers)

    def _written(self) -> tuple[list[str], Finish]:
        if self._meets(FaultKind.DECLINE):
            return [], Finish.DECLINED
        if self.fault is not None and self.fault.kind is FaultKind.ANSWER:
            pieces = writing.pieces_of(self.fault.text)
        elif self._meets(FaultKind.ECHO):
            pieces = writing.pieces_of(self.asked.prompt)
        elif self.asked.schema is not None:
            pieces = writing.structured(self.asked.model, self.asked.prompt, self.asked.schema)
        else:
            pieces = writing.prose(self.asked.model, self.asked.prompt, self.simulator.pace.output_tokens)
        if len(pieces) > self.asked.max_tokens:
            return pieces[: self.asked.max_tokens], Finish.MAX_TOKENS
        return _until_stop(pieces, self.asked.stop), Finish.STOP

    def _usage(self, used: Used) -> Any:
        if self._meets(FaultKind.MISSING_USAGE):
            return None
        return self.wire.wrong_usage() if self._meets(FaultKind.WRONG_USAGE) else self.wire.usage(used, self.asked)

    def _breaks_after(self, written: int) -> bool:
        if self.fault is None or written != self.fault.after_tokens:
            return False
        return self.fault.kind in CUTS or self.fault.kind is FaultKind.MALFORMED

    def _first_token_seconds(self) -> float:
        late = self._meets(FaultKind.SLOW) or self._meets(FaultKind.FIRST_TOKEN_STALL)
        return self.fault.seconds if self.fault is not None and late else self.simulator.pace.first_token_seconds

    def _token_seconds(self) -> float:
        trickles = self._meets(FaultKind.TRICKLE)
        return self.fault.seconds if self.fault is not None and trickles else self.simulator.pace.token_seconds

    def _meets(self, kind: FaultKind) -> bool:
        return self.fault is not None and self.fault.kind is kind

    def _note(self, used: Used) -> None:
        if self.attempt.ending is Ending.RUNNING:
            self.attempt.input_tokens = used.input_tokens
            self.attempt.output_tokens = used.output_tokens
            self.attempt.cache_read_tokens = used.cache_read_tokens
            self.attempt.cache_write_tokens = used.cache_write_tokens

    def _end(self, ending: Ending, status: int) -> None:
        self.attempt.status = status
        self.simulator.journal.end(self.attempt, ending)


def key_of(request: Request) -> str | None:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    return bearer or request.headers.get("x-api-key") or None


async def json_body(request: Request) -> Mapping[str, Any]:
    """BadBody when it is too long or no JSON object."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise BadBody("the request is larger than 32 MB", status=413)
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadBody("the body is no JSON") from None
    if not isinstance(parsed, dict):
        raise BadBody("the body is no JSON object")
    return parsed


def _until_stop(pieces: list[str], stop: tuple[str, ...]) -> list[str]:
    text = "".join(pieces)
    ends = [place for one in stop if one and (place := text.find(one)) >= 0]
    return writing.pieces_of(text[: min(ends)]) if ends else pieces
