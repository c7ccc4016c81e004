"""What Flower hears of the workers: nothing that may quote a job's content, and no task whose beginning it missed."""

import math
import re
import time
from functools import partial
from typing import Any, Final

import structlog
from celery.exceptions import OperationalError
from flower.events import Events  # type: ignore[import-untyped]  # Flower has no types, here and below

from monitoring.logs.redaction import mask

MAX_TASKS: Final = 10_000
"""About 125 MB; the oldest are dropped first."""
MAX_WORKERS: Final = 1_000
_LONGEST_ARGUMENTS: Final = 500
_ANSWER_SECONDS: Final = 1.0
_ASK_AGAIN_SECONDS: Final = 30.0
_COUNTS: Final = r"\d{1,3} [a-z ]{4,12}(?:, \d{1,3} [a-z ]{4,12}){0,7}"
"""How our workers count a doorbell's jobs by their outcome: infrastructure/celery/bell_outcome.py."""
_RESULT: Final = re.compile(_COUNTS, re.ASCII)
_RAISED: Final = re.compile(rf"(?:JobsFailed|JobsRetried)\('({_COUNTS})'\)", re.ASCII)

log = structlog.get_logger("monitoring.flower")


def harmless(event: dict[str, Any]) -> dict[str, Any]:
    """The event without what may quote a job's content: of a result only how many jobs came to what, of an error only that
    or its type, and no traceback."""
    kept = {name: value for name, value in event.items() if name not in {"result", "traceback", "kwargs"}}
    if _RESULT.fullmatch(str(event.get("result"))):
        kept["result"] = event["result"]
    if "exception" in kept:
        counted = _RAISED.fullmatch(str(kept["exception"]))
        kept["exception"] = counted[1] if counted else str(kept["exception"]).partition("(")[0]
    if "args" in kept:
        kept["args"] = mask(str(kept["args"]))[:_LONGEST_ARGUMENTS]
    return kept


class HarmlessEvents(Events):  # type: ignore[misc]  # the same
    """Enables task events on each worker until it replies and again now and then, where stock Flower asks all workers
    every five seconds. A worker disables them when no subscriber is left: infrastructure/celery/events.py."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, enable_events=False, **options)
        self._asked: dict[str, float] = {}
        self._named: dict[str, None] = {}
        """Tasks whose name came, in their order."""

    def on_event(self, event: dict[str, Any]) -> None:
        if self._is_nameless(event):
            return
        super().on_event(harmless(event))
        if event["type"] in {"worker-online", "worker-heartbeat"}:
            # A worker that comes online, also after a lost connection, has task events disabled.
            self.io_loop.add_callback(self._ask, event["hostname"], anew=event["type"] == "worker-online")

    def _is_nameless(self, event: dict[str, Any]) -> bool:
        """Whether the event is of a task that came before its worker was asked for events: only the first event of a task
        has its name, and a row without one says nothing."""
        if not event["type"].startswith("task-"):
            return False
        if event["type"] == "task-received":
            self._named[event["uuid"]] = None
            if len(self._named) > MAX_TASKS:
                del self._named[next(iter(self._named))]
        return event["uuid"] not in self._named

    async def _ask(self, worker: str, *, anew: bool) -> None:
        if time.monotonic() - self._asked.get(worker, -math.inf) < _ASK_AGAIN_SECONDS and not anew:
            return
        if len(self._asked) >= MAX_WORKERS:
            self._asked.clear()
        self._asked[worker] = time.monotonic()
        ask = partial(self.capp.control.enable_events, destination=[worker], reply=True, timeout=_ANSWER_SECONDS)
        try:
            answered = await self.io_loop.run_in_executor(None, ask)
        except OperationalError as error:
            answered = None
            log.warning("task_events_not_asked_for", worker=worker, why=error)
        if not answered:
            # A worker sends heartbeats before it receives commands: its next heartbeat triggers the next try.
            self._asked.pop(worker, None)
