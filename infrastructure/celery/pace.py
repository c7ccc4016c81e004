"""What a queue's workers say of their service, a few times a second: how fast jobs leave their lines, and how many more
could begin right now."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

SILENT_SECONDS = 5.0
"""Who has said nothing for so long has ended, or can't take a job."""


@dataclass(frozen=True, slots=True)
class Service:
    """Of one worker, or of all of a queue's."""

    jobs_per_second: float = 0.0
    free: int = 0
    """Jobs that could begin at once."""
    said_at: float = 0.0
    """When the last of them said so, in seconds of the Unix epoch."""
    workers: int = 1

    def jobs_within(self, seconds: float) -> int:
        """How many begin in that time, those in the free places with them."""
        return self.free + int(self.jobs_per_second * seconds)


def in_words(service: Service) -> str:
    """As a worker says it."""
    return f"{service.jobs_per_second:.3f} {service.free} {service.said_at:.3f}"


def heard(words: Iterable[bytes], now: float) -> Service:
    """What all of them say together. What can't be read counts for nothing: another release's worker said it."""
    heard_of = [one for word in words if (one := _read(word)) is not None and now - one.said_at <= SILENT_SECONDS]
    return Service(
        sum(one.jobs_per_second for one in heard_of),
        sum(one.free for one in heard_of),
        max((one.said_at for one in heard_of), default=0.0),
        len(heard_of),
    )


def _read(word: bytes) -> Service | None:
    try:
        jobs_per_second, free, said_at = word.split()
        one = Service(float(jobs_per_second), int(free), float(said_at))
    except ValueError:
        return None
    sound = isfinite(one.jobs_per_second) and isfinite(one.said_at) and one.jobs_per_second >= 0 and one.free >= 0
    return one if sound else None
