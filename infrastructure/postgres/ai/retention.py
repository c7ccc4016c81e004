"""Deletes what is kept of model calls once it is old, a bounded number of rows at a time. For the system's role.

Checkpoints go with their jobs (infrastructure/postgres/jobs/retention.py). Here go those that a worker wrote which didn't know
yet that its job was gone.
"""

from typing import Final

from infrastructure.postgres.session import Connection
from schemas.jobs import TERMINAL

MAX_AT_ONCE: Final = 1_000
_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
ORPHANED_AFTER_HOURS: Final = 24.0
ALERTS_DAYS: Final = 62
"""Longer than any period of a budget, and than jobs usually run."""

# By the primary key: it begins with the time (UUIDv7) at the worker, whose clock alone deletes nothing.
_FORGET_ATTEMPTS = f"""
DELETE FROM ai_service_requests WHERE id = ANY(ARRAY(
  SELECT id FROM ai_service_requests
  WHERE id < (lpad(to_hex((extract(epoch FROM now() - make_interval(days => %(days)s)) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    AND created_at < now() - make_interval(days => %(days)s) AND ended_at IS NOT NULL
  ORDER BY id LIMIT {MAX_AT_ONCE} FOR UPDATE SKIP LOCKED))
"""
_FORGET_ORPHANS = f"""
DELETE FROM ai_sections WHERE ctid = ANY(ARRAY(
  SELECT s.ctid FROM ai_sections s
  WHERE s.created_at < now() - make_interval(secs => %s * 3600) AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = s.job_id)
  ORDER BY s.created_at LIMIT {MAX_AT_ONCE} FOR UPDATE SKIP LOCKED))
"""
_FORGET_ALERTS = f"""
DELETE FROM ai_budget_alerts WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM ai_budget_alerts WHERE created_at < now() - make_interval(days => %s)
  ORDER BY created_at LIMIT {MAX_AT_ONCE} FOR UPDATE SKIP LOCKED))
"""
_FORGET_ANSWERS = f"""
DELETE FROM ai_answers WHERE ctid = ANY(ARRAY(
  SELECT a.ctid FROM ai_answers a
  WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = a.job_id AND j.state NOT IN ({_ENDED}))
  ORDER BY a.created_at LIMIT {MAX_AT_ONCE} FOR UPDATE SKIP LOCKED))
"""


async def forget_attempts(connection: Connection, *, days: int) -> int:
    """Deletes up to MAX_AT_ONCE attempts that began so many days ago, and returns how many. What tenants used stays."""
    return (await connection.execute(_FORGET_ATTEMPTS, {"days": days})).rowcount


async def forget_orphaned_sections(connection: Connection, *, hours: float = ORPHANED_AFTER_HOURS) -> int:
    """Deletes up to MAX_AT_ONCE checkpoints of jobs that are gone, and returns how many."""
    return (await connection.execute(_FORGET_ORPHANS, (hours,))).rowcount


async def forget_unused_answers(connection: Connection) -> int:
    """Deletes up to MAX_AT_ONCE paid answers of jobs that have ended, or are gone, and returns how many."""
    return (await connection.execute(_FORGET_ANSWERS)).rowcount


async def forget_budget_alerts(connection: Connection, *, days: int = ALERTS_DAYS) -> int:
    """Deletes up to MAX_AT_ONCE notes of what was reported of budgets whose period is long over, and returns how many."""
    return (await connection.execute(_FORGET_ALERTS, (days,))).rowcount
