"""A tenant with sealed documents whose keys a test rotates."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from bucatini.testing import RecordedRun
from events.keys import KeysRotated
from infrastructure.key_vault.keyring import Keyring, make_key
from infrastructure.key_vault.sealed import Cell
from infrastructure.ports.keys import KeyVault
from infrastructure.postgres.keys.rotations import PostgresRotations
from infrastructure.postgres.keys.wrapped_keys import tenant_keys
from infrastructure.postgres.search.documents import StoredDocuments
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings
from infrastructure.wiring import key_vault, keyring
from schemas.keys import KeyState, RotateKeys
from schemas.search import IndexDocument
from workers.keys.rotation import rotate_keys

FENCE_SECONDS = 0.05
"""Far shorter than the writers' keyrings believe an answer: what they write is safe without the wait as well."""
KEY_OF = "('x' || encode(substring(body FROM 5 FOR 8), 'hex'))::bit(64)::bigint"


@dataclass
class Tenant:
    """A tenant with documents, and what a keys worker has to rotate its key."""

    id: UUID
    settings: Settings
    documents: StoredDocuments
    lines: TenantPool
    keyring: Keyring
    vault: KeyVault

    async def write(self, document_id: str, body: str) -> None:
        document = IndexDocument(document_id=document_id, title="Lease", text=body, document_type="contract")
        await self.documents.store(self.id, uuid7(), document)

    async def write_many(self, count: int) -> dict[str, str]:
        """Bodies by id, put in without the way a worker takes so that it goes quickly."""
        bodies = {f"d{number:05}": f"body of {number}" for number in range(count)}
        sealed = [
            (await self.keyring.seal(Cell(self.id, "documents", "body", name), body)).ciphertext
            for name, body in bodies.items()
        ]
        insert = """
            INSERT INTO documents (tenant_id, document_id, job_id, title, body, document_type)
            SELECT %s, name, %s, '', body, '' FROM unnest(%s::text[], %b::bytea[]) AS s (name, body)"""
        self.execute(insert, self.id, UUID(int=1), list(bodies), sealed)
        return bodies

    async def read(self) -> dict[str, str]:
        """Every body that opens, by id."""
        return {one.document_id: one.text async for some in self.documents.all_of(self.id) for one in some}

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
            SELECT k.version, count(*) FROM documents d JOIN tenant_keys k ON k.id = {KEY_OF}
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
        yield Tenant(tenant_id, settings, StoredDocuments(lines, ring), lines, ring, key_vault(settings))
