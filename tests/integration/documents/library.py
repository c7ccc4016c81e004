"""A tenant with documents in real PostgreSQL, and what the ingress and a worker have for them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from events.ai import Language, LanguageSource
from infrastructure.key_vault.cells import original_key_cell, text_cell
from infrastructure.key_vault.keyring import Keyring
from infrastructure.object_store.places import document_place
from infrastructure.object_store.sealed import SealedObjects
from infrastructure.ports.documents import VersionDetails
from infrastructure.ports.extraction import DocumentFormat, Extracted
from infrastructure.postgres.documents import acceptance, changes, queries
from infrastructure.postgres.documents.acceptance import Acceptance, Accepted
from infrastructure.postgres.documents.etags import UNCONDITIONAL, Precondition
from infrastructure.postgres.documents.store import StoredDocuments
from infrastructure.postgres.documents.uploads import UploadedVersion
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.sessions import TenantSessions
from infrastructure.postgres.tenants.usage import Amount
from infrastructure.settings import Settings
from infrastructure.wiring import keyring, sealed_objects
from schemas.documents import Document, DocumentFields, DocumentRef
from tests.folders import files_under

TERMS: dict[str, Any] = {"ring_again_seconds": 10.0, "idempotency_hours": 24}


@dataclass
class Library:
    tenant_id: UUID
    settings: Settings
    pool: TenantPool
    sessions: TenantSessions
    keyring: Keyring
    objects: SealedObjects
    store: StoredDocuments

    async def sealed(self, document_id: str | None, text: str = "The rent is due.", **fields: Any) -> UploadedVersion:
        """A version that came as text, sealed as the ingress does it."""
        cell = str(uuid7())
        content = text.encode()
        body = await self.keyring.seal(text_cell(self.tenant_id, cell), text)
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

    async def upload(self, document_id: str, content: bytes, file_name: str = "lease.pdf", **fields: Any) -> Accepted:
        """A version whose original is an object, streamed as the ingress does it."""
        cell = str(uuid7())
        written = await self.objects.write(document_place(self.tenant_id, cell), _one(content), max_bytes=10_000_000)
        key = await self.keyring.seal(original_key_cell(self.tenant_id, cell), written.key)
        uploaded = UploadedVersion(
            document_id=document_id,
            cell=cell,
            digest=written.digest,
            size_bytes=written.size_bytes,
            stored_bytes=written.stored_bytes + len(key.ciphertext),
            media_type="application/octet-stream",
            file_name=file_name,
            original_key=key,
            text=None,
            fields=DocumentFields(**fields),
            profile="default",
        )
        accepted = await self.accept(uploaded)
        assert isinstance(accepted, Accepted), accepted
        return accepted

    async def import_text(self, document_id: str, version: int, text: str, **found: Any) -> VersionDetails | None:
        ref = DocumentRef(id=document_id, version=version)
        return await self.store.imported(self.tenant_id, ref, extracted(text, **found))

    async def text(self, document_id: str, version: int | None = None) -> str | None:
        return await self.store.text(self.tenant_id, DocumentRef(id=document_id, version=version))

    async def original(self, document_id: str, version: int | None = None) -> bytes | None:
        found = await self.store.original(self.tenant_id, DocumentRef(id=document_id, version=version))
        return None if found is None else b"".join([chunk async for chunk in found.chunks])

    def stored_objects(self) -> list[str]:
        own = self.settings.bucatini_home / "objects" / str(self.tenant_id)
        return [path.name for path in files_under(own)]

    def limit(self, **limits: int) -> None:
        for name, most in limits.items():
            self.execute(
                f"INSERT INTO tenant_limits AS l (tenant_id, {name}) VALUES (%s, %s) "
                f"ON CONFLICT (tenant_id) DO UPDATE SET {name} = excluded.{name}",
                self.tenant_id,
                most,
            )

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


def extracted(text: str, **found: Any) -> Extracted:
    language = Language(code="en", confidence=0.9, source=LanguageSource.DETECTED)
    plain = {
        "format": DocumentFormat.PDF,
        "text": text,
        "title": None,
        "language": language,
        "words": len(text.split()),
    }
    return Extracted(**{**plain, **found})


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


@asynccontextmanager
async def a_library(settings: Settings, tenant_id: UUID, connections: int = 8) -> AsyncIterator[Library]:
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(TenantPool(settings.database, "test", connections))
        ring = await resources.enter_async_context(keyring(settings))
        objects = sealed_objects(settings)
        store = StoredDocuments(pool, ring, objects)
        yield Library(tenant_id, settings, pool, TenantSessions(pool), ring, objects, store)
