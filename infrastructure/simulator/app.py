"""The simulator's routes: the providers' own, and those that script it and show what it saw."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infrastructure.simulator.asked import BadBody
from infrastructure.simulator.batches import MessageBatches, OpenAiBatches
from infrastructure.simulator.faults import Fault, FaultKind, TooManyFaults
from infrastructure.simulator.journal import DOLLARS_FOR_A_MILLION
from infrastructure.simulator.quotas import Limits
from infrastructure.simulator.serving import Pace, Simulator, json_body, key_of
from infrastructure.simulator.wire.chat import ChatCompletions
from infrastructure.simulator.wire.format import WireFormat
from infrastructure.simulator.wire.messages import Messages
from infrastructure.simulator.wire.responses import Responses

M = TypeVar("M", bound=BaseModel)
Endpoint = Callable[[Request], Awaitable[Response]]
MAX_PAGE = 5_000
RESPONSES, CHAT, MESSAGES = Responses(), ChatCompletions(), Messages()


def app(pace: Pace | None = None) -> Starlette:
    simulator = Simulator(pace=pace or Pace())
    control = Control(simulator)
    return Starlette(
        routes=[
            Route("/v1/responses", _generates(simulator, RESPONSES), methods=["POST"]),
            Route("/v1/chat/completions", _generates(simulator, CHAT), methods=["POST"]),
            Route("/v1/messages", _generates(simulator, MESSAGES), methods=["POST"]),
            Route("/v1/responses/input_tokens", _counts(RESPONSES), methods=["POST"]),
            Route("/v1/messages/count_tokens", _counts(MESSAGES), methods=["POST"]),
            Route("/v1/models", _models, methods=["GET"]),
            *OpenAiBatches(simulator, RESPONSES).routes,
            *MessageBatches(simulator, MESSAGES).routes,
            Route("/control/faults", control.add_fault, methods=["POST"]),
            Route("/control/faults", control.faults, methods=["GET"]),
            Route("/control/faults", control.clear_faults, methods=["DELETE"]),
            Route("/control/pace", control.set_pace, methods=["PUT"]),
            Route("/control/limits", control.set_limits, methods=["PUT"]),
            Route("/control/journal", control.journal, methods=["GET"]),
            Route("/control/ledger", control.ledger, methods=["GET"]),
            Route("/control", control.reset, methods=["DELETE"]),
        ]
    )


class Control:
    """The routes that script the simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def add_fault(self, request: Request) -> Response:
        fault = await _given(request, Fault)
        if isinstance(fault, Response):
            return fault
        try:
            self._simulator.faults.add(fault)
        except TooManyFaults as full:
            return JSONResponse({"error": str(full)}, 409)
        return JSONResponse({"scripted": fault.kind.value}, 201)

    async def faults(self, request: Request) -> Response:
        return JSONResponse(self._simulator.faults.listed())

    async def clear_faults(self, request: Request) -> Response:
        self._simulator.faults.clear()
        return Response(status_code=204)

    async def set_pace(self, request: Request) -> Response:
        pace = await _given(request, Pace)
        if isinstance(pace, Response):
            return pace
        self._simulator.pace = pace
        return JSONResponse(pace.model_dump())

    async def set_limits(self, request: Request) -> Response:
        limits = await _given(request, Limits)
        if isinstance(limits, Response):
            return limits
        self._simulator.quotas = type(self._simulator.quotas)(limits)
        return JSONResponse(limits.model_dump())

    async def journal(self, request: Request) -> Response:
        """The attempts after number `after`, at most 5,000 at a time."""
        after = request.query_params.get("after", "0")
        return JSONResponse(self._simulator.journal.attempts(int(after) if after.isdecimal() else 0, MAX_PAGE))

    async def ledger(self, request: Request) -> Response:
        return JSONResponse(self._simulator.journal.ledger())

    async def reset(self, request: Request) -> Response:
        """Forgets all: faults, journal, ledger, limits, pace and cache."""
        fresh = Simulator()
        for name in ("journal", "faults", "quotas", "cache", "pace"):
            setattr(self._simulator, name, getattr(fresh, name))
        return Response(status_code=204)


def _generates(simulator: Simulator, wire: WireFormat) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await simulator.answer(request, wire)

    return endpoint


def _counts(wire: WireFormat) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if key_of(request) is None:
            return JSONResponse(wire.error(FaultKind.AUTH, "No key was given", "req_sim"), 401)
        try:
            asked = wire.asked({"max_tokens": 1, **await json_body(request)})
        except BadBody as bad:
            return JSONResponse(wire.error(FaultKind.BAD_REQUEST, str(bad), "req_sim", bad.code), bad.status)
        return JSONResponse({"object": "response.input_tokens", "input_tokens": asked.input_tokens})

    return endpoint


async def _models(request: Request) -> Response:
    wire = MESSAGES if "anthropic-version" in request.headers else RESPONSES
    if key_of(request) is None:
        return JSONResponse(wire.error(FaultKind.AUTH, "No key was given", "req_sim"), 401)
    of_claude = wire is MESSAGES
    names = [name for name in DOLLARS_FOR_A_MILLION if name.startswith("claude-") is of_claude]
    listed = [{"id": name, "object": "model", "type": "model", "display_name": name} for name in names]
    return JSONResponse({"object": "list", "data": listed, "has_more": False})


async def _given(request: Request, model: type[M]) -> M | Response:
    try:
        return model.model_validate(await json_body(request))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return JSONResponse({"error": f"{where}: {first['msg']}"}, 422)
    except BadBody as bad:
        return JSONResponse({"error": str(bad)}, bad.status)
