"""A tenant's documents as a test of jobs holds them: uploads as the ingress does, rings for the jobs, reads what is stored."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.key_vault.cells import original_key_cell, text_cell
from infrastructure.key_vault.keyring import Keyring
from infrastructure.object_store.places import document_place
from infrastructure.ports.search import IndexMissing
from infrastructure.postgres.documents import acceptance, changes, profiles, queries
from infrastructure.postgres.documents.acceptance import Accepted
from infrastructure.postgres.documents.changes import Changed, Deleted
from infrastructure.postgres.documents.uploads import UploadedVersion
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.sessions import TenantSessions
from infrastructure.wiring import document_store, keyring, sealed_objects, search_engine
from producers.submission.submitter import open_submitter
from schemas.documents import DEFAULT_PROFILE, Document, DocumentChange, DocumentFields, DocumentRef, IngestionProfile
from schemas.search import AllTerms, SearchQuery
from tests.system import System

T = TypeVar("T")
MAX_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Opened:
    sessions: TenantSessions
    sealer: Keyring


class Shelf:
    def __init__(self, system: System, tenant_id: UUID | None = None) -> None:
        self.system = system
        self.tenant_id = tenant_id or system.tenant_id

    def upload(
        self,
        document_id: str,
        content: bytes | str,
        *,
        file_name: str | None = None,
        media_type: str = "application/octet-stream",
        profile: str = DEFAULT_PROFILE,
        **fields: Any,
    ) -> UUID:
        """The job that imports the new version."""
        return self._do(
            lambda opened: self._upload(opened, document_id, content, file_name, media_type, profile, fields)
        )

    def set_profile(self, name: str = DEFAULT_PROFILE, **wanted: Any) -> None:
        profile = IngestionProfile(**wanted)
        self._do(
            lambda opened: opened.sessions.run(
                self.tenant_id, lambda session: profiles.set_profile(session, self.tenant_id, name, profile)
            )
        )

    def change(self, document_id: str, **given: Any) -> UUID | None:
        """The job by which the index learns of the change."""
        return self._do(lambda opened: self._change(opened, document_id, DocumentChange(**given)))

    def delete(self, document_id: str) -> UUID:
        """The job that removes the document's contents."""
        return self._do(lambda opened: self._delete(opened, document_id))

    def document(self, document_id: str) -> Document | None:
        return self._do(
            lambda opened: opened.sessions.run(
                self.tenant_id, lambda session: queries.document(session, self.tenant_id, document_id)
            )
        )

    def text(self, document_id: str, version: int | None = None) -> str | None:
        async def read() -> str | None:
            settings = self.system.settings
            async with keyring(settings) as sealer, document_store(settings, sealer) as store:
                return await store.text(self.tenant_id, DocumentRef(id=document_id, version=version))

        return asyncio.run(read())

    def found(self, text: str | None = None) -> list[tuple[str, int]]:
        """(id, version) of each hit."""

        async def search() -> list[tuple[str, int]]:
            async with search_engine(self.system.settings) as engine:
                query = SearchQuery(match=None if text is None else AllTerms(text=text), limit=100)
                try:
                    hits = (await engine.search(self.tenant_id, query)).results.hits
                except IndexMissing:  # Its first document is on its way.
                    hits = ()
            return sorted((hit.document_id, hit.version) for hit in hits)

        return asyncio.run(search())

    def facts(self, document_id: str) -> list[tuple[Any, ...]]:
        """(version, job, kind) of each finding that is kept."""
        return self.system.read(
            "SELECT version, job_id, kind FROM document_facts WHERE tenant_id = %s AND document_id = %s ORDER BY job_id",
            self.tenant_id,
            document_id,
        )

    def followers(self, kind: str) -> list[tuple[Any, ...]]:
        """(id, cause, document) of each job of the kind."""
        return self.system.read(
            "SELECT id, causation_id, command->'document' FROM jobs WHERE tenant_id = %s AND kind = %s ORDER BY id",
            self.tenant_id,
            kind,
        )

    async def _upload(
        self,
        opened: Opened,
        document_id: str,
        content: bytes | str,
        file_name: str | None,
        media_type: str,
        profile: str,
        fields: dict[str, Any],
    ) -> UUID:
        cell, seal = str(uuid7()), opened.sealer.seal
        key = text = None
        if isinstance(content, str):
            digest, size_bytes, stored_bytes = sha256(content.encode()).digest(), len(content.encode()), 0
            text = await seal(text_cell(self.tenant_id, cell), content)
            media_type = "text/plain"
        else:
            place = document_place(self.tenant_id, cell)
            objects = sealed_objects(self.system.settings)
            written = await objects.write(place, _pieces(content), max_bytes=MAX_BYTES)
            digest, size_bytes, stored_bytes = written.digest, written.size_bytes, written.stored_bytes
            key = await seal(original_key_cell(self.tenant_id, cell), written.key)
        uploaded = UploadedVersion(
            document_id=document_id,
            cell=cell,
            digest=digest,
            size_bytes=size_bytes,
            stored_bytes=stored_bytes + sum(len(one.ciphertext) for one in (key, text) if one is not None),
            media_type=media_type,
            file_name=file_name,
            original_key=key,
            text=text,
            fields=DocumentFields(**fields),
            profile=profile,
        )
        terms: dict[str, Any] = {"ring_again_seconds": 5.0, "idempotency_hours": 1}
        accepted = await opened.sessions.run(
            self.tenant_id, lambda session: acceptance.accept(session, self.tenant_id, uploaded, **terms)
        )
        assert isinstance(accepted, Accepted), accepted
        async with open_submitter(self.system.settings) as submitter:
            submitter.ring_stored(accepted.jobs.stored)
        return accepted.job.id

    async def _change(self, opened: Opened, document_id: str, wanted: DocumentChange) -> UUID | None:
        outcome = await opened.sessions.run(
            self.tenant_id,
            lambda session: changes.change(session, self.tenant_id, document_id, wanted, ring_again_seconds=5.0),
        )
        assert isinstance(outcome, Changed), outcome
        if outcome.stored is None:
            return None
        async with open_submitter(self.system.settings) as submitter:
            submitter.ring_stored([outcome.stored])
        return outcome.stored.ref.job_id

    async def _delete(self, opened: Opened, document_id: str) -> UUID:
        deleted = await opened.sessions.run(
            self.tenant_id,
            lambda session: changes.delete(session, self.tenant_id, document_id, ring_again_seconds=5.0),
        )
        assert isinstance(deleted, Deleted), deleted
        async with open_submitter(self.system.settings) as submitter:
            submitter.ring_stored([deleted.stored])
        return deleted.stored.ref.job_id

    def _do(self, work: Callable[[Opened], Awaitable[T]]) -> T:
        async def run() -> T:
            async with AsyncExitStack() as resources:
                pool = await resources.enter_async_context(TenantPool(self.system.settings.database, "test"))
                sealer = await resources.enter_async_context(keyring(self.system.settings))
                return await work(Opened(TenantSessions(pool), sealer))

        return asyncio.run(run())


async def _pieces(content: bytes, size: int = 64 * 1_024) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]
