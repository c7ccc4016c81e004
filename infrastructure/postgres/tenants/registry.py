"""The tenants that exist: makes, lists and changes them, in the system's role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row
from uuid_utils.compat import uuid7

from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import api_keys
from infrastructure.postgres.tenants.limits import AS_JSON, limits_of, set_limits
from schemas.tenants import Limits, NewTenant, Tenant, TenantErasure, TenantState

FIRST_KEY: Final = "first admin"

_COLUMNS = f"""t.id, t.name, t.display_name, t.region, t.state, t.state_because, t.state_since, t.is_operator, t.created_at,
  CASE WHEN l.tenant_id IS NOT NULL THEN {AS_JSON} END AS limits,
  CASE WHEN e.tenant_id IS NOT NULL THEN to_jsonb(e) END AS erasure"""
_FROM = """FROM tenants t LEFT JOIN tenant_limits l ON l.tenant_id = t.id
  LEFT JOIN tenant_erasures e ON e.tenant_id = t.id"""
_FIND = f"SELECT {_COLUMNS} {_FROM} WHERE t.id = %s"
_LIST = f"SELECT {_COLUMNS} {_FROM} WHERE t.id < %s AND (%s::text IS NULL OR t.name = %s) ORDER BY t.id DESC LIMIT %s"
_ADD = """
INSERT INTO tenants (id, name, display_name, region) VALUES (%s, %s, %s, %s) ON CONFLICT (name) DO NOTHING RETURNING id
"""
_CHANGE = """
UPDATE tenants SET display_name = coalesce(%(display_name)s, display_name), region = coalesce(%(region)s, region)
WHERE id = %(tenant_id)s
"""
_RECORDS = f"""
SELECT t.id, t.state, t.state_because, t.is_operator, CASE WHEN l.tenant_id IS NOT NULL THEN {AS_JSON} END
FROM tenants t LEFT JOIN tenant_limits l ON l.tenant_id = t.id WHERE t.id = ANY(%s)
"""
_BY_STATE = "SELECT state, count(*) FROM tenants GROUP BY state"


@dataclass(frozen=True, slots=True)
class TenantRecord:
    """What each request needs to know of its tenant."""

    state: TenantState
    because: str
    is_operator: bool
    limits: Limits
    """What an operator set."""


@dataclass(frozen=True, slots=True)
class Created:
    """A new tenant and its first admin key, which is never shown again."""

    tenant: Tenant
    key: str


async def create(connection: Connection, wanted: NewTenant) -> Created | None:
    """Makes the tenant with its limits and its first admin key; None when the name is taken. Call it in a transaction."""
    tenant_id = await add(connection, wanted)
    if tenant_id is None:
        return None
    key = api_keys.make_key()
    await api_keys.add(connection, tenant_id, key, FIRST_KEY, [api_keys.ADMIN])
    tenant = await find(connection, tenant_id)
    assert tenant is not None, "this transaction made it"
    return Created(tenant, key.key)


async def add(connection: Connection, wanted: NewTenant) -> UUID | None:
    """Makes the tenant with its limits and without a key; None when the name is taken. Call it in a transaction."""
    tenant_id: UUID = uuid7()
    made = await connection.execute(_ADD, (tenant_id, wanted.name, wanted.display_name, wanted.region))
    if await made.fetchone() is None:
        return None
    await set_limits(connection, tenant_id, wanted.limits)
    return tenant_id


async def find(connection: Connection, tenant_id: UUID) -> Tenant | None:
    found = await _tenants(connection, _FIND, (tenant_id,))
    return found[0] if found else None


async def listed(connection: Connection, *, before: UUID, limit: int, name: str | None = None) -> list[Tenant]:
    """Up to `limit` tenants, the newest first, all older than `before`; with a name, the one of that name."""
    return await _tenants(connection, _LIST, (before, name, name, limit))


async def change(connection: Connection, tenant_id: UUID, *, display_name: str | None, region: str | None) -> None:
    """Changes what is given. Safe to repeat."""
    await connection.execute(_CHANGE, {"tenant_id": tenant_id, "display_name": display_name, "region": region})


async def records(connection: Connection, tenant_ids: Sequence[UUID]) -> Mapping[UUID, TenantRecord]:
    """The records of the tenants that exist, by id."""
    found = await connection.execute(_RECORDS, (list(tenant_ids),))
    return {
        tenant_id: TenantRecord(TenantState(state), because, is_operator, limits_of(limits))
        for tenant_id, state, because, is_operator, limits in await found.fetchall()
    }


async def count_by_state(connection: Connection) -> Mapping[str, int]:
    found = await connection.execute(_BY_STATE)
    return dict(await found.fetchall())


async def _tenants(connection: Connection, statement: str, values: Any) -> list[Tenant]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, values)
        return [_tenant(row) for row in await cursor.fetchall()]


def _tenant(row: dict[str, Any]) -> Tenant:
    erasure = None if row["erasure"] is None else TenantErasure.model_validate(row["erasure"])
    return Tenant.model_validate({**row, "limits": limits_of(row["limits"]), "erasure": erasure})
