"""The tenants' own keys of providers, sealed. A process believes what it has read for less than two seconds."""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import SecretStr

from infrastructure.concurrency.believed import Believed
from infrastructure.key_vault.cells import credential_cell
from infrastructure.key_vault.sealed import Sealed
from infrastructure.ports.ai.credentials import DEPLOYMENT, Credential
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.ai.sealing import write_sealed
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.ai.usage import CredentialState

BELIEVED_SECONDS: Final = 1.5
MAX_TENANTS: Final = 10_000
MAX_CREDENTIALS: Final = 100
"""Of one tenant: the registry has fewer providers."""
HINT_CHARACTERS: Final = 4

_OF_TENANT = f"SELECT provider, key, updated_at FROM ai_credentials WHERE tenant_id = %s LIMIT {MAX_CREDENTIALS}"
_SET = """
INSERT INTO ai_credentials AS c (tenant_id, provider, key, hint, updated_by)
VALUES (%(tenant_id)s, %(provider)s, %(key)b, %(hint)s, %(by)s)
ON CONFLICT (tenant_id, provider) DO UPDATE SET key = excluded.key, hint = excluded.hint, updated_by = excluded.updated_by,
  updated_at = greatest(now(), c.updated_at + interval '1 microsecond')
RETURNING provider, hint, updated_at, updated_by
"""
_LIST = f"""
SELECT provider, hint, updated_at, updated_by FROM ai_credentials WHERE tenant_id = %s ORDER BY provider LIMIT {MAX_CREDENTIALS}
"""
_REMOVE = "DELETE FROM ai_credentials WHERE tenant_id = %s AND provider = %s"


class StoredCredentials:
    """Credentials in PostgreSQL. Concurrent callers of a tenant share one read. DecryptionFailed when a key isn't as it was
    stored."""

    def __init__(self, pool: TenantPool, sealer: Sealer, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._sealer = sealer
        self._believed = Believed(self._read, seconds=BELIEVED_SECONDS, max_known=MAX_TENANTS, clock=clock)

    async def of(self, tenant_id: UUID, provider: str) -> Credential:
        return (await self._believed.of(tenant_id)).get(provider, DEPLOYMENT)

    async def _read(self, tenant_id: UUID) -> Mapping[str, Credential]:
        async def read(connection: Connection) -> list[tuple[str, bytes, datetime]]:
            return await (await connection.execute(_OF_TENANT, (tenant_id,))).fetchall()

        found = {}
        for provider, key, updated_at in await self._pool.run(tenant_id, read):
            opened = await self._sealer.open(credential_cell(tenant_id, provider), Sealed(key))
            found[provider] = Credential(SecretStr(opened), credential_id(tenant_id, provider, updated_at))
        return found


def credential_id(tenant_id: UUID, provider: str, updated_at: datetime) -> str:
    """Of the key's place and time, since even a hash of the key itself could be compared with guesses."""
    place = f"{tenant_id} {provider} {updated_at.timestamp():.6f}"
    return hashlib.blake2b(place.encode(), digest_size=12).hexdigest()


async def set_credential(
    pool: TenantPool, sealer: Sealer, tenant_id: UUID, provider: str, key: SecretStr, *, by: str
) -> CredentialState:
    """Adds or replaces the tenant's key of the provider. Every process uses it within two seconds. Safe to repeat."""
    secret = key.get_secret_value()

    async def write(connection: Connection, sealed: bytes) -> CredentialState:
        new = {"tenant_id": tenant_id, "provider": provider, "key": sealed, "hint": hint_of(secret), "by": by}
        row = await (await connection.execute(_SET, new)).fetchone()
        assert row is not None, "the statement returns what it wrote"
        return _state(row)

    return await write_sealed(pool, sealer, credential_cell(tenant_id, provider), secret, write)


async def credentials_of(connection: Connection, tenant_id: UUID) -> list[CredentialState]:
    """Those that the tenant has, by provider."""
    return [_state(row) for row in await (await connection.execute(_LIST, (tenant_id,))).fetchall()]


async def remove_credential(connection: Connection, tenant_id: UUID, provider: str) -> bool:
    """Removes it: within two seconds the deployment's is used instead. False when the tenant has none."""
    return (await connection.execute(_REMOVE, (tenant_id, provider))).rowcount > 0


def hint_of(key: str) -> str:
    """Its last characters; none of a key so short that they would give it away."""
    return key[-HINT_CHARACTERS:] if len(key) >= 4 * HINT_CHARACTERS else ""


def _state(row: tuple[str, str, datetime, str]) -> CredentialState:
    provider, hint, updated_at, updated_by = row
    return CredentialState(provider=provider, hint=hint, updated_at=updated_at, updated_by=updated_by)
