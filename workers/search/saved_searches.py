"""Handles MatchSavedSearches: tells which saved searches documents match that were just indexed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from events.search import SavedMatched, SavedSearchesMatched
from infrastructure.ports.saved_searches import SavedSearchMatches, StandingSearch
from infrastructure.ports.search import SearchEngine
from infrastructure.searching.preparation import Preparation
from kinds.run import Run, Then
from schemas.documents import DocumentRef
from schemas.search import MAX_HITS, MatchSavedSearches, SearchQuery, Sort

MAX_EVENTS: Final = 1_500
"""In one job's timeline, which has room for 2,000: another job goes on then."""


@dataclass(frozen=True, slots=True)
class Matching:
    """What saved searches are compared with documents by."""

    saved: SavedSearchMatches
    engine: SearchEngine
    preparation: Preparation

    async def for_engine(
        self, tenant_id: UUID, query: SearchQuery, *, document_ids: tuple[str, ...] = ()
    ) -> SearchQuery:
        """What an engine is to look for, and nothing beside the ids of what it finds; among these documents, if any are
        named."""
        narrowed = {"document_ids": document_ids} if document_ids else {}
        plain = SearchQuery(
            text=query.text,
            match=query.match,
            filters=query.filters.model_copy(update=narrowed),
            synonyms=query.synonyms,
            sort=Sort.NEWEST,
            highlight=False,
            limit=MAX_HITS,
        )
        return (await self.preparation.prepare(tenant_id, plain)).searched


async def match_saved_searches(
    command: MatchSavedSearches, run: Run, matching: Matching
) -> SavedSearchesMatched | Then:
    """How many matches were told of. Safe to repeat: what was told of isn't told of again."""
    searches = await matching.saved.all_of(run.tenant_id)
    told, done = await run.times_recorded(SavedMatched), 0
    portion = max(1, min(MAX_HITS, MAX_EVENTS // max(len(searches), 1)))
    while searches and done < len(command.documents) and (told == 0 or told + portion * len(searches) <= MAX_EVENTS):
        some = command.documents[done : done + portion]
        found = {one: await _found(one, some, run.tenant_id, matching) for one in searches}
        told += await matching.saved.note(run.tenant_id, run.job_id, {ref.id: ref.version or 0 for ref in some}, found)
        done += len(some)
    left = command.documents[done:] if searches else ()
    matched = SavedSearchesMatched(documents=len(command.documents) - len(left), matches=told)
    return Then(matched, (MatchSavedSearches(documents=left),)) if left else matched


async def _found(
    search: StandingSearch, documents: Sequence[DocumentRef], tenant_id: UUID, matching: Matching
) -> frozenset[str]:
    """Those that it finds in the versions that they were indexed in."""
    wanted = search.query.filters.document_ids
    ids = tuple(ref.id for ref in documents if not wanted or ref.id in wanted)
    if not ids:
        return frozenset()
    query = await matching.for_engine(tenant_id, search.query, document_ids=ids)
    hits = (await matching.engine.search(tenant_id, query)).results.hits
    versions = {ref.id: ref.version for ref in documents}
    return frozenset(hit.document_id for hit in hits if hit.version == versions[hit.document_id])
