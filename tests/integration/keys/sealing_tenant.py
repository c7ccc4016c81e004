"""A tenant with sealed documents whose keys a test rotates."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from bucatini.testing import RecordedRun
from events.keys import KeysRotated
from infrastructure.key_vault.keyring import Keyring, make_key
from infrastructure.key_vault.sealed import Cell, Sealed
from infrastructure.ports.keys import KeyVault
from infrastructure.postgres.keys.rotations import PostgresRotations
from infrastructure.postgres.keys.wrapped_keys import HOLD_KEYS, tenant_keys
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings
from infrastructure.wiring import key_vault, keyring
from schemas.keys import KeyState, RotateKeys
from workers.keys.rotation import rotate_keys

FENCE_SECONDS = 0.05
"""Far shorter than the writers' keyrings believe an answer: what they write is safe without the wait as well."""
KEY_OF = "('x' || encode(substring(text FROM 5 FOR 8), 'hex'))::bit(64)::bigint"

INSERT = """
WITH s AS (SELECT * FROM unnest(%(names)s::text[], %(sealed)b::bytea[]) AS s (name, sealed)),
d AS (
  INSERT INTO documents (tenant_id, document_id, version, document_type) SELECT %(tenant)s, name, 1, 'contract' FROM s
  ON CONFLICT DO NOTHING)
INSERT INTO document_versions AS v (tenant_id, document_id, version, cell, state, digest, size_bytes, stored_bytes, media_type, text)
SELECT %(tenant)s, name, 1, name, 'ready', '', 0, 0, 'text/plain', sealed FROM s
ON CONFLICT (tenant_id, document_id, version) DO UPDATE SET text = excluded.text
"""
ACTIVE = (
    "SELECT FROM tenant_keys WHERE tenant_id = %s AND state = 'active' AND int8send(id) = substring(%b FROM 5 FOR 8)"
)


@dataclass
class Tenant:
    """A tenant with texts of documents, and what a keys worker has to rotate its key."""

    id: UUID
    settings: Settings
    lines: TenantPool
    keyring: Keyring
    vault: KeyVault

    async def write(self, document_id: str, body: str) -> None:
        """As every writer does: under the active key, which can't change until the commit."""
        while True:
            sealed = (await self.keyring.seal(self.cell(document_id), body)).ciphertext
            if await self.lines.run(self.id, partial(self._store, document_id=document_id, sealed=sealed)):
                return
            self.keyring.forget_active(self.id)

    async def _store(self, connection: Connection, document_id: str, sealed: bytes) -> bool:
        await connection.execute(HOLD_KEYS, (self.id,))
        if not (await connection.execute(ACTIVE, (self.id, sealed))).rowcount:
            return False
        await connection.execute(INSERT, {"tenant": self.id, "names": [document_id], "sealed": [sealed]})
        return True

    async def write_many(self, count: int) -> dict[str, str]:
        """Bodies by id, put in without the way a writer takes so that it goes quickly."""
        bodies = {f"d{number:05}": f"body of {number}" for number in range(count)}
        sealed = [(await self.keyring.seal(self.cell(name), body)).ciphertext for name, body in bodies.items()]
        with psycopg.connect(self.settings.database) as connection:
            connection.execute(INSERT, {"tenant": self.id, "names": list(bodies), "sealed": sealed})
        return bodies

    async def read(self) -> dict[str, str]:
        """Every body by id."""
        rows = self.execute("SELECT cell, text FROM document_versions WHERE tenant_id = %s", self.id)
        return {name: await self.keyring.open(self.cell(name), Sealed(sealed)) for name, sealed in rows}

    def cell(self, document_id: str) -> Cell:
        return Cell(self.id, "documents", "body", document_id)

    async def rotate(self, run: RecordedRun | None = None, *, wait_seconds: float = 30.0) -> KeysRotated:
        return await rotate_keys(
            RotateKeys(),
            run or self.run(),
            rotations=PostgresRotations(self.settings.database, wait_seconds=wait_seconds),
            make_key=partial(make_key, self.vault),
            resealer=self.keyring,
            fence_seconds=FENCE_SECONDS,
        )

    def run(self) -> RecordedRun:
        return RecordedRun(self.id)

    async def keys(self) -> dict[int, KeyState]:
        found = await self.lines.run(self.id, lambda connection: tenant_keys(connection, self.id))
        return {key.version: key.state for key in found.keys}

    def rows_by_version(self) -> dict[int, int]:
        statement = f"""
            SELECT k.version, count(*) FROM document_versions d JOIN tenant_keys k ON k.id = {KEY_OF}
            WHERE d.tenant_id = %s GROUP BY k.version"""
        return dict(self.execute(statement, self.id))

    def execute(self, statement: str, *parameters: Any) -> Sequence[Any]:
        with psycopg.connect(self.settings.database, autocommit=True) as connection:
            done = connection.execute(statement, parameters)
            return done.fetchall() if done.description else ()


@asynccontextmanager
async def a_tenant(settings: Settings, tenant_id: UUID) -> AsyncIterator[Tenant]:
    async with AsyncExitStack() as resources:
        ring = await resources.enter_async_context(keyring(settings))
        lines = await resources.enter_async_context(TenantPool(settings.database, "test"))
        yield Tenant(tenant_id, settings, lines, ring, key_vault(settings))
