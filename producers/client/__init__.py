"""The client for other services: submit a command, follow its events, fetch its result.

    with Bucatini("http://127.0.0.1:8000", key) as bucatini:
        job = bucatini.submit(ProcessDocument(title="Lease", text=text))
        print(job.result(timeout_seconds=60).parties)

`AsyncBucatini` is the same with `await`. Every call may raise ProblemAnswer (the ingress said no) or Unreachable.
"""

from producers.client.address import Misconfigured
from producers.client.async_client import AsyncBucatini
from producers.client.blocking import Bucatini
from producers.client.exchange import ProblemAnswer, ResultTimeout, Unreachable
from producers.client.resources.batches import BatchHandle, BatchJob
from producers.client.resources.failures import Failures
from producers.client.resources.groups import AsyncGroupDelivery, GroupDelivery
from producers.client.resources.holds import Holds
from producers.client.resources.jobs import AsyncJobHandle, JobFailed, JobHandle, UnknownCommand
from producers.client.resources.schedules import Schedules
from producers.client.resources.webhooks import Webhooks

__all__ = [
    "AsyncBucatini",
    "AsyncGroupDelivery",
    "AsyncJobHandle",
    "BatchHandle",
    "BatchJob",
    "Bucatini",
    "Failures",
    "GroupDelivery",
    "Holds",
    "JobFailed",
    "JobHandle",
    "Misconfigured",
    "ProblemAnswer",
    "ResultTimeout",
    "Schedules",
    "UnknownCommand",
    "Unreachable",
    "Webhooks",
]
