"""Which generation of a tenant's index is which, and how one takes over from another."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from infrastructure.elasticsearch.access import Access
from infrastructure.elasticsearch.lifecycle.indexes import Indexes
from infrastructure.elasticsearch.names import KIND, generation_of, index_name, tenant_slug
from infrastructure.elasticsearch.shelves import Shelves
from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexState
from infrastructure.ports.search_locations import Generation, Locations, Standing, Standings, Turn, month_of
from infrastructure.redis.search_changes import SearchChanges

SHORTEST_KEPT_SECONDS: Final = 30.0
"""Whatever the settings say: searches that are under way still read the one that doesn't answer any more."""


class Generations:
    """What happens to a tenant's generations as wholes. Whoever changes them holds the tenant's turn."""

    def __init__(
        self,
        locations: Locations,
        indexes: Indexes,
        access: Access,
        changes: SearchChanges,
        shelves: Shelves,
        app: str,
        *,
        kept_seconds: float,
    ) -> None:
        self._locations = locations
        self._indexes = indexes
        self._access = access
        self._changes = changes
        self._shelves = shelves
        self._app = app
        self._kept_seconds = max(kept_seconds, SHORTEST_KEPT_SECONDS)

    async def all_of(self, tenant_id: UUID) -> Sequence[Generation]:
        return await self._locations.generations(tenant_id)

    async def current(self, tenant_id: UUID) -> Generation | None:
        return standing(await self.all_of(tenant_id), Standing.CURRENT)

    async def begin(self, tenant_id: UUID, turn: Turn) -> Generation:
        """A new one, which takes from now on what the others take."""
        number = max((one.number for one in await self.all_of(tenant_id)), default=0) + 1
        name = index_name(self._app, tenant_id, number, month_of(await self._locations.now()), 1)
        # A tenant's first has few documents, and nothing else to answer from.
        await self._indexes.make(name, filling=number > 1)
        await self._access.provide(tenant_id)
        await turn.begin(number, str(name))
        return await self.of_number(tenant_id, number)

    async def of_number(self, tenant_id: UUID, number: int) -> Generation:
        for one in await self.all_of(tenant_id):
            if one.number == number and one.standing is not Standing.DROPPED:
                return one
        raise Unavailable("the generation that was being built was dropped by another rebuild: try again")

    async def answer_from(self, tenant_id: UUID, turn: Turn, number: int, *, keep: bool = True) -> Generation:
        """Searches are answered from this one, in one step. The one before is kept unless told not to, and the one that was
        kept before that is dropped, unless it is this one."""
        known = await self.all_of(tenant_id)
        changes = [Standings(number, Standing.CURRENT)]
        if (before := standing(known, Standing.CURRENT)) is not None and before.number != number:
            changes.append(Standings(before.number, Standing.KEPT if keep else Standing.DROPPED))
        if (kept := standing(known, Standing.KEPT)) is not None and kept.number != number:
            changes.append(Standings(kept.number, Standing.DROPPED))
        if not await turn.switch(changes, kept_seconds=self._kept_seconds):
            raise Unavailable("the tenant's generations were changed by another meanwhile: try again")
        await self._changed(tenant_id)
        answering = await self.of_number(tenant_id, number)
        await self._indexes.name(tenant_id, answering)
        return answering

    async def drop(self, tenant_id: UUID, turn: Turn, number: int) -> None:
        """From the moment it returns nothing is written to it."""
        await turn.switch([Standings(number, Standing.DROPPED)], kept_seconds=0)

    async def close(self, tenant_id: UUID, turn: Turn, generation: Generation, index: str) -> bool:
        """Removes an index whose documents were all deleted. False when it has some after all."""
        if not await turn.close(generation.number, index):
            return False
        await self._changed(tenant_id)
        await self._indexes.name(tenant_id, await self.of_number(tenant_id, generation.number))
        await self._indexes.remove([index])
        return True

    async def sweep(self, tenant_id: UUID, turn: Turn) -> None:
        """Removes what is left of those that were dropped, and of what no generation ever had. Safe to repeat."""
        known = await self.all_of(tenant_id)
        alive = {one.number for one in known if one.standing is not Standing.DROPPED}
        # One of a generation that is alive may just be about to be named by it.
        left = [name for name in await self._indexes.of_tenant(tenant_id) if generation_of(name) not in alive]
        await self._indexes.remove(left)
        for one in known:
            if one.standing is Standing.DROPPED:
                await turn.forget(one.number)

    async def remove(self, tenant_id: UUID) -> bool:
        """Removes all of them, and whoever may read them. Waits for nobody: a rebuild under way finds nothing to switch to.
        Safe to repeat."""
        known = await self._locations.remove(tenant_id)
        await self._changed(tenant_id)
        names = await self._indexes.of_tenant(tenant_id)
        await self._indexes.remove(names)
        await self._access.revoke(tenant_id)
        await self._changes.remove(tenant_id)
        return known or bool(names)

    async def states(self, tenant_id: UUID) -> Sequence[IndexState]:
        known = [one for one in await self.all_of(tenant_id) if one.standing is not Standing.DROPPED]
        sizes = await self._indexes.sizes([index for one in known for index in one.indexes])
        states = [
            IndexState(
                name=f"{self._app}-{tenant_slug(tenant_id)}-{KIND}-g{one.number}",
                generation=str(one.number),
                answers=one.standing is Standing.CURRENT,
                documents=sum(sizes[index].documents for index in one.indexes if index in sizes),
                bytes=sum(sizes[index].bytes for index in one.indexes if index in sizes),
                created_at=one.created_at,
            )
            for one in known
        ]
        return sorted(states, key=lambda state: (not state.answers, -int(state.generation)))

    async def _changed(self, tenant_id: UUID) -> None:
        self._shelves.forget(tenant_id)
        await self._changes.changed(tenant_id, layout=True)


def standing(generations: Sequence[Generation], wanted: Standing) -> Generation | None:
    """The one that stands so, of which there is never more than one but for those that are dropped or being built."""
    return next((one for one in generations if one.standing is wanted), None)
