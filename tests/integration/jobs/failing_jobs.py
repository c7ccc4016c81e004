"""Failed jobs, as submitting and failing them one by one would leave them."""

from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from monitoring.errors.fingerprints import fingerprint
from schemas.jobs import JobState
from schemas.problems import Problem
from tests.integration.serving import DOCUMENT, Tenant, World

ODD = Problem.of("odd", "It is odd", 500, "line 17")


def fail(world: World, tenant: Tenant, count: int, *, problem: Problem = ODD) -> list[UUID]:
    """So many documents whose processing has failed."""
    ids = [uuid4() for _ in range(count)]
    world.database.execute(
        """
        WITH j AS (
          INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command)
          SELECT unnest(%s::uuid[]), %s, 'ai.process_document', 'ai', 'running', 5, %s RETURNING id, tenant_id)
        INSERT INTO job_events (job_id, seq, tenant_id, type) SELECT id, 1, tenant_id, 'job.queued' FROM j
        """,
        (ids, tenant.id, Jsonb(DOCUMENT)),
    )
    mark_failed(world, ids, problem=problem)
    return ids


def mark_failed(world: World, ids: list[UUID], *, problem: Problem = ODD) -> None:
    world.database.execute(
        "UPDATE jobs SET state = %s, problem = %s, fingerprint = %s, failed_at = now(), finished_at = now(), "
        "wake_at = NULL, lease_token = NULL, lease_worker = NULL WHERE id = ANY(%s)",
        (
            JobState.FAILED,
            Jsonb(problem.model_dump(mode="json")),
            fingerprint("ai.process_document", problem),
            ids,
        ),
    )
