"""The rate and free slots that a queue's workers report through Redis a few times a second."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

SILENT_SECONDS = 5.0
"""A worker that hasn't reported for this long has ended or can't take jobs."""


@dataclass(frozen=True, slots=True)
class Service:
    """The rate and free slots of one worker, or the sum over a queue's."""

    jobs_per_second: float = 0.0
    free: int = 0
    """Jobs that could start at once."""
    said_at: float = 0.0
    """When the latest report was made, in seconds of the Unix epoch."""
    workers: int = 1

    def jobs_within(self, seconds: float) -> int:
        """How many jobs can start in that time, including those in free slots."""
        return self.free + int(self.jobs_per_second * seconds)


def in_words(service: Service) -> str:
    """Encodes a worker's report for the hash in Redis."""
    return f"{service.jobs_per_second:.3f} {service.free} {service.said_at:.3f}"


def heard(reports: Iterable[bytes], now: float) -> Service:
    """The sum of the reports that aren't stale. A report that can't be read is ignored: another release's worker made
    it."""
    fresh = [one for report in reports if (one := _read(report)) is not None and now - one.said_at <= SILENT_SECONDS]
    return Service(
        sum(one.jobs_per_second for one in fresh),
        sum(one.free for one in fresh),
        max((one.said_at for one in fresh), default=0.0),
        len(fresh),
    )


def _read(report: bytes) -> Service | None:
    try:
        jobs_per_second, free, said_at = report.split()
        one = Service(float(jobs_per_second), int(free), float(said_at))
    except ValueError:
        return None
    valid = isfinite(one.jobs_per_second) and isfinite(one.said_at) and one.jobs_per_second >= 0 and one.free >= 0
    return one if valid else None
