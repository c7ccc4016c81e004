"""The port of kept answers: the exact cache, and who is asking the same right now."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A model's answer, as the cache keeps it."""

    text: str = field(repr=False)
    provider: str
    model: str
    served_model: str
    finish_reason: str
    input_tokens: int
    output_tokens: int


class AnswerCache(Protocol):
    """Answers by the exact hash of what was asked, sealed: nothing in Redis can be read. Bounded in number, size and time.
    What can't be read, Redis included, is a miss: no call raises."""

    async def get(self, tenant_id: UUID, digest: bytes) -> KeptAnswer | None: ...

    async def put(self, tenant_id: UUID, digest: bytes, answer: KeptAnswer) -> None: ...


class Flight(Protocol):
    """One call that several wait for. Whoever leads it makes the call."""

    leads: bool

    def write(self, delta: str) -> None:
        """Passes on what the leader received."""
        ...

    def restart(self) -> None:
        """What was written doesn't count any more: a failover."""
        ...

    async def land(self, answer: KeptAnswer | None) -> None:
        """The leader's end; None when it failed: each follower then asks for itself."""
        ...

    def follow(self) -> AsyncIterator[str | None]:
        """For a follower: everything from the beginning, as it comes; None after a restart."""
        ...

    async def landed(self) -> KeptAnswer | None:
        """For a follower: the end."""
        ...
