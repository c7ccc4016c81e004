"""What an operator may tell workers through Celery: what does nothing here is refused, and a refusal is told as one."""

from collections.abc import Iterable
from typing import Any, Never

from celery import Celery
from celery.app import control
from celery.worker.control import control_command, nok

REFUSED = "error"


class NotACommand(Exception):
    """Celery was asked to call a task. The message says what to do instead."""


class Control(control.Control):
    """Celery's own, which remembers who refused: its command line prints that and calls it a success."""

    def __init__(self, app: Any = None) -> None:
        super().__init__(app)
        self.refused_by: list[str] = []

    def broadcast(self, *args: Any, **options: Any) -> Any:
        replies = super().broadcast(*args, **options)
        self.refused_by += refusals_in(replies or ())
        return replies


def refusals_in(replies: Iterable[Any]) -> list[str]:
    """The workers that answered with an error."""
    return [
        name for reply in replies for name, answer in reply.items() if isinstance(answer, dict) and REFUSED in answer
    ]


class Application(Celery):
    """Takes no calls of tasks. A task is a doorbell, and one that Celery made names no job: the worker would drop it."""

    def send_task(self, name: str, *_: Any, **__: Any) -> Never:
        raise NotACommand(
            f"'{name}' can't be called: Celery's tasks are doorbells, not jobs. `bucatini submit {name}` submits a job of "
            "that kind, and `bucatini submit --help` lists them all"
        )


@control_command(  # type: ignore[untyped-decorator]  # Celery has no types
    args=[("task_name", str), ("soft", float), ("hard", float)], signature="<task_name> <soft_secs> [hard_secs]"
)
def time_limit(state: Any, task_name: str = "", hard: float | None = None, soft: float | None = None, **_: Any) -> Any:
    """Refused: a job's limit is its kind's own."""
    return nok(f"no time limit is set: that of '{task_name}' is its command's own `time_limit_seconds`")
