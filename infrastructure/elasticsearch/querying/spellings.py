"""How often words occur, and what else somebody who typed them may have meant."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from elasticsearch import AsyncElasticsearch

from infrastructure.elasticsearch.fields import WRITTEN
from infrastructure.elasticsearch.querying.compiler import any_of
from infrastructure.elasticsearch.querying.search import Shelf, exactly
from infrastructure.ports.search import Spelling

SHORTEST, LONGEST = 4, 24
"""A shorter word with one letter changed is usually another word."""
TWO_TYPOS_FROM: Final = 8
MAX_SPELLINGS: Final = 8


async def spellings(
    client: AsyncElasticsearch, shelf: Shelf, words: Sequence[str]
) -> Sequence[tuple[int, Sequence[Spelling]]]:
    """For each word: how many documents have it, and others that they have, the likeliest first."""
    asked = {"size": 0, "suggest": {name: one for n, word in enumerate(words) for name, one in _suggesters(n, word)}}
    suggested = (await client.search(body=asked, **exactly(shelf)))["suggest"] if asked["suggest"] else {}
    candidates = [_candidates(n, word, suggested) for n, word in enumerate(words)]
    counts = await _counts(client, shelf, {*words, *(other for each in candidates for other in each)})
    return [(counts[word], _ranked(each, counts)) for word, each in zip(words, candidates, strict=True)]


def _suggesters(number: int, word: str) -> Iterable[tuple[str, dict[str, Any]]]:
    if not SHORTEST <= len(word) <= LONGEST:
        return
    for typos in (1, 2) if len(word) >= TWO_TYPOS_FROM else (1,):
        for field in WRITTEN:
            term = {
                "field": field,
                "suggest_mode": "always",
                "max_edits": typos,
                "prefix_length": 0,
                "min_word_length": SHORTEST,
                "size": MAX_SPELLINGS,
                "max_term_freq": 2**31 - 1,
            }
            yield f"{number}-{typos}-{field}", {"text": word, "term": term}


def _candidates(number: int, word: str, suggested: Mapping[str, Any]) -> Mapping[str, int]:
    """The words, and in how many letters they differ at least."""
    found: dict[str, int] = {}
    for typos in (1, 2):
        for field in WRITTEN:
            for entry in suggested.get(f"{number}-{typos}-{field}", ()):
                for option in entry["options"]:
                    found.setdefault(option["text"], typos)
    return {other: typos for other, typos in found.items() if other != word}


async def _counts(client: AsyncElasticsearch, shelf: Shelf, words: Iterable[str]) -> Mapping[str, int]:
    each = {word: any_of([{"match": {field: word}} for field in WRITTEN]) for word in words}
    if not each:
        return {}
    body = {"size": 0, "aggs": {"words": {"filters": {"filters": each}}}}
    answer = await client.search(body=body, **exactly(shelf))
    return {word: bucket["doc_count"] for word, bucket in answer["aggregations"]["words"]["buckets"].items()}


def _ranked(candidates: Mapping[str, int], counts: Mapping[str, int]) -> Sequence[Spelling]:
    known = [Spelling(word, counts[word], typos) for word, typos in candidates.items() if counts[word]]
    return tuple(sorted(known, key=lambda one: (one.typos, -one.documents, one.word))[:MAX_SPELLINGS])
