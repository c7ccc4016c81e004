"""How well searches rank the judged library: never worse than is written here.

`make quality` prints the scores, and what was found badly.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from infrastructure.ports.search import SearchEngine
from infrastructure.tantivy.engine import TantivyEngine
from tests.contracts.search.searching import ACME, batches
from tests.integration.search.flow import Flow
from tests.quality.search.library import Judged, judged_library
from tests.quality.search.scores import by_language, ndcg, relevance

pytestmark = pytest.mark.anyio

NDCG_FLOOR, MRR_FLOOR = 0.87, 0.94
LANGUAGE_FLOOR = 0.84


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[SearchEngine]:
    async def holds_documents(_: UUID) -> bool:
        return False

    async with TantivyEngine(tmp_path, holds_documents) as engine:
        await engine.rebuild(ACME, batches(*judged_library().documents))
        yield engine


def test_the_library_is_large_enough_to_tell() -> None:
    library = judged_library()

    assert len(library.documents) >= 300
    assert {query.language for query in library.queries} == {"en", "de", "fr", "es", "samples"}
    ids = {document.document_id for document in library.documents}
    assert all(query.grades.keys() <= ids for query in library.queries)


async def test_what_answers_best_is_ranked_first(engine: SearchEngine) -> None:
    flow = Flow(engine)
    queries = judged_library().queries
    found: list[tuple[Judged, list[str]]] = [(query, await flow.ids(query.text, limit=10)) for query in queries]
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
