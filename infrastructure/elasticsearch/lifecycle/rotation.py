"""When a tenant's documents get another index, and how."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal
from uuid import UUID

from infrastructure.elasticsearch.lifecycle.indexes import Indexes, Size
from infrastructure.elasticsearch.names import IndexName, index_name, parse
from infrastructure.ports.search_locations import Generation, Locations, Standing

MAX_DOCUMENTS: Final = 5_000_000
MAX_BYTES: Final = 30_000_000_000
"""Of one index, whose one shard is searched by one thread."""
MAX_NAMES: Final = 3_700
"""Characters of all names of a generation: a search names its indexes in an address, of which the server takes 4,096. When
they are used up, after some 60 indexes, the last one goes on growing."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """`monthly` opens an index each month in which the one before has documents, and also when one is full; `adaptive` only
    when one is full, so that a thousand small tenants have a thousand indexes and not twelve thousand."""

    way: Literal["monthly", "adaptive"] = "adaptive"
    max_documents: int = MAX_DOCUMENTS
    max_bytes: int = MAX_BYTES

    def is_due(self, indexes: Sequence[str], size: Size, month: date) -> bool:
        """Of a generation, `size` being that of its last index."""
        last = parse(indexes[-1])
        if last is None or len(",".join((*indexes, indexes[-1]))) > MAX_NAMES:
            return False
        if size.documents >= self.max_documents or size.bytes >= self.max_bytes:
            return True
        is_older = (last.year, last.month) < (month.year, month.month)
        return self.way == "monthly" and is_older and size.documents > 0


def next_name(app: str, tenant_id: UUID, generation: int, last: IndexName, month: date) -> IndexName:
    is_same = (last.year, last.month) == (month.year, month.month)
    return index_name(app, tenant_id, generation, month, last.number + 1 if is_same else 1)


async def rotate(
    locations: Locations,
    indexes: Indexes,
    app: str,
    tenant_id: UUID,
    generation: Generation,
    *,
    month: date,
    announce: Callable[[], Awaitable[None]],
) -> bool:
    """Opens another index for new documents; those that are there stay where they are. False when another process was
    faster. Safe to repeat, and so is what died on the way.

    `announce` tells whoever searches that there is another index: from then on, and no sooner, something is found there.
    """
    last = parse(generation.allocation)
    assert last is not None, "the locator names no other indexes"
    name = next_name(app, tenant_id, generation.number, last, month)
    await indexes.make(name, filling=generation.standing is Standing.BUILDING)
    if not await locations.add_index(tenant_id, generation.number, str(name), after=generation.allocation):
        return False
    await announce()
    return await locations.allocate_to(tenant_id, generation.number, str(name), after=generation.allocation)
