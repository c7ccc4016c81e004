"""What misspelled words may have been meant to be: words that the documents have."""

from collections.abc import Iterator, Sequence

from rapidfuzz.distance import OSA
from tantivy import Searcher

from infrastructure.ports.search import Spelling
from infrastructure.tantivy.errors import tantivy_errors
from infrastructure.tantivy.fields import every_document
from infrastructure.tantivy.generations.folder import IndexFolder
from infrastructure.tantivy.searches.compiler import written
from infrastructure.tantivy.searches.filters import all_of, any_of
from infrastructure.tantivy.searches.finding import total_of
from infrastructure.tantivy.searches.typos import LONGEST, one_typo_away
from infrastructure.tantivy.words import words_of

LONG_WORD = 8
"""Letters from which on two may be wrong."""
MAX_OFFERED = 10
MAX_COMPARED = 50_000
"""The most words with the same first letter that are compared; the most frequent ones."""
_FIELDS = ("title", "body")

Spellings = tuple[int, Sequence[Spelling]]


def spellings(folder: IndexFolder, words: Sequence[str]) -> Sequence[Spellings]:
    """For each word how many documents have it, and what else it may be. A text of several words is none."""
    if not words:
        return ()
    searcher = folder.view().searcher
    with tantivy_errors(folder.path):
        return [_spellings(searcher, words_of(word)) for word in words]


def _spellings(searcher: Searcher, words: Sequence[str]) -> Spellings:
    if len(words) != 1:
        return 0, ()
    (word,) = words
    near = [*_likeliest(searcher, _one_away(searcher, word), typos=1)]
    far = [*_likeliest(searcher, _two_away(searcher, word), typos=2)]
    return _documents_with(searcher, word), (*near, *far)[:MAX_OFFERED]


def _one_away(searcher: Searcher, word: str) -> Iterator[tuple[int, str]]:
    for typo in one_typo_away(word):
        if frequency := sum(searcher.doc_freq(name, typo) for name in _FIELDS):
            yield frequency, typo


def _two_away(searcher: Searcher, word: str) -> Iterator[tuple[int, str]]:
    """Words with the same first letter: there are too many ways to type two wrong letters to try them all."""
    if not LONG_WORD <= len(word) <= LONGEST:
        return
    for name in _FIELDS:
        for other, frequency in searcher.terms_with_prefix(name, word[0], limit=MAX_COMPARED):
            if abs(len(other) - len(word)) <= 2 and OSA.distance(word, other, score_cutoff=2) == 2:
                yield frequency, other


def _likeliest(searcher: Searcher, found: Iterator[tuple[int, str]], *, typos: int) -> Sequence[Spelling]:
    """The most frequent ones. What an index says by itself counts deleted documents as well."""
    names = dict.fromkeys(word for _, word in sorted(found, key=lambda one: (-one[0], one[1])))
    counted = ((_documents_with(searcher, word), word) for word in list(names)[: 2 * MAX_OFFERED])
    ranked = sorted((one for one in counted if one[0]), key=lambda one: (-one[0], one[1]))
    return [Spelling(word, documents, typos) for documents, word in ranked[:MAX_OFFERED]]


def _documents_with(searcher: Searcher, word: str) -> int:
    return total_of(searcher, all_of([any_of(written(word)), every_document()]))
