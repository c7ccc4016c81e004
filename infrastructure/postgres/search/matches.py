"""Which documents match which saved searches, and the events that say so."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from events.search import SavedMatched
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import Sealer
from infrastructure.ports.saved_searches import StandingSearch
from infrastructure.postgres.search import saved_searches
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool

# Both stay as they are until the transaction ends. Always in one order, so that two jobs can't wait for each other.
_STANDING_DOCUMENTS: Final = """
SELECT d.document_id FROM documents d JOIN unnest(%(ids)s::text[], %(versions)s::bigint[]) AS g (id, version)
  ON g.id = d.document_id AND g.version = d.indexed_version
WHERE d.tenant_id = %(tenant_id)s ORDER BY d.document_id FOR SHARE OF d
"""
_STANDING_SEARCHES: Final = """
SELECT s.name FROM saved_searches s JOIN unnest(%(names)s::text[], %(cells)s::text[]) AS g (name, cell)
  ON g.name = s.name AND g.cell = s.cell
WHERE s.tenant_id = %(tenant_id)s ORDER BY s.name FOR SHARE OF s
"""
_FOUND: Final = "unnest(%(names)s::text[], %(ids)s::text[], %(versions)s::bigint[]) AS f (name, document_id, version)"
# What matches again in a version that was told of already isn't told of again.
_MATCH_AGAIN: Final = f"""
UPDATE saved_search_matches m SET matches = true FROM {_FOUND}
WHERE m.tenant_id = %(tenant_id)s AND m.name = f.name AND m.document_id = f.document_id AND NOT m.matches
  AND m.version >= f.version
"""
_MATCH: Final = f"""
INSERT INTO saved_search_matches AS m (tenant_id, name, document_id, version, matches)
SELECT %(tenant_id)s, f.name, f.document_id, f.version, true FROM {_FOUND} ORDER BY f.name, f.document_id
ON CONFLICT (tenant_id, name, document_id) DO UPDATE SET matches = true, version = excluded.version
  WHERE NOT m.matches AND m.version < excluded.version
RETURNING name, document_id, version
"""
_MATCH_NO_MORE: Final = f"""
UPDATE saved_search_matches m SET matches = false
WHERE m.tenant_id = %(tenant_id)s AND m.matches AND m.name = ANY(%(searches)s) AND m.document_id = ANY(%(documents)s)
  AND NOT EXISTS (SELECT FROM {_FOUND} WHERE f.name = m.name AND f.document_id = m.document_id)
"""
# An event after the one that the job ends with would be out of place.
_TELL: Final = f"""
WITH u AS (
  UPDATE jobs SET seq = seq + cardinality(%(events)s::text[]) WHERE id = %(job_id)s AND state = 'running'
  RETURNING id, tenant_id, seq - cardinality(%(events)s::text[]) AS seq)
INSERT INTO job_events (job_id, seq, tenant_id, type, data)
SELECT u.id, u.seq + e.place, u.tenant_id, '{SavedMatched.type}', e.data::jsonb
FROM u CROSS JOIN unnest(%(events)s::text[]) WITH ORDINALITY AS e (data, place)
"""


class StoredMatches:
    """The port `SavedSearchMatches`."""

    def __init__(self, pool: TenantPool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def all_of(self, tenant_id: UUID) -> Sequence[StandingSearch]:
        sealed = await self._pool.run(tenant_id, partial(saved_searches.all_searches, tenant_id=tenant_id))
        return [
            StandingSearch(one.name, one.cell, (await saved_searches.opened(self._sealer, tenant_id, one)).query)
            for one in sealed
        ]

    async def note(
        self,
        tenant_id: UUID,
        job_id: UUID,
        documents: Mapping[str, int],
        found: Mapping[StandingSearch, Collection[str]],
    ) -> int:
        work = partial(note, tenant_id=tenant_id, job_id=job_id, documents=documents, found=found)
        return await self._pool.run(tenant_id, work)


async def note(
    connection: Connection,
    tenant_id: UUID,
    job_id: UUID,
    documents: Mapping[str, int],
    found: Mapping[StandingSearch, Collection[str]],
) -> int:
    """As the port says. Call it in a transaction."""
    named = {"tenant_id": tenant_id}
    given = {"ids": list(documents), "versions": list(documents.values())}
    standing = await _names(connection, _STANDING_DOCUMENTS, {**named, **given})
    asked = {"names": [one.name for one in found], "cells": [one.edition for one in found]}
    searches = await _names(connection, _STANDING_SEARCHES, {**named, **asked})
    pairs = [
        (search.name, document_id)
        for search, ids in found.items()
        if search.name in searches
        for document_id in sorted(ids)
        if document_id in standing
    ]
    matched = {
        **named,
        "names": [name for name, _ in pairs],
        "ids": [document_id for _, document_id in pairs],
        "versions": [documents[document_id] for _, document_id in pairs],
    }
    await connection.execute(_MATCH_NO_MORE, {**matched, "searches": sorted(searches), "documents": sorted(standing)})
    await connection.execute(_MATCH_AGAIN, matched)
    rows = await (await connection.execute(_MATCH, matched)).fetchall()
    events = [SavedMatched(name=name, document_id=document, version=version) for name, document, version in rows]
    if events:
        await _tell(connection, job_id, events)
    return len(events)


async def _tell(connection: Connection, job_id: UUID, events: Sequence[SavedMatched]) -> None:
    written = await connection.execute(_TELL, {"job_id": job_id, "events": [one.model_dump_json() for one in events]})
    if written.rowcount != len(events):
        raise Unavailable("the job that found the matches was stopped; another run tells of them")


async def _names(connection: Connection, statement: str, values: Mapping[str, object]) -> frozenset[str]:
    return frozenset(name for (name,) in await (await connection.execute(statement, values)).fetchall())
