"""What goes through the pipeline: a call as a job makes it, and what comes back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from events.ai.provenance import ModelAttempt
from events.envelope import DomainEvent
from infrastructure.ports.ai.answers import Question, Turn
from infrastructure.ports.ai.credentials import Credential
from infrastructure.ports.ai.ledger import AttemptEnd
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import Lane, ModelRequest
from infrastructure.ports.ai.response import UNKNOWN_USAGE, FinishReason, ModelResponse, Usage


@dataclass(frozen=True, slots=True)
class PromptUsed:
    """The version whose templates made the call's texts."""

    name: str
    version: int
    label: str | None = None


class Listener(Protocol):
    """Who reads along while a model writes."""

    def write(self, delta: str) -> None: ...

    async def restart(self, model: str, error_class: str) -> None:
        """That model failed after it had begun: what was written doesn't count, and another begins anew."""
        ...


@dataclass(slots=True)
class Attempt:
    """One try at a call. The route makes it, the steps after it note what they know, and whoever made it reads how it went,
    also after an error or a cancellation."""

    id: UUID
    """A uuid7: of its row in the ledger, and of its reservation."""
    provider: str
    model: str
    credential: Credential
    reserved_usd: Decimal | None = None
    """Noted by the reservation."""
    sent: bool = False
    """Noted by the provider's step before it calls, and so are the next four as they become known."""
    accepted: bool = False
    usage: Usage = UNKNOWN_USAGE
    first_token_ms: float | None = None
    response: ModelResponse | None = field(default=None, repr=False)
    end: AttemptEnd | None = None
    """Noted by the ledger, however it went; None when nothing was sent."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One question of a job. Middlewares pass on a changed copy (`dataclasses.replace`)."""

    tenant_id: UUID
    purpose: Purpose
    request: ModelRequest
    """Its `model` is empty until the route has chosen one."""
    models: tuple[str, ...] = ()
    """Wanted by the job, best first; empty for those of the deployment. From `validation.py` on, those that can take it."""
    question: Question | None = None
    """What is asked, by its hash; set by the cache's step, with whose turn it is to ask."""
    turn: Turn = Turn.ALONE
    attempt: Attempt | None = None
    """Set by the route for the steps after it, whose `request` has the attempt's model."""
    job_id: UUID | None = None
    job_attempt: int | None = None
    kind: str | None = None
    section: int | None = None
    prompt: PromptUsed | None = None
    deadline: datetime | None = None
    """The job's: what has time goes the cheaper way."""
    lanes: tuple[Lane, ...] = (Lane.REALTIME,)
    """Those that will do, the cheapest first: an attempt takes the first that its model is served in. Set by `lanes.py`."""
    calls_alike: int = 1
    """How many calls the job makes that begin with the same texts, such as one for each section over the same documents: from
    two on, a provider's prompt cache pays off."""
    to_come: int = 0
    """How many more calls of about this size the job makes after this one, as far as it knows."""
    max_cost_usd: Decimal | None = None
    """The job's, over all its calls and runs."""
    input_digests: tuple[str, ...] = ()
    """Of the documents that the texts quote: part of what is asked, for the cache."""
    tried: int = 0
    """How often the job asked this before in the same run: then it wants another answer, and none from the cache."""
    place: str | None = None
    """Where its answer is kept for the job's next run; set by `paid.py`."""
    listener: Listener | None = field(default=None, repr=False)
    record: Callable[[DomainEvent], Awaitable[None]] | None = field(default=None, repr=False)
    """The run's, for what the job's timeline is to show of its calls."""
    wait_seconds: float = 60.0
    """How long it may wait for room in a provider's limits. Set by the route."""
    unwritten: list["asyncio.Task[None]"] = field(default_factory=list, repr=False)
    """Ends that are being written into the ledger while the call goes on; all copies of a call share it."""
    shadow: ModelRequest | None = field(default=None, repr=False)
    """What would have been sent without the optimiser; set by it."""


class CacheOutcome(StrEnum):
    MISS = "miss"
    HIT = "hit"
    SHARED = "shared"
    """Another call asked the same at the same time."""
    PAID = "paid"
    """An earlier run of the job had paid for it."""


@dataclass(frozen=True, slots=True)
class ModelReply:
    text: str = field(repr=False)
    finish_reason: FinishReason
    provider: str
    model: str
    served_model: str
    attempts: tuple[ModelAttempt, ...]
    """All that were made for it, the failed ones too."""
    cache: CacheOutcome = CacheOutcome.MISS
    usage: Usage = UNKNOWN_USAGE
    """Of the attempt that succeeded, or once did."""


Next = Callable[[ModelCall], Awaitable[ModelReply]]
"""The rest of the pipeline."""
Middleware = Callable[[ModelCall, Next], Awaitable[ModelReply]]
"""Does its part before the rest, after it, or in place of it."""
