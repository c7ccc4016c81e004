"""Answers that jobs have paid for and not used yet, sealed: they are written with the end of their attempt, in one commit, so
that no kill between the two makes a job pay again."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import orjson

from infrastructure.key_vault.cells import paid_answer_cell
from infrastructure.key_vault.sealed import DecryptionFailed, Sealed
from infrastructure.ports import Unavailable
from infrastructure.ports.ai.answers import FoundAnswer, KeptAnswer, PaidAnswer
from infrastructure.ports.ai.checkpoints import PLAN
from infrastructure.ports.ai.ledger import NewAttempt
from infrastructure.ports.keys import Sealer
from infrastructure.postgres import binary
from infrastructure.postgres.keys.wrapped_keys import HOLD_KEYS_OF_MANY
from infrastructure.postgres.prepared import Call
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool

MAX_ANSWER_BYTES: Final = 262_144
"""More than a section or a part of a document may have. What is longer isn't kept."""
MAX_ANSWERS: Final = 1_000
"""Of one job."""

# For the end of attempts, which has those that it ended in `ended`. One that was sealed under a key which isn't the active one
# any more, see `hold_active_key`, is left out: asking again is better than what nobody can open.
KEEP: Final = f"""
kept AS (
  INSERT INTO ai_answers (tenant_id, asked, job_id, section, cell, content)
  SELECT e.tenant_id, a.asked, e.job_id, coalesce(e.section, {PLAN}), e.id::text, a.content
  FROM unnest(%(answer_of)b::uuid[], %(answer_asked)b::text[], %(answer)b::bytea[]) AS a (id, asked, content)
  JOIN ended e ON e.id = a.id
  WHERE e.job_id IS NOT NULL
    AND EXISTS (SELECT FROM tenant_keys k WHERE k.tenant_id = e.tenant_id AND k.state = 'active'
      AND int8send(k.id) = substring(a.content FROM 5 FOR 8))
    AND (SELECT count(*) FROM ai_answers o WHERE o.job_id = e.job_id) < {MAX_ANSWERS}
  ON CONFLICT DO NOTHING)"""
# The job's own comes first. Another's of the same tenant asked the very same, as in the cache.
_FIND = """
SELECT job_id, cell, content FROM ai_answers WHERE tenant_id = %(tenant_id)s AND asked = %(asked)s
ORDER BY job_id = %(job_id)s DESC LIMIT 1
"""
DELETE_OF_SECTION: Final = "DELETE FROM ai_answers WHERE tenant_id = %s AND job_id = %s AND section = %s"

SealedAnswer = tuple[UUID, str, bytes]
"""The attempt, what was asked, and the ciphertext."""


class StoredPaidAnswers:
    """See `PaidAnswers`."""

    def __init__(self, pool: TenantPool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def of(self, tenant_id: UUID, job_id: UUID, asked: str) -> FoundAnswer | None:
        row = await self._pool.run(tenant_id, partial(_find, tenant_id=tenant_id, job_id=job_id, asked=asked))
        if row is None:
            return None
        of_job, cell, content = row
        try:
            plain = await self._sealer.open_bytes(paid_answer_cell(tenant_id, cell), Sealed(content))
        except DecryptionFailed:
            return None
        return FoundAnswer(KeptAnswer(**orjson.loads(plain)), is_own=of_job == job_id)


async def sealed_answer(sealer: Sealer, attempt: NewAttempt, paid: PaidAnswer) -> SealedAnswer | None:
    """None for one that isn't kept: it is too long, or its tenant has no key now."""
    try:
        plain = orjson.dumps(paid.answer)
    except orjson.JSONEncodeError:  # Half a character, from a provider that cuts between bytes.
        return None
    if len(plain) > MAX_ANSWER_BYTES:
        return None
    try:
        sealed = await sealer.seal(paid_answer_cell(attempt.tenant_id, str(attempt.id)), plain)
    except Unavailable:
        return None
    return attempt.id, paid.asked, sealed.ciphertext


def hold_keys(tenants: Sequence[UUID]) -> Call:
    """To be executed before the statement that writes the answers, in the same transaction."""
    return HOLD_KEYS_OF_MANY(tenants=binary.uuids([tenant.bytes for tenant in tenants]))


def kept_with(answers: Sequence[SealedAnswer]) -> dict[str, bytes]:
    """The parameters of KEEP."""
    return {
        "answer_of": binary.uuids([attempt_id.bytes for attempt_id, _, _ in answers]),
        "answer_asked": binary.texts([asked for _, asked, _ in answers]),
        "answer": binary.byteas([content for _, _, content in answers]),
    }


async def _find(connection: Connection, tenant_id: UUID, job_id: UUID, asked: str) -> tuple[Any, ...] | None:
    found = await connection.execute(_FIND, {"tenant_id": tenant_id, "job_id": job_id, "asked": asked})
    return await found.fetchone()
