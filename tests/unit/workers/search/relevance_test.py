"""What the relevance probe asks, and how it judges an answer."""

from datetime import UTC, datetime

import pytest

from infrastructure.ports.known_items import KnownItem
from schemas.search import AllTerms, Hit
from workers.search.relevance import DEPTH, LONGEST_TITLE, query_for, reciprocal_rank

ITEM = KnownItem("ours", "Lease of an office")


@pytest.mark.parametrize(
    ("before", "rank"),
    [
        ([], 1.0),
        (["Other"], 0.5),
        (["Other", "Another"], 1 / 3),
        (["LEASE  of an Office"], 1.0),
        (["Other", "Lease of an office"], 0.5),
    ],
)
def test_a_document_counts_by_what_others_come_before_it(before: list[str], rank: float) -> None:
    assert reciprocal_rank(ITEM, [*map(_hit, before), _hit(ITEM.title, "ours")]) == rank


def test_a_document_that_is_not_there_counts_nothing_unless_its_likes_fill_the_page() -> None:
    assert reciprocal_rank(ITEM, []) == 0.0
    assert reciprocal_rank(ITEM, [_hit(ITEM.title)] * (DEPTH - 1)) == 0.0
    assert reciprocal_rank(ITEM, [_hit(ITEM.title)] * DEPTH) is None


@pytest.mark.parametrize("title", ["", "***", "a " * 100, "x" * 400])
def test_what_nobody_could_search_for_is_not_asked(title: str) -> None:
    assert query_for(title) is None


def test_of_a_long_title_whole_words_are_looked_for() -> None:
    query = query_for("incomprehensibilities " * 20)

    assert query is not None
    assert isinstance(query.match, AllTerms)
    assert set(query.match.text.split()) == {"incomprehensibilities"}
    assert len(query.match.text) <= LONGEST_TITLE


def _hit(title: str, document_id: str = "other") -> Hit:
    now = datetime.now(UTC)
    return Hit(
        document_id=document_id,
        score=1.0,
        title=title,
        snippet=None,
        document_type="lease",
        industry=None,
        language=None,
        tags=(),
        created_at=now,
        version=1,
    )
