"""The piece of each body on a page that says most about the query, with what matched marked in it."""

from collections.abc import Sequence

from tantivy import Document, Occur, Query, Searcher, SnippetGenerator

from infrastructure.tantivy.compiler import Looked
from infrastructure.tantivy.fields import SCHEMA, stemmed_language, stemming, stems_field
from schemas.search import Mark, Snippet

MAX_COMPLETIONS = 200


class Snippets:
    """Makes the snippets of one page of hits."""

    def __init__(self, searcher: Searcher, looked: Looked, document_ids: Sequence[str], characters: int) -> None:
        self._searcher = searcher
        self._characters = characters
        self._words = looked.words | _completions(searcher, looked.beginnings, document_ids)
        self._generators: dict[str | None, SnippetGenerator] = {}

    def of(self, body: str, language_tag: str | None) -> Snippet:
        """The body's best piece, or its beginning when nothing in it matches."""
        language = stemmed_language(language_tag)
        if self._words:
            if language not in self._generators:
                self._generators[language] = self._generator(language)
            # A document made up for this: the field's own analyzer is what finds the marks, and bodies are stored once,
            # under another name.
            found = self._generators[language].snippet_from_doc(Document.from_dict({_field(language): body}, SCHEMA))
            if marks := [(mark.start, mark.end) for mark in found.highlighted()]:
                return _marked(found.fragment(), marks)
        return Snippet(text=_beginning(body, self._characters))

    def _generator(self, language: str | None) -> SnippetGenerator:
        terms = self._words if language is None else _stems(language, self._words)
        name = _field(language)
        wanted = Query.boolean_query([(Occur.Should, Query.term_query(SCHEMA, name, term)) for term in sorted(terms)])
        generator = SnippetGenerator.create(self._searcher, wanted, SCHEMA, name)
        generator.set_max_num_chars(self._characters)
        return generator


def _field(language: str | None) -> str:
    return "body" if language is None else stems_field(language)


def _stems(language: str, words: set[str]) -> set[str]:
    stemmer = stemming(language)
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


def _marked(fragment: str, byte_ranges: Sequence[tuple[int, int]]) -> Snippet:
    # Tantivy counts bytes of UTF-8; a reader counts characters.
    encoded = fragment.encode()
    marks: list[Mark] = []
    for start, end in sorted(byte_ranges):
        mark = Mark(start=len(encoded[:start].decode()), end=len(encoded[:end].decode()))
        if not marks or mark.start >= marks[-1].end:
            marks.append(mark)
    return Snippet(text=fragment, marks=tuple(marks))


def _beginning(body: str, characters: int) -> str:
    if len(body) <= characters:
        return body
    cut = body[: characters + 1]
    return cut[: cut.rfind(" ")] if " " in cut[characters // 2 :] else body[:characters]
