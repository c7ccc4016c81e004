"""Keeps what jobs found in versions."""

from dataclasses import dataclass
from uuid import UUID

from infrastructure.key_vault.sealed import Sealed
from infrastructure.postgres.keys.active_key import hold_active_key
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.usage import Amount
from schemas.documents import DocumentRef

MAX_FINDINGS = 100
"""Of one version: the newest jobs'."""
MAX_FACTS_BYTES = 8_000_000
"""Of one job's, sealed."""


@dataclass(frozen=True, slots=True)
class NewFinding:
    """What a job found."""

    ref: DocumentRef
    job_id: UUID
    kind: str
    cell: str
    facts: Sealed


# Its removal has the row locked otherwise, and whoever comes after it finds the version deleted.
_HOLD = """
SELECT d.current_version, coalesce(d.deleted_version, 0) FROM documents d
WHERE d.tenant_id = %s AND d.document_id = %s FOR SHARE
"""
_ADD = """
INSERT INTO document_facts (tenant_id, document_id, version, job_id, cell, kind, facts)
SELECT tenant_id, document_id, version, %(job_id)s, %(cell)s, %(kind)s, %(facts)b FROM document_versions
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND version = %(version)s
ON CONFLICT (tenant_id, document_id, version, job_id) DO NOTHING
"""
_FORGET = f"""
WITH old AS (
  DELETE FROM document_facts f USING (
    SELECT job_id FROM document_facts
    WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND version = %(version)s
    ORDER BY job_id DESC OFFSET {MAX_FINDINGS}) AS o
  WHERE f.tenant_id = %(tenant_id)s AND f.document_id = %(document_id)s AND f.version = %(version)s AND f.job_id = o.job_id
  RETURNING octet_length(f.facts) AS bytes)
SELECT coalesce(sum(bytes), 0)::bigint FROM old
"""


async def add(connection: Connection, tenant_id: UUID, new: NewFinding) -> bool:
    """Adds them to the version, or to the current one, unless the job has; nothing to one that isn't there or was deleted.
    False: seal them again, under the key that is active now. Raises QuotaExceeded."""
    if not await hold_active_key(connection, tenant_id, [new.facts.ciphertext]):
        return False
    row = await (await connection.execute(_HOLD, (tenant_id, new.ref.id))).fetchone()
    if row is None:
        return True
    current, deleted = row
    version = new.ref.version or current
    if version is None or version <= deleted:
        return True
    named = {"tenant_id": tenant_id, "document_id": new.ref.id, "version": version}
    added = {**named, "job_id": new.job_id, "cell": new.cell, "kind": new.kind, "facts": new.facts.ciphertext}
    if not (await connection.execute(_ADD, added)).rowcount:
        return True
    forgotten = await (await connection.execute(_FORGET, named)).fetchone()
    freed_bytes = 0 if forgotten is None else int(forgotten[0])
    await usage.change(connection, tenant_id, {Amount.STORED_BYTES: len(new.facts.ciphertext) - freed_bytes})
    return True
