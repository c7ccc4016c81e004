"""Lets what was written be found: all that was written meanwhile shares a refresh."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from elasticsearch import AsyncElasticsearch

from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.elasticsearch.access import Access
from infrastructure.elasticsearch.errors import translated
from infrastructure.ports import Away
from infrastructure.ports.search import IndexMissing
from infrastructure.ports.search_locations import Locations, Standing

PACE_SECONDS: Final = 0.2
"""Between two refreshes of a tenant's indexes: each makes a segment, which must be merged later."""
ATTEMPTS: Final = 4
AGAIN_SECONDS: Final = 0.25


@dataclass(slots=True)
class _Round:
    done: "asyncio.Future[None]"
    indexes: set[str] = field(default_factory=set)


class Refreshes:
    """Each tenant's refreshes come one after the other, the first of them at once."""

    def __init__(self, access: Access, locations: Locations, *, pace_seconds: float = PACE_SECONDS) -> None:
        self._access = access
        self._locations = locations
        self._pace_seconds = pace_seconds
        self._next: dict[UUID, _Round] = {}
        self._running: set[UUID] = set()
        self._tasks = WatchedTasks()

    async def show(self, tenant_id: UUID, indexes: Iterable[str]) -> None:
        """Returns when all that these indexes had at the call can be found."""
        found = self._next.get(tenant_id)
        if found is None:
            found = self._next[tenant_id] = _Round(asyncio.get_running_loop().create_future())
            if tenant_id not in self._running:
                self._running.add(tenant_id)
                self._tasks.start(self._run(tenant_id), "refreshes of a tenant's index")
        found.indexes |= set(indexes)
        await asyncio.shield(found.done)

    async def finish(self) -> None:
        await self._tasks.finish()

    async def _run(self, tenant_id: UUID) -> None:
        try:
            while (round_ := self._next.pop(tenant_id, None)) is not None:
                began = time.monotonic()
                await self._one(tenant_id, round_)
                # Whoever comes within the pace waits for its end.
                await asyncio.sleep(max(0.0, began + self._pace_seconds - time.monotonic()))
        finally:
            self._running.discard(tenant_id)
            if (left := self._next.pop(tenant_id, None)) is not None:  # Only when the process ends.
                left.done.cancel()

    async def _one(self, tenant_id: UUID, round_: _Round) -> None:
        try:
            await self._refresh(tenant_id, round_.indexes)
        except BaseException as error:
            # It belongs to those who wait for this round; the next one starts afresh.
            if isinstance(error, Exception):
                round_.done.set_exception(error)
                round_.done.exception()  # Read here, for when every caller was cancelled.
                return
            round_.done.cancel()
            raise
        round_.done.set_result(None)

    async def _refresh(self, tenant_id: UUID, indexes: set[str]) -> None:
        client = await self._access.of(tenant_id)
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(AGAIN_SECONDS * attempt)
            try:
                if await refresh(client, indexes):
                    return
            except IndexMissing:
                indexes &= await self._answering(tenant_id)
                if not indexes:
                    return
                if attempt == ATTEMPTS - 1:
                    raise
        raise Away("a copy of the tenant's index can't be refreshed: see the health of Elasticsearch's nodes")

    async def _answering(self, tenant_id: UUID) -> set[str]:
        """Those whose loss matters: others may have been dropped since they were written."""
        generations = await self._locations.generations(tenant_id)
        return {index for one in generations if one.standing is Standing.CURRENT for index in one.indexes}


async def refresh(client: AsyncElasticsearch, indexes: Iterable[str]) -> bool:
    """Whether every copy shows now what was written."""
    async with translated():
        answer = await client.indices.refresh(index=",".join(sorted(indexes)), expand_wildcards="none")
    return not answer["_shards"]["failed"]
