"""A tenant with documents in real PostgreSQL, and what the ingress and a worker have for them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from infrastructure.key_vault.keyring import Keyring
from infrastructure.key_vault.sealed import Cell
from infrastructure.postgres.documents import acceptance, changes, queries
from infrastructure.postgres.documents.acceptance import Acceptance, Accepted
from infrastructure.postgres.documents.etags import UNCONDITIONAL, Precondition
from infrastructure.postgres.documents.uploads import UploadedVersion
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.sessions import TenantSessions
from infrastructure.postgres.tenants.usage import Amount
from infrastructure.settings import Settings
from infrastructure.wiring import keyring
from schemas.documents import Document, DocumentFields

TERMS: dict[str, Any] = {"ring_again_seconds": 10.0, "idempotency_hours": 24}


@dataclass
class Library:
    tenant_id: UUID
    settings: Settings
    pool: TenantPool
    sessions: TenantSessions
    keyring: Keyring

    async def sealed(self, document_id: str | None, text: str = "The rent is due.", **fields: Any) -> UploadedVersion:
        """A version that came as text, sealed as the ingress does it."""
        cell = str(uuid7())
        content = text.encode()
        body = await self.keyring.seal(Cell(self.tenant_id, "documents", "body", cell), text)
        return UploadedVersion(
            document_id=document_id,
            cell=cell,
            digest=sha256(content).digest(),
            size_bytes=len(content),
            stored_bytes=len(body.ciphertext),
            media_type="text/plain",
            file_name=None,
            original_key=None,
            text=body,
            fields=DocumentFields(**fields),
            profile="default",
        )

    async def accept(
        self, uploaded: UploadedVersion, precondition: Precondition = UNCONDITIONAL, **terms: Any
    ) -> Acceptance:
        return await self.sessions.run(
            self.tenant_id,
            lambda session: acceptance.accept(session, self.tenant_id, uploaded, precondition, **TERMS, **terms),
        )

    async def add(self, document_id: str | None = "lease", text: str = "The rent is due.", **fields: Any) -> Accepted:
        accepted = await self.accept(await self.sealed(document_id, text, **fields))
        assert isinstance(accepted, Accepted), accepted
        return accepted

    async def delete(self, document_id: str, precondition: Precondition = UNCONDITIONAL) -> Any:
        return await self.sessions.run(
            self.tenant_id,
            lambda session: changes.delete(
                session, self.tenant_id, document_id, precondition, ring_again_seconds=TERMS["ring_again_seconds"]
            ),
        )

    async def document(self, document_id: str) -> Document | None:
        return await self.sessions.run(
            self.tenant_id, lambda session: queries.document(session, self.tenant_id, document_id)
        )

    async def used(self) -> tuple[int, int]:
        """Documents and stored bytes, as they are counted."""
        amounts = await self.pool.run(self.tenant_id, lambda line: usage.amounts(line, self.tenant_id))
        return int(amounts[Amount.DOCUMENTS]), int(amounts[Amount.STORED_BYTES])

    def execute(self, statement: str, *parameters: Any) -> Sequence[Any]:
        """As the database's owner, who sees every tenant."""
        with psycopg.connect(self.settings.database, autocommit=True) as connection:
            done = connection.execute(statement, parameters)
            return done.fetchall() if done.description else ()


@asynccontextmanager
async def a_library(settings: Settings, tenant_id: UUID, connections: int = 8) -> AsyncIterator[Library]:
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(TenantPool(settings.database, "test", connections))
        ring = await resources.enter_async_context(keyring(settings))
        yield Library(tenant_id, settings, pool, TenantSessions(pool), ring)
