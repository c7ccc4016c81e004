"""The one middleware: gives each request a correlation id and a trace, and turns exceptions into problem responses."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from api import request_spans
from api.http import problems, tenant_problems
from api.http.request_body import Disconnected
from api.http.responses import NOSNIFF, POLICY, Answer, Header, problem_answer, send_answer
from api.rate_limits import RATE_HEADERS
from infrastructure.concurrency.batching import Overloaded
from infrastructure.ports import Unavailable, Unstorable
from infrastructure.postgres.tenants.quotas import QuotaExceeded, TenantSuspended
from monitoring.logs.context import LogContext, bound
from monitoring.metrics import ingress as ingress_metrics
from monitoring.tracing.context import TraceContext, continue_trace
from monitoring.tracing.span import Span
from schemas.bounds import OutOfBounds

logger = logging.getLogger(__name__)

ARRIVAL = "bucatini.arrival"
UNREAD = "bucatini.unread"
"""Whether the client may still be sending an upload."""
LINGER_SECONDS = 2.0
MAX_LINGERING_BYTES = 16_000_000
UNKNOWN_ROUTE = "unknown"
SINGLE_HEADERS = ("host", "idempotency-key")
"""Request headers that may not be repeated: which of two values was meant would be ambiguous."""
DISCONNECTED = 0
"""In place of a status: the client left before there was one."""
SWITCHED = 101
"""The status of an accepted WebSocket handshake."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request's headers, correlation id and trace, as parsed on arrival."""

    headers: Mapping[str, str]
    """By lowercase name. Repeated fields are joined by commas (RFC 9110, section 5.3)."""
    correlation_id: UUID
    trace: TraceContext
    repeated: frozenset[str] = frozenset()
    """Names of the repeated fields."""
    span: Span | None = None
    """Whose ids `trace` has; None where no spans are exported."""


class Middleware:
    """ASGI middleware: correlation and trace, security headers, problems, the request's log fields and metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._run_websocket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        arrival = arrival_of(scope)
        scope[ARRIVAL] = arrival
        status = 0
        extra = _named(arrival)

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message["headers"]
                message["headers"] = [*own, *extra, *scope.get(RATE_HEADERS, ()), *_policy_beside(own)]
            await send(message)

        with bound(LogContext(correlation_id=arrival.correlation_id, trace=arrival.trace)):
            try:
                _check_headers(scope, arrival)
                await self._app(scope, receive, send_named)
            except Disconnected:
                request_spans.end(arrival.span, scope, DISCONNECTED)
                return
            except problems.BodyTooLarge as refusal:
                await _send_lingering(problem_answer(refusal.problem, refusal.headers), receive, send_named)
            except Exception as error:  # The request's edge: the last place that can answer an unhandled exception.
                if status:
                    raise
                answer = _answer_to(error, arrival)
                if scope.get(UNREAD, False):
                    await _send_lingering(answer.with_headers((b"connection", b"close")), receive, send_named)
                else:
                    await send_answer(send_named, answer)
        _count(scope, status, time.perf_counter() - began)

    async def _run_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs a WebSocket. A handshake that is refused gets an ordinary HTTP response."""
        began = time.perf_counter()
        arrival = arrival_of(scope)
        scope[ARRIVAL] = arrival
        # uvicorn logs it with the path, and some clients put secrets there.
        scope["query_string"] = b""
        status = 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.accept":
                status = SWITCHED
                _count(scope, status, time.perf_counter() - began)
            elif message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_named(arrival), POLICY]
            before_it_is_open = message["type"].startswith("http.")
            await send({**message, "type": f"websocket.{message['type']}"} if before_it_is_open else message)

        with bound(LogContext(correlation_id=arrival.correlation_id, trace=arrival.trace)):
            try:
                _check_headers(scope, arrival)
                await self._app(scope, receive, send_noted)
            except Exception as error:  # The request's edge, as in __call__.
                if status:
                    raise
                await send_answer(send_noted, _answer_to(error, arrival))
        if status != SWITCHED:
            _count(scope, status, time.perf_counter() - began)


def _named(arrival: Arrival) -> list[Header]:
    """The headers that every response has."""
    return [
        (b"x-correlation-id", str(arrival.correlation_id).encode()),
        (b"traceparent", arrival.trace.traceparent.encode()),
        NOSNIFF,
    ]


def _policy_beside(headers: Sequence[Header]) -> tuple[Header, ...]:
    """The default Content-Security-Policy, which allows nothing; empty when the response has its own, as pages do."""
    return () if any(name == POLICY[0] for name, _ in headers) else (POLICY,)


def arrival_of(scope: Scope) -> Arrival:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    repeated: frozenset[str] = frozenset()
    if len(headers) < len(scope["headers"]):
        headers, repeated = _joined(scope["headers"])
    traceparent = headers.get("traceparent")
    span = request_spans.begin(scope, traceparent)
    trace = continue_trace(traceparent) if span is None else span.context
    return Arrival(headers, _correlation_id(headers.get("x-correlation-id")), trace, repeated, span)


def _joined(given: Sequence[Header]) -> tuple[dict[str, str], frozenset[str]]:
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in given:
        lines[name.decode("latin-1")].append(value.decode("latin-1"))
    joined = {name: ", ".join(values) for name, values in lines.items()}
    return joined, frozenset(name for name, values in lines.items() if len(values) > 1)


def _check_headers(scope: Scope, arrival: Arrival) -> None:
    if "host" not in arrival.headers and scope["http_version"] == "1.1":
        raise problems.invalid_header("Host", "is required")
    for name in SINGLE_HEADERS:
        if name in arrival.repeated:
            raise problems.invalid_header(name.title(), "must be sent once")


def _correlation_id(given: str | None) -> UUID:
    if given is not None:
        try:
            return UUID(given)
        except ValueError:
            pass
    made: UUID = uuid7()
    return made


def _answer_to(error: Exception, arrival: Arrival) -> Answer:
    match error:
        case problems.Refusal():
            return problem_answer(error.problem, error.headers)
        case QuotaExceeded():
            ingress_metrics.quota_refused(error.quota)
            refusal = tenant_problems.quota_exceeded(error.quota, error.used, error.limit, adjustable=error.adjustable)
            return problem_answer(refusal.problem)
        case TenantSuspended():
            return problem_answer(tenant_problems.tenant_suspended("").problem)
        case Unavailable():
            logger.warning("answered 503: %s", error)
            return problem_answer(problems.unavailable(error.retry_after_seconds))
        case OutOfBounds():
            return problem_answer(problems.out_of_bounds(error))
        case Unstorable():
            return problem_answer(problems.unstorable())
        case Overloaded():
            logger.warning("answered 503: %s", error)
            return problem_answer(problems.overloaded())
        case _:
            logger.error("request failed", exc_info=error)
            return problem_answer(problems.internal(str(arrival.correlation_id)))


async def _send_lingering(answer: Answer, receive: Receive, send: Send) -> None:
    # Closing while the client still sends would reset the connection, and the client would lose the response.
    await send_answer(send, answer, more_body=True)
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            unread = MAX_LINGERING_BYTES
            while unread > 0:
                message = await receive()
                unread -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _count(scope: Scope, status: int, seconds: float) -> None:
    route = scope.get("route")
    ingress_metrics.http_answered(
        route=UNKNOWN_ROUTE if route is None else route.path,
        method=scope.get("method", "GET"),
        status=status,
        seconds=seconds,
    )
    request_spans.end(scope[ARRIVAL].span, scope, status)
