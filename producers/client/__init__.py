"""The client for other services: submit a command, follow its events, fetch its result.

    with Bucatini() as bucatini:  # BUCATINI_URL and BUCATINI_API_KEY
        job = bucatini.submit(ProcessDocument(title="Lease", text=text))
        print(job.result(timeout_seconds=60).parties)

`AsyncBucatini` is the same with `await`. Everything that a call raises is a BucatiniError.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from producers.client.errors import (
    BucatiniError,
    JobFailed,
    Misconfigured,
    ProblemAnswer,
    RequestTimeout,
    ResultTimeout,
    SourceUnreadable,
    TargetUnwritable,
    UnknownCommand,
    Unreachable,
    UnreadableResponse,
)

if TYPE_CHECKING:
    from producers.client.asynchronous.batches import AsyncBatchHandle
    from producers.client.asynchronous.client import AsyncBucatini
    from producers.client.asynchronous.groups import AsyncGroupDelivery
    from producers.client.asynchronous.jobs import AsyncJobHandle
    from producers.client.asynchronous.uploaded import AsyncDocumentBatch, AsyncDocumentHandle
    from producers.client.blocking.batches import BatchHandle
    from producers.client.blocking.client import Bucatini
    from producers.client.blocking.groups import GroupDelivery
    from producers.client.blocking.jobs import JobHandle
    from producers.client.blocking.uploaded import DocumentBatch, DocumentHandle
    from producers.client.commands import BatchJob, JobOptions
    from producers.client.documents import BatchDocument, DocumentOptions
    from producers.client.written_text import Reset

__all__ = [
    "AsyncBatchHandle",
    "AsyncBucatini",
    "AsyncDocumentBatch",
    "AsyncDocumentHandle",
    "AsyncGroupDelivery",
    "AsyncJobHandle",
    "BatchDocument",
    "BatchHandle",
    "BatchJob",
    "Bucatini",
    "BucatiniError",
    "DocumentBatch",
    "DocumentHandle",
    "DocumentOptions",
    "GroupDelivery",
    "JobFailed",
    "JobHandle",
    "JobOptions",
    "Misconfigured",
    "ProblemAnswer",
    "RequestTimeout",
    "Reset",
    "ResultTimeout",
    "SourceUnreadable",
    "TargetUnwritable",
    "UnknownCommand",
    "Unreachable",
    "UnreadableResponse",
]

_PLACES: Final = {
    "AsyncBatchHandle": "asynchronous.batches",
    "AsyncBucatini": "asynchronous.client",
    "AsyncDocumentBatch": "asynchronous.uploaded",
    "AsyncDocumentHandle": "asynchronous.uploaded",
    "AsyncGroupDelivery": "asynchronous.groups",
    "AsyncJobHandle": "asynchronous.jobs",
    "BatchHandle": "blocking.batches",
    "Bucatini": "blocking.client",
    "DocumentBatch": "blocking.uploaded",
    "DocumentHandle": "blocking.uploaded",
    "GroupDelivery": "blocking.groups",
    "JobHandle": "blocking.jobs",
    "BatchJob": "commands",
    "JobOptions": "commands",
    "BatchDocument": "documents",
    "DocumentOptions": "documents",
    "Reset": "written_text",
}
"""Loaded when they are asked for: who uses one client doesn't load the other, nor asyncio."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found
