"""What every search engine owes whoever deletes a document, or takes it out: neither its words nor its titles are offered any
more, as completions or as other spellings, and no facet counts it, in whatever generation. Run on each adapter."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from infrastructure.ports.search import IndexedDocument, SearchEngine
from infrastructure.search_index.removals import RemovableDocuments
from schemas.search import AllTerms, Filters, SearchQuery, SearchResults
from tests.contracts.search.searching import ACME, batches, counts, document

pytestmark = pytest.mark.anyio
WORD, TITLE_WORD, FIELDS = (
    "zygomorphic",
    "quadrilateral",
    ("document_type", "industry", "language", "tags", "media_type"),
)
SPOKEN = {"industry": "secrecy", "language": "fr", "tags": ("hushed",), "media_type": "text/x-secret"}
OURS = document("ours", "the contract", title="Contract", tags=("kept",))
GONE = document("gone", f"the contract {WORD}", title=f"Contract {TITLE_WORD}", document_type="secret", **SPOKEN)

Removal = Callable[[RemovableDocuments, IndexedDocument], Awaitable[None]]


async def _deleted(index: RemovableDocuments, one: IndexedDocument) -> None:
    await index.delete(ACME, one.document_id, one.version)


async def _taken_out(index: RemovableDocuments, one: IndexedDocument) -> None:
    await index.take_out(ACME, one.document_id, one.version, one.removals)


async def _replaced(index: RemovableDocuments, one: IndexedDocument) -> None:
    await index.index(ACME, document(one.document_id, "the contract", version=one.version + 1, title="Contract"))


async def _rebuilt(index: RemovableDocuments, one: IndexedDocument) -> None:
    await index.rebuild(ACME, batches(OURS))


async def _deleted_and_rolled_back(index: RemovableDocuments, one: IndexedDocument) -> None:
    await index.rebuild(ACME, batches(OURS, one))
    await index.delete(ACME, one.document_id, one.version)
    await index.roll_back(ACME)


REMOVALS = (_deleted, _taken_out, _replaced, _rebuilt, _deleted_and_rolled_back)


@pytest.fixture
async def index(engine: SearchEngine) -> RemovableDocuments:
    """An index with both documents, in which the one that will be gone is offered in every way."""
    index = RemovableDocuments(engine)
    for one in (OURS, GONE):
        await index.index(ACME, one)
    assert {WORD, f"contract {WORD}"} <= await _offered(index)
    assert {GONE.title, TITLE_WORD} <= await _offered(index)
    assert await _corrections(index) == {WORD, TITLE_WORD}
    assert (await _facets(index))["document_type"] == {"contract": 1, "secret": 1}
    return index


@pytest.mark.parametrize("remove", REMOVALS)
async def test_words_and_titles_that_only_it_had_are_not_completed(index: RemovableDocuments, remove: Removal) -> None:
    await remove(index, GONE)

    assert await _offered(index) == set()
    assert await _offered(index, Filters(document_types=("secret",))) == set()
    assert {one.text for one in await index.complete(ACME, "contr", Filters(), limit=20)} == {"Contract", "contract"}


@pytest.mark.parametrize("remove", REMOVALS)
async def test_words_that_only_it_had_are_no_spelling_of_others(index: RemovableDocuments, remove: Removal) -> None:
    await remove(index, GONE)

    assert await _corrections(index) == set()
    found = await index.spellings(ACME, [WORD, TITLE_WORD])
    assert [documents for documents, _ in found] == [0, 0]


@pytest.mark.parametrize("remove", REMOVALS)
async def test_values_that_only_it_had_are_counted_by_no_facet(index: RemovableDocuments, remove: Removal) -> None:
    await remove(index, GONE)

    facets = await _facets(index)

    left = (await _search(index)).total
    assert facets["document_type"] == {"contract": left}
    assert (facets["industry"], facets["tags"], facets["media_type"]) == ({}, {"kept": 1}, {})
    assert facets["language"] == {"en": left}
    assert await _facets(index, AllTerms(text=WORD)) == {field: {} for field in FIELDS}
    chosen = await _facets(index, document_types=("secret",))
    assert chosen["tags"] == {}, "under a filter that only it passed"


async def test_what_comes_back_is_offered_again(index: RemovableDocuments) -> None:
    await _taken_out(index, GONE)
    await index.index(ACME, replace(GONE, removals=1))

    assert {WORD, GONE.title, TITLE_WORD} <= await _offered(index)
    assert await _corrections(index) == {WORD, TITLE_WORD}


async def _offered(index: RemovableDocuments, filters: Filters | None = None) -> set[str]:
    beginnings = (WORD[:4], TITLE_WORD[:4], f"contract {WORD[:4]}", f"contract {TITLE_WORD[:4]}")
    found = [await index.complete(ACME, beginning, filters or Filters(), limit=20) for beginning in beginnings]
    return {one.text for each in found for one in each}


async def _corrections(index: RemovableDocuments) -> set[str]:
    found = await index.spellings(ACME, [WORD.replace("m", "n"), TITLE_WORD.replace("q", "p")])
    return {one.word for _, others in found for one in others}


async def _facets(
    index: RemovableDocuments, match: AllTerms | None = None, **filters: object
) -> dict[str, dict[str, int]]:
    results = await _search(index, match, **filters)
    return {facet.field.value: counts(facet) for facet in results.facets}


async def _search(index: RemovableDocuments, match: AllTerms | None = None, **filters: object) -> SearchResults:
    query = SearchQuery.model_validate({"match": match, "facets": FIELDS, "filters": filters})
    return (await index.search(ACME, query)).results
