"""The client for other services: submit a command, follow its events, fetch its result.

    with Bucatini() as bucatini:  # BUCATINI_URL and BUCATINI_API_KEY
        job = bucatini.submit(ProcessDocument(title="Lease", text=text))
        print(job.result(timeout_seconds=60).parties)

`AsyncBucatini` is the same with `await`. Everything that a call raises is a BucatiniError.
"""

from producers.client.asynchronous.batches import AsyncBatchHandle
from producers.client.asynchronous.client import AsyncBucatini
from producers.client.asynchronous.groups import AsyncGroupDelivery
from producers.client.asynchronous.jobs import AsyncJobHandle
from producers.client.blocking.batches import BatchHandle
from producers.client.blocking.client import Bucatini
from producers.client.blocking.groups import GroupDelivery
from producers.client.blocking.jobs import JobHandle
from producers.client.commands import BatchJob, JobOptions
from producers.client.errors import (
    BucatiniError,
    Incomprehensible,
    JobFailed,
    Misconfigured,
    ProblemAnswer,
    RequestTimeout,
    ResultTimeout,
    UnknownCommand,
    Unreachable,
)

__all__ = [
    "AsyncBatchHandle",
    "AsyncBucatini",
    "AsyncGroupDelivery",
    "AsyncJobHandle",
    "BatchHandle",
    "BatchJob",
    "Bucatini",
    "BucatiniError",
    "GroupDelivery",
    "Incomprehensible",
    "JobFailed",
    "JobHandle",
    "JobOptions",
    "Misconfigured",
    "ProblemAnswer",
    "RequestTimeout",
    "ResultTimeout",
    "UnknownCommand",
    "Unreachable",
]
