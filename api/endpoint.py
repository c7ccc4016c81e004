"""Declares endpoints: the routes and the OpenAPI document are both made from these declarations."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message as MimeHeaders
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from api.auth.principal import Principal, Scope, allows
from api.auth.tenants import check_tenant
from api.dependencies import Dependencies
from api.http import problems
from api.http.request_body import read_body
from api.http.responses import JSON, Answer, Header, Media, NoBody, problem_answer, send_answer
from api.http.validation import LARGE_BODY_BYTES, model_of, parse_json, query_model, token_in
from api.middleware import ARRIVAL, Arrival
from api.rate_limits import RATE_HEADERS, RateLimits
from api.streams.long_poll import wanted_seconds
from infrastructure.postgres.session import Connection as PostgresConnection
from infrastructure.postgres.tenants.database import TenantDatabase
from infrastructure.postgres.tenants.sessions import TenantSession
from monitoring.tracing import TraceContext
from schemas.bounds import MAX_BATCH_VALUES, MAX_FREE_VALUES
from schemas.model import Model
from schemas.tenants import Limits

ANSWER_SECONDS = 30.0
"""Timeout for reading a request and answering it. A `Prefer: wait=N` adds N seconds."""
SLOW_BODY_SECONDS = 1.0
"""A body that took longer to arrive has its sender's key checked again: it may have been revoked meanwhile."""
LONGEST_MEDIA_TYPE = 256
CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})

ANONYMOUS = Principal(tenant_id=UUID(int=0), key_id="", scopes=frozenset())
"""The principal of endpoints without authentication. It owns no rows."""


class Empty(Model):
    """An empty body or query."""


B = TypeVar("B", bound=Model)
Q = TypeVar("Q", bound=Model)


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """An authenticated, authorized and validated request, as a handler gets it."""

    ingress: Dependencies
    principal: Principal
    path: Mapping[str, str]
    query: Q
    body: B
    headers: Mapping[str, str]
    correlation_id: UUID
    trace: TraceContext

    @property
    def tenant_id(self) -> UUID:
        return self.principal.tenant_id

    @property
    def db(self) -> TenantDatabase[PostgresConnection]:
        """psycopg connections that see only the principal's tenant (row-level security)."""
        return TenantDatabase(self.ingress.pool, self.tenant_id)

    @property
    def orm(self) -> TenantDatabase[TenantSession]:
        """SQLAlchemy sessions that see only the principal's tenant, on the same connections."""
        return TenantDatabase(self.ingress.sessions, self.tenant_id)

    async def limits(self) -> Limits:
        """The limits that apply to the principal's tenant."""
        return (await self.ingress.tenants.of(self.tenant_id)).limits

    async def admit_jobs(self, count: int = 1) -> None:
        """Counts jobs that are about to be stored. Raises QuotaExceeded when the tenant has too many waiting."""
        await self.ingress.queued.admit(self.tenant_id, count, (await self.limits()).queued_jobs)

    def path_id(self, name: str, what: str) -> UUID:
        """A path parameter as a UUID. A 404 when it isn't one."""
        try:
            return UUID(self.path[name])
        except ValueError:
            raise problems.not_found(what) from None


class Streamed(Protocol):
    """A streamed response: it writes itself, and lasts until the client disconnects or there is nothing more to send."""

    @property
    def headers(self) -> Sequence[Header]: ...

    async def run(self, receive: Receive, send: Send) -> None: ...


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[B, Q]):
    """One method of one path: its parameters, its responses and the scope it requires."""

    method: str
    path: str
    summary: str
    handle: Callable[[Call[B, Q]], Awaitable[Answer | Streamed]]
    answers: Mapping[int, type[Model] | NoBody | Media]
    scope: Scope | None
    """The scope that the key needs; None for an endpoint without authentication."""
    body: type[B] | None = None
    query: type[Q] | None = None
    description: str = ""
    aliases: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    """Request headers it reads. `api.documentation.openapi` describes each."""
    problems: tuple[int, ...] = ()
    """Statuses of its own problems, in addition to those that every endpoint may answer with."""
    seconds: float = ANSWER_SECONDS
    many: bool = False
    """Whether its body holds many commands, so that `max_batch_body_bytes` limits it."""
    for_watchers: bool = False
    """Whether a read token of the job in the path is accepted."""
    while_suspended: bool | None = None
    """Whether it answers a suspended tenant; None for the default: what reads does, by GET."""
    token_in_query: bool = False
    """Whether a read token is accepted as `?token=`: a browser's EventSource can't send a header."""
    listed: bool = field(default=True)
    """Whether the OpenAPI document has it."""

    @property
    def answers_suspended(self) -> bool:
        return self.method == "GET" if self.while_suspended is None else self.while_suspended


AnyEndpoint = Endpoint[Any, Any]


def routes(endpoints: Iterable[AnyEndpoint]) -> list[Route]:
    """One route per path, so that a 405 can name every method of that path in `Allow`."""
    by_path: dict[str, dict[str, AnyEndpoint]] = {}
    for endpoint in endpoints:
        for path in (endpoint.path, *endpoint.aliases):
            by_path.setdefault(path, {})[endpoint.method] = endpoint
    return [Route(path, _Address(methods)) for path, methods in by_path.items()]


class _Address:
    """The ASGI application behind one path."""

    def __init__(self, methods: Mapping[str, AnyEndpoint]) -> None:
        self._methods = methods
        self._allowed = sorted({*methods, "HEAD"} if "GET" in methods else methods)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        method = scope["method"]
        endpoint = self._methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            raise problems.method_not_allowed(self._allowed)
        answer = await _with_timeout(endpoint, scope, receive)
        if isinstance(answer, Answer):
            await send_answer(send, answer)
        elif method == "HEAD":
            # No content-length here: the stream has none, or has it among its own headers.
            await send({"type": "http.response.start", "status": 200, "headers": list(answer.headers)})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await answer.run(receive, send)


async def _with_timeout(endpoint: AnyEndpoint, scope: Connection, receive: Receive) -> Answer | Streamed:
    arrival: Arrival = scope[ARRIVAL]
    waited = wanted_seconds(arrival.headers) if "prefer" in endpoint.headers else None
    received = False

    async def receive_and_note_end() -> Any:
        nonlocal received
        message = await receive()
        received = not message.get("more_body", False)
        return message

    try:
        async with asyncio.timeout(endpoint.seconds + (waited or 0)):
            return await _answer(endpoint, scope, arrival, receive_and_note_end)
    except TimeoutError:
        if endpoint.body is not None and not received:
            raise problems.body_too_slow() from None
        return problem_answer(problems.timed_out(endpoint.seconds))


async def _answer(endpoint: AnyEndpoint, scope: Connection, arrival: Arrival, receive: Receive) -> Answer | Streamed:
    """Runs the checks from the cheapest on: the body of an unauthenticated request is never read."""
    ingress: Dependencies = scope["state"]["ingress"]
    principal = await _principal(endpoint, scope, arrival)
    query = query_model(endpoint.query or Empty, scope["query_string"])
    body: Model = Empty()
    if endpoint.body is not None:
        began = time.monotonic()
        body = await _body(endpoint, endpoint.body, ingress, arrival, receive)
        if principal is not ANONYMOUS and time.monotonic() - began > SLOW_BODY_SECONDS:
            await ingress.credentials.recheck(principal)
            tenant = await ingress.tenants.of(principal.tenant_id)
            check_tenant(tenant, endpoint.scope, answers_suspended=endpoint.answers_suspended)
    call = Call(
        ingress,
        principal,
        scope["path_params"],
        query,
        body,
        arrival.headers,
        arrival.correlation_id,
        arrival.trace,
    )
    return await endpoint.handle(call)


async def _principal(endpoint: AnyEndpoint, scope: Connection, arrival: Arrival) -> Principal:
    if endpoint.scope is None:
        return ANONYMOUS
    ingress: Dependencies = scope["state"]["ingress"]
    credentials = ingress.credentials
    authorization = arrival.headers.get("authorization")
    if authorization is None and endpoint.token_in_query:
        principal = await credentials.principal_with_read_token(token_in(scope["query_string"]))
    else:
        principal = await credentials.authenticate(authorization)
    tenant = await ingress.tenants.of(principal.tenant_id)
    scope[RATE_HEADERS] = admitted(ingress.rates, principal, tenant.limits)
    if principal.only_job is not None and not endpoint.for_watchers:
        raise problems.read_token_only_watches()
    if not allows(principal, endpoint.scope):
        raise problems.scope_missing(endpoint.scope)
    check_tenant(tenant, endpoint.scope, answers_suspended=endpoint.answers_suspended)
    if principal.only_job is not None and _id_in(scope["path_params"]["id"]) != principal.only_job:
        raise problems.not_found("job")
    return principal


def _id_in(part: str) -> UUID | None:
    """The path parameter as a UUID in any of its spellings; None if it isn't one."""
    try:
        return UUID(part)
    except ValueError:
        return None


def admitted(rates: RateLimits, principal: Principal, limits: Limits) -> tuple[Header, ...]:
    """Counts the request and returns the rate limit headers. Raises a Refusal (429) with them when a limit is reached."""
    verdict = rates.admit(principal, limits.requests_per_minute)
    if verdict.wait_seconds:
        raise problems.too_many_requests(verdict.limited, verdict.limit, verdict.wait_seconds, verdict.headers)
    return verdict.headers


async def _body(
    endpoint: AnyEndpoint, model: type[Model], ingress: Dependencies, arrival: Arrival, receive: Receive
) -> Model:
    settings = ingress.settings
    headers = arrival.headers
    max_bytes = settings.max_batch_body_bytes if endpoint.many else settings.max_body_bytes
    body = await read_body(receive, headers.get("content-length"), max_bytes)
    if not body and takes_nothing(model):
        return model()
    _check_media_type(headers.get("content-type", ""), headers.get("content-encoding", "identity"))
    tree = parse_json(body, max_values=MAX_BATCH_VALUES if endpoint.many else MAX_FREE_VALUES)
    if len(body) > LARGE_BODY_BYTES:  # Let other requests run before the model is validated.
        await asyncio.sleep(0)
    return model_of(model, tree)


def takes_nothing(model: type[Model]) -> bool:
    """Whether the model has no required field, so that an empty body is accepted."""
    return not any(one.is_required() for one in model.model_fields.values())


def _check_media_type(content_type: str, content_encoding: str) -> None:
    if len(content_type) > LONGEST_MEDIA_TYPE or not _is_json(content_type):
        raise problems.unsupported_media_type()
    if content_encoding.strip().lower() not in ("identity", ""):
        raise problems.unsupported_media_type()


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    """Whether the media type is JSON in UTF-8. Parameters other than the charset are ignored."""
    headers = MimeHeaders()
    headers["content-type"] = content_type
    return headers.get_content_type().encode() == JSON and headers.get_content_charset("utf-8") in CHARSETS


def all_paths(endpoints: Sequence[AnyEndpoint]) -> list[tuple[str, str]]:
    """(method, path) of every endpoint, aliases included."""
    return [(one.method, path) for one in endpoints for path in (one.path, *one.aliases)]
