"""Handles MatchSavedSearches: tells which saved searches documents match that were just indexed."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from events.search import SavedMatched, SavedSearchesMatched
from infrastructure.ports.saved_searches import SavedSearchMatches, StandingSearch
from infrastructure.ports.search import SearchEngine
from infrastructure.searching.typed import typed
from kinds.run import Run, Then
from schemas.documents import DocumentRef
from schemas.search import MAX_HITS, Filters, MatchSavedSearches, SearchQuery, Sort

MAX_EVENTS: Final = 1_500
"""In one job's timeline, which has room for 2,000: another job goes on then."""


async def match_saved_searches(
    command: MatchSavedSearches, run: Run, saved: SavedSearchMatches, engine: SearchEngine
) -> SavedSearchesMatched | Then:
    """How many matches were told of. Safe to repeat: what was told of isn't told of again."""
    searches = await saved.all_of(run.tenant_id)
    told, done = await run.times_recorded(SavedMatched), 0
    portion = max(1, min(MAX_HITS, MAX_EVENTS // max(len(searches), 1)))
    while searches and done < len(command.documents) and (told == 0 or told + portion * len(searches) <= MAX_EVENTS):
        some = command.documents[done : done + portion]
        found = {one: await _found(one, some, run.tenant_id, engine) for one in searches}
        told += await saved.note(run.tenant_id, run.job_id, {ref.id: ref.version or 0 for ref in some}, found)
        done += len(some)
    left = command.documents[done:] if searches else ()
    matched = SavedSearchesMatched(documents=len(command.documents) - len(left), matches=told)
    return Then(matched, (MatchSavedSearches(documents=left),)) if left else matched


async def _found(
    search: StandingSearch, documents: Sequence[DocumentRef], tenant_id: UUID, engine: SearchEngine
) -> frozenset[str]:
    """Those that it finds in the versions that they were indexed in."""
    wanted = search.query.filters.document_ids
    ids = tuple(ref.id for ref in documents if not wanted or ref.id in wanted)
    if not ids:
        return frozenset()
    query = for_engine(search.query, document_ids=ids)
    hits = (await engine.search(tenant_id, query)).results.hits
    versions = {ref.id: ref.version for ref in documents}
    return frozenset(hit.document_id for hit in hits if hit.version == versions[hit.document_id])


def for_engine(query: SearchQuery, *, document_ids: tuple[str, ...] = ()) -> SearchQuery:
    """What an engine is to look for, and nothing beside the ids of what it finds; among these documents, if any are named."""
    narrowed = {"document_ids": document_ids} if document_ids else {}
    filters: Filters = query.filters.model_copy(update=narrowed)
    match = query.match if query.text is None else typed(query.text).match
    return SearchQuery(match=match, filters=filters, sort=Sort.NEWEST, highlight=False, limit=MAX_HITS)
