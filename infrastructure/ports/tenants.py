"""Protocols of erasing a tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


class Erasures(Protocol):
    """A tenant's rows, and the record of its erasure. Every call is safe to repeat and raises Unavailable when PostgreSQL
    can't be reached."""

    async def stop_jobs(self, tenant_id: UUID) -> None:
        """Cancels every running job of it, and tells their workers."""
        ...

    async def erase_rows(self, tenant_id: UUID) -> int:
        """Deletes all its rows, bit by bit, and returns how many there were."""
        ...

    async def count_erased(self, tenant_id: UUID, part: str, count: int) -> None:
        """Adds to what has been erased outside the tables."""
        ...

    async def left(self, tenant_id: UUID) -> tuple[dict[str, int], datetime]:
        """How many rows tables still have of it, and when they were counted."""
        ...

    async def erased(self, tenant_id: UUID) -> tuple[dict[str, int], Mapping[str, Any] | None]:
        """What has been erased so far, and the proof once there is one."""
        ...

    async def close(self, tenant_id: UUID, proof: Mapping[str, Any]) -> None:
        """Stores the proof and forgets the tenant's name. The first proof stands."""
        ...

    @property
    def tables(self) -> Sequence[str]:
        """The tables that are erased and counted."""
        ...
