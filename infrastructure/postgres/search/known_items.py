"""Documents that can be looked for by their own titles. Every transaction but that which names a tenant sees one tenant's rows
only."""

from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

from infrastructure.ports.known_items import KnownItem
from infrastructure.postgres.search.rows import INDEXED, TITLE
from infrastructure.postgres.session import Connection, PostgresSession, Role
from infrastructure.postgres.tenants.pool import TenantPool

FIRST: Final = UUID(int=0)
NEIGHBOURS: Final = 500
"""Documents of about one moment that some are drawn from: those that came together have the same time."""

# Not EXISTS, for which PostgreSQL may read every document: a tenant's first is enough.
_NEXT_TENANT: Final = """
SELECT t.id FROM tenants t CROSS JOIN LATERAL (
  SELECT FROM documents d WHERE d.tenant_id = t.id AND d.indexed_version IS NOT NULL LIMIT 1) AS has_one
WHERE t.id > %s AND t.state IN ('active', 'suspended') ORDER BY t.id LIMIT 1
"""
# A moment between the first and the last document, and what lies around it.
_SOME_OF: Final = f"""
WITH drawn AS MATERIALIZED (
  SELECT min(created_at) + random() * (max(created_at) - min(created_at)) AS moment FROM documents
  WHERE tenant_id = %(tenant_id)s),
near AS MATERIALIZED (
  (SELECT document_id FROM documents WHERE tenant_id = %(tenant_id)s AND created_at <= (SELECT moment FROM drawn)
   ORDER BY created_at DESC, document_id DESC LIMIT {NEIGHBOURS})
  UNION ALL
  (SELECT document_id FROM documents WHERE tenant_id = %(tenant_id)s AND created_at > (SELECT moment FROM drawn)
   ORDER BY created_at, document_id LIMIT {NEIGHBOURS}))
SELECT d.document_id, {TITLE} FROM near JOIN {INDEXED} ON d.document_id = near.document_id
WHERE d.tenant_id = %(tenant_id)s AND d.indexed_version IS NOT NULL ORDER BY random() LIMIT %(number)s
"""
_THOSE: Final = f"""
SELECT d.document_id, {TITLE} FROM {INDEXED}
WHERE d.tenant_id = %(tenant_id)s AND d.document_id = ANY(%(ids)s) AND d.indexed_version IS NOT NULL
"""


class StoredKnownItems:
    """The port `KnownItems` in PostgreSQL."""

    def __init__(self, database_url: str, pool: TenantPool) -> None:
        self._pool = pool
        self._system = PostgresSession(database_url, Role.SYSTEM, "known items")

    async def tenant_after(self, tenant_id: UUID) -> UUID | None:
        return await self._system.run(partial(_next_tenant, after=tenant_id))

    async def some_of(self, tenant_id: UUID, number: int) -> Sequence[KnownItem]:
        named = {"tenant_id": tenant_id, "number": number}
        return await self._pool.run(tenant_id, partial(_items, statement=_SOME_OF, named=named))

    async def those(self, tenant_id: UUID, document_ids: Sequence[str]) -> Sequence[KnownItem]:
        named = {"tenant_id": tenant_id, "ids": list(document_ids)}
        return await self._pool.run(tenant_id, partial(_items, statement=_THOSE, named=named))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._system.close()


async def _next_tenant(connection: Connection, after: UUID) -> UUID | None:
    for place in (after, FIRST):
        if row := await (await connection.execute(_NEXT_TENANT, (place,))).fetchone():
            found: UUID = row[0]
            return found
    return None


async def _items(connection: Connection, statement: str, named: dict[str, Any]) -> list[KnownItem]:
    return [KnownItem(*row) for row in await (await connection.execute(statement, named)).fetchall()]
