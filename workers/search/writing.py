"""Writes documents into a tenant's index as they stand in the store. Jobs may run in any order and any number of times."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.search import Documents, IndexedDocument, IndexMissing, SearchIndex
from kinds.run import Run
from monitoring.metrics import indexing as metrics
from workers.search.in_flight import InFlight

MAX_CHANGES: Final = 5
"""Of one document, while one job indexes it."""


@dataclass(frozen=True, slots=True)
class Indexing:
    """What the handlers of indexing work with."""

    documents: Documents
    engine: SearchIndex
    in_flight: InFlight = field(default_factory=InFlight)


@dataclass(frozen=True, slots=True)
class Written:
    """What came of documents."""

    failures: Mapping[str, Refused | Unavailable]
    """Those that couldn't be written, by id, and why."""
    has_saved_searches: bool


async def write_as_they_stand(documents: Sequence[IndexedDocument], run: Run, indexing: Indexing) -> Written:
    """Writes each in its version, and again if what is said about it was changed meanwhile: of two jobs that index one version,
    the one that read it earlier may write it later. Ids are distinct. One that can't be written keeps no other from it."""
    if documents:
        metrics.batch_written(len(documents))
    failures: dict[str, Refused | Unavailable] = {}
    left, has_saved = list(documents), False
    for _ in range(MAX_CHANGES):
        failures |= await _write_all(left, run, indexing)
        written = [one for one in left if one.document_id not in failures]
        if not written:
            return Written(failures, has_saved)
        # What isn't to be found any more is taken out by who decided that, and a newer version is written by its own job.
        standing = await indexing.documents.standing(run.tenant_id, written)
        has_saved = standing.has_saved_searches
        left = [now for one in written if (now := standing.documents.get(one.document_id)) is not None and now != one]
        if not left:
            return Written(failures, has_saved)
    changing = Unavailable("the document is changed faster than it can be indexed; it is tried again")
    return Written(failures | dict.fromkeys([one.document_id for one in left], changing), has_saved)


async def _write_all(
    documents: Sequence[IndexedDocument], run: Run, indexing: Indexing
) -> dict[str, Refused | Unavailable]:
    """Hands all to the engine at the same time, as far as there is room, so that its batches fill. Returns what failed."""

    async def write(document: IndexedDocument) -> None:
        async with indexing.in_flight.one(run.tenant_id, document.document_id, len(document.text)):
            await _write(document, run, indexing)

    outcomes = await asyncio.gather(*map(write, documents), return_exceptions=True)
    failures: dict[str, Refused | Unavailable] = {}
    for document, outcome in zip(documents, outcomes, strict=True):
        match outcome:
            case Refused() | Unavailable():
                failures[document.document_id] = outcome
            case BaseException():
                raise outcome
    return failures


async def _write(document: IndexedDocument, run: Run, indexing: Indexing) -> None:
    begun_at = time.monotonic()
    try:
        await indexing.engine.index(run.tenant_id, document)
    except IndexMissing:
        run.progress(0.1, "building the tenant's index")
        await build_if_missing(run.tenant_id, indexing)
        await indexing.engine.index(run.tenant_id, document)
    metrics.document_found(time.monotonic() - begun_at)


async def build_if_missing(tenant_id: UUID, indexing: Indexing) -> None:
    """Builds the tenant's index from its stored documents, unless there is one."""
    await indexing.engine.rebuild(tenant_id, indexing.documents.all_of(tenant_id), unless_there=True)
