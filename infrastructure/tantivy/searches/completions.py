"""What somebody who began to type may mean: titles and words of the documents that pass the filters."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from tantivy import Order, Query, Searcher

from infrastructure.ports.search import Completion
from infrastructure.tantivy.errors import tantivy_errors
from infrastructure.tantivy.fields import SCHEMA, every_document
from infrastructure.tantivy.generations.folder import IndexFolder
from infrastructure.tantivy.searches.compiler import beginning, written
from infrastructure.tantivy.searches.filters import all_of, any_of, compile_filters
from infrastructure.tantivy.searches.finding import total_of
from infrastructure.tantivy.words import words_of
from schemas.search import MAX_WORDS, Filters


def complete(folder: IndexFolder, typed: str, filters: Filters, limit: int) -> Sequence[Completion]:
    """Titles and words in which the last word goes on; the words before it are whole."""
    words = words_of(typed)
    if not 0 < len(words) <= MAX_WORDS or limit < 1:
        return ()
    searcher = folder.view().searcher
    with tantivy_errors(folder.path):
        narrowed = all_of([every_document(), *compile_filters(filters)])
        titles = list(_titles(searcher, words, narrowed, limit))
        found = list(_words(searcher, words, narrowed, limit))
    # Half of the places are for words, as long as there are any.
    first = max(limit - len(found), (limit + 1) // 2)
    return tuple(islice(chain(titles[:first], found, titles[first:]), limit))


def _titles(searcher: Searcher, words: Sequence[str], narrowed: Query, limit: int) -> Iterator[Completion]:
    """Those that begin with the words first, then those with the words anywhere; of each the most frequent first."""
    *whole, start = words
    begin_so = searcher.terms_with_prefix("heading", " ".join(words), filter_query=narrowed, limit=2 * limit)
    have_so = all_of(
        [*(Query.term_query(SCHEMA, "title", word) for word in whole), beginning(start, "title"), narrowed]
    )
    terms = {"field": "heading", "size": 2 * limit}
    answer = searcher.aggregate(have_so, {"headings": {"terms": terms}})["headings"]
    headings: dict[str, int] = {}
    for counts in (dict(begin_so), {bucket["key"]: bucket["doc_count"] for bucket in answer["buckets"]}):
        ranked = sorted(counts, key=lambda heading: (-counts[heading], len(heading), heading))
        headings = headings | {heading: counts[heading] for heading in ranked if heading not in headings}
    for heading, documents in islice(headings.items(), limit):
        named = all_of([Query.term_query(SCHEMA, "heading", heading), narrowed])
        newest = searcher.search(named, 1, count=False, order_by_field="created_at", order=Order.Desc).hits
        document = searcher.doc(newest[0][1])
        yield Completion(str(document.get_first("title")), str(document.get_first("id")), documents)


def _words(searcher: Searcher, words: Sequence[str], narrowed: Query, limit: int) -> Sequence[Completion]:
    """The most frequent first."""
    *whole, start = words
    among = all_of([*(any_of(written(word)) for word in whole), narrowed])
    sums: dict[str, int] = {}
    for name in ("title", "body"):
        for word, documents in searcher.terms_with_prefix(name, start, filter_query=among, limit=2 * limit):
            if word not in whole:
                sums[word] = sums.get(word, 0) + documents
    likeliest = sorted(sums, key=lambda word: (-sums[word], word))[: 2 * limit]
    # A document that has the word in its title and in its text is one document.
    counts = {word: total_of(searcher, all_of([any_of(written(word)), among])) for word in likeliest}
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:limit]
    return [Completion(" ".join([*whole, word]), None, counts[word]) for word in ranked]
