"""The client's protocol without I/O: the blocking and the asyncio client both only carry it out.

A step is something to do (send a request, wait). A conversation is a generator that yields steps, receives the outcome of
each, and returns its answer. So retries, paging and waiting for a result are written once.
"""

import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode
from uuid import uuid4

from pydantic import ValidationError

from schemas.model import Model
from schemas.problems import Problem
from schemas.retry_after import asked_seconds

TRIES: Final = 6
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 10.0
LONGEST_POLL_SECONDS: Final = 30
PASSING_STATUSES: Final = frozenset({429, 502, 503, 504})
JSON: Final = {"content-type": "application/json"}


class ProblemAnswer(Exception):
    """The ingress said no; `problem` says why (RFC 9457)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title} ({problem.status} {problem.name}): {_in_words(problem)}")
        self.problem = problem


class ResultTimeout(Exception):
    """The job hasn't ended yet, and goes on. Ask again later, or follow its events."""


class Unreachable(Exception):
    """No answer came, several times. Look at the address and at the network; what was sent may have arrived or not."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    patience_seconds: float = 0.0
    """How long the answer may take on purpose."""


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoReply:
    """The connection couldn't be made, or broke."""

    reason: str


Step = Request | Pause
Outcome = Reply | NoReply | None
"""None after a pause."""


def exchange(request: Request) -> Generator[Step, Outcome, Reply]:
    """The reply to a request that is safe to repeat, which all of ours are. ProblemAnswer or Unreachable otherwise."""
    for attempt in range(1, TRIES + 1):
        outcome = yield request
        asked = 0.0
        if isinstance(outcome, Reply):
            if outcome.status < 400:
                return outcome
            if outcome.status not in PASSING_STATUSES or attempt == TRIES:
                raise ProblemAnswer(problem_in(outcome))
            asked = asked_seconds(outcome.headers.get("retry-after", ""), datetime.now(UTC)) or 0.0
        yield Pause(pause_seconds(attempt, asked))
    raise Unreachable(f"{request.method} {request.path}: no answer after {TRIES} tries ({outcome})")


def problem_in(reply: Reply) -> Problem:
    try:
        return Problem.model_validate_json(reply.body)
    except ValidationError:
        # A proxy's own answer, most often.
        return Problem.of("unknown", "The answer isn't one of ours", reply.status)


def pause_seconds(attempt: int, asked_seconds: float = 0.0) -> float:
    """Exponential back-off with full jitter, and never less than the ingress asks for."""
    ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**attempt)
    return min(asked_seconds, LONGEST_PAUSE_SECONDS) + random.uniform(0.0, ceiling)


def keyed_post(path: str, body: Model) -> Request:
    """Carries a key of its own, so a broken connection never does it twice."""
    headers = {**JSON, "idempotency-key": str(uuid4())}
    return Request("POST", path, headers, body.model_dump_json(exclude_none=True).encode())


def with_query(path: str, parameters: Mapping[str, object]) -> str:
    given = {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in parameters.items()
        if value is not None
    }
    return f"{path}?{urlencode(given)}" if given else path


def _in_words(problem: Problem) -> str:
    return "; ".join(f"{error.pointer} {error.detail}" for error in problem.errors) or problem.detail
