"""What a job that waited for others is told of them."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from infrastructure.ports.jobs import ObjectStore
from infrastructure.postgres import claiming
from infrastructure.postgres.connections import Line
from schemas.jobs import JobState
from schemas.problems import Problem
from workers.runtime.handler import Child
from workers.runtime.insisting import insist
from workers.runtime.large_results import fetched


async def children_of(line: Line, objects: ObjectStore, parents: Sequence[UUID]) -> dict[UUID, tuple[Child, ...]]:
    """Each parent's children in the order they were made, with their results wherever those lie.

    Unavailable when the object store can't answer; PostgreSQL is waited for.
    """
    rows = await insist(line, lambda connection: claiming.children_of(connection, parents))
    found: dict[UUID, list[Child]] = defaultdict(list)
    for parent, job_id, kind, state, result, problem, key in rows:
        told = None if problem is None else Problem.model_validate(problem)
        brought = result if key is None else await fetched(objects, key)
        found[parent].append(Child(job_id, kind, JobState(state), brought, told))
    return {parent: tuple(children) for parent, children in found.items()}
