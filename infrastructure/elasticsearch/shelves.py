"""Which indexes a tenant's searches read: by their names, from the locator, and believed for a second."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from infrastructure.elasticsearch.querying.search import Shelf
from infrastructure.ports.search_locations import Generation, Locations, Standing
from infrastructure.redis.search_changes import SearchChanges, Tokens

BELIEVED_SECONDS: Final = 1.0
MAX_TENANTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    generation: Generation
    layout: bytes
    until: float
    """By the process's clock."""


class Shelves:
    """What is believed is forgotten at once when another process says that it has changed."""

    def __init__(
        self, locations: Locations, changes: SearchChanges, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._locations = locations
        self._changes = changes
        self._clock = clock
        self._known: OrderedDict[UUID, _Known] = OrderedDict()

    async def of(self, tenant_id: UUID) -> Shelf | None:
        """None when the tenant has no index."""
        # Asked before the locator is: what changes in between is seen by the next search.
        tokens = await self._changes.tokens(tenant_id)
        known = self._known.get(tenant_id)
        if known is not None and tokens is not None and tokens.layout == known.layout and self._clock() < known.until:
            return _shelf(known.generation, tokens)
        generation = await self._read(tenant_id, tokens)
        return None if generation is None else _shelf(generation, tokens)

    def forget(self, tenant_id: UUID) -> None:
        self._known.pop(tenant_id, None)

    async def _read(self, tenant_id: UUID, tokens: Tokens | None) -> Generation | None:
        until = self._clock() + BELIEVED_SECONDS
        found = await self._locations.generations(tenant_id)
        current = next((one for one in found if one.standing is Standing.CURRENT), None)
        self.forget(tenant_id)
        if current is not None and tokens is not None:
            self._known[tenant_id] = _Known(current, tokens.layout, until)
            if len(self._known) > MAX_TENANTS:
                self._known.popitem(last=False)
        return current


def shelf_of(generation: Generation, visible: str | None = None) -> Shelf:
    return Shelf(generation.indexes, generation.languages, visible)


def _shelf(generation: Generation, tokens: Tokens | None) -> Shelf:
    return shelf_of(generation, None if tokens is None else tokens.visible.hex())
