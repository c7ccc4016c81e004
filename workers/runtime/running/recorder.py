"""Stores the events that runs record, those of many runs in one statement."""

from collections.abc import Sequence

from events import catalogue
from events.envelope import DomainEvent
from infrastructure.concurrency.batching import Batcher
from infrastructure.ports import Refused, Unstorable
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.jobs.recording import MAX_TIMELINE_EVENTS, Recorded, Recording, record, times_recorded
from infrastructure.postgres.session import PostgresSession
from kinds.run import RunEnded
from schemas.bounds import OutOfBounds, check_recorded
from schemas.problems import Problem
from workers.runtime.running.notifier import Notifier

UNSTORABLE = Problem.of("event-unstorable", "The event can't be stored", 500, "It holds a value no JSON store takes.")
FULL = Problem.of(
    "timeline-full",
    "The job's timeline is full",
    500,
    f"It has {MAX_TIMELINE_EVENTS:,} entries, and nothing more is recorded: record fewer events, or start jobs of their own.",
)


class Recorder:
    """One per worker."""

    def __init__(self, session: PostgresSession, notifier: Notifier) -> None:
        self._session = session
        self._notifier = notifier
        self._batcher: Batcher[Recording, Recorded] = Batcher(self._flush, "recorded events")

    async def record(self, claimed: Claimed, event: DomainEvent) -> None:
        """Returns once the event is committed. RunEnded when the job isn't this run's any more; Refused when the event can't
        be kept; Unavailable when it may have been stored or not; TypeError for an event that nobody declared."""
        recording = Recording(claimed.id, claimed.token, event.type, _json(event))
        match await self._batcher.put(recording):
            case Recorded.STORED:
                self._notifier.notify({claimed.tenant_id})
            case Recorded.FULL:
                raise Refused(FULL)
            case Recorded.LATE:
                raise RunEnded

    async def times_recorded(self, claimed: Claimed, event: type[DomainEvent]) -> int:
        """How many of the job's timeline. Unavailable when it can't be read."""
        return await self._session.run(lambda connection: times_recorded(connection, claimed.id, event.type))

    async def _flush(self, recordings: Sequence[Recording]) -> Sequence[Recorded | Exception]:
        try:
            return await self._session.run(lambda connection: record(connection, recordings))
        except Unstorable:
            # Splits the batch until the event at fault is alone, and the others are stored.
            if len(recordings) == 1:
                return [Refused(UNSTORABLE)]
            middle = len(recordings) // 2
            return [*await self._flush(recordings[:middle]), *await self._flush(recordings[middle:])]


def _json(event: DomainEvent) -> str:
    if catalogue.EVENTS.get(event.type) is not type(event):
        name = type(event).__name__
        raise TypeError(f"{name} isn't declared as an event that is recorded: name it in @job(records=({name},))")
    try:
        text = event.model_dump_json()
        check_recorded(text)
    except OutOfBounds as error:
        raise Refused(
            Problem.of("event-out-of-bounds", "The event is too large or too deep", 500, f"{error}.")
        ) from None
    except ValueError:  # It can't be written as JSON, for example because of a lone surrogate.
        raise Refused(UNSTORABLE) from None
    return text
