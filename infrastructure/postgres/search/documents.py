"""The documents that search indexes are made of. Every transaction sees one tenant's rows only."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.key_vault.cells import text_cell
from infrastructure.key_vault.sealed import DecryptionFailed
from infrastructure.object_store.sealed import SealedObjects
from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.keys import Sealer
from infrastructure.ports.search import IndexedDocument, Marked, Standing, StoredDocument, Unreadable
from infrastructure.postgres.documents.contents import Contents
from infrastructure.postgres.search import marking, rows, storing
from infrastructure.postgres.search.rows import Described, IndexedRow
from infrastructure.postgres.search.storing import SealedText
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from schemas.documents import DocumentRef
from schemas.search import SentDocument

logger = logging.getLogger(__name__)

MAX_KEY_CHANGES: Final = 5
SEALED_AT_ONCE: Final = 50
"""Documents that are sealed before others of the process get their turn."""


class IndexedDocuments:
    """The port `Documents` of indexing, in PostgreSQL and the object store."""

    def __init__(self, pool: TenantPool, sealer: Sealer, objects: SealedObjects) -> None:
        self._pool = pool
        self._sealer = sealer
        self._contents = Contents(sealer, objects)

    async def store(
        self, tenant_id: UUID, job_id: UUID, documents: Sequence[SentDocument]
    ) -> Sequence[StoredDocument | Refused]:
        try:
            return await self._store(tenant_id, job_id, documents)
        except QuotaExceeded as exceeded:
            # Splits until the document that has no room is alone, so that the others are stored.
            if len(documents) == 1:
                return [Refused(exceeded.problem)]
            middle = len(documents) // 2
            halves = documents[:middle], documents[middle:]
            return [one for half in halves for one in await self.store(tenant_id, job_id, half)]

    async def _store(
        self, tenant_id: UUID, job_id: UUID, documents: Sequence[SentDocument]
    ) -> Sequence[StoredDocument]:
        for _ in range(MAX_KEY_CHANGES):
            sealed = await self._sealed(tenant_id, documents)
            stored = await self._pool.run(
                tenant_id, partial(storing.store, tenant_id=tenant_id, job_id=job_id, sent=sealed)
            )
            if stored is not None:
                return stored
            self._sealer.forget_active(tenant_id)
        raise Unavailable("the tenant's keys change faster than a document can be stored; it is tried again")

    async def _sealed(self, tenant_id: UUID, documents: Sequence[SentDocument]) -> list[SealedText]:
        sealed = []
        for number, document in enumerate(documents, start=1):
            cell = str(uuid7())
            sealed.append(
                SealedText(document, cell, await self._sealer.seal(text_cell(tenant_id, cell), document.text))
            )
            if number % SEALED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return sealed

    async def mark(
        self, tenant_id: UUID, job_id: UUID, refs: Sequence[DocumentRef]
    ) -> Sequence[Marked | Refused | Unavailable]:
        return await self._pool.run(tenant_id, partial(marking.mark, tenant_id=tenant_id, job_id=job_id, refs=refs))

    async def standing(self, tenant_id: UUID, documents: Sequence[IndexedDocument]) -> Standing:
        ids = [one.document_id for one in documents]
        found, has_saved = await self._pool.run(
            tenant_id, partial(rows.standing, tenant_id=tenant_id, document_ids=ids)
        )
        stand = {
            one.document_id: _indexed(one.document_id, one.version, found[one.document_id][1], one.text)
            for one in documents
            if one.document_id in found and found[one.document_id][0] == one.version
        }
        return Standing(stand, has_saved)

    async def of(
        self, tenant_id: UUID, document_ids: Sequence[str]
    ) -> AsyncIterator[Sequence[IndexedDocument | Unreadable]]:
        async for some in self._batches(tenant_id, document_ids):
            yield some

    async def all_of(self, tenant_id: UUID) -> AsyncIterator[Sequence[IndexedDocument]]:
        # One damaged row mustn't keep the others out of the index.
        async for some in self._batches(tenant_id, None):
            yield [one for one in some if isinstance(one, IndexedDocument)]

    async def count(self, tenant_id: UUID) -> int:
        return await self._pool.run(tenant_id, partial(rows.count_indexed, tenant_id=tenant_id))

    async def _batches(
        self, tenant_id: UUID, document_ids: Sequence[str] | None
    ) -> AsyncIterator[Sequence[IndexedDocument | Unreadable]]:
        after = ""
        while found := await self._pool.run(
            tenant_id, partial(rows.next_rows, tenant_id=tenant_id, after=after, document_ids=document_ids)
        ):
            opened = [await self._opened(tenant_id, row) for row in found]
            yield [document for document in opened if document is not None]
            after = found[-1].content.document_id

    async def _opened(self, tenant_id: UUID, row: IndexedRow) -> IndexedDocument | Unreadable | None:
        """None when its contents were removed meanwhile."""
        try:
            text = await self._contents.text(tenant_id, row.content)
        except DecryptionFailed:
            logger.error("could not open a document's text; left it out of the index: tenant %s", tenant_id)
            return Unreadable(row.content.document_id)
        if text is None:
            return None
        return _indexed(row.content.document_id, row.content.version, row.described, text)


async def holds_documents(pool: TenantPool, tenant_id: UUID) -> bool:
    """Whether an index of the tenant must have any document."""
    return await pool.run(tenant_id, partial(rows.any_indexed, tenant_id=tenant_id))


def _indexed(document_id: str, version: int, described: Described, text: str) -> IndexedDocument:
    return IndexedDocument(document_id=document_id, version=version, text=text, **asdict(described))
