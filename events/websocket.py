"""What a watcher hears on its WebSocket. Each event comes with the place to resume after."""

from typing import Final, Literal
from uuid import UUID

from events.envelope import CloudEvent
from schemas.model import Model
from schemas.problems import Problem
from schemas.websocket import JobSubject, Subject


class Authenticated(Model):
    """The key stands; subscribe."""

    authenticated: Literal[True] = True


class Subscribed(Model):
    """What comes next of this subject is told."""

    subscribed: Subject


class Unsubscribed(Model):
    """Nothing of this subject comes any more."""

    unsubscribed: Subject


class JobMessage(Model):
    """One event of a job. A live one, such as progress, has no `after`: it moves nobody's place."""

    job: UUID
    event: CloudEvent
    after: int | None = None


class TypesMessage(Model):
    """One event of any job, or only a new place to resume after, so that a quiet watcher's place doesn't grow old."""

    types: str
    event: CloudEvent | None = None
    after: str | None = None


class Ended(Model):
    """The job has ended and all was told; its subscription is over."""

    ended: JobSubject


class Refused(Model):
    """A message couldn't be done, or a subscription couldn't go on and is over (`about` says which)."""

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
