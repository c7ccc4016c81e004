"""The base class of commands, with the names and retry policies they declare."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from schemas.model import Model

MAX_KIND_CHARACTERS = 100
KIND_PATTERN = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$"
QUEUE_PATTERN = r"^[a-z][a-z0-9-]{0,39}$"
"""A queue's name is that of its Redis list: neither separators nor underscores, which our and kombu's other keys have."""

KindName = Annotated[str, Field(max_length=MAX_KIND_CHARACTERS, pattern=KIND_PATTERN, examples=["ai.process_document"])]
"""`capability.verb_object`."""
QueueName = Annotated[str, Field(pattern=QUEUE_PATTERN, examples=["ai"])]
"""Each queue has its own worker pool, so that each scales alone."""


class Jitter(StrEnum):
    """How retry delays are randomized, so that jobs that failed together don't retry together."""

    FULL = "full"
    """Between zero and the full delay."""
    EQUAL = "equal"
    """Between half and the full delay: for dependencies that need a minimum pause."""
    NONE = "none"
    """Always the full delay: for dependencies that only one job at a time calls."""


class RetryPolicy(Model):
    """How failed attempts of a kind are retried. The number of attempts is `Command.max_attempts`, stored with each job.

        RetryPolicy(base_seconds=5, most_seconds=600, never=frozenset({"template-unknown"}))

    retries within 5 s of the first attempt, within 10 s of the second, never later than ten minutes, and not at all after
    the problem `template-unknown`.
    """

    base_seconds: Annotated[float, Field(gt=0, le=3_600)] = 1.0
    """The maximum delay after the first attempt; it doubles with each further attempt."""
    most_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    """The upper bound of the delay. A Retry-After from the failing side may exceed it."""
    jitter: Jitter = Jitter.FULL
    never: frozenset[str] = frozenset()
    """Short names of problems after which the job fails without a retry."""


class Command(Model):
    """The base of commands, each of which becomes one job. A subclass says its kind, queue, attempts and time limit, or
    leaves that to the `@job` of its function.

        class TranslateDocument(Command):
            kind: ClassVar[str] = "ai.translate_document"
            queue: ClassVar[str] = "ai"
            max_attempts: ClassVar[int] = 3

            text: DocumentText
            language: LanguageTag

    `kind` is the stable name on the wire. Raise `version` when a field changes its meaning or workers must know a new one.
    """

    kind: ClassVar[str]
    queue: ClassVar[str]
    version: ClassVar[int] = 1
    max_attempts: ClassVar[int] = 5
    retry: ClassVar[RetryPolicy] = RetryPolicy()
    time_limit_seconds: ClassVar[float] = 300.0
    """Time limit of an attempt's work. Waiting for a free process or another shared slot doesn't count."""
    needs_processor: ClassVar[bool] = False
    """Whether it runs in the worker's process pool. A worker runs at most `CPU_PROCESSES` of these at a time and claims
    no more than it can start soon. Of the AI pool's kinds that holds for the jobs whose model computes in the worker: those
    whose model is elsewhere only begin so."""
    retention_hours: ClassVar[float | None] = None
    """How long a finished job is kept; None for the default in the settings. At least until its idempotency key expires."""
    result_ttl_seconds: ClassVar[float | None] = None
    """How long the result is kept, if shorter; None for as long as the job."""
    route: ClassVar[str | None] = None
    """Where it is submitted; None for the address that its kind makes: see `path_of`."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Further addresses."""
    scope: ClassVar[str] = "jobs:write"
    """What an API key needs to submit it, replay it or act on its jobs."""
    internal: ClassVar[bool] = False
    """Whether only the system submits it: clients can't."""

    @classmethod
    def upcast(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        """Converts the fields of an older version to this one. Override it when `version` was raised and defaults don't
        cover the change: jobs of older versions may still be queued."""
        return fields


def path_of(command: type[Command]) -> str:
    """Where the command is submitted: `/api/ai/process-document` for `ai.process_document`, unless it says another."""
    return command.route or f"/api/{command.kind.replace('.', '/').replace('_', '-')}"
