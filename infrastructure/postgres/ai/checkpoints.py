"""What jobs have finished, section by section, sealed: a run that takes over from one that died pays for none of it again."""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.key_vault.cells import section_cell
from infrastructure.key_vault.sealed import Sealed
from infrastructure.ports import Unstorable
from infrastructure.ports.ai.checkpoints import Checkpoint
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.ai.paid_answers import DELETE_OF_SECTION
from infrastructure.postgres.ai.sealing import write_sealed
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool

MAX_CONTENT_BYTES: Final = 1_000_000
MAX_SECTIONS: Final = 1_000
"""Of one job."""

_OF_JOB = f"""
SELECT section, cell, content FROM ai_sections WHERE tenant_id = %s AND job_id = %s ORDER BY section LIMIT {MAX_SECTIONS}
"""
_KEEP = f"""
INSERT INTO ai_sections (tenant_id, job_id, section, cell, content)
SELECT %(tenant_id)s, %(job_id)s, %(section)s, %(cell)s, %(content)b
WHERE (SELECT count(*) FROM ai_sections WHERE tenant_id = %(tenant_id)s AND job_id = %(job_id)s) < {MAX_SECTIONS}
ON CONFLICT (tenant_id, job_id, section) DO NOTHING
"""
_KEPT = "SELECT section, cell, content FROM ai_sections WHERE tenant_id = %s AND job_id = %s AND section = %s"
_DELETE = "DELETE FROM ai_sections WHERE tenant_id = %s AND job_id = %s"

Row = tuple[int, str, bytes]


class StoredCheckpoints:
    """Checkpoints in PostgreSQL. DecryptionFailed when one isn't as it was stored; Unstorable when one is too large, or the
    job has MAX_SECTIONS already."""

    def __init__(self, pool: TenantPool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def of_job(self, tenant_id: UUID, job_id: UUID) -> Mapping[int, Checkpoint]:
        async def read(connection: Connection) -> list[Any]:
            return await (await connection.execute(_OF_JOB, (tenant_id, job_id))).fetchall()

        return {row[0]: await self._opened(tenant_id, row) for row in await self._pool.run(tenant_id, read)}

    async def keep(self, tenant_id: UUID, job_id: UUID, checkpoint: Checkpoint) -> Checkpoint:
        content = json.dumps(checkpoint.content, ensure_ascii=False, separators=(",", ":"))
        if len(content.encode(errors="replace")) > MAX_CONTENT_BYTES:
            raise Unstorable(f"section {checkpoint.section} has more than {MAX_CONTENT_BYTES:,} bytes")
        name = str(uuid7())

        async def write(connection: Connection, sealed: bytes) -> Row | None:
            new = {"tenant_id": tenant_id, "job_id": job_id, "section": checkpoint.section, "cell": name}
            await connection.execute(_KEEP, {**new, "content": sealed})
            # What it was made of isn't needed any more.
            await connection.execute(DELETE_OF_SECTION, (tenant_id, job_id, checkpoint.section))
            found = await connection.execute(_KEPT, (tenant_id, job_id, checkpoint.section))
            return await found.fetchone()

        kept = await write_sealed(self._pool, self._sealer, section_cell(tenant_id, name), content, write)
        if kept is None:
            raise Unstorable(f"a job keeps at most {MAX_SECTIONS:,} sections")
        return checkpoint if kept[1] == name else await self._opened(tenant_id, kept)

    async def delete(self, tenant_id: UUID, job_id: UUID) -> None:
        async def delete(connection: Connection) -> None:
            await connection.execute(_DELETE, (tenant_id, job_id))

        await self._pool.run(tenant_id, delete)

    async def _opened(self, tenant_id: UUID, row: Row) -> Checkpoint:
        section, cell, content = row
        return Checkpoint(section, json.loads(await self._sealer.open(section_cell(tenant_id, cell), Sealed(content))))
