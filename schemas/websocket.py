"""Client messages on the WebSocket. Each is an object with exactly one of these fields."""

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
    """Events of all the tenant's jobs whose type matches the pattern."""

    types: EventPattern


Subject = JobSubject | TypesSubject


class JobFrom(JobSubject):
    """One job's events, after a position."""

    after: Annotated[int, Field(ge=0, le=LARGEST_SEQ)] = 0
    """The `after` of the last message received; 0 for the job's first event."""

    @property
    def subject(self) -> JobSubject:
        return JobSubject(job=self.job)


class TypesFrom(TypesSubject):
    """Events by type, after a position."""

    after: Annotated[str, Field(max_length=LONGEST_TOKEN)] | None = None
    """The `after` of the last message received, or "0" for the oldest event that is kept; without it the events begin now."""

    @property
    def subject(self) -> TypesSubject:
        return TypesSubject(types=self.types)


class Authenticate(Model):
    """Authenticates the connection by message, since a browser can't set a header in the handshake."""

    authenticate: Annotated[SecretStr, Field(max_length=LONGEST_TOKEN, examples=["bct_…"])]


class Subscribe(Model):
    """Starts a subscription, after a position if one is given."""

    subscribe: JobFrom | TypesFrom


class Unsubscribe(Model):
    """Ends a subscription."""

    unsubscribe: Subject


class Ping(Model):
    """Checks that the connection works; the answer is a Pong."""

    ping: Annotated[str, Field(max_length=100)]
    """Returned unchanged."""


Request = Authenticate | Subscribe | Unsubscribe | Ping
REQUESTS: Final[dict[str, type[Request]]] = {
    "authenticate": Authenticate,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "ping": Ping,
}
"""Request models by the field that each has."""
