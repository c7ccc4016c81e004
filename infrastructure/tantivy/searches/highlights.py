"""Marks what matched in the titles and texts of a page, and shows the piece of each text that says most about the query."""

from collections.abc import Iterable, Iterator, Sequence
from unicodedata import category

from tantivy import Document, Occur, Query, Searcher, SnippetGenerator, TextAnalyzer

from infrastructure.tantivy.fields import SCHEMA, stems_field
from infrastructure.tantivy.searches.compiler import Looked
from infrastructure.tantivy.words import folded, stemmed_language, stemming
from schemas.search import Mark, Snippet

MAX_COMPLETIONS = 200


class Highlights:
    """Marks one page of hits."""

    def __init__(self, searcher: Searcher, looked: Looked, document_ids: Sequence[str], characters: int) -> None:
        self._searcher = searcher
        self._looked = looked
        self._characters = characters
        self._body_words = looked.body.words | _completions(searcher, looked.body.beginnings, document_ids)
        self._generators: dict[str | None, SnippetGenerator] = {}
        self._stemmers: dict[str, TextAnalyzer] = {}
        self._folded = folded()

    def in_title(self, title: str, language_tag: str | None) -> tuple[Mark, ...]:
        """What matches in the title."""
        return marks_of(title, sorted(self._title_ranges(title, stemmed_language(language_tag))))

    def of_body(self, body: str, language_tag: str | None) -> Snippet:
        """The body's best piece, or its beginning when nothing in it matches."""
        language = stemmed_language(language_tag)
        if self._body_words:
            if language not in self._generators:
                self._generators[language] = self._generator(language)
            # A document made up for this: the field's own analyzer is what finds the marks, and bodies are stored once,
            # under another name.
            found = self._generators[language].snippet_from_doc(Document.from_dict({_field(language): body}, SCHEMA))
            if ranges := [(mark.start, mark.end) for mark in found.highlighted()]:
                return _snippet(found.fragment(), ranges)
        return Snippet(text=_beginning(body, self._characters))

    def _title_ranges(self, title: str, language: str | None) -> Iterator[tuple[int, int]]:
        words, beginnings = self._looked.title.words, tuple(self._looked.title.beginnings)
        if not words and not beginnings:
            return
        for token in self._folded.pre_tokenize(title).tokens:
            if token.text in words or token.text.startswith(beginnings):
                yield token.char_offset_from, token.char_offset_to
        if language is not None and words:
            stemmer = self._stemmers.setdefault(language, stemming(language))
            stems = _stems(stemmer, words)
            for token in stemmer.pre_tokenize(title).tokens:
                if token.text in stems:
                    yield token.char_offset_from, token.char_offset_to

    def _generator(self, language: str | None) -> SnippetGenerator:
        terms = self._body_words if language is None else _stems(stemming(language), self._body_words)
        name = _field(language)
        wanted = Query.boolean_query([(Occur.Should, Query.term_query(SCHEMA, name, term)) for term in sorted(terms)])
        generator = SnippetGenerator.create(self._searcher, wanted, SCHEMA, name)
        generator.set_max_num_chars(self._characters)
        return generator


def marks_of(text: str, ranges: Iterable[tuple[int, int]]) -> tuple[Mark, ...]:
    """The ranges, in their order, without overlaps. A mark ends behind the accents of its last letter."""
    marks: list[Mark] = []
    for start, last in ranges:
        end = next((at for at in range(last, len(text)) if not category(text[at]).startswith("M")), len(text))
        if marks and start <= marks[-1].end:
            marks[-1] = Mark(start=marks[-1].start, end=max(end, marks[-1].end))
        else:
            marks.append(Mark(start=start, end=end))
    return tuple(marks)


def _snippet(fragment: str, byte_ranges: Iterable[tuple[int, int]]) -> Snippet:
    # Tantivy counts bytes of UTF-8; a reader counts characters.
    encoded = fragment.encode()
    ranges = sorted((len(encoded[:start].decode()), len(encoded[:end].decode())) for start, end in byte_ranges)
    return Snippet(text=fragment, marks=marks_of(fragment, ranges))


def _field(language: str | None) -> str:
    return "body" if language is None else stems_field("body", language)


def _stems(stemmer: TextAnalyzer, words: Iterable[str]) -> set[str]:
    return {stem for word in words for stem in stemmer.analyze(word)}


def _completions(searcher: Searcher, beginnings: set[str], document_ids: Sequence[str]) -> set[str]:
    if not beginnings or not document_ids:
        return set()
    page = Query.term_set_query(SCHEMA, "id", list(document_ids))
    return {
        word
        for beginning in beginnings
        for word, _ in searcher.terms_with_prefix("body", beginning, filter_query=page, limit=MAX_COMPLETIONS)
    }


def _beginning(body: str, characters: int) -> str:
    if len(body) <= characters:
        return body
    cut = body[: characters + 1]
    return cut[: cut.rfind(" ")] if " " in cut[characters // 2 :] else body[:characters]
