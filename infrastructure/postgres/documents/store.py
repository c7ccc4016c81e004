"""The documents that jobs read and add to, in PostgreSQL and the object store."""

import json
from functools import partial
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.key_vault.cells import facts_cell
from infrastructure.object_store.places import document_place
from infrastructure.object_store.sealed import SealedObjects
from infrastructure.ports import Unavailable, Unstorable
from infrastructure.ports.documents import NewText, Original, VersionDetails
from infrastructure.ports.extraction import Extracted
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.documents import facts as findings
from infrastructure.postgres.documents import imports, lookup, removal
from infrastructure.postgres.documents.contents import Contents, StoredContent
from infrastructure.postgres.documents.facts import NewFinding
from infrastructure.postgres.documents.imports import LongText, StaleKey, Stored
from infrastructure.postgres.documents.removal import Removed
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from schemas.documents import DocumentRef, IngestionProfile, VersionState
from schemas.problems import Problem

MAX_KEY_CHANGES = 5
MAX_VERSION = 2**53


class StoredDocuments:
    """A DocumentStore."""

    def __init__(self, pool: TenantPool, sealer: Sealer, objects: SealedObjects) -> None:
        self._pool = pool
        self._sealer = sealer
        self._objects = objects
        self._contents = Contents(sealer, objects)

    async def details(self, tenant_id: UUID, ref: DocumentRef) -> VersionDetails | None:
        found = await self._pool.run(tenant_id, partial(lookup.details, tenant_id=tenant_id, ref=ref))
        return None if found is None or found.is_deleted else found

    async def original(self, tenant_id: UUID, ref: DocumentRef) -> Original | None:
        content = await self._pool.run(tenant_id, partial(lookup.content, tenant_id=tenant_id, ref=ref))
        if content is None or (chunks := await self._contents.original(tenant_id, content)) is None:
            return None
        return Original(content.size_bytes, chunks, is_text=content.is_text)

    async def text(self, tenant_id: UUID, ref: DocumentRef) -> str | None:
        content = await self._pool.run(tenant_id, partial(lookup.content, tenant_id=tenant_id, ref=ref))
        return None if content is None else await self._contents.text(tenant_id, content)

    async def add(self, tenant_id: UUID, new: NewText, *, job_id: UUID) -> DocumentRef:
        from infrastructure.postgres.documents import (
            texts,  # It takes SQLAlchemy along, which no worker needs at its start.
        )

        for _ in range(MAX_KEY_CHANGES):
            sealed = await texts.seal(self._sealer, tenant_id, new, job_id)
            if (added := await texts.add(self._pool, tenant_id, sealed)) is not None:
                return added
            self._sealer.forget_active(tenant_id)
        raise keys_change_too_fast()

    async def imported(self, tenant_id: UUID, ref: DocumentRef, extracted: Extracted) -> VersionDetails | None:
        content = await self._pool.run(tenant_id, partial(lookup.content, tenant_id=tenant_id, ref=ref))
        if content is not None and content.state is not VersionState.READY:
            await self._store_text(tenant_id, content, extracted)
        return await self._pool.run(tenant_id, partial(lookup.details, tenant_id=tenant_id, ref=ref))

    async def failed(self, tenant_id: UUID, ref: DocumentRef, problem: Problem) -> None:
        await self._pool.run(tenant_id, partial(imports.fail, tenant_id=tenant_id, ref=ref, problem=problem))

    async def add_facts(
        self, tenant_id: UUID, ref: DocumentRef, *, job_id: UUID, kind: str, facts: dict[str, Any]
    ) -> None:
        cell, content = str(uuid7()), json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
        if len(content.encode()) > findings.MAX_FACTS_BYTES:
            raise Unstorable(f"a job found more than {findings.MAX_FACTS_BYTES:,} bytes of facts in a document")
        for _ in range(MAX_KEY_CHANGES):
            sealed = await self._sealer.seal(facts_cell(tenant_id, cell), content)
            new = NewFinding(ref, job_id, kind, cell, sealed)
            if await self._pool.run(tenant_id, partial(findings.add, tenant_id=tenant_id, new=new)):
                return
            self._sealer.forget_active(tenant_id)
        raise keys_change_too_fast()

    async def profile(self, tenant_id: UUID, name: str) -> IngestionProfile:
        return await self._pool.run(tenant_id, partial(lookup.profile, tenant_id=tenant_id, name=name))

    async def remove(self, tenant_id: UUID, ref: DocumentRef) -> bool:
        removed, after = Removed(tenant_id, ref.id, ref.version or MAX_VERSION), 0
        while emptied := await self._pool.run(tenant_id, partial(removal.empty, removed=removed, after=after)):
            await self._objects.delete([document_place(tenant_id, cell) for cell in emptied.cells])
            await self._pool.run(tenant_id, partial(removal.forget, removed=removed, after=after, last=emptied.last))
            after = emptied.last
        return await self._pool.run(tenant_id, partial(removal.forget_description, removed=removed))

    async def _store_text(self, tenant_id: UUID, content: StoredContent, extracted: Extracted) -> None:
        long = await imports.write_long(self._objects, tenant_id, content, extracted.text)
        try:
            stored = await self._store_sealed(tenant_id, content, extracted, long)
        except (QuotaExceeded, Unstorable):
            await self._delete(tenant_id, long)
            raise
        if not stored:
            await self._delete(tenant_id, long)

    async def _delete(self, tenant_id: UUID, long: LongText | None) -> None:
        """Deletes the object of a text that isn't stored. One that may be, because the commit's answer was lost, is left to
        the sweep."""
        if long is not None:
            await self._objects.delete([long.place(tenant_id)])

    async def _store_sealed(
        self, tenant_id: UUID, content: StoredContent, extracted: Extracted, long: LongText | None
    ) -> bool:
        """Whether it is the version's text now."""
        for _ in range(MAX_KEY_CHANGES):
            imported = await imports.seal(self._sealer, tenant_id, content, extracted, long)
            store = partial(imports.store, tenant_id=tenant_id, content=content, extracted=extracted, imported=imported)
            match await self._pool.run(tenant_id, store):
                case StaleKey():
                    self._sealer.forget_active(tenant_id)
                case outcome:
                    return isinstance(outcome, Stored)
        raise keys_change_too_fast()


def keys_change_too_fast() -> Unavailable:
    return Unavailable("the tenant's keys change faster than a document can be stored; it is tried again")
