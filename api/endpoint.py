"""One declaration for each address: the route that serves it and the document that describes it both come from it."""

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

ANSWER_SECONDS = 30.0
"""For reading the request and for answering it; who asks to wait gets that time on top."""
SLOW_BODY_SECONDS = 1.0
"""While a body takes longer to arrive, its sender's key may fall."""
LONGEST_MEDIA_TYPE = 256
CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})

NOBODY = Principal(tenant_id=UUID(int=0), key_id="", scopes=frozenset())
"""Calls what is open to everybody. No row belongs to it."""


class Empty(Model):
    """Nothing is taken here."""


B = TypeVar("B", bound=Model)
Q = TypeVar("Q", bound=Model)


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """A request that has passed every check its declaration names."""

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
        """PostgreSQL as this principal's tenant sees it, for statements that are written for psycopg."""
        return TenantDatabase(self.ingress.lines, self.tenant_id)

    @property
    def orm(self) -> TenantDatabase[TenantSession]:
        """The same for SQLAlchemy's, on the same connections."""
        return TenantDatabase(self.ingress.sessions, self.tenant_id)

    def path_id(self, name: str, what: str) -> UUID:
        """A part of the path that must be an id. What can't be one doesn't exist."""
        try:
            return UUID(self.path[name])
        except ValueError:
            raise problems.not_found(what) from None


class Streamed(Protocol):
    """An answer that goes on until its reader or its subject ends it."""

    @property
    def headers(self) -> Sequence[Header]: ...

    async def run(self, receive: Receive, send: Send) -> None: ...


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[B, Q]):
    """What one method of one address takes, gives and asks for."""

    method: str
    path: str
    summary: str
    handle: Callable[[Call[B, Q]], Awaitable[Answer | Streamed]]
    answers: Mapping[int, type[Model] | NoBody | Media]
    scope: Scope | None
    """None: open to everybody."""
    body: type[B] | None = None
    query: type[Q] | None = None
    description: str = ""
    aliases: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    """Request headers it reads, by the names that `api.documentation.openapi` describes."""
    problems: tuple[int, ...] = ()
    """Statuses of its own problems, beside those that every address may answer."""
    seconds: float = ANSWER_SECONDS
    many: bool = False
    """Whether its body holds many commands, and so may be as large as `max_batch_body_bytes`."""
    for_watchers: bool = False
    """Whether a read token of the job that the path names opens it."""
    token_in_query: bool = False
    """Whether such a token may come as `?token=`, for an EventSource, which can't send a header."""
    listed: bool = field(default=True)
    """Whether it stands in the OpenAPI document."""


AnyEndpoint = Endpoint[Any, Any]


def routes(endpoints: Iterable[AnyEndpoint]) -> list[Route]:
    """One route for each address, whatever its methods, so that a wrong method learns all that are allowed."""
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
        answer = await _within(endpoint, scope, receive)
        if isinstance(answer, Answer):
            await send_answer(send, answer)
        elif method == "HEAD":
            # Without a length: what GET would send has none, or says it among its headers.
            await send({"type": "http.response.start", "status": 200, "headers": list(answer.headers)})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await answer.run(receive, send)


async def _within(endpoint: AnyEndpoint, scope: Connection, receive: Receive) -> Answer | Streamed:
    arrival: Arrival = scope[ARRIVAL]
    waited = wanted_seconds(arrival.headers) if "prefer" in endpoint.headers else None
    received = False

    async def receive_noted() -> Any:
        nonlocal received
        message = await receive()
        received = not message.get("more_body", False)
        return message

    try:
        async with asyncio.timeout(endpoint.seconds + (waited or 0)):
            return await _answer(endpoint, scope, arrival, receive_noted)
    except TimeoutError:
        if endpoint.body is not None and not received:
            raise problems.body_too_slow() from None
        return problem_answer(problems.timed_out(endpoint.seconds))


async def _answer(endpoint: AnyEndpoint, scope: Connection, arrival: Arrival, receive: Receive) -> Answer | Streamed:
    """The checks in the order of their cost: a stranger's body is never read."""
    ingress: Dependencies = scope["state"]["ingress"]
    principal = await _principal(endpoint, scope, arrival)
    query = query_model(endpoint.query or Empty, scope["query_string"])
    body: Model = Empty()
    if endpoint.body is not None:
        began = time.monotonic()
        body = await _body(endpoint, endpoint.body, ingress, arrival, receive)
        if principal is not NOBODY and time.monotonic() - began > SLOW_BODY_SECONDS:
            await ingress.credentials.recheck(principal)
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
        return NOBODY
    ingress: Dependencies = scope["state"]["ingress"]
    credentials = ingress.credentials
    authorization = arrival.headers.get("authorization")
    if authorization is None and endpoint.token_in_query:
        principal = await credentials.principal_with_read_token(token_in(scope["query_string"]))
    else:
        principal = await credentials.authenticate(authorization)
    scope[RATE_HEADERS] = admitted(ingress.rates, principal)
    if principal.only_job is not None and not endpoint.for_watchers:
        raise problems.read_token_only_watches()
    if not allows(principal, endpoint.scope):
        raise problems.scope_missing(endpoint.scope)
    if principal.only_job is not None and _id_in(scope["path_params"]["id"]) != principal.only_job:
        raise problems.not_found("job")
    return principal


def _id_in(part: str) -> UUID | None:
    """The id, whichever way it is spelled."""
    try:
        return UUID(part)
    except ValueError:
        return None


def admitted(rates: RateLimits, principal: Principal) -> tuple[Header, ...]:
    """What to tell of the caller's limits; a Refusal that tells it when they are reached."""
    verdict = rates.admit(principal)
    if verdict.wait_seconds:
        raise problems.too_many_requests(verdict.limited, verdict.limit, verdict.wait_seconds, verdict.headers)
    return verdict.headers


async def _body(
    endpoint: AnyEndpoint, model: type[Model], ingress: Dependencies, arrival: Arrival, receive: Receive
) -> Model:
    settings = ingress.settings
    headers = arrival.headers
    most_bytes = settings.max_batch_body_bytes if endpoint.many else settings.max_body_bytes
    body = await read_body(receive, headers.get("content-length"), most_bytes)
    if not body and takes_nothing(model):
        return model()
    _check_media_type(headers.get("content-type", ""), headers.get("content-encoding", "identity"))
    tree = parse_json(body, max_values=MAX_BATCH_VALUES if endpoint.many else MAX_FREE_VALUES)
    if len(body) > LARGE_BODY_BYTES:  # Others get their turn.
        await asyncio.sleep(0)
    return model_of(model, tree)


def takes_nothing(model: type[Model]) -> bool:
    """Whether an empty body is as good as an empty object."""
    return not any(one.is_required() for one in model.model_fields.values())


def _check_media_type(content_type: str, content_encoding: str) -> None:
    if len(content_type) > LONGEST_MEDIA_TYPE or not _is_json(content_type):
        raise problems.unsupported_media_type()
    if content_encoding.strip().lower() not in ("identity", ""):
        raise problems.unsupported_media_type()


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    """Whether it is JSON in UTF-8. Other parameters say nothing that matters here."""
    headers = MimeHeaders()
    headers["content-type"] = content_type
    return headers.get_content_type().encode() == JSON and headers.get_content_charset("utf-8") in CHARSETS


def all_paths(endpoints: Sequence[AnyEndpoint]) -> list[tuple[str, str]]:
    """(method, path) of everything declared, aliases included."""
    return [(one.method, path) for one in endpoints for path in (one.path, *one.aliases)]
