"""One run of a handler outside the runtime, as a test holds it."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from workers.runtime.handler import Child


@dataclass
class OneRun:
    """A Run. Two with the same ids are two attempts at one job."""

    tenant_id: UUID = field(default_factory=uuid4)
    job_id: UUID = field(default_factory=uuid7)
    attempt: int = 1
    children: tuple[Child, ...] = ()
    reports: list[tuple[float, str]] = field(default_factory=list)

    def progress(self, fraction: float, message: str = "") -> None:
        self.reports.append((fraction, message))
