"""Every Protocol the domain may call, and the two ways an outside system can say no."""

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


class Processors(Protocol):
    """CPU-bound work off the event loop."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result from another process. It and its arguments must be picklable.

        Unavailable when the process died on the way; safe to repeat if the function is.
        """
        ...
