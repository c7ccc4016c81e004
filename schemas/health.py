"""Readiness of a process and of the servers it depends on."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.model import Model


class PartState(StrEnum):
    """The result of probing a dependency."""

    OK = "ok"
    DEGRADED = "degraded"
    """It answers but refuses some work: it is full, read-only or loading."""
    FAILED = "failed"
    """It doesn't answer."""
    UNKNOWN = "unknown"
    """It couldn't be probed, because what it depends on failed."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The result of one probe. `reason` says in a sentence why it isn't OK."""

    state: PartState = PartState.OK
    reason: str = ""


class Part(Model):
    name: str
    state: PartState
    milliseconds: float
    detail: str = ""


class Alive(Model):
    status: str = "ok"
    faults: tuple[str, ...] = ()
    """Why the process should be restarted."""


class Readiness(StrEnum):
    READY = "ready"
    DEGRADED = "degraded"
    """Accepted work is safe. Some work waits, or is refused with 503, until the named dependency has recovered."""
    NOT_READY = "not ready"


class Ready(Model):
    status: Readiness
    parts: tuple[Part, ...]

    @property
    def reasons(self) -> str:
        """Why it isn't ready, in one line; empty when it is."""
        return "; ".join(f"{part.name}: {part.detail}" for part in self.parts if part.detail)
