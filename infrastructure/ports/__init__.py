"""Every Protocol the domain may call, a module for each capability. Here: what any outside system may answer, and processors."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from schemas.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")


class Unavailable(Exception):
    """An outside system can't answer now. The job is tried again later; look at the system the message names."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Refused(Exception):
    """An outside system, or a rule of ours, said no for good. The job fails with this problem and isn't tried again."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem = problem

    def __reduce__(self) -> tuple[type["Refused"], tuple[Problem]]:
        # An exception is unpickled from its message; one raised in another process must come back with its problem.
        return type(self), (self.problem,)


class TryLater(Exception):
    """It didn't work now, and whoever tried knows when to try again: the kind's own schedule instead of the usual back-off.

    `counted` says whether this was one of the job's attempts.
    """

    def __init__(self, problem: Problem, *, seconds: float, counted: bool = True) -> None:
        super().__init__(f"{problem.title}: again in {seconds:.0f} s")
        self.problem = problem
        self.seconds = seconds
        self.counted = counted


class Unstorable(Exception):
    """A value can't be held by the store, whoever tries and however often: a number out of its range, a null character
    in JSON. Where it came in a batch, the rest of the batch is unharmed once it is sent without it."""


class Processors(Protocol):
    """CPU-bound work off the event loop."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result from another process. It and its arguments must be picklable.

        Unavailable when the process died on the way; safe to repeat if the function is.
        """
        ...
