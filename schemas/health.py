"""What a process says of itself: whether it can do its work, and what of the outside keeps it from it."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.model import Model


class PartState(StrEnum):
    """What was found when a part was asked to do what the work asks of it."""

    OK = "ok"
    DEGRADED = "degraded"
    """It answers and refuses some of the work: it is full, read-only, loading."""
    FAILED = "failed"
    """It doesn't answer."""
    UNKNOWN = "unknown"
    """It couldn't be asked, since what it lives in failed."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One answer of a part. `reason` says in a sentence why it isn't OK."""

    state: PartState = PartState.OK
    reason: str = ""


class Part(Model):
    name: str
    state: PartState
    milliseconds: float
    detail: str = ""


class Readiness(StrEnum):
    READY = "ready"
    DEGRADED = "degraded"
    """Nothing that was accepted is lost. Some work waits, or is refused with 503, until the part named can do it again."""
    NOT_READY = "not ready"


class Ready(Model):
    status: Readiness
    parts: tuple[Part, ...]

    @property
    def reasons(self) -> str:
        """Why it isn't ready, in one line; empty when it is."""
        return "; ".join(f"{part.name}: {part.detail}" for part in self.parts if part.detail)
