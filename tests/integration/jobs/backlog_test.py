"""What the dispatcher asks each second costs the same however long the backlog is."""

from collections.abc import Iterator
from typing import Any

from infrastructure.postgres.jobs.sweep import LOOK
from infrastructure.postgres.jobs.turns import BEFORE_ALL, UNCLAIMED
from infrastructure.postgres.session import BUS_SESSION
from tests.integration.serving import World

TENANTS, WAITING = 3, 900
_ENDED = """
INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command)
SELECT uuidv7(), gen_random_uuid(), 'kitchen.brew', 'ai', 'succeeded', 5, '{}' FROM generate_series(1, 20000)
"""
_QUEUED = """
INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command, wake_at)
SELECT uuidv7(), uuid_in(lpad((n % %s)::text, 32, '0')::cstring), 'kitchen.brew', 'ai', 'queued', 5, '{}', now()
FROM generate_series(1, %s) AS n
"""


def test_a_look_at_what_waits_reads_one_job_of_a_queue(world: World) -> None:
    _leave_a_backlog(world)

    assert _read(world, LOOK, {}) == 1


def test_finding_who_waits_reads_a_few_jobs_of_each_tenant(world: World) -> None:
    _leave_a_backlog(world)

    assert (
        TENANTS
        <= _read(world, UNCLAIMED, {"queue": "ai", "lane": BEFORE_ALL[0], "tenant_id": BEFORE_ALL[1]})
        <= 3 * TENANTS
    )


def _leave_a_backlog(world: World) -> None:
    # What the planner knows is from before it, as after a quiet night.
    world.database.execute(_ENDED)
    world.database.execute("VACUUM ANALYZE jobs")
    world.database.execute(_QUEUED.replace("n % %s", "n %% %s"), (TENANTS, WAITING))


def _read(world: World, statement: str, parameters: dict[str, object]) -> float:
    """How many of the waiting jobs the statement reads."""
    for name, value in BUS_SESSION.items():
        world.database.execute("SELECT set_config(%s, %s, false)", (name, value))
    row = world.database.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), parameters).fetchone()
    assert row is not None
    steps = [step for step in _steps(row[0][0]["Plan"]) if step.get("Index Name") == "jobs_turn"]
    assert steps, "the waiting jobs are found by their index"
    return sum(float(step["Actual Rows"] * step["Actual Loops"]) for step in steps)


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _steps(part)
