"""Suspends a tenant and resumes it, in one transaction of the system's role.

Its jobs are held by an operator's hold, its schedules and webhooks are paused: each by its own mechanism, so that what is
suspended shows wherever its state is shown. New commands are refused by the ingress.
"""

from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import quotas
from schemas.tenants import TenantState
from schemas.webhooks import PauseReason

SUSPENDED: Final = PauseReason.SUSPENDED.value

_STATE = "SELECT state FROM tenants WHERE id = %s FOR UPDATE"
_SET_STATE = """
UPDATE tenants SET state = %(state)s, state_because = %(because)s,
  state_since = CASE WHEN state = %(state)s THEN state_since ELSE now() END
WHERE id = %(tenant_id)s
"""
# Its empty argument matches every command, and keeps it apart from a hold that the tenant makes of all its jobs.
_HOLD = """
INSERT INTO holds (id, action, tenant_id, argument, reason, created_by, by_operator)
VALUES (%(id)s, 'pause', %(tenant_id)s, '{}', %(reason)s, %(by)s, true)
ON CONFLICT (tenant_id, action, queue, kind, argument) DO UPDATE SET reason = excluded.reason
"""
_RELEASE = "DELETE FROM holds WHERE tenant_id = %s AND action = 'pause' AND argument = '{}'"
_PAUSE_SCHEDULES = f"""
UPDATE schedules SET paused_at = now(), paused_because = '{SUSPENDED}', look_at = NULL, next_at = NULL, held = '{{}}'
WHERE tenant_id = %s AND paused_at IS NULL
"""
# A dispatcher looks for slots from now on, and so finds the next one.
_RESUME_SCHEDULES = f"""
UPDATE schedules SET paused_at = NULL, paused_because = NULL, look_at = now(), next_at = now()
WHERE tenant_id = %s AND paused_because = '{SUSPENDED}'
"""
_PAUSE_WEBHOOKS = f"""
UPDATE webhooks SET paused_at = now(), paused_because = '{SUSPENDED}' WHERE tenant_id = %s AND paused_at IS NULL
"""
_RESUME_WEBHOOKS = f"""
UPDATE webhooks SET paused_at = NULL, paused_because = NULL, failing_since = NULL
WHERE tenant_id = %s AND paused_because = '{SUSPENDED}'
"""


async def state_of(connection: Connection, tenant_id: UUID) -> TenantState | None:
    """The tenant's state, which stays so until the transaction ends; None when there is no such tenant."""
    row = await (await connection.execute(_STATE, (tenant_id,))).fetchone()
    return None if row is None else TenantState(row[0])


async def set_state(connection: Connection, tenant_id: UUID, state: TenantState, because: str) -> None:
    await connection.execute(_SET_STATE, {"tenant_id": tenant_id, "state": state, "because": because})


async def suspend(
    connection: Connection, tenant_id: UUID, because: str, by: str, *, state: TenantState = TenantState.SUSPENDED
) -> None:
    """Suspends the tenant; its running jobs go on. Safe to repeat. Call it in a transaction that has the state locked.

    Who adds or changes a schedule or webhook holds the quota's lock, so none is missed.
    """
    await set_state(connection, tenant_id, state, because)
    reason = f"the tenant is {state}" + (f": {because}" if because else "")
    await connection.execute(_HOLD, {"id": uuid7(), "tenant_id": tenant_id, "reason": reason, "by": by})
    for quota in (quotas.SCHEDULES, quotas.WEBHOOKS):
        await quotas.lock(connection, quota, tenant_id)
    await connection.execute(_PAUSE_SCHEDULES, (tenant_id,))
    await connection.execute(_PAUSE_WEBHOOKS, (tenant_id,))


async def resume(connection: Connection, tenant_id: UUID) -> None:
    """Undoes `suspend`: dispatchers release the held jobs, events of the meantime are sent, slots of it aren't made up for.
    Safe to repeat. Call it in a transaction that has the state locked."""
    await set_state(connection, tenant_id, TenantState.ACTIVE, "")
    for statement in (_RELEASE, _RESUME_SCHEDULES, _RESUME_WEBHOOKS):
        await connection.execute(statement, (tenant_id,))
