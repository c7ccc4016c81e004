"""The search server's keys that see one tenant's indexes, sealed."""

from uuid import UUID

from infrastructure.key_vault.cells import search_key_cell
from infrastructure.key_vault.sealed import Sealed
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.keys.sealing import write_sealed
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool

_NEWEST = "SELECT key_id, key FROM search_credentials WHERE tenant_id = %s ORDER BY created_at DESC, key_id LIMIT 1"
_ADD = """
INSERT INTO search_credentials (tenant_id, key_id, key) VALUES (%s, %s, %b) ON CONFLICT (tenant_id, key_id) DO NOTHING
"""
_REMOVE = "DELETE FROM search_credentials WHERE tenant_id = %s"


class StoredSearchKeys:
    """Keys in PostgreSQL. DecryptionFailed when one isn't as it was stored."""

    def __init__(self, pool: TenantPool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def of(self, tenant_id: UUID) -> str | None:
        async def read(connection: Connection) -> tuple[str, bytes] | None:
            return await (await connection.execute(_NEWEST, (tenant_id,))).fetchone()

        found = await self._pool.run(tenant_id, read)
        if found is None:
            return None
        key_id, key = found
        return await self._sealer.open(search_key_cell(tenant_id, key_id), Sealed(key))

    async def add(self, tenant_id: UUID, key_id: str, encoded: str) -> None:
        async def write(connection: Connection, sealed: bytes) -> None:
            await connection.execute(_ADD, (tenant_id, key_id, sealed))

        await write_sealed(self._pool, self._sealer, search_key_cell(tenant_id, key_id), encoded, write)

    async def remove(self, tenant_id: UUID) -> None:
        async def delete(connection: Connection) -> None:
            await connection.execute(_REMOVE, (tenant_id,))

        await self._pool.run(tenant_id, delete)
