"""Titles and words that begin as somebody typed, of documents that pass the filters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from elasticsearch import AsyncElasticsearch

from infrastructure.elasticsearch.fields import WRITTEN
from infrastructure.elasticsearch.querying.compiler import all_of, any_of, words_of
from infrastructure.elasticsearch.querying.filters import compile_filters
from infrastructure.elasticsearch.querying.hits import CLOSING, OPENING, marks_of
from infrastructure.elasticsearch.querying.search import Shelf, exactly
from infrastructure.ports.search import Completion
from schemas.search import Filters

Query = dict[str, Any]

MAX_LOOKED_AT: Final = 100
"""Documents whose words are looked at; the counts are of all."""
MAX_PIECES: Final = 5
MAX_WHOLE_WORDS: Final = 16
PIECE_CHARACTERS: Final = 60


async def complete(
    client: AsyncElasticsearch, shelf: Shelf, beginning: str, filters: Filters, limit: int
) -> Sequence[Completion]:
    """The likeliest first: titles before words, what more documents have before what fewer have."""
    *whole, begun = words_of(beginning) or [""]
    if not begun or len(whole) > MAX_WHOLE_WORDS:
        return ()
    passing = [one for _, one in compile_filters(filters)]
    found = await client.search(body=_looking(whole, begun, passing, limit), **exactly(shelf))
    titles = [_title(bucket) for bucket in found["aggregations"]["titled"]["titles"]["buckets"]]
    before = await _folded(client, shelf, whole)
    begins_so = await _folded(client, shelf, _commonest_words(found["hits"]["hits"], limit))
    if words := [word for word in begins_so if word not in before]:
        counted = await client.search(body=_counting(words, whole, passing), **exactly(shelf))
        counts = {word: bucket["doc_count"] for word, bucket in counted["aggregations"]["words"]["buckets"].items()}
        ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        titles += [Completion(" ".join((*before, word)), None, count) for word, count in ranked if count]
    return titles[:limit]


def _looking(whole: Sequence[str], begun: str, passing: Sequence[Query], limit: int) -> Query:
    anywhere = [_has(word, WRITTEN) for word in whole]
    begins = any_of([{"match_bool_prefix": {field: begun}} for field in WRITTEN])
    titled = all_of([*(_has(word, ("title",)) for word in whole), {"match_bool_prefix": {"title": begun}}])
    one_of_them = {"top_hits": {"size": 1, "_source": ["id"], "sort": [{"id": "asc"}]}}
    titles = {"terms": {"field": "title_exact", "size": limit}, "aggs": {"one": one_of_them}}
    piece = {"number_of_fragments": MAX_PIECES, "fragment_size": PIECE_CHARACTERS, "highlight_query": begins}
    return {
        "query": {"bool": {"must": [*anywhere, begins], "filter": passing}},
        "size": MAX_LOOKED_AT,
        "_source": False,
        "aggs": {"titled": {"filter": titled, "aggs": {"titles": titles}}},
        "highlight": {"pre_tags": [OPENING], "post_tags": [CLOSING], "fields": dict.fromkeys(WRITTEN, piece)},
    }


def _counting(words: Sequence[str], whole: Sequence[str], passing: Sequence[Query]) -> Query:
    each = {word: _has(word, WRITTEN) for word in words}
    return {
        "query": {"bool": {"filter": [*passing, *(_has(word, WRITTEN) for word in whole)]}},
        "size": 0,
        "aggs": {"words": {"filters": {"filters": each}}},
    }


def _has(word: str, fields: Sequence[str]) -> Query:
    return any_of([{"match": {field: word}} for field in fields])


def _title(bucket: Mapping[str, Any]) -> Completion:
    (one,) = bucket["one"]["hits"]["hits"]
    return Completion(bucket["key"], one["_source"]["id"], bucket["doc_count"])


def _commonest_words(hits: Sequence[Mapping[str, Any]], limit: int) -> Sequence[str]:
    counts: Counter[str] = Counter()
    for hit in hits:
        pieces = [piece for field in WRITTEN for piece in hit.get("highlight", {}).get(field, ())]
        counts.update({word.casefold() for piece in pieces for word in marked_words(piece)})
    return [word for word, _ in counts.most_common(limit)]


async def _folded(client: AsyncElasticsearch, shelf: Shelf, words: Sequence[str]) -> Sequence[str]:
    """As the index has them, each once."""
    if not words:
        return ()
    answer = await client.indices.analyze(index=shelf.indexes[0], field="title", text=list(words))
    return list(dict.fromkeys(token["token"] for token in answer["tokens"]))


def marked_words(piece: str) -> Sequence[str]:
    text, marks = marks_of(piece)
    return [text[mark.start : mark.end] for mark in marks]
