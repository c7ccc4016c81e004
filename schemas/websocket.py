"""What a watcher says on its WebSocket: one object with one of these fields in each message."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, SecretStr

from schemas.event_patterns import EventPattern
from schemas.model import Model

LARGEST_SEQ: Final = 2**31 - 1
LONGEST_TOKEN: Final = 16_000


class JobSubject(Model):
    """One job's events."""

    job: UUID


class TypesSubject(Model):
    """The events of all the tenant's jobs whose type matches."""

    types: EventPattern


Subject = JobSubject | TypesSubject


class JobFrom(JobSubject):
    """One job's events from a place on."""

    after: Annotated[int, Field(ge=0, le=LARGEST_SEQ)] = 0
    """The `after` of the last message you have; 0 begins with the job's first event."""

    @property
    def subject(self) -> JobSubject:
        return JobSubject(job=self.job)


class TypesFrom(TypesSubject):
    """The events of all jobs from a place on."""

    after: Annotated[str, Field(max_length=LONGEST_TOKEN)] | None = None
    """The `after` of the last message you have; without it the events begin now."""

    @property
    def subject(self) -> TypesSubject:
        return TypesSubject(types=self.types)


class Authenticate(Model):
    """Says who is watching, where the handshake couldn't: a browser sets no header."""

    authenticate: Annotated[SecretStr, Field(max_length=LONGEST_TOKEN, examples=["bct_…"])]


class Subscribe(Model):
    """Begins to tell, from a place on."""

    subscribe: JobFrom | TypesFrom


class Unsubscribe(Model):
    """Stops telling."""

    unsubscribe: Subject


class Ping(Model):
    """Asks for a sign of life."""

    ping: Annotated[str, Field(max_length=100)]
    """Comes back as it is."""


Request = Authenticate | Subscribe | Unsubscribe | Ping
REQUESTS: Final[dict[str, type[Request]]] = {
    "authenticate": Authenticate,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "ping": Ping,
}
"""By the one field that each has."""
