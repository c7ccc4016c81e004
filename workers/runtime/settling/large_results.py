"""Offloads results that are too large for a row to the object store, before their run is settled."""

from infrastructure.object_store.places import result_place
from infrastructure.ports import Unavailable
from infrastructure.ports.objects import ObjectStore
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.jobs.settlement import Settlement
from infrastructure.postgres.jobs.stored_results import StoredResult
from schemas.problems import Problem
from workers.runtime.settling.outcomes import Failed
from workers.runtime.settling.retry import Failure

LARGE_BYTES = 256 * 1_024
MAX_BYTES_OF_A_CHARACTER = 4


def is_large(settlement: Settlement) -> bool:
    result = settlement.result
    if result is None or len(result) * MAX_BYTES_OF_A_CHARACTER <= LARGE_BYTES:
        return False
    return len(result.encode()) > LARGE_BYTES


async def offload(settlement: Settlement, claimed: Claimed, objects: ObjectStore) -> Settlement | Failed:
    """The settlement with its result in the object store; Failed, retryable, when the store can't be reached.

    The object is written before the settlement refers to it. If the settlement then has no effect, the object is an orphan,
    which retention removes. Safe to repeat: the key is the run's own.
    """
    content = (settlement.result or "").encode()
    key = result_place(claimed.tenant_id, claimed.id, claimed.token)
    try:
        await objects.put(key, content)
    except Unavailable as error:
        problem = Problem.of("object-store-away", "The result can't be kept now", 503, "The object store is away.")
        return Failed(Failure(problem, retryable=True, retry_after_seconds=error.retry_after_seconds))
    return settlement._replace(result=None, stored=StoredResult(key, len(content)))


async def fetched(objects: ObjectStore, key: str) -> str | None:
    """A stored result as JSON text; None when it has been removed. Raises Unavailable when the store can't be reached."""
    content = await objects.read(key)
    if content is None:
        return None
    return b"".join([part async for part in content]).decode()
