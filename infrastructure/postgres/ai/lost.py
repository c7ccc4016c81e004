"""Ends attempts whose process died, or that take longer than any call may. For the system's role."""

from typing import Final

from infrastructure.postgres.ai.attempts import LOST
from infrastructure.postgres.session import Connection

MAX_AT_ONCE: Final = 1_000
LONGEST_SECONDS: Final = 3_600.0
"""Six times as long as a call may take at most, as far as the usual deadlines go."""
GRACE_SECONDS: Final = 10.0
"""For a run that ends a moment before its attempt does. Such an end is written all the same: it is known then after all."""

# An attempt is alive while its job is run by the try that made it. What waits in a provider's batch is in nobody's hands for a
# day, and isn't lost before its ticket is. What it cost stays unknown: reserved_usd counts in its place.
_END_LOST = f"""
WITH lost AS (
  SELECT r.id FROM ai_service_requests r LEFT JOIN jobs j ON j.id = r.job_id
  WHERE r.ended_at IS NULL AND r.created_at < now() - make_interval(secs => %(grace)s)
    AND (r.created_at < now() - make_interval(secs => %(longest)s)
      OR (r.job_attempt IS NOT NULL AND (j.state = 'running' AND j.attempt = r.job_attempt) IS NOT TRUE))
    AND NOT EXISTS (SELECT FROM ai_batches b WHERE b.request_id = r.id)
  ORDER BY r.created_at LIMIT {MAX_AT_ONCE} FOR UPDATE OF r SKIP LOCKED)
UPDATE ai_service_requests r SET outcome = '{LOST}', ended_at = now() FROM lost WHERE r.id = lost.id
"""


async def end_lost(
    connection: Connection, *, grace_seconds: float = GRACE_SECONDS, longest_seconds: float = LONGEST_SECONDS
) -> int:
    """Ends up to MAX_AT_ONCE lost attempts and returns how many. Safe to repeat, and in any number of dispatchers."""
    found = await connection.execute(_END_LOST, {"grace": grace_seconds, "longest": longest_seconds})
    return found.rowcount
