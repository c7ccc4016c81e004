"""API keys: who may speak for a tenant, and what for.

A key reads `bct_<id>_<secret>`. Only the SHA-256 of the secret is stored: a slow hash protects guessable passwords, and 256
random bits can't be guessed at any speed.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from infrastructure.postgres.connections import Connection, Role, session_statement

ID_LENGTH = 12
SECRET_BYTES = 32
DEFAULT_TENANT = "default"
ADMIN = "admin"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_KEY = re.compile(r"bct_([A-Za-z0-9]{12})_([A-Za-z0-9_-]{32,128})", re.ASCII)
_ONE_FIRST_KEY = 0x6275_636B
"""The advisory lock's key: "buck" in ASCII."""


@dataclass(frozen=True, slots=True)
class Presented:
    """What a caller showed: not known to be true."""

    id: str
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class Credential:
    """A key that stands."""

    id: str
    tenant_id: UUID
    secret_hash: bytes
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key in the only moment in which it is known whole."""

    id: str
    key: str
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is told of a key afterwards."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


_FIND = "SELECT id, tenant_id, secret_hash, scopes FROM api_keys WHERE id = ANY(%s) AND revoked_at IS NULL"
_ADD = """
INSERT INTO api_keys (id, tenant_id, name, secret_hash, scopes) VALUES (%s, %s, %s, %s, %s)
RETURNING id, name, scopes, created_at, revoked_at
"""
_LIST = """
SELECT id, name, scopes, created_at, revoked_at FROM api_keys
WHERE tenant_id = %s ORDER BY tenant_id DESC, created_at DESC, id LIMIT %s
"""
_REVOKE = """
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = %s AND id = %s
"""


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
    """Those of the keys that exist and aren't revoked. Runs as the system's role, since who asks isn't known yet."""
    found = await connection.execute(_FIND, (list(ids),))
    rows = await found.fetchall()
    return {row[0]: Credential(row[0], row[1], bytes(row[2]), frozenset(row[3])) for row in rows}


async def add(connection: Connection, tenant_id: UUID, key: NewKey, name: str, scopes: Sequence[str]) -> KeyRecord:
    """The new key as it will be listed."""
    found = await connection.execute(_ADD, (key.id, tenant_id, name, key.secret_hash, list(scopes)))
    row = await found.fetchone()
    assert row is not None, "an insert without a conflict clause returns its row"
    return _record(row)


async def listed(connection: Connection, tenant_id: UUID, *, limit: int) -> list[KeyRecord]:
    """The tenant's keys, revoked ones too, the newest first."""
    found = await connection.execute(_LIST, (tenant_id, limit))
    return [_record(row) for row in await found.fetchall()]


async def revoke(connection: Connection, tenant_id: UUID, key_id: str) -> bool:
    """Whether the tenant has such a key; from now on it opens nothing. Safe to repeat."""
    found = await connection.execute(_REVOKE, (tenant_id, key_id))
    return found.rowcount > 0


def create_first_admin_key(database_url: str) -> str | None:
    """The first key of all, with every right, for the tenant `default`; None when any key exists already.

    It is shown here and never again. Of several callers at once, one gets it.
    """
    with psycopg.connect(database_url) as connection:
        connection.execute(session_statement(Role.SYSTEM, {}))
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ONE_FIRST_KEY,))
        if connection.execute("SELECT 1 FROM api_keys LIMIT 1").fetchone() is not None:
            return None
        connection.execute(
            "INSERT INTO tenants (id, name) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING", (uuid7(), DEFAULT_TENANT)
        )
        tenant = connection.execute("SELECT id FROM tenants WHERE name = %s", (DEFAULT_TENANT,)).fetchone()
        assert tenant is not None, "the line above made it"
        key = make_key()
        connection.execute(_ADD, (key.id, tenant[0], "first admin", key.secret_hash, [ADMIN]))
    return key.key


def _record(row: tuple[str, str, list[str], datetime, datetime | None]) -> KeyRecord:
    return KeyRecord(row[0], row[1], tuple(row[2]), row[3], row[4])
