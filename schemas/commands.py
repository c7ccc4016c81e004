"""What a client may ask to be done: the base of every command."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from schemas.model import Model


class Queue(StrEnum):
    """One queue and one worker pool for each kind of work, so that each scales alone."""

    AI = "ai"
    SEARCH = "search"
    WORKFLOW = "workflow"
    KEYS = "keys"
    WEBHOOKS = "webhooks"
    """Apart from the rest, so that slow receivers hold up nobody else."""


class Jitter(StrEnum):
    """How far chance spreads the waits of jobs that failed at the same moment."""

    FULL = "full"
    """From no wait to the whole."""
    EQUAL = "equal"
    """From half of the wait to the whole: for what must be left alone for a while."""
    NONE = "none"
    """Always the whole: for what only one job at a time calls on."""


class RetryPolicy(Model):
    """How a kind's failed runs are tried again. How often is `Command.max_attempts`: every job has it as a number.

        RetryPolicy(base_seconds=5, most_seconds=600, never=frozenset({"template-unknown"}))

    waits up to 5 s after the first attempt, up to 10 s after the second, never more than ten minutes, and not at all after
    a problem that another attempt can't solve.
    """

    base_seconds: Annotated[float, Field(gt=0, le=3_600)] = 1.0
    """The longest wait after the first attempt; it doubles with each further one."""
    most_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    """No wait gets longer than this, but for what the failing side asks for by Retry-After."""
    jitter: Jitter = Jitter.FULL
    never: frozenset[str] = frozenset()
    """Problems, by their short name, after which this kind isn't tried again."""


class Command(Model):
    """A request for one job. A subclass names its kind, its queue and how long and how often it may try.

        class TranslateDocument(Command):
            kind: ClassVar[str] = "ai.translate_document"
            queue: ClassVar[Queue] = Queue.AI
            max_attempts: ClassVar[int] = 3

            text: DocumentText
            language: LanguageTag

    The kind is the stable name on the wire; `version` rises when a field changes meaning or a new one must be understood.
    """

    kind: ClassVar[str]
    queue: ClassVar[Queue]
    version: ClassVar[int] = 1
    max_attempts: ClassVar[int] = 5
    retry: ClassVar[RetryPolicy] = RetryPolicy()
    time_limit_seconds: ClassVar[float] = 300.0
    """For its work. What a run waits for a processor, or another place that others hold, doesn't count."""
    needs_processor: ClassVar[bool] = False
    """Whether it computes in a child process (`Processors`). A worker runs as many of these at a time as it has of them
    (`CPU_PROCESSES`), and claims no more than it can start soon."""
    retention_hours: ClassVar[float | None] = None
    """How long a job stays after its end; None: as the settings say. At least until its idempotency key has expired."""
    result_ttl_seconds: ClassVar[float | None] = None
    """How long its result stays, if that is shorter; None: as long as the job."""

    @classmethod
    def upcast(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        """What a lower version of this command wrote, in this version's fields. A command that raised its version and
        can't read the old form by its defaults overrides it; jobs of every version may still be waiting."""
        return fields
