"""Follows many jobs over one WebSocket, across broken connections, without a socket: see `producers.client.exchange`."""

import time
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from events.envelope import CloudEvent
from events.websocket import (
    Authenticated,
    Ended,
    JobMessage,
    Pong,
    Refused,
    ServerMessage,
    Subscribed,
    TypesMessage,
    Unsubscribed,
)
from producers.client.errors import ProblemAnswer, Unreachable
from producers.client.exchange import DOWN_SECONDS, PASSING_STATUSES, PATIENCE_SECONDS, Reply, pause_seconds, refusal
from schemas.problems import Problem
from schemas.websocket import JobFrom, JobSubject, Subscribe, TypesFrom, TypesSubject

PATH = "/api/ws"
BROKEN_SOCKET = (WebSocketException, OSError, TimeoutError, EOFError)

_MESSAGES: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)


class Watching:
    """Some jobs, each to its end, and all jobs by type, without end; resumed after the last event of each that came."""

    def __init__(
        self,
        jobs: Iterable[UUID] = (),
        types: Iterable[str] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = dict.fromkeys(jobs, 0)
        self._types: dict[str, str | None] = dict.fromkeys(types)
        self._failures = 0
        self._clock = clock
        self._heard_at = clock()
        self._patience_seconds = DOWN_SECONDS

    @property
    def over(self) -> bool:
        return not (self._jobs or self._types)

    def opening(self) -> Iterator[str]:
        """The messages to send on a new connection."""
        for job_id, seq in self._jobs.items():
            yield Subscribe(subscribe=JobFrom(job=job_id, after=seq)).model_dump_json()
        for pattern, token in self._types.items():
            yield Subscribe(subscribe=TypesFrom(types=pattern, after=token)).model_dump_json()

    def take(self, message: str | bytes) -> CloudEvent | None:
        """The event in it, if it has one. ProblemAnswer when something can't be followed."""
        self._heard_at = self._clock()
        self._patience_seconds = PATIENCE_SECONDS
        try:
            parsed = _MESSAGES.validate_json(message, extra="ignore")
        except ValidationError:
            return None  # Of a later version than ours.
        match parsed:
            case JobMessage(job=job_id, event=event, after=seq):
                self._failures = 0
                if seq is not None and job_id in self._jobs:
                    self._jobs[job_id] = seq
                return event
            case TypesMessage(types=pattern, event=event, after=token):
                self._failures = 0
                self._types[pattern] = token or self._types[pattern]
                return event
            case Ended(ended=JobSubject(job=job_id)):
                self._jobs.pop(job_id, None)
            case Refused(problem=problem, about=subject):
                self._refused(problem, subject)
            case Authenticated() | Subscribed() | Unsubscribed() | Pong():
                pass
        return None

    def closed(self, error: BaseException | None = None) -> float:
        """What to wait before the next connection. ProblemAnswer or Unreachable when there is no use in one."""
        if isinstance(error, InvalidStatus):
            reply = Reply(error.response.status_code, error.response.headers, bytes(error.response.body or b""))
            if reply.status not in PASSING_STATUSES:
                raise refusal(reply) from None
            self._patience_seconds = PATIENCE_SECONDS
        left = self._heard_at + self._patience_seconds - self._clock()
        if left < 0:
            reason = error if isinstance(error, InvalidHandshake | OSError) else "it is closed each time"
            raise Unreachable(f"{PATH}: no connection ({reason})") from None
        self._failures += 1
        return min(pause_seconds(self._failures), left)

    def _refused(self, problem: Problem, subject: JobSubject | TypesSubject | None) -> None:
        if problem.status not in PASSING_STATUSES:
            raise ProblemAnswer(problem)
        # It is over for now; a new connection asks for it again, and that is what its reader should make.
        raise TryAgain(subject)


class TryAgain(WebSocketException):
    """A subscription couldn't go on for now."""


def socket_url(url: str) -> str:
    """Where the ingress at this address speaks WebSocket."""
    scheme, netloc, path, *_ = urlsplit(url)
    return urlunsplit(("wss" if scheme == "https" else "ws", netloc, path.rstrip("/") + PATH, "", ""))
