"""What tenants use: amounts that are changed with what uses them, and jobs that wait, which are counted."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.quotas import COUNTED, QuotaExceeded
from schemas.catalogue import queues
from schemas.jobs import HOLD, LIMIT
from schemas.tenants import DEFAULT_LIMITS

MAX_COUNTED_OF_A_STATE: Final = 100_000
PRIORITY_STEPS: Final = 3


class Amount(StrEnum):
    """Amounts kept in `tenant_usage`. Each is named like its limit."""

    STORED_BYTES = "stored_bytes"
    DOCUMENTS = "documents"
    AI_USD_A_DAY = "ai_usd_a_day"
    AI_USD_A_MONTH = "ai_usd_a_month"


_PERIOD: Final[Mapping[Amount, str]] = {
    Amount.STORED_BYTES: "'-infinity'::date",
    Amount.DOCUMENTS: "'-infinity'::date",
    Amount.AI_USD_A_DAY: "date_trunc('day', now())::date",
    Amount.AI_USD_A_MONTH: "date_trunc('month', now())::date",
}

# The row's lock is held until the caller's transaction ends: the next one adds to what this one has committed.
_CHANGE = """
WITH allowed AS (
  SELECT coalesce((SELECT {what} FROM tenant_limits WHERE tenant_id = %(tenant_id)s), %(default)s::numeric) AS limit)
INSERT INTO tenant_usage AS u (tenant_id, what, period, amount)
SELECT %(tenant_id)s, '{what}', {period}, greatest(%(change)s::numeric, 0) FROM allowed
ON CONFLICT (tenant_id, what, period) DO UPDATE SET amount = greatest(u.amount + %(change)s::numeric, 0)
RETURNING amount, (SELECT allowed.limit FROM allowed)
"""
SPEND: Final = f"""
INSERT INTO tenant_usage AS u (tenant_id, what, period, amount)
SELECT s.tenant_id, p.what, p.period, s.dollars FROM spent s JOIN tenants t ON t.id = s.tenant_id
CROSS JOIN (VALUES
  ('{Amount.AI_USD_A_DAY}', {_PERIOD[Amount.AI_USD_A_DAY]}), ('{Amount.AI_USD_A_MONTH}', {_PERIOD[Amount.AI_USD_A_MONTH]})
) AS p (what, period) ORDER BY s.tenant_id, p.what
ON CONFLICT (tenant_id, what, period) DO UPDATE SET amount = u.amount + excluded.amount
"""
"""The end of a statement that has the dollars of several tenants in `spent`. They are added whatever the limits are: the
money is spent already. Rows are locked in one order, so that concurrent statements can't deadlock."""
_AMOUNTS = """
SELECT what, amount FROM tenant_usage WHERE tenant_id = %(tenant_id)s AND period = CASE what {periods} END
"""

# Three partial indexes hold all jobs that wait. In each the tenant's are next to each other, once its queue and priority
# step, or the reason, is given: there are few of either.
_WAITING = f"""
WITH reason AS (
  SELECT '{LIMIT}' AS parked
  UNION ALL SELECT '{HOLD}' || id FROM holds WHERE tenant_id = %(tenant_id)s
  UNION ALL SELECT '{HOLD}' || id FROM holds WHERE tenant_id IS NULL)
SELECT count(*) FROM (
  (SELECT 1 FROM unnest(%(queues)s::text[]) AS q (queue) CROSS JOIN generate_series(0, {PRIORITY_STEPS - 1}) AS s (lane)
   CROSS JOIN LATERAL (
     SELECT FROM jobs j WHERE j.queue = q.queue AND j.lane = s.lane AND j.tenant_id = %(tenant_id)s
       AND j.wake_at IS NOT NULL AND j.state = 'queued' LIMIT %(most)s) n)
  UNION ALL
  (SELECT 1 FROM reason CROSS JOIN LATERAL (
     SELECT FROM jobs j WHERE j.parked = reason.parked AND j.tenant_id = %(tenant_id)s LIMIT %(most)s) n)
  UNION ALL
  (SELECT 1 FROM jobs WHERE tenant_id = %(tenant_id)s AND state IN ('scheduled', 'retrying', 'waiting') AND parked IS NULL
   LIMIT %(most)s)
  LIMIT %(most)s) w
"""
# By index as well; a state of a hundred thousand jobs is counted no further.
_BY_STATE = f"""
SELECT state, count(*) FROM (
  (SELECT 'queued' AS state FROM unnest(%(queues)s::text[]) AS q (queue)
   CROSS JOIN generate_series(0, {PRIORITY_STEPS - 1}) AS s (lane) CROSS JOIN LATERAL (
     SELECT FROM jobs j WHERE j.queue = q.queue AND j.lane = s.lane AND j.tenant_id = %(tenant_id)s
       AND j.wake_at IS NOT NULL AND j.state = 'queued' LIMIT %(most)s) n)
  UNION ALL
  (SELECT CASE parked WHEN '{LIMIT}' THEN 'capped' ELSE 'held' END FROM jobs
   WHERE tenant_id = %(tenant_id)s AND parked IS NOT NULL LIMIT %(most)s)
  UNION ALL
  (SELECT state FROM jobs WHERE tenant_id = %(tenant_id)s AND state IN ('scheduled', 'retrying', 'waiting')
     AND parked IS NULL LIMIT %(most)s)
  UNION ALL
  (SELECT 'running' FROM workers w JOIN jobs j ON j.lease_worker = w.id
   WHERE j.tenant_id = %(tenant_id)s AND j.state = 'running' LIMIT %(most)s)) n
GROUP BY state
"""


async def change(connection: Connection, tenant_id: UUID, changes: Mapping[Amount, Decimal | int]) -> None:
    """Adds to the tenant's amounts, or takes from them, exactly. Raises QuotaExceeded when one that grows would pass its
    limit: the transaction must be rolled back then. Call it in the transaction that stores or removes what is counted.

        await usage.change(connection, tenant_id, {Amount.DOCUMENTS: 1, Amount.STORED_BYTES: len(sealed)})

    Concurrent callers for one tenant wait for each other's commit, so call it late in the transaction.
    """
    for what in sorted(changes):  # Always in one order, so that callers can't deadlock.
        added = Decimal(changes[what])
        statement = _CHANGE.format(what=what.value, period=_PERIOD[what])
        default = getattr(DEFAULT_LIMITS, what.value)
        found = await connection.execute(statement, {"tenant_id": tenant_id, "change": added, "default": default})
        row = await found.fetchone()
        assert row is not None, "the statement returns the amount"
        amount, limit = row
        if added > 0 and limit is not None and amount > limit:
            raise QuotaExceeded(what.value, used=amount - added, limit=limit)


async def amounts(connection: Connection, tenant_id: UUID) -> dict[Amount, Decimal]:
    """The tenant's amounts, those of a period of the present one."""
    periods = " ".join(f"WHEN '{what.value}' THEN {period}" for what, period in _PERIOD.items())
    found = await connection.execute(_AMOUNTS.format(periods=periods), {"tenant_id": tenant_id})
    kept = dict(await found.fetchall())
    return {what: kept.get(what.value, Decimal(0)) for what in Amount}


async def waiting_jobs(connection: Connection, tenant_id: UUID, most: int) -> int:
    """How many of the tenant's jobs wait for whatever reason; it counts no further than `most`. For the system's role."""
    wanted = {"tenant_id": tenant_id, "most": most, "queues": list(queues())}
    row = await (await connection.execute(_WAITING, wanted)).fetchone()
    assert row is not None, "a count is one row"
    return int(row[0])


async def jobs_by_state(connection: Connection, tenant_id: UUID) -> dict[str, int]:
    """The tenant's jobs that haven't ended, by state; capped and held ones apart. It counts no further than
    MAX_COUNTED_OF_A_STATE of each. For the system's role."""
    wanted = {"tenant_id": tenant_id, "most": MAX_COUNTED_OF_A_STATE, "queues": list(queues())}
    found = await connection.execute(_BY_STATE, wanted)
    return dict(await found.fetchall())


async def kept(connection: Connection, tenant_id: UUID) -> dict[str, int]:
    """How many rows the tenant has of each quota that is counted by its rows."""
    counts = {}
    for quota in COUNTED:
        statement = f"SELECT count(*) FROM {quota.table} WHERE tenant_id = %s AND {quota.counted}"
        row = await (await connection.execute(statement, (tenant_id,))).fetchone()
        assert row is not None, "a count is one row"
        counts[quota.name] = int(row[0])
    return counts
