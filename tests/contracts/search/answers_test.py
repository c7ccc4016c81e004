"""What every search engine owes its users: what a hit tells, and what its score is made of. Run on each adapter."""

import pytest

from infrastructure.ports.search import SearchEngine
from schemas.search import MAX_LEVELS, AllTerms, AnyOf, Explanation, Match, Prefix
from tests.contracts.search.searching import LONG_AGO, document, find, index

pytestmark = pytest.mark.anyio
DEEPEST = 32


async def test_a_hit_tells_all_there_is_to_know(engine: SearchEngine) -> None:
    one = document(
        "a", title="Lease", industry="legal", tags=("x", "y"), language="en-GB", version=7, document_type="Vertrag Ä"
    )
    await index(engine, one)

    (hit,) = (await find(engine)).hits

    assert (hit.title, hit.industry, hit.tags, hit.language, hit.version, hit.document_type, hit.created_at) == (
        "Lease",
        "legal",
        ("x", "y"),
        "en-GB",
        7,
        "Vertrag Ä",
        LONG_AGO,
    )


async def test_a_hit_tells_how_large_its_document_is_and_when_it_was_changed(engine: SearchEngine) -> None:
    one = document("a", "twelve chars", media_type="text/html", pages=2)
    await index(engine, one, document("b"))

    hits = {hit.document_id: hit for hit in (await find(engine)).hits}

    assert (hits["a"].media_type, hits["a"].characters, hits["a"].pages) == ("text/html", 12, 2)
    assert (hits["b"].media_type, hits["b"].characters, hits["b"].pages) == (None, 0, None)
    assert hits["a"].updated_at == LONG_AGO


async def test_a_hit_says_where_its_score_comes_from_when_asked(engine: SearchEngine) -> None:
    await index(engine, document("a", "the lease", title="Lease"), document("b", "the lease"))
    match = AnyOf(clauses=(AllTerms(text="lease"), Prefix(text="the le")))

    told = (await find(engine, match, explain=True)).hits

    assert [hit.explanation.value for hit in told if hit.explanation] == [pytest.approx(hit.score) for hit in told]
    assert all(hit.explanation and hit.explanation.details for hit in told)
    assert [hit.explanation for hit in (await find(engine, match)).hits] == [None, None]


async def test_an_explanation_has_bounded_levels(engine: SearchEngine) -> None:
    await index(engine, document("a", "lease"))
    match: Match = AllTerms(text="lease")
    for _ in range(MAX_LEVELS - 1):
        match = AnyOf(clauses=(match,))

    (hit,) = (await find(engine, match, explain=True)).hits

    assert hit.explanation is not None
    assert levels(hit.explanation) <= DEEPEST


def levels(explanation: Explanation) -> int:
    return 1 + max(map(levels, explanation.details), default=0)
