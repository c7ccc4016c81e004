"""What an operator sees of a process's loops: metrics by loop, log lines, and the stalled ones on `/healthz`."""

from collections.abc import Sequence
from typing import Final

import structlog

from monitoring.metrics import loops as metrics
from schemas.health import PartState, Ready

EVENT_LOOP: Final = "event loop"
"""The loop that finds a blocked event loop: its rounds take no time and need no server."""

log = structlog.get_logger(__name__)


class LoopReport:
    """Counts every round of one loop; logs each failure, and of refusals the first and the end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._metrics = metrics.of(name)
        self._refused = False

    def succeeded(self, seconds: float) -> None:
        self._metrics.succeeded(seconds)
        if self._refused:
            self._refused = False
            log.info("loop.recovered", loop=self._name)

    def refused(self, reason: str, seconds: float) -> None:
        self._metrics.refused(seconds)
        if not self._refused:
            self._refused = True
            log.warning("loop.waiting", loop=self._name, reason=reason)

    def failed(self, error: BaseException, seconds: float, *, in_a_row: int, retry_seconds: float) -> None:
        self._metrics.failed(seconds)
        log.error("loop.failed", loop=self._name, in_a_row=in_a_row, retry_seconds=retry_seconds, exc_info=error)

    def gave_up(self, error: BaseException, *, in_a_row: int) -> None:
        self._metrics.failed(0.0)
        log.critical("loop.gave_up", loop=self._name, in_a_row=in_a_row, exc_info=error)


def faults_of(stalled: Sequence[str], ready: Ready) -> Sequence[str]:
    """What `/healthz` reports of these stalled loops. Where a server is away it is only a blocked event loop: the others may
    wait for that server, and in a new process they would wait as well."""
    waiting = any(part.state is not PartState.OK for part in ready.parts)
    return [f"the loop '{name}' has stalled" for name in stalled if name == EVENT_LOOP or not waiting]
