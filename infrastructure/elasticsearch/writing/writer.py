"""Writes changes into all of a tenant's generations, and returns once they can be found."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.concurrency.work_clock import waiting
from infrastructure.elasticsearch.access import Access
from infrastructure.elasticsearch.writing.bulk import send
from infrastructure.elasticsearch.writing.changes import Change, Operation
from infrastructure.elasticsearch.writing.congestion import Congestion
from infrastructure.elasticsearch.writing.outcomes import DONE, Fate, Outcome, worse
from infrastructure.elasticsearch.writing.refreshes import Refreshes
from infrastructure.elasticsearch.writing.waiting import Queue, Waiting
from infrastructure.ports import Away, Refused, Unavailable
from infrastructure.ports.search import IndexMissing
from infrastructure.ports.search_locations import Located, Locations, Standing
from infrastructure.redis.search_changes import SearchChanges

LINGER_SECONDS: Final = 0.005
"""What a request waits for others' documents."""
FULL: Final = 500
"""Waiting documents for which a tenant gets another request at the same time."""
MAX_RUNNERS: Final = 3
"""Requests of one tenant at a time: with their size, its bytes in flight."""
MAX_WAITING: Final = 20_000
MAX_WAITING_BYTES: Final = 128_000_000
"""In a process; half of it of one tenant."""
ATTEMPTS: Final = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0


@dataclass(slots=True)
class _Written:
    """What has become of a batch so far."""

    left: dict[str, Change]
    failures: dict[str, Outcome] = field(default_factory=dict)
    indexes: set[str] = field(default_factory=set)
    layout_changed: bool = False
    reason: str = ""
    """Why some of them are tried again."""


class Writer:
    """One per process. Many callers' changes share a request."""

    def __init__(
        self,
        access: Access,
        locations: Locations,
        refreshes: Refreshes,
        changes: SearchChanges,
        *,
        congestion: Congestion | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._access = access
        self._locations = locations
        self._refreshes = refreshes
        self._changes = changes
        self.congestion = congestion or Congestion()
        self._attempts = attempts
        self._queues: dict[UUID, Queue] = {}
        self._tasks = WatchedTasks()

    async def write(self, tenant_id: UUID, change: Change) -> None:
        """Returns once it can be found. Raises what the port promises."""
        size = len(change.source)  # Refused before it can be in others' way.
        self._refuse_too_many(tenant_id, size)
        queue = self._queues.setdefault(tenant_id, Queue())
        written = queue.add(change)
        if not queue.runners or (len(queue) >= FULL * queue.runners and queue.runners < MAX_RUNNERS):
            queue.runners += 1
            self._tasks.start(self._run(tenant_id, queue), "writes of documents")
        # It is others' documents and others' requests that it waits for, and the server.
        with waiting():
            await written

    def _refuse_too_many(self, tenant_id: UUID, size: int) -> None:
        """What waits is bounded, and one tenant's backlog leaves room for others'."""
        queues = self._queues
        own = queues[tenant_id].bytes if tenant_id in queues else 0
        everyones = sum(queue.bytes for queue in queues.values())
        is_too_much = (own and own + size > MAX_WAITING_BYTES // 2) or (
            everyones and everyones + size > MAX_WAITING_BYTES
        )
        if is_too_much or sum(map(len, queues.values())) >= MAX_WAITING:
            raise Unavailable("too many documents wait to be indexed in this process", retry_after_seconds=1)

    async def fill(self, tenant_id: UUID, generation: int, changes: Sequence[Change]) -> Mapping[str, Outcome]:
        """Writes into this generation alone, without letting it be found. Returns what it can never take."""
        refused: dict[str, Outcome] = {}
        for change in changes:
            try:
                _ = change.source
            except Refused as error:
                refused[change.document_id] = Outcome(Fate.REFUSED, error.problem.detail)
        written = await self._write(
            tenant_id, [one for one in changes if one.document_id not in refused], only=generation
        )
        return {**refused, **written.failures}

    async def finish(self) -> None:
        """Returns when everything asked for so far is done."""
        await self._tasks.finish()
        await self._refreshes.finish()

    async def _run(self, tenant_id: UUID, queue: Queue) -> None:
        try:
            while queue.ready:
                if len(queue) < FULL:
                    await asyncio.sleep(LINGER_SECONDS)
                batch = queue.take()
                if not batch:
                    return
                try:
                    await self._settle(tenant_id, batch)
                finally:
                    queue.ended(batch)
        except BaseException:
            # A bug, or the process's end: whoever waits is told, rather than to wait for ever.
            queue.give_up(Unavailable("writing to the index failed unexpectedly: see the log, and try again"))
            raise
        finally:
            queue.runners -= 1
            if queue.is_idle:
                self._queues.pop(tenant_id, None)

    async def _settle(self, tenant_id: UUID, batch: Sequence[Waiting]) -> None:
        try:
            written = await self._write(tenant_id, [one.change for one in batch])
            if written.indexes:
                await self._refreshes.show(tenant_id, written.indexes)
            if written.indexes or written.layout_changed:
                await self._changes.changed(tenant_id, layout=written.layout_changed)
        except BaseException as error:
            # Whatever went wrong belongs to those who wait for this batch.
            failure = error if isinstance(error, Exception) else Unavailable("the process ends: try again")
            for one in batch:
                one.settle(failure)
            if not isinstance(error, Exception):
                raise
            return
        for one in batch:
            one.settle(_failure(written.failures.get(one.change.document_id)))

    async def _write(self, tenant_id: UUID, changes: Sequence[Change], *, only: int | None = None) -> _Written:
        """Tries until each has an outcome. Repeating is safe: each write has its version."""
        written = _Written({change.document_id: change for change in changes})
        for attempt in range(self._attempts):
            if attempt:
                pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)
                await asyncio.sleep(random.uniform(0, pause))
            await self._attempt(tenant_id, written, only)
            if not written.left:
                return written
        for document_id in written.left:
            written.failures[document_id] = Outcome(Fate.UNAVAILABLE, written.reason)
        return written

    async def _attempt(self, tenant_id: UUID, written: _Written, only: int | None) -> None:
        async with self.congestion.turn(tenant_id) as number:
            # Looked up anew each time: a document may have been deleted since, and the index forgets that after a while.
            changes = list(written.left.values())
            languages = sorted({change.language for change in changes if change.language})
            located = await self._locations.locate(
                tenant_id, [change.wanted for change in changes], languages, only=only
            )
            if not located.generations:
                raise IndexMissing("the tenant has no index: build it from its documents")
            written.layout_changed |= located.language_added
            yields = only is not None
            operations = [Operation(written.left[one.document_id], one.index, yields) for one in located.places]
            client = await self._access.of(tenant_id)
            outcomes = await send(client, operations) if operations else []
            if any(outcome.fate is Fate.REJECTED for outcome in outcomes):
                self.congestion.rejected(number)
            elif outcomes:
                self.congestion.succeeded()
        _sort(written, operations, _effective(located, outcomes))


def _effective(located: Located, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """What is lost or refused by a generation that doesn't answer is no matter of whoever writes: before it answers it is
    compared."""
    generations = located.generations
    answers = {one.number for one in generations if one.standing is Standing.CURRENT or len(generations) == 1}
    return [
        DONE
        if place.generation not in answers and outcome.fate in (Fate.MISSING, Fate.REFUSED, Fate.TOO_LARGE)
        else outcome
        for place, outcome in zip(located.places, outcomes, strict=True)
    ]


def _sort(written: _Written, operations: Sequence[Operation], outcomes: Sequence[Outcome]) -> None:
    of_documents: dict[str, Outcome] = {}
    for operation, outcome in zip(operations, outcomes, strict=True):
        document_id = operation.change.document_id
        of_documents[document_id] = worse(outcome, of_documents.get(document_id, DONE))
        if outcome.fate is Fate.DONE:
            written.indexes.add(operation.index)
    for document_id in list(written.left):
        # What has no place is older than what is known: it is done.
        outcome = of_documents.get(document_id, DONE)
        if outcome.fate in (Fate.AGAIN, Fate.REJECTED):
            written.reason = outcome.reason
            continue
        del written.left[document_id]
        if outcome.fate is not Fate.DONE:
            written.failures[document_id] = outcome


def _failure(outcome: Outcome | None) -> Exception | None:
    if outcome is None:
        return None
    match outcome.fate:
        case Fate.REFUSED | Fate.TOO_LARGE:
            return Refused(outcome.reason)
        case Fate.MISSING:
            return IndexMissing(outcome.reason)
        case _:
            return Away(outcome.reason)
