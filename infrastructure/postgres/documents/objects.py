"""Which objects of documents no version refers to."""

from collections.abc import Sequence

from infrastructure.object_store.places import DocumentObject
from infrastructure.postgres.session import Connection

_ORPHANS = """
SELECT k.place FROM unnest(%s::text[], %s::uuid[], %s::text[]) AS k (place, tenant_id, cell)
WHERE NOT EXISTS (
    SELECT FROM document_versions v WHERE v.tenant_id = k.tenant_id AND v.cell = k.cell AND v.original_key IS NOT NULL)
  AND NOT EXISTS (
    SELECT FROM document_versions v WHERE v.tenant_id = k.tenant_id AND v.text_cell = k.cell AND v.text_key IS NOT NULL)
"""


async def orphans(connection: Connection, objects: Sequence[DocumentObject]) -> list[str]:
    """The places of those that aren't a version's original or text; what was never finished is none of both."""
    given = (
        [one.place for one in objects],
        [one.tenant_id for one in objects],
        [one.cell for one in objects],
    )
    return [place for (place,) in await (await connection.execute(_ORPHANS, given)).fetchall()]
