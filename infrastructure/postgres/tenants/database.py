"""PostgreSQL bound to one tenant, for request handlers: they never pass a tenant id themselves."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Concatenate, Generic, ParamSpec, Protocol, TypeVar
from uuid import UUID

C = TypeVar("C")
Given = TypeVar("Given", covariant=True)
T = TypeVar("T")
P = ParamSpec("P")


class ServesTenants(Protocol[Given]):
    """TenantPool, whose connections are psycopg's, or TenantSessions, whose sessions are SQLAlchemy's."""

    async def run(self, tenant_id: UUID, work: Callable[[Given], Awaitable[T]]) -> T: ...


@dataclass(frozen=True, slots=True)
class TenantDatabase(Generic[C]):
    """Runs work for one tenant; no other tenant's rows are visible."""

    server: ServesTenants[C]
    tenant_id: UUID

    async def run(self, work: Callable[Concatenate[C, UUID, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `work(connection, tenant_id, …)` in a transaction and returns its result.

            webhook = await call.orm.run(endpoints.find, webhook_id)

        Unavailable when PostgreSQL can't be reached or went away; a write may then be committed or not.
        """
        return await self.transaction(lambda connection: work(connection, self.tenant_id, *args, **kwargs))

    async def transaction(self, work: Callable[[C], Awaitable[T]]) -> T:
        """`run` for several functions in one transaction."""
        return await self.server.run(self.tenant_id, work)
