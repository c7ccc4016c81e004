# Generated from asynchronous/uploaded.py by `python -m producers.packaging`: edit that one.
"""What uploading returns: a document, or many at once, and the end of their import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from producers.client.errors import JobFailed
from producers.client.exchange import parsed
from producers.client.requests import get, path
from schemas.documents import Document, DocumentBatchAccepted, DocumentRef, VersionState
from schemas.jobs import Job, JobState

if TYPE_CHECKING:
    from producers.client.blocking.batches import Batches
    from producers.client.blocking.jobs import Jobs
    from producers.client.blocking.ports import Caller
    from schemas.batches import Batch


class DocumentHandle:
    """A document of yours. `document` is how it stood when it was last asked about."""

    def __init__(
        self, client: Caller, jobs: Jobs, document: Document, etag: str | None, job: Job | None = None
    ) -> None:
        self._client = client
        self._jobs = jobs
        self.document = document
        self.etag = etag
        """For `if_match`."""
        self.job = job
        """The job that imports what was uploaded; None when there was nothing new in it."""

    @property
    def id(self) -> str:
        return self.document.id

    @property
    def ref(self) -> DocumentRef:
        """The newest version, for a command about it: `ProcessDocument(document=handle.ref)`."""
        return DocumentRef(id=self.document.id, version=self.document.version)

    def refresh(self) -> Document:
        """The document as it stands now."""
        reply = self._client.send(get(path("documents", self.id)))
        self.document, self.etag = parsed(Document, reply), reply.headers.get("etag")
        return self.document

    def imported(self, timeout_seconds: float | None = None) -> Document:
        """The document as soon as its newest version was imported. JobFailed when it can't be, or ResultTimeout; None waits
        for ever."""
        newest = self.document.newest
        if newest.job_id is not None and newest.state is not VersionState.READY:
            job = self._jobs.wait(newest.job_id, timeout_seconds)
            if job.state is not JobState.SUCCEEDED:
                raise JobFailed(job)
            self.refresh()
        return self.document


class DocumentBatch:
    """Many documents that were added at once. `documents` says of each what became of it, in their order."""

    def __init__(self, batches: Batches, accepted: DocumentBatchAccepted) -> None:
        self._batches = batches
        self.id = accepted.id
        self.documents = accepted.documents

    def progress(self) -> Batch:
        """How many of the imports are in which state now."""
        return self._batches.read(self.id)

    def wait(self, timeout_seconds: float | None = None) -> Batch:
        """The batch as soon as every import has ended, in whatever way. ResultTimeout; None waits for ever."""
        return self._batches.wait(self.id, timeout_seconds)

    def jobs(self) -> Iterator[Job]:
        """The imports as they stand now, the newest first."""
        return self._batches.jobs(self.id)
