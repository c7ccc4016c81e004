"""The port of circuit breakers: whether a provider's model may be called now."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from infrastructure.ports.ai.errors import ModelError


class Gate(StrEnum):
    CLOSED = "closed"
    """Calls go through."""
    PROBE = "probe"
    """This call alone goes through: how it ends decides for all."""
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may be made. Hand it back with how it went."""

    provider: str
    model: str
    gate: Gate
    retry_after_seconds: float = 0.0
    """For OPEN: until the next probe."""
    lease: str = ""
    """For PROBE: whose it is."""

    @property
    def allowed(self) -> bool:
        return self.gate is not Gate.OPEN


class Breakers(Protocol):
    """One breaker for each model of a provider, shared by all processes. While Redis is away each process has its own.

    Only errors that concern the service count. No call raises.
    """

    async def admit(self, provider: str, model: str) -> Admission:
        """Decided by what this process has known for at most 250 ms; only a probe asks Redis first."""
        ...

    async def succeeded(self, admission: Admission) -> None: ...

    async def failed(self, admission: Admission, error: ModelError) -> None: ...

    async def abandoned(self, admission: Admission) -> None:
        """The call was given up by us, such as a cancelled job's: a probe's lease is returned, and nothing is counted."""
        ...
