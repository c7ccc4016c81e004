"""Liveness and readiness checks for an orchestrator. Metrics are on the operators' port."""

from api.endpoint import Call, Empty, Endpoint
from api.http.responses import Answer, json_answer
from schemas.health import Alive, Readiness, Ready


async def show_alive(call: Call[Empty, Empty]) -> Answer:
    faults = call.ingress.faults()
    return json_answer(503, Alive(status="stalled", faults=tuple(faults))) if faults else json_answer(200, Alive())


async def show_ready(call: Call[Empty, Empty]) -> Answer:
    ready = await call.ingress.health.ask()
    return json_answer(503 if ready.status is Readiness.NOT_READY else 200, ready)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/healthz",
        summary="Is this process alive",
        description="503 names the loops of the process that have stalled: restart it. While a server is away none has.",
        handle=show_alive,
        answers={200: Alive, 503: Alive},
        scope=None,
    ),
    Endpoint(
        method="GET",
        path="/readyz",
        summary="Can it do its work",
        description=(
            "Each part is asked to do what the work asks of it, once a second at the most. `degraded` names the part that "
            "refuses and why: without Redis jobs are kept all the same, 202 means what it says, and they run once it is "
            "back; where PostgreSQL takes no writes, submissions are refused with 503 and everything else is answered. "
            "503 when PostgreSQL or its tables are away."
        ),
        handle=show_ready,
        answers={200: Ready, 503: Ready},
        scope=None,
    ),
)
