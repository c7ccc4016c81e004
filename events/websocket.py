"""Server messages on the WebSocket. Each event carries the position to resume after."""

from typing import Final, Literal
from uuid import UUID

from events.envelope import CloudEvent
from schemas.model import Model
from schemas.problems import Problem
from schemas.websocket import JobSubject, Subject


class Authenticated(Model):
    """The connection is authenticated and may subscribe."""

    authenticated: Literal[True] = True


class Subscribed(Model):
    """The subscription has started."""

    subscribed: Subject


class Unsubscribed(Model):
    """The subscription has ended on request."""

    unsubscribed: Subject


class JobMessage(Model):
    """One event of a job. A live event, such as progress, has no `after`: it doesn't change the position."""

    job: UUID
    event: CloudEvent
    after: int | None = None


class TypesMessage(Model):
    """One event of any job, or only a new position, which keeps an idle subscription's position up to date."""

    types: str
    event: CloudEvent | None = None
    after: str | None = None


class Ended(Model):
    """The job has ended and all its events were sent; the subscription is over."""

    ended: JobSubject


class Refused(Model):
    """A request was rejected, or a subscription failed and is over (`about` says which)."""

    problem: Problem
    about: Subject | None = None


class Pong(Model):
    """The answer to a ping."""

    pong: str


ServerMessage = Authenticated | Subscribed | Unsubscribed | JobMessage | TypesMessage | Ended | Refused | Pong
SERVER_MESSAGES: Final[tuple[type[ServerMessage], ...]] = (
    Authenticated,
    Subscribed,
    Unsubscribed,
    JobMessage,
    TypesMessage,
    Ended,
    Refused,
    Pong,
)
