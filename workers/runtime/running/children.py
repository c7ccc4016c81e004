"""Reads the ended children of a job, with their results."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from infrastructure.ports.objects import ObjectStore
from infrastructure.postgres.jobs import claim
from infrastructure.postgres.jobs.queries import readable
from infrastructure.postgres.session import PostgresSession
from kinds.run import Child
from schemas.jobs import JobState
from schemas.problems import UNREADABLE, Problem
from workers.runtime.settling.large_results import fetched
from workers.runtime.settling.retry_until_available import retry_until_available

LARGE_CHARACTERS = 65_536


async def children_of(
    session: PostgresSession, objects: ObjectStore, parents: Sequence[UUID]
) -> dict[UUID, tuple[Child, ...]]:
    """Each parent's children in the order they were made, with their results.

    Raises Unavailable when the object store can't be reached; waits for PostgreSQL as long as it takes.
    """
    rows = await retry_until_available(session, lambda connection: claim.children_of(connection, parents))
    found: dict[UUID, list[Child]] = defaultdict(list)
    for parent, job_id, kind, state, result, problem, key in rows:
        content = result if key is None else await fetched(objects, key)
        found[parent].append(await _child(job_id, kind, JobState(state), content, problem))
    return {parent: tuple(children) for parent, children in found.items()}


async def _child(job_id: UUID, kind: str, state: JobState, result: str | None, problem: str | None) -> Child:
    if result is not None and len(result) > LARGE_CHARACTERS:
        await asyncio.sleep(0)  # Parsing a large result blocks the loop: yields before it.
    try:
        failure = None if problem is None else Problem.model_validate_json(problem)
        return Child(job_id, kind, state, readable(result), failure)
    except ValueError:
        # Only its parent should fail, not the whole claim.
        return Child(job_id, kind, JobState.FAILED, None, UNREADABLE)
