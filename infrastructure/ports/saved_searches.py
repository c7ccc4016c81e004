"""Protocols of saved searches: what jobs read of them, and what they note about matches."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from schemas.search import SearchQuery


@dataclass(frozen=True, slots=True)
class StandingSearch:
    """A saved search as it stands."""

    name: str
    edition: str
    """Another one after each change."""
    query: SearchQuery = field(repr=False, compare=False)


class SavedSearchMatches(Protocol):
    """A tenant's saved searches and what matched them. Every call raises Unavailable when PostgreSQL can't be used."""

    async def all_of(self, tenant_id: UUID) -> Sequence[StandingSearch]:
        """By name."""
        ...

    async def note(
        self,
        tenant_id: UUID,
        job_id: UUID,
        documents: Mapping[str, int],
        found: Mapping[StandingSearch, Collection[str]],
    ) -> int:
        """Notes which of the documents, given with their versions, each search finds, and writes an event into the job's
        timeline for each match that is new, in one transaction: however often it is repeated there is one event for a search,
        a document and a version. Documents that are to be found in another version by now are left out, and so are searches
        that were changed. Returns how many events it wrote."""
        ...
