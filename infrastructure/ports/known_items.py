"""Protocol of documents whose best query is known: their own titles."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class KnownItem:
    """A document that is to be found, and the title that its index has of it."""

    document_id: str
    title: str = field(repr=False)


class KnownItems(Protocol):
    """Of all tenants. Every call raises Unavailable when PostgreSQL can't be used."""

    async def tenant_after(self, tenant_id: UUID) -> UUID | None:
        """The next tenant, by id and from the last to the first, that has documents which are to be found; None without any."""
        ...

    async def some_of(self, tenant_id: UUID, number: int) -> Sequence[KnownItem]:
        """At most so many of the tenant's, drawn by chance. What it costs doesn't grow
        with how many the tenant has."""
        ...

    async def those(self, tenant_id: UUID, document_ids: Sequence[str]) -> Sequence[KnownItem]:
        """Of these, the ones that are to be found, as they are now."""
        ...
