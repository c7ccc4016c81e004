"""A new generation of a tenant's index, built beside the one that answers and put in its place at the end.

Nothing pauses: what is written meanwhile is written to both, and what is built never replaces it, since each document has
its own version. Whoever dies on the way leaves a generation that the next rebuild removes.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from infrastructure.elasticsearch.access import Access
from infrastructure.elasticsearch.lifecycle.generations import Generations, standing
from infrastructure.elasticsearch.lifecycle.indexes import Indexes
from infrastructure.elasticsearch.lifecycle.rotation import Rotation, rotate
from infrastructure.elasticsearch.lifecycle.verification import difference, golden_flaw, ids_there
from infrastructure.elasticsearch.shelves import shelf_of
from infrastructure.elasticsearch.writing.changes import Change
from infrastructure.elasticsearch.writing.outcomes import Fate
from infrastructure.elasticsearch.writing.refreshes import refresh
from infrastructure.elasticsearch.writing.writer import Writer
from infrastructure.ports import Away, Unavailable
from infrastructure.ports.search import IndexedDocument, IndexMissing, RebuildDiffers, Rebuilt
from infrastructure.ports.search_locations import Generation, Locations, Standing, Turn, month_of
from schemas.search import SearchQuery

logger = logging.getLogger(__name__)

LOOKS: Final = 6
"""At what differs: a document that is being written is in one of two already, and soon in the other."""
LOOK_AGAIN_SECONDS: Final = 0.5
MEASURED_EVERY: Final = 50_000
"""Documents, after which the filled index may be full."""


class Rebuilder:
    def __init__(
        self,
        locations: Locations,
        generations: Generations,
        indexes: Indexes,
        access: Access,
        writer: Writer,
        rotation: Rotation,
        app: str,
    ) -> None:
        self._locations = locations
        self._generations = generations
        self._indexes = indexes
        self._access = access
        self._writer = writer
        self._rotation = rotation
        self._app = app

    async def rebuild(
        self,
        tenant_id: UUID,
        documents: AsyncIterator[Sequence[IndexedDocument]],
        *,
        unless_there: bool,
        golden: Sequence[SearchQuery],
    ) -> Rebuilt | None:
        began = time.monotonic()
        async with self._locations.turn(tenant_id) as turn:
            old = await self._usable(tenant_id)
            if unless_there and old is not None:
                return None
            await self._clean_up(tenant_id, turn)
            building = await self._generations.begin(tenant_id, turn)
            try:
                refused = await self._fill(tenant_id, building.number, documents)
                building = await self._generations.of_number(tenant_id, building.number)
                if building.number > 1:
                    await self._indexes.settle(building.indexes)
                await self._verify(tenant_id, old, building, refused, golden)
                answering = await self._generations.answer_from(tenant_id, turn, building.number, keep=old is not None)
            except BaseException:
                await self._give_up(tenant_id, turn, building.number)
                raise
            await self._generations.sweep(tenant_id, turn)
        sizes = await self._indexes.sizes(answering.indexes)
        return Rebuilt(str(answering.number), sum(size.documents for size in sizes.values()), time.monotonic() - began)

    async def roll_back(self, tenant_id: UUID) -> str | None:
        async with self._locations.turn(tenant_id) as turn:
            kept = standing(await self._generations.all_of(tenant_id), Standing.KEPT)
            if kept is None or not await self._indexes.are_there(kept.indexes):
                return None
            await self._refresh(tenant_id, kept)
            answering = await self._generations.answer_from(tenant_id, turn, kept.number, keep=False)
            await self._generations.sweep(tenant_id, turn)
            return str(answering.number)

    async def _usable(self, tenant_id: UUID) -> Generation | None:
        """The one that answers; None when the server has lost it."""
        current = await self._generations.current(tenant_id)
        if current is None or not await self._indexes.are_there(current.indexes):
            return None
        return current

    async def _clean_up(self, tenant_id: UUID, turn: Turn) -> None:
        """Of rebuilds that died."""
        for one in await self._generations.all_of(tenant_id):
            if one.standing is Standing.BUILDING:
                await self._generations.drop(tenant_id, turn, one.number)
        await self._generations.sweep(tenant_id, turn)

    async def _fill(
        self, tenant_id: UUID, number: int, documents: AsyncIterator[Sequence[IndexedDocument]]
    ) -> frozenset[str]:
        """Returns those that can't be indexed: one such document mustn't keep the others out."""
        refused: set[str] = set()
        measured = added = 0
        async for batch in documents:
            changes = [Change(one.document_id, one.version, one) for one in batch]
            outcomes = await self._writer.fill(tenant_id, number, changes)
            for document_id, outcome in outcomes.items():
                if outcome.fate not in (Fate.REFUSED, Fate.TOO_LARGE):
                    raise Away(outcome.reason)
                logger.error("could not index a document of tenant %s, left it out: %s", tenant_id, outcome.reason)
                refused.add(document_id)
            added += len(changes)
            if added - measured >= min(MEASURED_EVERY, self._rotation.max_documents):
                measured = added
                await self._rotate(tenant_id, number)
        return frozenset(refused)

    async def _rotate(self, tenant_id: UUID, number: int) -> None:
        building = await self._generations.of_number(tenant_id, number)
        await self._refresh(tenant_id, building)  # Without it, what was written doesn't count yet.
        sizes = await self._indexes.sizes([building.allocation])
        size, month = sizes.get(building.allocation), month_of(await self._locations.now())
        if size is not None and self._rotation.is_due(building.indexes, size, month):
            await rotate(self._locations, self._indexes, self._app, tenant_id, building, month=month, announce=_nobody)

    async def _verify(
        self,
        tenant_id: UUID,
        old: Generation | None,
        building: Generation,
        refused: frozenset[str],
        golden: Sequence[SearchQuery],
    ) -> None:
        await self._compare_ids(tenant_id, old, building, refused)
        if old is None:
            return
        client = await self._access.of(tenant_id)
        for query in golden:
            if flaw := await golden_flaw(client, shelf_of(old), shelf_of(building), query):
                raise RebuildDiffers(f"the rebuilt index doesn't answer as the old one does, which stays: {flaw}")

    async def _compare_ids(
        self, tenant_id: UUID, old: Generation | None, building: Generation, refused: frozenset[str]
    ) -> None:
        client = await self._access.of(tenant_id)
        missing: frozenset[str] = frozenset()
        strange: frozenset[str] = frozenset()
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            await self._refresh(tenant_id, building)
            known = self._locations.known(tenant_id, building.number)
            found = await difference(client, shelf_of(building), known)
            missing = found.missing - refused if not look else missing & found.missing
            strange = found.strange if not look else strange & found.strange
            if not missing and not strange:
                return
        if old is not None and missing:
            # What its writer never wrote to the old one either, it was never told to be there.
            await self._refresh(tenant_id, old)
            missing = await ids_there(client, shelf_of(old), missing)
        if missing or strange:
            raise RebuildDiffers(
                f"the rebuilt index lacks {len(missing)} documents and has {len(strange)} too many; the old one stays"
            )

    async def _refresh(self, tenant_id: UUID, generation: Generation) -> None:
        if not await refresh(await self._access.of(tenant_id), generation.indexes):
            raise Unavailable(
                "a copy of the tenant's index can't be refreshed: see the health of Elasticsearch's nodes"
            )

    async def _give_up(self, tenant_id: UUID, turn: Turn, number: int) -> None:
        """What can't be removed now is removed by the next rebuild."""
        try:
            if any(
                one.number == number and one.standing is Standing.BUILDING
                for one in await self._generations.all_of(tenant_id)
            ):
                await self._generations.drop(tenant_id, turn, number)
            await self._generations.sweep(tenant_id, turn)
        except (Unavailable, IndexMissing) as error:
            logger.warning("left a half-built index of tenant %s behind: %s", tenant_id, error)


async def _nobody() -> None:
    """Is told: what is being built isn't searched."""
