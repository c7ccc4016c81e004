"""How well searches rank the judged library: never worse than is written here, and on both engines alike.

`make quality` prints the scores, and what was found badly.
"""

import pytest

from infrastructure.ports.search import SearchEngine
from tests.integration.search.flow import Flow
from tests.quality.search.library import Judged, judged_library
from tests.quality.search.scores import by_language, ndcg, relevance

pytestmark = pytest.mark.anyio

Found = list[tuple[Judged, list[str]]]

NDCG_FLOOR, MRR_FLOOR = 0.87, 0.94
LANGUAGE_FLOOR = 0.84
MOST_APART = 0.02
"""Over all queries: what a choice of engine may cost whoever searches."""


def test_the_library_is_large_enough_to_tell() -> None:
    library = judged_library()

    assert len(library.documents) >= 300
    assert {query.language for query in library.queries} == {"en", "de", "fr", "es", "samples"}
    ids = {document.document_id for document in library.documents}
    assert all(query.grades.keys() <= ids for query in (*library.queries, *library.paraphrases))


async def test_the_embedded_engine_ranks_what_answers_best_first(embedded: SearchEngine) -> None:
    _assert_ranked_well(await _found(embedded))


async def test_elasticsearch_ranks_as_well_and_nearly_alike(embedded: SearchEngine, server: SearchEngine) -> None:
    found, beside = await _found(server), await _found(embedded)

    _assert_ranked_well(found)
    ours, theirs = relevance(found), relevance(beside)
    assert abs(ours.ndcg - theirs.ndcg) <= MOST_APART
    assert abs(ours.mrr - theirs.mrr) <= MOST_APART


async def _found(engine: SearchEngine) -> Found:
    flow = Flow(engine)
    return [(query, await flow.ids(query.text, limit=10)) for query in judged_library().queries]


def _assert_ranked_well(found: Found) -> None:
    scores = relevance(found)
    print(f"\nnDCG@10 {scores.ndcg:.3f}, MRR {scores.mrr:.3f}")
    for language, of_language in by_language(found).items():
        print(f"  {language}: nDCG@10 {of_language.ndcg:.3f}, MRR {of_language.mrr:.3f}")
    for query, ids in found:
        if ndcg(ids, query.grades) < 0.5:
            print(f"  {ndcg(ids, query.grades):.2f} {query.text!r}: {ids[:5]}")
    assert scores.ndcg >= NDCG_FLOOR
    assert scores.mrr >= MRR_FLOOR
    assert all(of_language.ndcg >= LANGUAGE_FLOOR for of_language in by_language(found).values())
