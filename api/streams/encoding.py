"""Encodes events for SSE streams and WebSockets: each once, however many subscribers it has."""

from uuid import UUID

from api.streams.resume_tokens import token_of
from events.streams import STREAM_STARTED, StreamStarted
from infrastructure.postgres.events.cloud_events import cloud_event_json
from infrastructure.postgres.events.feed import EventRow, Position

RETRY_MILLISECONDS = 1_000
PREAMBLE = b"retry: %d\n\n" % RETRY_MILLISECONDS
HEARTBEAT = b": still here\n\n"
# Valid unescaped in JSON, but many SSE clients split lines at them, against the standard.
_TAKEN_FOR_LINE_ENDS = tuple((one.encode(), b"\\u%04x" % ord(one)) for one in "\x85\u2028\u2029")


class Announced:
    """One event to deliver, with its encodings. `row` is None for a live event, such as progress, which isn't stored."""

    __slots__ = ("_cloud_event", "_for_job", "_for_tenant", "_token", "job_id", "position", "row", "size", "type")

    def __init__(
        self, job_id: UUID, kind: str, row: EventRow | None, position: Position | None, cloud_event: bytes | None
    ) -> None:
        self.job_id = job_id
        self.type = kind
        self.row = row
        self.position = position
        self._cloud_event = cloud_event
        self._for_job: bytes | None = None
        self._for_tenant: bytes | None = None
        self._token: str | None = None
        self.size = len((row.data if row is not None else cloud_event) or "")
        """Size of the event's data, in characters or bytes; an estimate for limits."""

    @classmethod
    def stored(cls, row: EventRow, position: Position | None) -> "Announced":
        return cls(row.job_id, row.type, row, position, None)

    @classmethod
    def live(cls, job_id: UUID, kind: str, cloud_event: bytes) -> "Announced":
        return cls(job_id, kind, None, None, cloud_event)

    def for_job(self) -> bytes:
        """The SSE frame in a job's stream. Its id is the seq, from which that stream resumes."""
        if self._for_job is None:
            self._for_job = _frame(self.json(), None if self.row is None else b"%d" % self.row.seq)
        return self._for_job

    def for_tenant(self) -> bytes:
        """The SSE frame in a tenant's stream. Its id is the resume token."""
        if self._for_tenant is None:
            place = None if self.token is None else self.token.encode()
            self._for_tenant = _frame(self.json(), place)
        return self._for_tenant

    @property
    def token(self) -> str | None:
        """The resume token of the tenant's stream; None for a live event."""
        if self._token is None and self.position is not None:
            self._token = token_of(self.position)
        return self._token

    def json(self) -> bytes:
        if self._cloud_event is None:
            assert self.row is not None, "an event is stored or live"
            row = self.row
            self._cloud_event = cloud_event_json(row.job_id, row.seq, row.type, row.at, row.data)
        return self._cloud_event


def place_frame(position: Position) -> bytes:
    """An SSE frame without an event that updates the client's `Last-Event-ID`, so that an idle stream resumes from there."""
    return b"id: %s\n\n" % token_of(position).encode()


def start_frame(position: Position) -> bytes:
    """The first SSE frame of a stream that starts now: an event of its own name, which an EventSource's `onmessage`
    doesn't get, so that whoever expects CloudEvents gets nothing else."""
    started = StreamStarted().model_dump_json().encode()
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (token_of(position).encode(), STREAM_STARTED.encode(), started)


def _frame(cloud_event: bytes, identity: bytes | None) -> bytes:
    for character, escaped in _TAKEN_FOR_LINE_ENDS:
        cloud_event = cloud_event.replace(character, escaped)
    if identity is None:
        return b"data: %s\n\n" % cloud_event
    return b"id: %s\ndata: %s\n\n" % (identity, cloud_event)
