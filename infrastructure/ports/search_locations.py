"""The protocol of the locator: which physical index each document of a tenant lives in. It is the source of truth outside
of the index server, so that a document is in exactly one index of a generation, whatever is rotated or rebuilt meanwhile."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID


class Standing(StrEnum):
    """What a generation is for. All but DROPPED are written to."""

    BUILDING = "building"
    CURRENT = "current"
    """Searches are answered from it."""
    KEPT = "kept"
    """It answered before, and may again."""
    DROPPED = "dropped"
    """Its indexes are removed, or are about to be. Its number is never used again."""


@dataclass(frozen=True, slots=True)
class Generation:
    """All of a tenant's documents, in one or several indexes."""

    number: int
    standing: Standing
    indexes: tuple[str, ...]
    """In the order in which they were opened: new documents go to the last."""
    languages: tuple[str, ...]
    """That some of its documents have, or had, stems of."""
    created_at: datetime
    kept_until: datetime | None

    @property
    def allocation(self) -> str:
        return self.indexes[-1]


class Wanted(NamedTuple):
    """A change that is to be made, as the locator must know it."""

    document_id: str
    version: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change has to be made."""

    document_id: str
    generation: int
    index: str


@dataclass(frozen=True, slots=True)
class Located:
    """Where changes have to be made. Those that it doesn't name are older than what is known."""

    generations: tuple[Generation, ...]
    """Those that are written to; none when the tenant has no index that answers."""
    places: tuple[Place, ...]
    language_added: bool
    """The generations have documents of a language now that none of them had."""


class Standings(NamedTuple):
    """A generation's place among the others, before it changes."""

    generation: int
    standing: Standing


class Turn(Protocol):
    """The right to rebuild or roll back a tenant's index, while it is held. Each of its changes waits for those who
    look up places and lets nobody look any up meanwhile, so that whoever does so later sees it."""

    async def begin(self, number: int, index: str) -> None:
        """Adds a generation that is being built, with what the current one remembers of deleted documents."""
        ...

    async def switch(self, changes: Sequence[Standings], *, kept_seconds: float) -> bool:
        """Gives all these generations other standings in one step. False, and nothing has changed, when one of them isn't there
        or was dropped."""
        ...

    async def close(self, number: int, index: str) -> bool:
        """The generation that answers no longer has this index, which is to be empty. False, and nothing has changed, when it
        has documents, or is the last."""
        ...

    async def forget(self, number: int) -> None:
        """Removes what is known of the documents of a generation that was dropped, and of all dropped before it."""
        ...


class Locations(Protocol):
    """Every call raises Unavailable when the locator can't be asked."""

    async def generations(self, tenant_id: UUID) -> Sequence[Generation]:
        """All of the tenant's, those dropped included, by their number."""
        ...

    async def locate(
        self, tenant_id: UUID, wanted: Sequence[Wanted], languages: Sequence[str], *, only: int | None = None
    ) -> Located:
        """Records these versions, at most one of a document, and says where they have to be written: a document that
        is known stays in its index, and one that isn't gets the last one of each generation. Safe to repeat. `only` is for
        that generation alone."""
        ...

    def known(self, tenant_id: UUID, number: int) -> AsyncIterator[Sequence[tuple[str, int]]]:
        """The generation's documents that aren't deleted, with their versions, in the order of the ids' bytes."""
        ...

    async def add_index(self, tenant_id: UUID, number: int, index: str, *, after: str) -> bool:
        """The generation has this index too; new documents still go to `after`. False when that isn't the last any more.
        Safe to repeat."""
        ...

    async def allocate_to(self, tenant_id: UUID, number: int, index: str, *, after: str) -> bool:
        """New documents go to this index of the generation from now on, and no more to `after`. False as above."""
        ...

    def turn(self, tenant_id: UUID) -> AbstractAsyncContextManager[Turn]:
        """Waits a bounded time for another's, then raises Unavailable. Whoever dies loses it."""
        ...

    async def remove(self, tenant_id: UUID) -> bool:
        """Removes all that is known of the tenant, whoever has the turn; whether there was anything. Safe to repeat."""
        ...

    async def tenants(self) -> Sequence[UUID]:
        """All that have an index."""
        ...

    async def now(self) -> datetime:
        """The time that standings are kept by."""
        ...


def month_of(now: datetime) -> date:
    return now.date().replace(day=1)
