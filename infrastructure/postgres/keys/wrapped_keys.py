"""The tenants' keys, wrapped, as they are stored."""

import asyncio
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from infrastructure.key_vault.keyring import StoredKey
from infrastructure.ports.keys import WrappedKey
from infrastructure.postgres.prepared import Prepared
from infrastructure.postgres.session import Connection, PostgresSession
from schemas.keys import TenantKey, TenantKeys

# A write under the active key holds this lock shared until its commit; activating another key takes it exclusively. So
# a change of key waits for the writes in flight, and later writes see the new key.
HOLD_KEYS = "SELECT pg_advisory_xact_lock_shared(hashtextextended('bucatini keys ' || %s::text, 0))"
# Of many tenants in one order, so that callers can't deadlock.
HOLD_KEYS_OF_MANY = Prepared(
    "hold_keys_of_many",
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('bucatini keys ' || t.id, 0)) "
    'FROM (SELECT DISTINCT id::text COLLATE "C" AS id FROM unnest(%(tenants)b::uuid[]) AS u (id) ORDER BY 1) t',
)
CHANGE_KEYS = "SELECT pg_advisory_xact_lock(hashtextextended('bucatini keys ' || %s::text, 0))"

_COLUMNS = "id, tenant_id, master_key_id, wrapped"
_ACTIVE = f"SELECT {_COLUMNS} FROM tenant_keys WHERE tenant_id = %s AND state = 'active'"
_FIND = f"SELECT {_COLUMNS} FROM tenant_keys WHERE tenant_id = %s AND id = %s"
_ADD_FIRST = """
INSERT INTO tenant_keys (tenant_id, version, state, master_key_id, wrapped) VALUES (%s, 1, 'active', %s, %s)
ON CONFLICT DO NOTHING
"""
_LIST = """
SELECT version, state, master_key_id, created_at, retired_at FROM tenant_keys
WHERE tenant_id = %s ORDER BY version DESC LIMIT 1000
"""


class StoredKeys:
    """A KeyStore in PostgreSQL. Its session must have the system's role: a tenant's role never sees a key, not even
    wrapped."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session
        self._taken = asyncio.Lock()

    async def active(self, tenant_id: UUID) -> StoredKey | None:
        return await self._one(_ACTIVE, (tenant_id,))

    async def find(self, tenant_id: UUID, key_id: int) -> StoredKey | None:
        # The id comes from a header that may be forged; one beyond bigint can't be a key's.
        return await self._one(_FIND, (tenant_id, key_id)) if key_id < 2**63 else None

    async def add_first(self, tenant_id: UUID, wrapped: WrappedKey) -> None:
        async def insert(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(CHANGE_KEYS, (tenant_id,))
                await connection.execute(_ADD_FIRST, (tenant_id, wrapped.master_key_id, wrapped.ciphertext))

        async with self._taken:
            await self._session.run(insert)

    async def _one(self, statement: str, parameters: tuple[Any, ...]) -> StoredKey | None:
        async def read(connection: Connection) -> tuple[Any, ...] | None:
            return await (await connection.execute(statement, parameters)).fetchone()

        async with self._taken:
            row = await self._session.run(read)
        return None if row is None else StoredKey(row[0], row[1], WrappedKey(row[2], row[3]))


async def tenant_keys(connection: Connection, tenant_id: UUID) -> TenantKeys:
    """The tenant's keys without their content, the newest first."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_LIST, (tenant_id,))
        return TenantKeys(keys=tuple([TenantKey.model_validate(row) for row in await cursor.fetchall()]))
