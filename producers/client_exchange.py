"""What the client says and understands, without a socket: the sync and the async client both only carry it out.

A step is something to do (send a request, wait); a conversation yields steps, is told what came of each, and returns
its answer. So retries, paging and waiting for a result are written once.
"""

import json
import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any, Final, TypedDict
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

from pydantic import ValidationError

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from events.envelope import DomainEvent
from events.keys import KeysRotated
from events.search import DocumentIndexed
from events.workflow import WorkflowCompleted
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.commands import Command, Queue
from schemas.explanations import Explanation
from schemas.failures import FailedJobs, FailureGroups, Replay, ReplayCount, ReplayFailures, ReplayJob
from schemas.holds import Hold, Holds, NewHold
from schemas.jobs import Job, JobPage, JobState, JobToken, Timeline, TokenWish
from schemas.keys import RotateKeys
from schemas.model import Model
from schemas.problems import Problem
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep

TRIES: Final = 6
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 10.0
LONGEST_POLL_SECONDS: Final = 30
PASSING_STATUSES: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Spoken:
    """Where a command is sent, and the event its job ends with."""

    path: str
    event: type[DomainEvent]


COMMANDS: Final[Mapping[type[Command], Spoken]] = {
    ProcessDocument: Spoken("/api/ai/process-document", DocumentProcessed),
    GenerateDocument: Spoken("/api/ai/generate-document", DocumentGenerated),
    AnalyzeContent: Spoken("/api/ai/analyze-content", ContentAnalyzed),
    IndexDocument: Spoken("/api/search/index-document", DocumentIndexed),
    RunWorkflowStep: Spoken("/api/workflow/start", WorkflowCompleted),
    RotateKeys: Spoken("/api/keys/rotate", KeysRotated),
}
_EVENTS: Final = {command.kind: spoken.event for command, spoken in COMMANDS.items()}

Result = DomainEvent | dict[str, Any] | None
"""Typed when the client knows the kind of job."""


class ProblemAnswer(Exception):
    """The ingress said no; `problem` says why (RFC 9457)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title} ({problem.status} {problem.name}): {_in_words(problem)}")
        self.problem = problem


class JobFailed(Exception):
    """The job ended without a result; `job.problem` says why, unless it was cancelled."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.id} is {job.state}" + (f": {job.problem.title}" if job.problem else ""))
        self.job = job
        self.problem = job.problem


class ResultTimeout(Exception):
    """The job hasn't ended yet, and goes on. Ask again later, or follow its events."""


class Unreachable(Exception):
    """No answer came, several times. Look at the address and at the network; what was sent may have arrived or not."""


class UnknownCommand(Exception):
    """The client doesn't know where to send such a command. Is it older than the command?"""


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


class Wishes(TypedDict, total=False):
    """How a job wants to be treated. What isn't given, the ingress decides."""

    priority: int
    run_at: datetime
    deadline: datetime
    idempotency_key: str
    correlation_id: UUID
    concurrency_key: str
    concurrency_limit: int
    """Of your jobs with that key, at most so many are under way at a time."""


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
            asked = _asked_seconds(outcome)
        yield Pause(pause_seconds(attempt, asked))
    raise Unreachable(f"{request.method} {request.path}: no answer after {TRIES} tries ({outcome})")


def submission(command: Command, wishes: Wishes) -> Generator[Step, Outcome, Job]:
    """The job. It carries an idempotency key in any case, so a broken connection never makes two jobs."""
    spoken = COMMANDS.get(type(command))
    if spoken is None:
        raise UnknownCommand(f"there is no address for {type(command).__name__}")
    headers = {"content-type": "application/json", "idempotency-key": wishes.get("idempotency_key") or str(uuid4())}
    if "correlation_id" in wishes:
        headers["x-correlation-id"] = str(wishes["correlation_id"])
    terms = {name: value for name, value in wishes.items() if name not in ("idempotency_key", "correlation_id")}
    body = command.model_dump_json(exclude_unset=True).encode()
    reply = yield from exchange(Request("POST", with_query(spoken.path, terms), headers, body))
    return Job.model_validate_json(reply.body)


def reading(job_id: UUID, wait_seconds: int = 0) -> Generator[Step, Outcome, Job]:
    """The job as it stands, or once it has ended if that is within the time."""
    headers = {"prefer": f"wait={wait_seconds}"} if wait_seconds else {}
    reply = yield from exchange(Request("GET", f"/api/jobs/{job_id}", headers, patience_seconds=wait_seconds))
    return Job.model_validate_json(reply.body)


def awaiting(job_id: UUID, timeout_seconds: float | None) -> Generator[Step, Outcome, Job]:
    """The job once it has ended. ResultTimeout when that takes longer; None waits for ever."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        left = LONGEST_POLL_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
        job = yield from reading(job_id, min(LONGEST_POLL_SECONDS, ceil(left)))
        if job.finished:
            return job
        if deadline is not None and time.monotonic() >= deadline:
            raise ResultTimeout(f"job {job_id} is still {job.state} after {timeout_seconds:g} s")


def concluding(job_id: UUID, timeout_seconds: float | None) -> Generator[Step, Outcome, Job]:
    """The job once it has ended, with its result also where that is too large to come with the job."""
    job = yield from awaiting(job_id, timeout_seconds)
    if job.result_url is None:
        return job
    reply = yield from exchange(Request("GET", f"/api/jobs/{job_id}/result", patience_seconds=LONGEST_POLL_SECONDS))
    return job.model_copy(update={"result": json.loads(reply.body)})


def cancelling(job_id: UUID) -> Generator[Step, Outcome, Job]:
    reply = yield from exchange(Request("POST", f"/api/jobs/{job_id}/cancel"))
    return Job.model_validate_json(reply.body)


def replaying(job_id: UUID, command: Command | None) -> Generator[Step, Outcome, Job]:
    """The job, queued again. It carries a key, so a broken connection never replays it twice."""
    body = ReplayJob(command=None if command is None else command.model_dump(mode="json", exclude_unset=True))
    reply = yield from exchange(_keyed_post(f"/api/jobs/{job_id}/replay", body))
    return Job.model_validate_json(reply.body)


def replaying_failures(wanted: ReplayFailures) -> Generator[Step, Outcome, Replay]:
    body = wanted.model_copy(update={"dry_run": False})
    reply = yield from exchange(_keyed_post("/api/jobs/replay", body))
    return Replay.model_validate_json(reply.body)


def counting_failures(wanted: ReplayFailures) -> Generator[Step, Outcome, ReplayCount]:
    body = wanted.model_copy(update={"dry_run": True})
    reply = yield from exchange(_keyed_post("/api/jobs/replay", body))
    return ReplayCount.model_validate_json(reply.body)


def reading_replay(replay_id: UUID) -> Generator[Step, Outcome, Replay]:
    reply = yield from exchange(Request("GET", f"/api/replays/{replay_id}"))
    return Replay.model_validate_json(reply.body)


def listing_failures(since: datetime | None, limit: int) -> Generator[Step, Outcome, FailureGroups]:
    reply = yield from exchange(Request("GET", with_query("/api/failures", {"since": since, "limit": limit})))
    return FailureGroups.model_validate_json(reply.body)


def reading_failures(
    fingerprint: str, since: datetime | None, limit: int, cursor: str | None
) -> Generator[Step, Outcome, FailedJobs]:
    filters = {"since": since, "limit": limit, "cursor": cursor}
    reply = yield from exchange(Request("GET", with_query(f"/api/failures/{quote(fingerprint, safe='')}", filters)))
    return FailedJobs.model_validate_json(reply.body)


def explaining(job_id: UUID) -> Generator[Step, Outcome, Timeline]:
    reply = yield from exchange(Request("GET", f"/api/jobs/{job_id}/timeline"))
    return Timeline.model_validate_json(reply.body)


def asking_why(job_id: UUID) -> Generator[Step, Outcome, Explanation]:
    reply = yield from exchange(Request("GET", f"/api/jobs/{job_id}/why"))
    return Explanation.model_validate_json(reply.body)


def holding(hold: NewHold) -> Generator[Step, Outcome, Hold]:
    headers = {"content-type": "application/json"}
    body = hold.model_dump_json(exclude_none=True).encode()
    reply = yield from exchange(Request("POST", "/api/holds", headers, body))
    return Hold.model_validate_json(reply.body)


def listing_holds() -> Generator[Step, Outcome, tuple[Hold, ...]]:
    reply = yield from exchange(Request("GET", "/api/holds"))
    return Holds.model_validate_json(reply.body).holds


def removing_hold(hold_id: UUID) -> Generator[Step, Outcome, None]:
    yield from exchange(Request("DELETE", f"/api/holds/{hold_id}"))


def token_making(job_id: UUID, ttl_seconds: int) -> Generator[Step, Outcome, JobToken]:
    wish = TokenWish(ttl_seconds=ttl_seconds).model_dump_json().encode()
    headers = {"content-type": "application/json"}
    reply = yield from exchange(Request("POST", f"/api/jobs/{job_id}/token", headers, wish))
    return JobToken.model_validate_json(reply.body)


def listing(
    state: JobState | None,
    kind: str | None,
    queue: Queue | None,
    limit: int,
    cursor: str | None,
    batch_id: UUID | None = None,
) -> Generator[Step, Outcome, JobPage]:
    filters = {"state": state, "kind": kind, "queue": queue, "batch_id": batch_id, "limit": limit, "cursor": cursor}
    reply = yield from exchange(Request("GET", with_query("/api/jobs", filters)))
    return JobPage.model_validate_json(reply.body)


def result_of(job: Job) -> Result:
    """What a job that has ended brought. JobFailed when it brought nothing."""
    if job.state is not JobState.SUCCEEDED:
        raise JobFailed(job)
    event = _EVENTS.get(job.kind)
    return job.result if event is None or job.result is None else event.model_validate(job.result)


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


def _asked_seconds(reply: Reply) -> float:
    asked = reply.headers.get("retry-after", "")
    if asked.isdigit():
        return float(asked)
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return 0.0


def _keyed_post(path: str, body: Model) -> Request:
    headers = {"content-type": "application/json", "idempotency-key": str(uuid4())}
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
