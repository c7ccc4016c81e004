"""Answers one query from one tenant's indexes."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from elasticsearch import AsyncElasticsearch, NotFoundError

from infrastructure.elasticsearch.querying.compiler import EVERYTHING, compile_match
from infrastructure.elasticsearch.querying.facets import aggregations, read_facets
from infrastructure.elasticsearch.querying.filters import compile_filters
from infrastructure.elasticsearch.querying.hits import SOURCE, highlighting, read_hit
from infrastructure.elasticsearch.querying.pages import (
    ORDERS,
    PLACE_VALUES,
    VIEW_KEPT_FOR,
    Place,
    fitting,
    order_of,
    read_place,
    write_place,
)
from infrastructure.ports import Unavailable
from infrastructure.ports.search import Page
from schemas.search import FURTHEST_OFFSET, Consistency, SearchQuery, SearchResults, Sort

logger = logging.getLogger(__name__)

MAX_SEARCH_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Shelf:
    """A tenant's indexes as a search reads them."""

    indexes: tuple[str, ...]
    """Each by its own name: no alias, no pattern."""
    languages: tuple[str, ...]
    """That its documents have stems of."""
    visible: str | None
    """Changes with what can be found; None when nobody can say."""


async def search(client: AsyncElasticsearch, shelf: Shelf, query: SearchQuery, after: bytes | None) -> Page:
    """What the indexes, as they were refreshed last, answer."""
    request = _request(query, shelf)
    if after is None:
        answer = (await client.search(body=request, **exactly(shelf), **scoring(shelf))).body
        return _page(query, shelf, answer, Place((), query.offset, visible=shelf.visible), Consistency.SNAPSHOT)
    place = read_place(after)
    if place.view is not None:
        with suppress(NotFoundError):  # It was kept for as long as it could be.
            answer = await _search_view(client, _behind(request, place), place.view, shelf)
            return _page(query, shelf, answer, place, Consistency.SNAPSHOT)
    is_unchanged = place.view is None and place.visible is not None and place.visible == shelf.visible
    view = (await client.open_point_in_time(keep_alive=VIEW_KEPT_FOR, **exactly(shelf)))["id"]
    if is_unchanged:
        begun = replace(place, view=view, ids=())
        answer = await _search_view(client, _behind(request, begun), view, shelf)
        return _page(query, shelf, answer, begun, Consistency.SNAPSHOT)
    begun = replace(place, view=view, visible=shelf.visible)
    # Every change changes all scores a little. After a first page its hits are left out, which is exact.
    is_anew = order_of(query) is Sort.RELEVANCE and len(place.ids) == place.seen
    answer = await _search_view(client, _behind(request, begun, is_anew=is_anew), view, shelf)
    return _page(query, shelf, answer, begun, Consistency.RESUMED)


def _behind(request: Mapping[str, Any], place: Place, *, is_anew: bool = False) -> dict[str, Any]:
    """The request for what comes behind a place, without what was given before its view was opened."""
    later = {**request, "from": 0} if is_anew else {**request, "from": 0, "search_after": list(place.behind)}
    if place.ids:
        others = {"bool": {"must_not": [{"terms": {"id": list(place.ids)}}]}}
        later["query"] = {"bool": {"must": [request["query"]], "filter": [others]}}
    return later


async def _search_view(
    client: AsyncElasticsearch, request: Mapping[str, Any], view: str, shelf: Shelf
) -> Mapping[str, Any]:
    body = {**request, "pit": {"id": view, "keep_alive": VIEW_KEPT_FOR}}
    answer: Mapping[str, Any] = (await client.search(body=body, **scoring(shelf))).body
    return answer


def scoring(shelf: Shelf) -> dict[str, Any]:
    """A word is as rare as it is in all indexes, not in the one that a document happens to be in."""
    return {"search_type": "dfs_query_then_fetch"} if len(shelf.indexes) > 1 else {}


def exactly(shelf: Shelf) -> dict[str, Any]:
    """The indexes by their names and no other: an alias, a pattern or a missing one is an error."""
    return {
        "index": ",".join(shelf.indexes),
        "ignore_unavailable": False,
        "expand_wildcards": "none",
    }


def _request(query: SearchQuery, shelf: Shelf) -> dict[str, Any]:
    wanted = EVERYTHING if query.match is None else compile_match(query.match, shelf.languages)
    filters = list(compile_filters(query.filters))
    always = [one for own, one in filters if own is None or own not in query.facets]
    afterwards = [one for own, one in filters if own is not None and own in query.facets]
    request: dict[str, Any] = {
        "query": {"bool": {"must": [wanted], "filter": always}},
        "size": query.limit,
        "from": query.offset,
        "sort": ORDERS[order_of(query)],
        "track_scores": order_of(query) is Sort.RELEVANCE,
        "track_total_hits": True,
        "timeout": f"{MAX_SEARCH_SECONDS}s",
        "_source": list(SOURCE),
        "explain": query.explain,
    }
    if afterwards:
        # These narrow the hits once the facets are counted.
        request["post_filter"] = {"bool": {"filter": afterwards}}
    if query.facets:
        counted = [(own if own in query.facets else None, one) for own, one in filters]
        request["aggs"] = aggregations(query, counted)
    if query.highlight and query.limit:
        request["highlight"] = highlighting(query, shelf.languages, wanted)
    return request


def _page(query: SearchQuery, shelf: Shelf, answer: Mapping[str, Any], begun: Place, consistency: Consistency) -> Page:
    """The page that begins at this place."""
    _check_complete(answer)
    found: Sequence[Mapping[str, Any]] = answer["hits"]["hits"]
    _check_owned(found, shelf)
    by_score = order_of(query) is Sort.RELEVANCE
    left_out = len(begun.ids) if begun.view is not None else 0
    total, end = int(answer["hits"]["total"]["value"]) + left_out, begun.seen + len(found)
    is_last = not found or end >= total
    results = SearchResults(
        total=total,
        hits=tuple(read_hit(hit, query, by_score=by_score) for hit in found),
        facets=read_facets(query, answer.get("aggregations", {})),
        next_offset=None if is_last or end > FURTHEST_OFFSET else end,
        consistency=consistency,
    )
    if is_last:
        return Page(results)
    ids = begun.ids if begun.view is not None else fitting([hit["_source"]["id"] for hit in found])
    return Page(results, write_place(replace(begun, behind=tuple(found[-1]["sort"][:PLACE_VALUES]), seen=end, ids=ids)))


def _check_complete(answer: Mapping[str, Any]) -> None:
    shards = answer["_shards"]
    if answer["timed_out"]:
        raise Unavailable(f"Elasticsearch gave the search up after {MAX_SEARCH_SECONDS} s; look for less, or try again")
    if shards["failed"]:
        raise Unavailable(
            f"{shards['failed']} of {shards['total']} shards of the tenant's index didn't answer; try again"
        )


def _check_owned(found: Sequence[Mapping[str, Any]], shelf: Shelf) -> None:
    """No hit leaves of another index, whatever Elasticsearch was led to answer."""
    strange = {hit["_index"] for hit in found} - set(shelf.indexes)
    if strange:
        logger.critical("a search was answered from indexes that it didn't name: %d", len(strange))
        raise Unavailable("Elasticsearch answered from an index that wasn't asked; nothing of it is shown")
