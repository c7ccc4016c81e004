"""Documents: uploaded, kept in versions, read and found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Final, Unpack

from producers.client.asynchronous.batches import AsyncBatches
from producers.client.asynchronous.jobs import AsyncJobs
from producers.client.asynchronous.ports import AsyncCaller
from producers.client.asynchronous.profiles import AsyncProfiles
from producers.client.asynchronous.uploaded import AsyncDocumentBatch, AsyncDocumentHandle
from producers.client.documents import (
    BatchDocument,
    DocumentOptions,
    addition,
    addition_of_many,
    conditions,
    replacement,
)
from producers.client.downloads import Downloading, Target, written
from producers.client.exchange import Request, parsed
from producers.client.requests import get, path, with_query
from producers.client.uploads import Progress, Source
from schemas.documents import (
    Document,
    DocumentAccepted,
    DocumentBatchAccepted,
    DocumentChange,
    DocumentFacts,
    DocumentFinding,
    DocumentPage,
    DocumentRemoval,
    DocumentVersion,
    DocumentVersions,
    VersionState,
)
from schemas.jobs import Job, JobPage

PAGE: Final = 100


class AsyncDocuments:
    """Your documents. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller, jobs: AsyncJobs) -> None:
        self._client = client
        self._jobs = jobs
        self.profiles = AsyncProfiles(client)
        """What is done with documents once they were imported."""

    async def add(
        self,
        source: Source,
        *,
        id: str | None = None,  # noqa: A002  # Its name in the API.
        file_name: str | None = None,
        media_type: str | None = None,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
        **options: Unpack[DocumentOptions],
    ) -> AsyncDocumentHandle:
        """The document, once it is kept; its import goes on: see `imported`. Of an id that is there this is a new version,
        unless content and options are the newest version's. Safe to repeat with the same idempotency key.

            document = await bucatini.documents.add(Path("lease.pdf"), id="contracts/2026/0117")
            print((await document.imported(timeout_seconds=60)).current_version)

        A path or a stream is sent as it is read, 64 KiB at a time; a `str` is the text itself. After a connection that broke
        it is sent again, unless it is a stream that can be read once only. SourceUnreadable for a file that can't be read.
        """
        fields = {**options, **({} if id is None else {"id": id})}
        request = addition(
            source,
            fields,
            file_name=file_name,
            media_type=media_type,
            idempotency_key=idempotency_key,
            progress=progress,
        )
        return await self._accepted(request)

    async def new_version(
        self,
        document_id: str,
        source: Source,
        *,
        if_match: str | None = None,
        only_new: bool = False,
        file_name: str | None = None,
        media_type: str | None = None,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
        **options: Unpack[DocumentOptions],
    ) -> AsyncDocumentHandle:
        """The same under this id. With `if_match`, a handle's `etag`, nobody else's version is gone over unseen, and with
        `only_new` there must be no such document yet: ProblemAnswer with status 412 otherwise."""
        request = replacement(
            document_id,
            source,
            options,
            if_match=if_match,
            only_new=only_new,
            file_name=file_name,
            media_type=media_type,
            idempotency_key=idempotency_key,
            progress=progress,
        )
        return await self._accepted(request)

    async def add_all(
        self,
        documents: Iterable[Source | BatchDocument],
        *,
        name: str = "",
        idempotency_key: str | None = None,
        progress: Progress | None = None,
    ) -> AsyncDocumentBatch:
        """Up to 1,000 documents in one request: all are kept, or none. Repeats as `add` does."""
        request = addition_of_many(documents, name, idempotency_key, progress)
        accepted = await self._client.ask(DocumentBatchAccepted, request)
        return AsyncDocumentBatch(AsyncBatches(self._client, self._jobs), accepted)

    async def get(self, document_id: str) -> AsyncDocumentHandle:
        """A document of yours by its id."""
        reply = await self._client.send(get(path("documents", document_id)))
        return AsyncDocumentHandle(self._client, self._jobs, parsed(Document, reply), reply.headers.get("etag"))

    async def read(self, document_id: str) -> Document:
        """The document as it stands."""
        return await self._client.ask(Document, get(path("documents", document_id)))

    async def list(
        self,
        *,
        document_type: str | None = None,
        industry: str | None = None,
        language: str | None = None,
        tag: str | None = None,
        state: VersionState | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        updated_from: datetime | None = None,
        updated_before: datetime | None = None,
        deleted: bool = False,
        limit: int = PAGE,
    ) -> AsyncIterator[Document]:
        """All your documents that match, the newest first, fetched `limit` at a time while you go on. `state` is the newest
        version's; `deleted` lists deleted ones too."""
        filters = {
            "document_type": document_type,
            "industry": industry,
            "language": language,
            "tag": tag,
            "state": state,
            "created_from": created_from,
            "created_before": created_before,
            "updated_from": updated_from,
            "updated_before": updated_before,
            "deleted": "true" if deleted else None,
            "limit": limit,
        }
        cursor: str | None = None
        while True:
            page = await self._client.ask(DocumentPage, get(path("documents"), {**filters, "cursor": cursor}))
            for document in page.documents:
                yield document
            cursor = page.next_cursor
            if cursor is None:
                return

    async def version(self, document_id: str, version: int) -> DocumentVersion:
        return await self._client.ask(DocumentVersion, get(path("documents", document_id, "versions", version)))

    async def versions(self, document_id: str) -> AsyncIterator[DocumentVersion]:
        """The newest first, fetched a page at a time."""
        address, cursor = path("documents", document_id, "versions"), None
        while True:
            page = await self._client.ask(DocumentVersions, get(address, {"limit": PAGE, "cursor": cursor}))
            for version in page.versions:
                yield version
            cursor = page.next_cursor
            if cursor is None:
                return

    async def content(
        self,
        document_id: str,
        target: Target,
        *,
        version: int | None = None,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Writes the original to a path or a stream, from byte `start` until before byte `end`, and returns how many bytes
        came. A connection that breaks is gone on from there. The current version's if none is given. A path keeps what it
        had until all has come; TargetUnwritable when it can't be written."""
        query = {"version": version}
        downloading = Downloading(with_query(path("documents", document_id, "content"), query), start=start, end=end)
        with written(target) as file:
            async for chunk in self._client.download(downloading):
                file.write(chunk)
                if progress is not None:
                    progress(len(chunk))
        return downloading.received_bytes

    async def text(self, document_id: str, *, version: int | None = None) -> str:
        """What was read of it; the current version's if none is given."""
        reply = await self._client.send(get(path("documents", document_id, "text"), {"version": version}))
        return reply.body.decode()

    async def facts(self, document_id: str, *, version: int | None = None) -> AsyncIterator[DocumentFinding]:
        """What jobs found in it, the newest first, fetched a page at a time; in one version if one is given."""
        address, cursor = path("documents", document_id, "facts"), None
        while True:
            query = {"version": version, "limit": PAGE, "cursor": cursor}
            page = await self._client.ask(DocumentFacts, get(address, query))
            for finding in page.facts:
                yield finding
            cursor = page.next_cursor
            if cursor is None:
                return

    async def jobs(self, document_id: str) -> AsyncIterator[Job]:
        """The jobs that were about it, the newest first, fetched a page at a time; a deleted document's too."""
        address, cursor = path("documents", document_id, "jobs"), None
        while True:
            page = await self._client.ask(JobPage, get(address, {"limit": PAGE, "cursor": cursor}))
            for job in page.jobs:
                yield job
            cursor = page.next_cursor
            if cursor is None:
                return

    async def change(self, document_id: str, change: DocumentChange, *, if_match: str | None = None) -> Document:
        """Sets what the change was made with. Safe to repeat."""
        body = change.model_dump_json(exclude_unset=True).encode()
        headers = {"content-type": "application/json", **conditions(if_match)}
        return await self._client.ask(Document, Request("PATCH", path("documents", document_id), headers, body))

    async def delete(self, document_id: str, *, if_match: str | None = None) -> DocumentRemoval | None:
        """From now on it isn't found; the job removes its contents for good. None when a repeat of ours found it deleted."""
        request = Request("DELETE", path("documents", document_id), conditions(if_match))
        reply = await self._client.send(request)
        return parsed(DocumentRemoval, reply) if reply.status < 400 else None

    async def _accepted(self, request: Request) -> AsyncDocumentHandle:
        reply = await self._client.send(request)
        accepted = parsed(DocumentAccepted, reply)
        etag = reply.headers.get("etag")
        return AsyncDocumentHandle(self._client, self._jobs, accepted.document, etag, accepted.job)
