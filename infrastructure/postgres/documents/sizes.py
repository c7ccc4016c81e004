"""How long the texts of documents are, without reading them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from infrastructure.key_vault.sealing import OVERHEAD_BYTES
from infrastructure.postgres.session import Connection
from schemas.documents import DocumentRef

_SIZES: Final = f"""
SELECT coalesce(v.text_bytes, octet_length(v.text) - {OVERHEAD_BYTES}, 0)
FROM unnest(%(ids)s::text[], %(versions)s::bigint[]) WITH ORDINALITY AS r (id, version, place)
LEFT JOIN document_versions v ON v.tenant_id = %(tenant_id)s AND v.document_id = r.id AND v.version = r.version
ORDER BY r.place
"""


async def text_bytes(connection: Connection, tenant_id: UUID, refs: Sequence[DocumentRef]) -> list[int]:
    """Of each pinned version in UTF-8, in order; 0 for one that isn't there or has no text."""
    wanted = {"tenant_id": tenant_id, "ids": [ref.id for ref in refs], "versions": [ref.version for ref in refs]}
    return [int(size) for (size,) in await (await connection.execute(_SIZES, wanted)).fetchall()]
