"""Keeps what is written under a tenant's active key: it stays the active one until the writing transaction ends."""

from collections.abc import Iterable
from uuid import UUID

from infrastructure.postgres.keys.wrapped_keys import HOLD_KEYS
from infrastructure.postgres.session import Connection

# Bytes 5 to 12 of a ciphertext are its key's id. The lock is taken before, so that the key is the active one until the
# transaction ends.
_FENCE = """
SELECT NOT EXISTS (
  SELECT FROM unnest(%(keys)b::bytea[]) AS s (key) WHERE NOT EXISTS (
    SELECT FROM tenant_keys k WHERE k.tenant_id = %(tenant)s AND k.state = 'active' AND int8send(k.id) = s.key))
"""


async def hold_active_key(connection: Connection, tenant_id: UUID, ciphertexts: Iterable[bytes]) -> bool:
    """Whether all are sealed under the tenant's active key, which stays so until the transaction ends. False: a change of
    key came in between, and they must be sealed again."""
    keys = sorted({ciphertext[4:12] for ciphertext in ciphertexts})
    if not keys:
        return True
    await connection.execute(HOLD_KEYS, (tenant_id,))
    found = await connection.execute(_FENCE, {"tenant": tenant_id, "keys": keys})
    row = await found.fetchone()
    return row is not None and bool(row[0])
