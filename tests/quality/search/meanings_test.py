"""What nearness in meaning adds to words: the figures of docs/decisions/0048. When one of these fails, decide anew.

They run where wordllama is installed: `pip install wordllama==0.4.0.post1`.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

import pytest

from infrastructure.ports.search import SearchEngine
from tests.integration.search.flow import Flow
from tests.quality.search.library import Judged, judged_library
from tests.quality.search.meanings import Meanings, fused
from tests.quality.search.scores import DEPTH, by_language, ndcg, recall, relevance

pytestmark = pytest.mark.anyio

CANDIDATES: Final = 100
"""Of each ranking."""

Ranking = tuple[Judged, list[str]]


@pytest.fixture(scope="module")
def meanings() -> Meanings:
    return Meanings(judged_library().documents)


async def test_meanings_help_the_embedded_engine_behind_what_has_all_words(
    meanings: Meanings, embedded: SearchEngine
) -> None:
    await _assert_they_help_only_behind_words(embedded, meanings)


async def test_meanings_help_elasticsearch_behind_what_has_all_words(meanings: Meanings, server: SearchEngine) -> None:
    await _assert_they_help_only_behind_words(server, meanings)


async def _assert_they_help_only_behind_words(engine: SearchEngine, meanings: Meanings) -> None:
    library = judged_library()
    print("\nParaphrases", end="")
    paraphrased = await _ranked(engine, meanings, library.paraphrases)
    print("\nQueries in the documents' words", end="")
    rankings = await _ranked(engine, meanings, library.queries)

    words, fused_with, behind = (by_language(rankings[name])["samples"] for name in ("words", "fused", "behind"))
    assert fused_with.ndcg < words.ndcg < behind.ndcg
    assert relevance(rankings["behind"]).ndcg > relevance(rankings["words"]).ndcg
    assert relevance(paraphrased["behind"]).ndcg > relevance(paraphrased["words"]).ndcg


async def _ranked(engine: SearchEngine, meanings: Meanings, queries: Sequence[Judged]) -> dict[str, list[Ranking]]:
    """By words, by meanings, by both, and by both behind what has all of the words where that doesn't fill a page."""
    flow = Flow(engine)
    rankings: dict[str, list[Ranking]] = {"words": [], "meanings": [], "fused": [], "behind": []}
    for query in queries:
        words = await flow.ids(query.text, limit=CANDIDATES)
        exact = await flow.ids(query.text, limit=CANDIDATES, widen=False, correct=False)
        near = meanings.nearest(query.text, CANDIDATES)
        both = fused(words, near)
        behind = list(dict.fromkeys([*exact, *both])) if len(exact) < DEPTH else words
        for name, ids in {"words": words, "meanings": near, "fused": both, "behind": behind}.items():
            rankings[name].append((query, ids[:CANDIDATES]))
    for name, ranking in rankings.items():
        _print_figures(name, ranking, rankings["words"])
    return rankings


def _print_figures(name: str, rankings: Sequence[Ranking], words: Sequence[Ranking]) -> None:
    scores, found = relevance(rankings), fmean(recall(ids, query.grades) for query, ids in rankings)
    pairs = zip(rankings, words, strict=True)
    gains = [ndcg(ids, query.grades) - ndcg(before, query.grades) for (query, ids), (_, before) in pairs]
    better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    print(f"\n{name}: nDCG@10 {scores.ndcg:.3f}, MRR {scores.mrr:.3f}, recall@{CANDIDATES} {found:.3f}, ", end="")
    print(f"better {better}, worse {worse}")
    for language, of_language in by_language(rankings).items():
        print(f"  {language}: nDCG@10 {of_language.ndcg:.3f}, MRR {of_language.mrr:.3f}")
