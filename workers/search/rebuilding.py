"""Handles Reindex and RollBack: a tenant's whole index."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from events.search import Reindexed, RolledBack
from infrastructure.ports import Refused
from infrastructure.ports.search import IndexedDocument, RebuildDiffers
from kinds.run import Run
from schemas.problems import Problem
from schemas.search import Reindex, RollBack
from workers.search.saved_searches import Matching
from workers.search.writing import Indexing

MAX_GOLDEN: Final = 20
"""Saved searches that a rebuilt index is compared by."""
NOTHING_BEFORE: Final = Problem.of(
    "no-generation",
    "There is nothing to roll back to",
    409,
    "No generation of the index is kept but the one that answers. Reindexing makes another.",
)
NOT_SAID: Final = Problem.of(
    "rollback-interrupted",
    "It isn't known whether this was done",
    409,
    "The job was interrupted, and didn't say which generation to leave. GET /api/search/indexes shows which one answers.",
)


async def reindex(command: Reindex, run: Run, indexing: Indexing, matching: Matching) -> Reindexed:
    """The new generation, which answers. Refused when it doesn't find what it must: then the old one stays. Safe to repeat."""
    tenant_id = run.tenant_id
    expected = await indexing.documents.count(tenant_id)
    saved = (await matching.saved.all_of(tenant_id))[:MAX_GOLDEN]
    golden = [await matching.for_engine(tenant_id, one.query) for one in saved]
    documents = _reported(indexing.documents.all_of(tenant_id), expected, run)
    try:
        rebuilt = await indexing.engine.rebuild(tenant_id, documents, golden=golden)
    except RebuildDiffers as differs:
        raise Refused(_differs(str(differs))) from None
    assert rebuilt is not None, "it is only left undone where that was asked for"
    return Reindexed(generation=rebuilt.generation, documents=rebuilt.documents, seconds=round(rebuilt.seconds, 3))


async def roll_back(command: RollBack, run: Run, indexing: Indexing) -> RolledBack:
    """The generation that answers now. Safe to repeat: what isn't the one to leave any more was rolled back already."""
    if command.leave is None and run.attempt > 1:
        raise Refused(NOT_SAID)
    states = await indexing.engine.states(run.tenant_id)
    answering = next((one.generation for one in states if one.answers), None)
    if command.leave is not None and answering is not None and answering != command.leave:
        return RolledBack(generation=answering)
    generation = await indexing.engine.roll_back(run.tenant_id)
    if generation is None:
        raise Refused(NOTHING_BEFORE)
    return RolledBack(generation=generation)


async def _reported(
    documents: AsyncIterator[Sequence[IndexedDocument]], expected: int, run: Run
) -> AsyncIterator[Sequence[IndexedDocument]]:
    done = 0
    run.progress(0.0, f"0 of {expected:,} documents")
    async for some in documents:
        yield some
        done += len(some)
        run.progress(0.95 * min(done / max(expected, 1), 1.0), f"{done:,} of {expected:,} documents")


def _differs(how: str) -> Problem:
    detail = f"The old index still answers, and nothing was changed. {how}"
    return Problem.of("rebuild-differs", "The rebuilt index doesn't find what it must", 409, detail)
