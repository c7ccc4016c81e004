"""Declarations of endpoints: the routes and the OpenAPI document are both made of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from starlette.types import Receive, Send

from api.auth.principal import Principal, Scope
from api.auth.tenants import check_tenant
from api.dependencies import Dependencies
from api.http import problems
from api.http.responses import Answer, Either, Header, Media, NoBody
from api.uploads.body_stream import BodyStream
from infrastructure.postgres.session import Connection as PostgresConnection
from infrastructure.postgres.tenants.database import TenantDatabase
from infrastructure.postgres.tenants.sessions import TenantSession
from monitoring.tracing.context import TraceContext
from schemas.model import Model
from schemas.tenants import Limits

ANSWER_SECONDS = 30.0
"""Timeout for reading a request and answering it. A `Prefer: wait=N` adds N seconds."""


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

    async def check_still_allowed(self) -> None:
        """Raises a Refusal when the key was revoked, or the tenant suspended, while the body arrived."""
        await self.ingress.credentials.recheck(self.principal)
        check_tenant(await self.ingress.tenants.of(self.tenant_id), None, answers_suspended=False)

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
class Uploads(Generic[Q]):
    """How an endpoint takes bodies that aren't JSON: as they arrive, so that they are never held."""

    handle: Callable[[Call[Empty, Q], BodyStream], Awaitable[Answer]]
    form: type[Model]
    """The fields of `multipart/form-data`, for the OpenAPI document."""
    files: str
    """The form's part that is a file."""
    many: bool = False
    """Whether there may be several such parts."""
    raw: bool = True
    """Whether the body may also be the file itself, of any media type."""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[B, Q]):
    """One method of one path: its parameters, its responses and the scope it requires."""

    method: str
    path: str
    summary: str
    handle: Callable[[Call[B, Q]], Awaitable[Answer | Streamed]]
    answers: Mapping[int, type[Model] | NoBody | Media | Either]
    scope: Scope | None
    """The scope that the key needs; None for an endpoint without authentication."""
    body: type[B] | None = None
    uploads: Uploads[Q] | None = None
    """For bodies of other media types than JSON."""
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
    slashes: bool = False
    """Whether the `id` in its path may have slashes."""
    among_ids: bool = False
    """Whether its path could be that of such an id, which the other methods then work on."""

    @property
    def answers_suspended(self) -> bool:
        return self.method == "GET" if self.while_suspended is None else self.while_suspended


AnyEndpoint = Endpoint[Any, Any]


def all_paths(endpoints: Sequence[AnyEndpoint]) -> list[tuple[str, str]]:
    """(method, path) of every endpoint, aliases included."""
    return [(one.method, path) for one in endpoints for path in (one.path, *one.aliases)]
