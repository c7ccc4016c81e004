"""What must be done for all tenants from time to time: opening another index for those whose last one is full, and removing
what is empty or was kept long enough."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from infrastructure.concurrency.loops import Loop, made_progress
from infrastructure.elasticsearch.lifecycle.generations import Generations, standing
from infrastructure.elasticsearch.lifecycle.indexes import Indexes, Size
from infrastructure.elasticsearch.lifecycle.rotation import Rotation, rotate
from infrastructure.elasticsearch.shelves import Shelves
from infrastructure.ports.search_locations import Generation, Locations, Standing, month_of
from infrastructure.redis.search_changes import SearchChanges

logger = logging.getLogger(__name__)

PERIOD_SECONDS: Final = 300.0


class Upkeep:
    """Any number of processes may do it at the same time: each step is done once."""

    def __init__(
        self,
        locations: Locations,
        generations: Generations,
        indexes: Indexes,
        changes: SearchChanges,
        shelves: Shelves,
        rotation: Rotation,
        app: str,
    ) -> None:
        self._locations = locations
        self._generations = generations
        self._indexes = indexes
        self._changes = changes
        self._shelves = shelves
        self._rotation = rotation
        self._app = app

    @property
    def loops(self) -> tuple[Loop, ...]:
        return (Loop("search indexes", PERIOD_SECONDS, self.round),)

    async def round(self) -> None:
        now = await self._locations.now()
        known = {}
        for tenant_id in await self._locations.tenants():
            known[tenant_id] = await self._generations.all_of(tenant_id)
            made_progress()
        current = {
            tenant_id: one for tenant_id, each in known.items() if (one := standing(each, Standing.CURRENT)) is not None
        }
        await self._rotate(current, now)
        await self._close_empty(current)
        for tenant_id, generations in known.items():
            if any(_is_kept_too_long(one, now) for one in generations):
                await self._drop(tenant_id, now)
            made_progress()

    async def _rotate(self, current: Mapping[UUID, Generation], now: datetime) -> None:
        sizes = await self._indexes.sizes([one.allocation for one in current.values()])
        for tenant_id, generation in current.items():
            if self._is_due(generation, sizes.get(generation.allocation), now):
                await self.rotate(tenant_id, generation, now)
            made_progress()

    def _is_due(self, generation: Generation, size: Size | None, now: datetime) -> bool:
        return size is not None and self._rotation.is_due(generation.indexes, size, month_of(now))

    async def rotate(self, tenant_id: UUID, generation: Generation, now: datetime) -> None:
        """Gives the tenant's new documents another index."""
        month = month_of(now)

        async def announce() -> None:
            self._shelves.forget(tenant_id)
            await self._changes.changed(tenant_id, layout=True)

        if await rotate(
            self._locations, self._indexes, self._app, tenant_id, generation, month=month, announce=announce
        ):
            await self._indexes.name(tenant_id, await self._generations.of_number(tenant_id, generation.number))
            logger.info("opened another index for new documents of tenant %s", tenant_id)

    async def _close_empty(self, current: Mapping[UUID, Generation]) -> None:
        """What was filled long ago may have lost all its documents since."""
        for tenant_id, generation in current.items():
            full = generation.indexes[:-1]
            sizes = await self._indexes.sizes(full) if full else {}
            if empty := [index for index in full if index in sizes and not sizes[index].documents]:
                async with self._locations.turn(tenant_id) as turn:
                    for index in empty:
                        if await self._generations.close(tenant_id, turn, generation, index):
                            logger.info("removed an index of tenant %s whose documents were all deleted", tenant_id)
            made_progress()

    async def _drop(self, tenant_id: UUID, now: datetime) -> None:
        async with self._locations.turn(tenant_id) as turn:
            for one in await self._generations.all_of(tenant_id):
                if _is_kept_too_long(one, now):
                    await self._generations.drop(tenant_id, turn, one.number)
            await self._generations.sweep(tenant_id, turn)


def _is_kept_too_long(one: Generation, now: datetime) -> bool:
    return one.standing is Standing.KEPT and one.kept_until is not None and one.kept_until <= now
