"""What a client may ask to be done: the base of every command."""

from enum import StrEnum
from typing import ClassVar

from schemas.model import Model


class Queue(StrEnum):
    """One queue and one worker pool for each kind of work, so that each scales alone."""

    AI = "ai"
    SEARCH = "search"
    WORKFLOW = "workflow"
    KEYS = "keys"
    WEBHOOKS = "webhooks"
    """Apart from the rest, so that slow receivers hold up nobody else."""


class Command(Model):
    """A request for one job. A subclass names its kind, its queue and how long and how often it may try.

    The kind is the stable name on the wire; `version` rises when a field changes meaning.
    """

    kind: ClassVar[str]
    queue: ClassVar[Queue]
    version: ClassVar[int] = 1
    max_attempts: ClassVar[int] = 5
    time_limit_seconds: ClassVar[float] = 300.0
