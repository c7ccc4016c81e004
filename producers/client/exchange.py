"""One request and its response, without I/O: what is sent again, when, and what is given up.

`exchange` is a generator. It yields what to do (send a request, pause), is sent what came of it, and returns the response.
The blocking client and the one for asyncio both only carry that out, so retries are written, and tested, once.
"""

import random
import re
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID, uuid4

from pydantic import ValidationError

from producers.client.errors import REQUEST_ID, ProblemAnswer, RequestTimeout, Unreachable, UnreadableResponse
from producers.client.uploads import Form
from schemas.model import Model
from schemas.problems import Problem
from schemas.retry_after import asked_seconds

M = TypeVar("M", bound=Model)

MAX_TRIES: Final = 6
MAX_TRIES_TIMED_OUT: Final = 2
"""Another try helps where a connection had died without a word. Who waited twice in vain wants to know."""
FIRST_PAUSE_SECONDS: Final = 0.2
MAX_PAUSE_SECONDS: Final = 10.0
MAX_ASKED_SECONDS: Final = 30.0
"""An ingress that asks for a longer pause is told to the caller instead, who may have better to do."""
DOWN_SECONDS: Final = 0.7
"""No new attempt to connect begins later than this after the first, unless somebody was there: a server that is down is
said at once."""
PATIENCE_SECONDS: Final = 120.0
"""Who follows events, or waits for a result, waits so long for an ingress that was there and went away."""
MAX_POLL_SECONDS: Final = 30
PASSING_STATUSES: Final = frozenset({429, 502, 503, 504})
REFUSING_STATUSES: Final = frozenset({429, 503})
"""With these the ingress has done nothing. After the others of the above it may have."""


_ABOUT_A_JOB = re.compile(r"/api/(?:jobs|batches|workflow/instances)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    form: Form | None = None
    """What is sent as files, in place of a body."""
    patience_seconds: float = 0.0
    """How long the response may take on purpose."""
    repeatable: bool = True
    """Whether sending it twice has the effect of sending it once."""
    accepts: frozenset[int] = frozenset()
    """Statuses above 399 that are responses all the same."""

    @property
    def spent(self) -> bool:
        """Whether some of a stream went with the last try, so that there can't be another."""
        return self.form is not None and self.form.spent

    @property
    def id(self) -> str | None:
        return self.headers.get(REQUEST_ID)

    @property
    def job_id(self) -> UUID | None:
        """The job or the batch that it asks about."""
        found = _ABOUT_A_JOB.match(self.path)
        return UUID(found[1]) if found else None


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
    connected: bool = True
    """False when nothing was sent: the server is down, or isn't there."""
    timed_out: bool = False


Step = Request | Pause
Outcome = Reply | NoReply | None
"""None after a pause."""
Clock = Callable[[], float]


def exchange(request: Request, clock: Clock = time.monotonic) -> Generator[Step, Outcome, Reply]:
    """The reply. ProblemAnswer when the ingress says no, Unreachable when nothing comes."""
    request = _named(request)
    began_at = clock()
    was_there = may_be_done = False
    for attempt in range(1, MAX_TRIES + 1):
        outcome = yield request
        asked = 0.0
        match outcome:
            case Reply(status=status) if status < 400 or status in request.accepts:
                return outcome
            case Reply(status=404) if may_be_done and request.method == "DELETE":
                return outcome
            case Reply():
                asked = _asked_of(outcome)
                if attempt == MAX_TRIES or asked > MAX_ASKED_SECONDS or not _may_pass(outcome.status, request):
                    raise refusal(outcome, request)
            case NoReply(connected=False):
                is_down = not was_there and clock() - began_at >= DOWN_SECONDS
                if attempt == MAX_TRIES or is_down:
                    raise _unreachable(request, outcome, attempt)
            case NoReply():
                tries = MAX_TRIES_TIMED_OUT if outcome.timed_out else MAX_TRIES
                if attempt >= tries or not request.repeatable:
                    raise _unreachable(request, outcome, attempt)
        # One that was there a moment ago is starting again, most often, and worth a longer wait.
        was_there = was_there or not isinstance(outcome, NoReply) or outcome.connected
        may_be_done = may_be_done or (isinstance(outcome, NoReply) and outcome.connected)
        yield Pause(pause_seconds(attempt, asked) if was_there else _short_pause(began_at, clock))
    raise AssertionError("the last try returns or raises")


def _named(request: Request) -> Request:
    """With an id of its own, the same in each try, if the caller gave it none."""
    if REQUEST_ID in request.headers:
        return request
    return replace(request, headers={**request.headers, REQUEST_ID: str(uuid4())})


def _may_pass(status: int, request: Request) -> bool:
    return not request.spent and status in (PASSING_STATUSES if request.repeatable else REFUSING_STATUSES)


def _short_pause(began_at: float, clock: Clock) -> float:
    """Within the time in which a server that is down is said to be, so that the last try is at its end."""
    return max(0.0, min(random.uniform(0.1, 0.4), DOWN_SECONDS - (clock() - began_at)))


def _asked_of(reply: Reply) -> float:
    return asked_seconds(reply.headers.get("retry-after", ""), datetime.now(UTC)) or 0.0


def _unreachable(request: Request, outcome: NoReply, attempt: int) -> Unreachable:
    what = f"{request.method} {request.path.partition('?')[0]}"
    if not outcome.connected:
        message = f"{what}: no connection ({outcome.reason}). Is the address right, and the ingress up?"
        return Unreachable(message, job_id=request.job_id, request_id=request.id)
    if outcome.timed_out:
        message = f"{what}: no response in time ({outcome.reason})"
        return RequestTimeout(message, job_id=request.job_id, request_id=request.id)
    tries = f"{attempt} times" if request.repeatable else "and it may have been done: look before you repeat it"
    message = f"{what}: the connection broke, {tries} ({outcome.reason})"
    return Unreachable(message, job_id=request.job_id, request_id=request.id)


def pause_seconds(attempt: int, asked: float = 0.0) -> float:
    """Exponential back-off with full jitter, and never less than the ingress asks for."""
    ceiling = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**attempt)
    return min(asked, MAX_ASKED_SECONDS) + random.uniform(0.0, ceiling)


def refusal(reply: Reply, request: Request | None = None) -> ProblemAnswer:
    """The error for a reply that says no."""
    job_id, request_id = (None, None) if request is None else (request.job_id, request.id)
    return ProblemAnswer(_problem_in(reply), job_id=job_id, request_id=reply.headers.get(REQUEST_ID) or request_id)


def _problem_in(reply: Reply) -> Problem:
    try:
        return Problem.model_validate_json(reply.body, extra="ignore")
    except ValidationError:
        # A proxy's own answer, most often.
        return Problem.of("unknown", "The answer isn't one of ours", reply.status)


def parsed(model: type[M], reply: Reply) -> M:
    """The reply's body. Fields of a later release are left out; UnreadableResponse when those of ours aren't there."""
    try:
        return model.model_validate_json(reply.body, extra="ignore")
    except ValidationError:
        if 300 <= reply.status < 400 and (elsewhere := reply.headers.get("location")):
            reason = f"the address leads to {elsewhere}, and no redirect is followed: is that where the ingress is?"
        else:
            reason = (
                f"the response isn't what this client reads as {model.__name__}: is the ingress at this address, and is one "
                "of them older?"
            )
        raise UnreadableResponse(
            reason,
            status=reply.status,
            request_id=reply.headers.get(REQUEST_ID),
        ) from None
