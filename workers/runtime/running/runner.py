"""Runs claimed jobs, each as a task of its own, and hands what came of them to the settler."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from functools import partial
from typing import Any
from uuid import UUID

from infrastructure.ports.objects import ObjectStore
from infrastructure.postgres.jobs import claim
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.session import PostgresSession
from kinds.run import Child
from schemas.commands import Command
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.slots import AllSlots
from workers.runtime.handler import Handler
from workers.runtime.running.attempt import Attempt
from workers.runtime.running.children import children_of
from workers.runtime.running.outputs import Outputs
from workers.runtime.running.performing import perform
from workers.runtime.running.running_jobs import RunningJobs
from workers.runtime.settling.outcomes import Outcome, Stop, Stopped
from workers.runtime.settling.retry_until_available import retry_until_available
from workers.runtime.settling.settler import Settler

logger = logging.getLogger(__name__)

MAX_UNSETTLED = 1_000
"""Ended runs that aren't settled yet hold no slot, so claiming goes on meanwhile, up to this many."""


class Runner:
    """Calls `on_room` when a run has left its slot."""

    def __init__(
        self,
        handlers: Mapping[str, Handler[Any]],
        running: RunningJobs,
        slots: AllSlots,
        settler: Settler,
        outputs: Outputs,
        *,
        session: PostgresSession,
        objects: ObjectStore,
        on_room: Callable[[], None],
    ) -> None:
        self._handlers = handlers
        self._running = running
        self._slots = slots
        self._settler = settler
        self._outputs = outputs
        self._session = session
        self._objects = objects
        self._on_room = on_room
        self._suspect_lock = asyncio.Semaphore(1)

    @property
    def room(self) -> int:
        """How many more jobs may be claimed."""
        worker = self._slots.worker
        unsettled = len(self._running) + worker.under_way
        return min(worker.claimable, worker.count + MAX_UNSETTLED - unsettled)

    async def children_of(self, claims: Sequence[Claimed]) -> Mapping[UUID, tuple[Child, ...]]:
        """The ended children of those jobs that wait for some, by their parent."""
        parents = [one.id for one in claims if (h := self._handlers.get(one.kind)) is not None and h.awaits_children]
        if not parents:
            return {}
        return await children_of(self._session, self._objects, parents)

    def launch(self, claimed: Claimed, delivery: Delivery, children: tuple[Child, ...]) -> None:
        """Starts the run of a claimed job."""
        slots = self._slots.of(claimed.kind)
        limit = self._command_type(claimed.kind).time_limit_seconds
        attempt = Attempt(claimed, limit, delivery, children, slots, self._outputs)
        if delivery.revoked:
            attempt.stop(Stop.REVOKED)
        self._running.add(attempt)
        self._slots.hold(slots)
        at_once = slots.places is None and not claimed.crashes
        attempt.task = asyncio.create_task(self._run(attempt) if at_once else self._run_in_turn(attempt))

    async def _run(self, attempt: Attempt) -> None:
        try:
            outcome = await perform(attempt, self._handlers)
        finally:
            self._leave(attempt)
        self._settle(attempt, outcome)

    async def _run_in_turn(self, attempt: Attempt) -> None:
        """Runs an attempt that must wait first: a suspect, or one that needs a limited slot."""
        attempt.entered = True
        outcome: Outcome
        try:
            async with AsyncExitStack() as held:
                await self._take_turn(attempt, held)
                outcome = await perform(attempt, self._handlers)
        except asyncio.CancelledError:
            outcome = Stopped(attempt.stopped or Stop.LEASE_LOST)
        finally:
            self._leave(attempt)
        self._settle(attempt, outcome)

    async def _take_turn(self, attempt: Attempt, held: AsyncExitStack) -> None:
        suspect = attempt.claimed.crashes > 0
        if suspect:
            # One suspect at a time: when the process dies again, the culprit is known.
            await held.enter_async_context(self._suspect_lock)
        if (places := attempt.slots.places) is not None:
            # A suspect isn't released for waiting too long: a release would clear its crash count.
            with nullcontext() if suspect else attempt.waiting():
                await places.take(attempt.step, attempt.tenant_id)
            place = Place(places.give_back)
            held.callback(place.leave)
            if attempt.slots is self._slots.processors:
                attempt.holds_place(partial(self._computes_no_more, attempt, place))
        if suspect:
            await retry_until_available(self._session, lambda connection: claim.charge(connection, attempt.claimed))

    def _computes_no_more(self, attempt: Attempt, place: "Place") -> None:
        """The run goes on among those that only wait."""
        place.leave()
        self._slots.leave_processors(time.monotonic() - attempt.started_at)
        attempt.slots = self._slots.worker
        self._on_room()

    def _leave(self, attempt: Attempt) -> None:
        attempt.ended = True
        self._outputs.end(attempt.claimed)
        self._slots.leave(attempt.slots, time.monotonic() - attempt.started_at if attempt.at_work else None)
        self._on_room()

    def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        try:
            self._settler.settle(attempt, outcome, self._command_type(attempt.claimed.kind).retry)
        except Exception:  # The run's edge: the lease check finds its lease and releases its job.
            logger.exception("a run couldn't be settled; its job will run again")
            self._settler.drop(attempt)

    def _command_type(self, kind: str) -> type[Command]:
        handler = self._handlers.get(kind)
        return Command if handler is None else handler.command_type


class Place:
    """A place that is held, and left once."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def leave(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()
