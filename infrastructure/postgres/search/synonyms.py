"""The tenants' synonyms. A process believes what it has read for less than two seconds."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from infrastructure.concurrency.shared_fetches import SharedFetches
from infrastructure.postgres.documents.etags import Precondition
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.search import StoredSynonyms, Synonyms

BELIEVED_SECONDS: Final = 1.5
MAX_TENANTS: Final = 1_000
NONE_SET: Final = StoredSynonyms()

_READ = "SELECT version, content, updated_at, updated_by FROM search_synonyms WHERE tenant_id = %s"
_UNLESS_KNOWN = f"{_READ} AND version <> %s"
# Locks the row, whether it is there already or not.
_ADD_OR_LOCK = """
INSERT INTO search_synonyms AS s (tenant_id, version, content, updated_by) VALUES (%s, 0, '{}', '')
ON CONFLICT (tenant_id) DO UPDATE SET version = s.version WHERE s.version >= 0 RETURNING version
"""
_SET = """
UPDATE search_synonyms SET version = version + 1, content = %(content)s, updated_by = %(by)s,
  updated_at = greatest(now(), updated_at)
WHERE tenant_id = %(tenant_id)s RETURNING version, content, updated_at, updated_by
"""

Row = tuple[int, dict[str, Any], datetime, str]


@dataclass(frozen=True, slots=True)
class ChangedMeanwhile:
    """The precondition doesn't hold: nothing was changed."""

    edition: str


@dataclass(frozen=True, slots=True)
class _Known:
    synonyms: StoredSynonyms
    until: float
    """By the process's clock."""


class BelievedSynonyms:
    """The port `SynonymsOfTenants`. Concurrent callers of a tenant share one read, which brings nothing while nothing has
    changed."""

    def __init__(self, pool: TenantPool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._known: OrderedDict[UUID, _Known] = OrderedDict()
        self._reads: SharedFetches[UUID] = SharedFetches()

    async def of(self, tenant_id: UUID) -> Synonyms:
        known = self._known.get(tenant_id)
        if known is None or self._clock() >= known.until:
            known = await self._reads.get(tenant_id, lambda: self._read(tenant_id, known))
        return known.synonyms

    async def _read(self, tenant_id: UUID, known: _Known | None) -> _Known:
        # Counted from before the question, so that an answer that was long under way is old when it comes.
        until = self._clock() + BELIEVED_SECONDS
        standing = NONE_SET if known is None else known.synonyms

        async def read(connection: Connection) -> Row | None:
            return await (await connection.execute(_UNLESS_KNOWN, (tenant_id, standing.version))).fetchone()

        row = await self._pool.run(tenant_id, read)
        found = _Known(standing if row is None else _stored(row), until)
        self._known[tenant_id] = found
        self._known.move_to_end(tenant_id)
        if len(self._known) > MAX_TENANTS:
            self._known.popitem(last=False)
        return found


async def synonyms_of(connection: Connection, tenant_id: UUID) -> StoredSynonyms:
    row = await (await connection.execute(_READ, (tenant_id,))).fetchone()
    return NONE_SET if row is None else _stored(row)


async def set_synonyms(
    connection: Connection, tenant_id: UUID, wanted: Synonyms, *, by: str, precondition: Precondition
) -> StoredSynonyms | ChangedMeanwhile:
    """Replaces them all. Every process's searches have them within two seconds. Setting what stands changes nothing."""
    await connection.execute(_ADD_OR_LOCK, (tenant_id,))
    standing = await synonyms_of(connection, tenant_id)
    if not precondition.met_by(edition(standing)):
        return ChangedMeanwhile(edition(standing))
    content = wanted.model_dump(mode="json", include=set(Synonyms.model_fields))
    if standing.version and content == standing.model_dump(mode="json", include=set(Synonyms.model_fields)):
        return standing
    new = {"tenant_id": tenant_id, "content": Jsonb(content), "by": by}
    row = await (await connection.execute(_SET, new)).fetchone()
    assert row is not None, "its row is locked"
    return _stored(row)


def edition(synonyms: StoredSynonyms) -> str:
    """What an entity tag says."""
    return str(synonyms.version)


def _stored(row: Row) -> StoredSynonyms:
    version, content, updated_at, updated_by = row
    if not version:
        return NONE_SET
    return StoredSynonyms(**content, version=version, updated_at=updated_at, updated_by=updated_by)
