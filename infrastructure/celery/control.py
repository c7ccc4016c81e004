"""Celery's remote control. Commands without an effect here are refused, and a refusal fails the command line."""

from collections.abc import Iterable
from typing import Any, Never

from celery import Celery
from celery.app import control
from celery.worker.control import control_command, nok

REFUSED = "error"


class NotACommand(Exception):
    """Celery was asked to call a task. The message says what to do instead."""


class Control(control.Control):
    """Celery's Control, which also records the workers that refused: Celery's command line exits with 0 all the
    same."""

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
    """Refuses `send_task`: a task is a doorbell, and one that Celery published would carry no job id, so a worker drops
    it."""

    def send_task(self, name: str, *_: Any, **__: Any) -> Never:
        raise NotACommand(
            f"'{name}' can't be called: Celery's tasks are doorbells, not jobs. `bucatini submit {name}` submits a job of "
            "that kind, and `bucatini submit --help` lists them all"
        )


@control_command(  # type: ignore[untyped-decorator]  # Celery has no types
    args=[("task_name", str), ("soft", float), ("hard", float)], signature="<task_name> <soft_secs> [hard_secs]"
)
def time_limit(state: Any, task_name: str = "", hard: float | None = None, soft: float | None = None, **_: Any) -> Any:
    """Refused: each command sets its own time limit."""
    return nok(f"no time limit is set: that of '{task_name}' is its command's own `time_limit_seconds`")
