"""Readiness: probes each part that the process depends on with the operations that its work needs."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

from monitoring.metrics import bus as metrics
from schemas.health import Condition, Part, PartState, Readiness, Ready

Probe = Callable[[], Awaitable[Condition]]

FRESH_SECONDS = 1.0
"""How long a result is cached: the endpoint needs no authentication, and each probe costs a write."""
WATCH_SECONDS, MISSING_SECONDS = 5.0, 1.0
"""Between two background checks: while ready, and while not."""
ANSWER_SECONDS = 3.0
"""A probe that takes longer has failed."""
STALE_SECONDS = 15.0

NOT_READY = Ready(status=Readiness.NOT_READY, parts=())
"""Before the first check."""

logger = logging.getLogger(__name__)


class Health:
    """Runs all probes concurrently, logs each change, and exports each part's state as a metric."""

    def __init__(self, probes: Mapping[str, Probe], *, needed: Collection[str] = ()) -> None:
        """Without a part that is `needed` the process isn't ready; without another part it is degraded."""
        self._probes = probes
        self._needed = needed
        self._turn = asyncio.Lock()
        self._last = NOT_READY
        self._asked_at = float("-inf")

    async def ask(self) -> Ready:
        """The readiness now, or up to FRESH_SECONDS ago. Takes at most ANSWER_SECONDS."""
        async with self._turn:
            if time.monotonic() - self._asked_at > FRESH_SECONDS:
                parts = await asyncio.gather(*(_ask(name, probe) for name, probe in self._probes.items()))
                self._tell(Ready(status=_status(parts, self._needed), parts=tuple(parts)))
                self._asked_at = time.monotonic()
            return self._last

    async def watch(self) -> float:
        """Checks, so that changes are logged and `last` is recent. Returns the seconds after which to check again."""
        found = await self.ask()
        return WATCH_SECONDS if found.status is Readiness.READY else MISSING_SECONDS

    def last(self) -> Ready:
        """The last result, for other threads. Not ready when it is old: then the event loop is blocked."""
        if time.monotonic() - self._asked_at > STALE_SECONDS:
            return self._last.model_copy(update={"status": Readiness.NOT_READY})
        return self._last

    def _tell(self, found: Ready) -> None:
        for part in found.parts:
            metrics.part_found(part.name, ok=part.state is PartState.OK)
        before, self._last = self._last, found
        if found.reasons and found.reasons != before.reasons:
            logger.warning("%s: %s", found.status, found.reasons)
        elif before.reasons and not found.reasons:
            logger.info("ready again: all that was missing is back")


async def _ask(name: str, probe: Probe) -> Part:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await probe()
    except TimeoutError:
        found = Condition(PartState.FAILED, f"no answer within {ANSWER_SECONDS:g} s")
    except Exception:  # A probe's edge: an unexpected failure isn't ready either.
        logger.exception("the probe of '%s' failed", name)
        found = Condition(PartState.FAILED, "it couldn't be asked: see this process's log")
    milliseconds = round((time.perf_counter() - began) * 1_000, 2)
    return Part(name=name, state=found.state, milliseconds=milliseconds, detail=found.reason)


def _status(parts: Collection[Part], needed: Collection[str]) -> Readiness:
    if any(part.state in (PartState.FAILED, PartState.UNKNOWN) and part.name in needed for part in parts):
        return Readiness.NOT_READY
    if any(part.state is not PartState.OK for part in parts):
        return Readiness.DEGRADED
    return Readiness.READY
