"""Compares a generation that was built with what it is to replace."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infrastructure.elasticsearch.errors import translated
from infrastructure.elasticsearch.querying.compiler import EVERYTHING, compile_match
from infrastructure.elasticsearch.querying.filters import compile_filters
from infrastructure.elasticsearch.querying.search import Shelf, exactly
from schemas.search import SearchQuery

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

IDS_AT_ONCE: Final = 5_000
MAX_DIFFERING: Final = 10_000
MAX_GOLDEN_HITS: Final = 200
VIEW_KEPT_FOR: Final = "5m"

Query = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Differing:
    """Ids that one of two has and the other hasn't."""

    missing: frozenset[str]
    strange: frozenset[str]


async def difference(
    client: "AsyncElasticsearch", shelf: Shelf, known: AsyncIterator[Sequence[tuple[str, int]]]
) -> Differing:
    """Between what the locator knows and what the indexes show. Both are read in the order of the ids' bytes, and neither is
    ever in memory as a whole."""
    missing: set[str] = set()
    strange: set[str] = set()
    ours, theirs = _each(known), _each(_ids(client, shelf))
    one, other = await anext(ours, None), await anext(theirs, None)
    while (one is not None or other is not None) and len(missing) + len(strange) < MAX_DIFFERING:
        if one == other:
            one, other = await anext(ours, None), await anext(theirs, None)
        elif one is not None and (other is None or one.encode() < other.encode()):
            missing.add(one)
            one = await anext(ours, None)
        elif other is not None:
            strange.add(other)
            other = await anext(theirs, None)
    return Differing(frozenset(missing), frozenset(strange))


async def ids_there(client: "AsyncElasticsearch", shelf: Shelf, ids: Iterable[str]) -> frozenset[str]:
    """Those of so many ids that the indexes show."""
    wanted = list(ids)
    found: set[str] = set()
    for start in range(0, len(wanted), IDS_AT_ONCE):
        some = wanted[start : start + IDS_AT_ONCE]
        body = {"query": {"terms": {"id": some}}, "size": len(some), "_source": False}
        async with translated():
            answer = await client.search(body=body, **exactly(shelf))
        found |= {hit["_id"] for hit in answer["hits"]["hits"]}
    return frozenset(found)


async def golden_flaw(client: "AsyncElasticsearch", old: Shelf, new: Shelf, query: SearchQuery) -> str:
    """What the new one doesn't find that the old one finds; empty when it finds all of it. Documents that changed, or went,
    in between are no matter of the index."""
    found = await _found(client, old, _asked(query, old))
    if not found:
        return ""
    if not await _count(client, new, _asked(query, new)):
        return "a query that finds documents would find nothing"
    standing = await _found(client, new, {"terms": {"id": list(found)}})
    same = [document_id for document_id, version in found.items() if standing.get(document_id) == version]
    if not same:
        return ""
    both = {"bool": {"filter": [_asked(query, new), {"terms": {"id": same}}]}}
    lost = sorted(set(same) - (await _found(client, new, both)).keys())
    return f"a query would no longer find {len(lost)} of {len(same)} documents, such as {lost[0]}" if lost else ""


def _asked(query: SearchQuery, shelf: Shelf) -> Query:
    wanted = EVERYTHING if query.match is None else compile_match(query.match, shelf.languages)
    return {"bool": {"must": [wanted], "filter": [one for _, one in compile_filters(query.filters)]}}


async def _found(client: "AsyncElasticsearch", shelf: Shelf, query: Query) -> Mapping[str, int]:
    body = {"query": query, "size": MAX_GOLDEN_HITS, "_source": ["id", "version"]}
    async with translated():
        answer = await client.search(body=body, **exactly(shelf))
    return {hit["_source"]["id"]: hit["_source"]["version"] for hit in answer["hits"]["hits"]}


async def _count(client: "AsyncElasticsearch", shelf: Shelf, query: Query) -> int:
    async with translated():
        answer = await client.search(body={"query": query, "size": 0, "track_total_hits": True}, **exactly(shelf))
    return int(answer["hits"]["total"]["value"])


async def _ids(client: "AsyncElasticsearch", shelf: Shelf) -> AsyncIterator[Sequence[tuple[str, int]]]:
    async with translated():
        view = (await client.open_point_in_time(keep_alive=VIEW_KEPT_FOR, **exactly(shelf)))["id"]
    body: Query = {
        "pit": {"id": view, "keep_alive": VIEW_KEPT_FOR},
        "size": IDS_AT_ONCE,
        "sort": [{"id": "asc"}],
        "_source": False,
        "track_total_hits": False,
    }
    try:
        while True:
            async with translated():
                hits = (await client.search(body=body))["hits"]["hits"]
            if not hits:
                return
            yield [(hit["_id"], 0) for hit in hits]
            body["search_after"] = hits[-1]["sort"]
    finally:
        async with translated():
            await client.options(ignore_status=404).close_point_in_time(id=view)


async def _each(batches: AsyncIterator[Sequence[tuple[str, int]]]) -> AsyncIterator[str]:
    async for batch in batches:
        for document_id, _ in batch:
            yield document_id
