"""Protocols of what a search needs beside an engine: its tenant's synonyms, a signer, and who keeps what was slow."""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from schemas.search import QueryShape, SearchQuery, Synonyms


@dataclass(frozen=True, slots=True)
class SlowSearch:
    """A search that took long."""

    shape: QueryShape
    took_seconds: float
    hits: int
    query: SearchQuery = field(repr=False)
    """As it was asked, to be replayed."""


class SlowSearches(Protocol):
    def keep(self, tenant_id: UUID, slow: SlowSearch) -> None:
        """Hands it over to be stored, sealed; returns at once and never fails. Under a flood some are left out."""
        ...


class SynonymsOfTenants(Protocol):
    async def of(self, tenant_id: UUID) -> Synonyms:
        """What the tenant has set, at most seconds ago; the same object while it is the same. Unavailable when it can't be
        read."""
        ...


class SignsCursors(Protocol):
    """Signs what a cursor carries, for one tenant and one scope."""

    def sign_bytes(self, tenant_id: UUID, scope: str, after: bytes) -> str: ...

    def read_bytes(self, tenant_id: UUID, scope: str, cursor: str) -> bytes:
        """What was signed. Raises its owner's refusal for a cursor of another tenant or scope, and for one that was changed."""
        ...


class SearchReport(Protocol):
    """Counts what becomes of searches."""

    def searched(self, outcome: str, seconds: float) -> None:
        """`found`, `nothing` or `failed`."""
        ...

    def looked_up(self, result: str) -> None:
        """In the cache: `hit`, `miss`, `shared` with an equal search at the same time, or `bypassed`."""
        ...

    def spelled_otherwise(self, outcome: str) -> None:
        """`suggested`, or `answered` with."""
        ...
