"""Follows an event stream across broken connections, without a socket: see `producers.client.exchange`."""

import time
from collections.abc import Callable
from urllib.parse import urlencode

from httpx_sse import ServerSentEvent
from pydantic import ValidationError

from events.envelope import CloudEvent
from events.jobs import ENDINGS, JobEvent
from producers.client.errors import Unreachable
from producers.client.exchange import DOWN_SECONDS, PASSING_STATUSES, PATIENCE_SECONDS, Reply, pause_seconds, refusal
from producers.client.requests import Id, path


class Following:
    """One stream, resumed after the last event that came. `over` once there is nothing more to come."""

    def __init__(self, path: str, *, ends: bool, last_event_id: str = "", clock: Callable[[], float] = time.monotonic):
        self.path = path
        self.over = False
        self.last_event_id = last_event_id
        self._ends = ends
        self._ended = False
        self._failures = 0
        self._clock = clock
        self._heard_at = clock()
        self._patience_seconds = DOWN_SECONDS

    @classmethod
    def one(cls, resource: str, one: Id, last_event_id: str) -> "Following":
        """A job or a batch."""
        return cls(path(resource, one, "events"), ends=True, last_event_id=last_event_id)

    @classmethod
    def all_jobs(cls, pattern: str, last_event_id: str) -> "Following":
        query = urlencode({"type": pattern})
        return cls(f"/api/events?{query}", ends=False, last_event_id=last_event_id)

    @property
    def headers(self) -> dict[str, str]:
        resume = {"last-event-id": self.last_event_id} if self.last_event_id else {}
        return {"accept": "text/event-stream", "cache-control": "no-store", **resume}

    def answered(self, reply: Reply) -> bool:
        """Whether the stream is open. ProblemAnswer when it never will be."""
        if reply.status < 400:
            self._heard()
            return True
        if reply.status not in PASSING_STATUSES:
            raise refusal(reply)
        # Somebody is there, if only to say that it isn't now.
        self._patience_seconds = PATIENCE_SECONDS
        return False

    def take(self, said: ServerSentEvent) -> CloudEvent | None:
        """The event; None for what only moves our place in the stream."""
        self._heard()
        if not said.data:
            self.last_event_id = said.id or self.last_event_id
            return None
        event = _cloud_event(said.data)
        self.last_event_id = said.id or self.last_event_id
        if event is not None and event.type in ENDINGS:
            self._ended = True
        elif event is not None and event.type == JobEvent.REPLAYED:
            self._ended = False
        return event

    def closed(self, error: Exception | None = None) -> float:
        """What to wait before the next connection, if it isn't over. Unreachable when there was none for too long."""
        if self._ends and self._ended:
            self.over = True
            return 0.0
        left = self._heard_at + self._patience_seconds - self._clock()
        if left < 0:
            raise Unreachable(f"GET {self.path}: no connection ({error or 'it is closed each time'})")
        self._failures += 1
        return min(pause_seconds(self._failures), left)

    def _heard(self) -> None:
        self._heard_at = self._clock()
        self._patience_seconds = PATIENCE_SECONDS
        self._failures = 0


def _cloud_event(data: str) -> CloudEvent | None:
    try:
        return CloudEvent.model_validate_json(data, extra="ignore")
    except ValidationError:
        return None  # Of a later version than ours.
