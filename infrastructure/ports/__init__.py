"""The Protocols that the domain calls, a module for each capability. Here: the errors of outside systems, and
processors."""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from schemas.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")


class Unavailable(Exception):
    """An outside system can't be used now. The job is retried; see the system that the message names."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Away(Unavailable):
    """An outside system serves nobody now, whatever it is asked: what a run finds so is no attempt of its job, which is tried
    again for a day."""


class Refused(Exception):
    """An outside system, or a rule, refused for good. The job fails with this problem and isn't retried.

    raise Refused("there is no month 13")
    raise Refused(Problem.of("no-such-month", "There is no such month", 422, "Months end with 12."))
    """

    def __init__(self, problem: Problem | str) -> None:
        problem = problem if isinstance(problem, Problem) else Problem.of("refused", "It was refused", 422, problem)
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem = problem

    def __reduce__(self) -> tuple[type["Refused"], tuple[Problem]]:
        # An exception is unpickled from its message; one raised in another process must come back with its problem.
        return type(self), (self.problem,)


class TryLater(Exception):
    """The handler failed and says when to retry, instead of the kind's backoff.

        raise TryLater("the shop opens at nine", seconds=3_600, counted=False)

    `counted` says whether this counts as one of the job's attempts.
    """

    def __init__(self, problem: Problem | str, *, seconds: float, counted: bool = True) -> None:
        problem = (
            problem if isinstance(problem, Problem) else Problem.of("try-later", "It can't be done now", 503, problem)
        )
        super().__init__(f"{problem.title}: again in {seconds:.0f} s")
        self.problem = problem
        self.seconds = seconds
        self.counted = counted

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), seconds=self.seconds, counted=self.counted), (self.problem,)


class Unstorable(Exception):
    """The store can't hold a value, such as a number out of range or a null character in JSON. Repeating doesn't help;
    the rest of a batch can be stored without it."""


class Processors(Protocol):
    """CPU-bound work off the event loop."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs the function in another process and returns its result. It and its arguments must be picklable.

        Unavailable when the process died; safe to repeat if the function is.
        """
        ...
