"""What the client raises. Everything is a BucatiniError, with as much about it as is known."""

from typing import Any, Final
from uuid import UUID

from schemas.jobs import Job
from schemas.problems import Problem

REQUEST_ID: Final = "x-correlation-id"
"""The header that names a request, here and in the ingress's logs."""


class BucatiniError(Exception):
    """The base of all that the client raises."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        problem: Problem | None = None,
        job_id: UUID | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, if there was a response."""
        self.problem = problem
        """What is wrong, by RFC 9457, if the ingress or the job said it."""
        self.job_id = job_id
        """The job (or the batch) that it is about, if it is about one."""
        self.request_id = request_id
        """Finds the request in the ingress's logs."""

    def __reduce__(self) -> tuple[Any, ...]:
        # An error has to travel between processes: one that can't be read hangs a process pool.
        return _unpickled, (type(self), self.args, self.__dict__)


class Misconfigured(BucatiniError, ValueError):
    """An address, a key or a variable of the environment with which nothing can be asked. The message names it, and says
    what to write instead."""


class ProblemAnswer(BucatiniError):
    """The ingress said no; `problem` says why."""

    problem: Problem

    def __init__(self, problem: Problem, *, job_id: UUID | None = None, request_id: str | None = None) -> None:
        super().__init__(
            f"{problem.title} ({problem.status} {problem.name}){_in_words(problem)}",
            status=problem.status,
            problem=problem,
            job_id=job_id,
            request_id=request_id,
        )


class Unreachable(BucatiniError):
    """No response came. Look at the address and at the network. What was sent may have arrived, unless the message says
    that there was no connection."""


class RequestTimeout(Unreachable, TimeoutError):
    """The ingress took the request, and didn't respond in time."""


class UnreadableResponse(BucatiniError):
    """The response isn't what this client knows. One of the two is older than the other, or a proxy responded."""


class ResultTimeout(BucatiniError, TimeoutError):
    """The job, or the batch, hasn't ended yet, and goes on. Ask again later, or follow its events."""


class SourceUnreadable(BucatiniError, OSError):
    """What is to be uploaded can't be read. The message names it and says why."""


class TargetUnwritable(BucatiniError, OSError):
    """What was fetched can't be written. The message names the file and says why."""


class JobFailed(BucatiniError):
    """The job ended without a result; `problem` says why, unless it was cancelled."""

    def __init__(self, job: Job) -> None:
        problem = job.problem
        said = "" if problem is None else f": {problem.title}{_in_words(problem)}"
        super().__init__(f"job {job.id} is {job.state}{said}", problem=problem, job_id=job.id)
        self.job = job


class UnknownCommand(BucatiniError):
    """The client doesn't know where to send such a command. Is it older than the command?"""


def _unpickled(kind: type[BucatiniError], args: tuple[Any, ...], fields: dict[str, Any]) -> BucatiniError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


def _in_words(problem: Problem) -> str:
    words = "; ".join(f"{error.pointer} {error.detail}" for error in problem.errors) or problem.detail
    return f": {words}" if words else ""
