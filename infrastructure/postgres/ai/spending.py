"""What a tenant has spent on models in the present day and month, as budgets count it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from infrastructure.postgres.session import Connection
from schemas.tenants import DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Spending:
    """US dollars. What a budget has left is its limit less `spent` less `reserved`."""

    today: date
    """By PostgreSQL's clock, in UTC; the month is the one of this day."""
    spent_today: Decimal
    """What ended attempts cost; those whose cost is unknown, lost ones included, count with what was reserved for them."""
    spent_this_month: Decimal
    reserved: Decimal
    """For attempts that are under way, or whose process died a moment ago: they count in the day and in the month."""
    day_limit: Decimal | None
    """None: no limit."""
    month_limit: Decimal | None


# What waits in a provider's batch counts as spent, since it will be, though nobody holds it for a day.
# An attempt counts where it ended, as in tenant_usage, so the sums are of the same rows. All that is read is by index: two
# amounts, and the few rows without a price.
_SPENDING = """
WITH p AS (SELECT now()::date AS today, date_trunc('month', now())::date AS month, date_trunc('day', now()) AS day_began,
    date_trunc('month', now()) AS month_began),
unpriced AS (
  SELECT coalesce(sum(r.reserved_usd), 0) AS month,
    coalesce(sum(r.reserved_usd) FILTER (WHERE r.ended_at IS NULL OR r.ended_at >= p.day_began), 0) AS day
  FROM p JOIN ai_service_requests r ON r.tenant_id = %(tenant_id)s AND NOT r.priced
    AND (r.ended_at >= p.month_began OR (r.ended_at IS NULL AND r.lane = 'batch'))),
under_way AS (
  SELECT coalesce(sum(reserved_usd), 0) AS dollars FROM ai_service_requests
  WHERE tenant_id = %(tenant_id)s AND NOT priced AND ended_at IS NULL AND lane <> 'batch')
SELECT p.today,
  coalesce((SELECT amount FROM tenant_usage WHERE tenant_id = %(tenant_id)s AND what = 'ai_usd_a_day' AND period = p.today), 0)
    + unpriced.day,
  coalesce((SELECT amount FROM tenant_usage WHERE tenant_id = %(tenant_id)s AND what = 'ai_usd_a_month' AND period = p.month), 0)
    + unpriced.month,
  under_way.dollars,
  coalesce((SELECT ai_usd_a_day FROM tenant_limits WHERE tenant_id = %(tenant_id)s), %(day_limit)s::numeric),
  coalesce((SELECT ai_usd_a_month FROM tenant_limits WHERE tenant_id = %(tenant_id)s), %(month_limit)s::numeric)
FROM p CROSS JOIN unpriced CROSS JOIN under_way
"""


async def spending_of(connection: Connection, tenant_id: UUID) -> Spending:
    """What the tenant has spent, with its limits: what budgets start from when Redis has forgotten. For the tenant's role or
    the system's; one statement, so all of one moment."""
    usual = {"day_limit": DEFAULT_LIMITS.ai_usd_a_day, "month_limit": DEFAULT_LIMITS.ai_usd_a_month}
    row = await (await connection.execute(_SPENDING, {"tenant_id": tenant_id, **usual})).fetchone()
    assert row is not None, "a sum is one row"
    return Spending(*row)
