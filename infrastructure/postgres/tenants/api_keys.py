"""API keys: they authenticate a tenant's clients and carry their scopes.

A key reads `bct_<id>_<secret>`. Only the SHA-256 of the secret is stored: a slow hash protects guessable passwords, and
256 random bits can't be guessed at any speed.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.postgres.session import Connection, Role, connect_blocking
from infrastructure.postgres.tenants.quotas import API_KEYS, check_room

ID_LENGTH = 12
SECRET_BYTES = 32
DEFAULT_TENANT = "default"
ADMIN = "admin"
TENANTS_ADMIN = "tenants:admin"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_KEY = re.compile(r"bct_([A-Za-z0-9]{12})_([A-Za-z0-9_-]{32,128})", re.ASCII)
_ONE_FIRST_KEY = 0x6275_636B
"""The advisory lock's key: "buck" in ASCII."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A parsed key, not yet verified."""

    id: str
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class Credential:
    """A stored key that isn't revoked."""

    id: str
    tenant_id: UUID
    secret_hash: bytes
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key with its secret, which is never shown again."""

    id: str
    key: str
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None


_FIND = "SELECT id, tenant_id, secret_hash, scopes FROM api_keys WHERE id = ANY(%s) AND revoked_at IS NULL"
_REVOKE_ALL = "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = %s"
_FIND_TENANTS = """
SELECT name, id FROM tenants WHERE name = ANY(%(names)s)
UNION ALL SELECT id::text, id FROM tenants WHERE id = ANY(%(ids)s)
"""
_ADD = """
INSERT INTO api_keys (id, tenant_id, name, secret_hash, scopes)
VALUES (%(id)s, %(tenant_id)s, %(name)s, %(secret_hash)s, %(scopes)s)
RETURNING id, name, scopes, created_at, revoked_at
"""
_LIST = """
SELECT id, name, scopes, created_at, revoked_at FROM api_keys
WHERE tenant_id = %s ORDER BY tenant_id DESC, created_at DESC, id LIMIT %s
"""
_LOCK_ADMINS = f"""
SELECT id FROM api_keys WHERE tenant_id = %s AND revoked_at IS NULL AND '{ADMIN}' = ANY(scopes) ORDER BY id FOR UPDATE
"""
_REVOKE = """
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = %s AND id = %s
"""


class Revocation(StrEnum):
    """The outcome of `revoke`."""

    DONE = "done"
    UNKNOWN = "unknown"
    LAST_ADMIN = "last admin"
    """Refused: the tenant could never create a key again."""


def parse_key(key: str) -> Presented | None:
    """The parts of a key, its secret hashed at once; None for what can't be one."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return Presented(found[1], sha256(found[2].encode()).digest())


def make_key() -> NewKey:
    identity = "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return NewKey(identity, f"bct_{identity}_{secret}", sha256(secret.encode()).digest())


async def find(connection: Connection, ids: Sequence[str]) -> dict[str, Credential]:
    """The keys that exist and aren't revoked, by id. For the system's role, since the tenant isn't known yet."""
    found = await connection.execute(_FIND, (list(ids),))
    rows = await found.fetchall()
    return {row[0]: Credential(row[0], row[1], bytes(row[2]), frozenset(row[3])) for row in rows}


async def find_tenants(connection: Connection, named: Sequence[str]) -> dict[str, UUID]:
    """The tenants that exist, by the given id or name; an id takes precedence."""
    ids = [one for one in map(_as_id, named) if one is not None]
    found = await connection.execute(_FIND_TENANTS, {"names": list(named), "ids": ids})
    return dict(await found.fetchall())


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def add(connection: Connection, tenant_id: UUID, key: NewKey, name: str, scopes: Sequence[str]) -> KeyRecord:
    """Stores the key and returns its record. Raises QuotaExceeded when the tenant has too many. Call it in a
    transaction."""
    await check_room(connection, API_KEYS, tenant_id)
    found = await connection.execute(_ADD, _added(tenant_id, key, name, scopes))
    row = await found.fetchone()
    assert row is not None, "the statement returns what it added"
    return KeyRecord(*row)


async def listed(connection: Connection, tenant_id: UUID, *, limit: int) -> list[KeyRecord]:
    """The tenant's keys, revoked ones too, the newest first."""
    found = await connection.execute(_LIST, (tenant_id, limit))
    return [KeyRecord(*row) for row in await found.fetchall()]


async def revoke(connection: Connection, tenant_id: UUID, key_id: str) -> Revocation:
    """Revokes the key. Safe to repeat. Call it in a transaction."""
    admins = await (await connection.execute(_LOCK_ADMINS, (tenant_id,))).fetchall()
    if admins == [(key_id,)]:
        return Revocation.LAST_ADMIN
    found = await connection.execute(_REVOKE, (tenant_id, key_id))
    return Revocation.DONE if found.rowcount else Revocation.UNKNOWN


async def revoke_all(connection: Connection, tenant_id: UUID) -> None:
    """Revokes every key of the tenant, the last admin's too. For the system's role. Safe to repeat."""
    await connection.execute(_REVOKE_ALL, (tenant_id,))


def create_first_admin_key(database_url: str) -> str | None:
    """Creates the first key, with every scope, for the operator's tenant, `default`; None when any key exists already.

    It is returned here and never again. Of several concurrent callers, one gets it.
    """
    with connect_blocking(database_url, Role.SYSTEM, "first key") as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ONE_FIRST_KEY,))
        if connection.execute("SELECT 1 FROM api_keys LIMIT 1").fetchone() is not None:
            return None
        connection.execute(
            """INSERT INTO tenants (id, name, is_operator) VALUES (%s, %s, true)
            ON CONFLICT (name) DO UPDATE SET is_operator = true""",
            (uuid7(), DEFAULT_TENANT),
        )
        tenant = connection.execute("SELECT id FROM tenants WHERE name = %s", (DEFAULT_TENANT,)).fetchone()
        assert tenant is not None, "the statement above made it"
        key = make_key()
        connection.execute(_ADD, _added(tenant[0], key, "first admin", [ADMIN, TENANTS_ADMIN]))
    return key.key


def _added(tenant_id: UUID, key: NewKey, name: str, scopes: Sequence[str]) -> dict[str, object]:
    return {
        "id": key.id,
        "tenant_id": tenant_id,
        "name": name,
        "secret_hash": key.secret_hash,
        "scopes": list(scopes),
    }
