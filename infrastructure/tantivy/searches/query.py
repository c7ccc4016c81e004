"""Answers one query from one tenant's index."""

from collections.abc import Iterator, Sequence

from tantivy import Document, Query, Searcher

from infrastructure.ports.search import Page
from infrastructure.tantivy.errors import tantivy_errors
from infrastructure.tantivy.fields import every_document, moment
from infrastructure.tantivy.generations.folder import IndexFolder, View
from infrastructure.tantivy.searches.compiler import Looked, compile_match
from infrastructure.tantivy.searches.explanations import explain
from infrastructure.tantivy.searches.facets import facets
from infrastructure.tantivy.searches.filters import all_of, compile_filters, one_of, unscored
from infrastructure.tantivy.searches.finding import ORDERINGS, Hits, find, sort_of
from infrastructure.tantivy.searches.highlights import Highlights
from infrastructure.tantivy.searches.pages import Pages, Place
from schemas.search import FURTHEST_OFFSET, Hit, SearchQuery, SearchResults, Sort


def search(folder: IndexFolder, query: SearchQuery, after: bytes | None = None) -> Page:
    """What the index, as it was committed last, answers. `after` is a page's before; Refused for anything else."""
    place = None if after is None else Place.from_bytes(after, sort_of(query))
    view = folder.view()
    with tantivy_errors(folder.path):
        return _search(view, query, place)


def _search(view: View, query: SearchQuery, place: Place | None) -> Page:
    searcher, sort = view.searcher, sort_of(query)
    matched, looked = _matched(query, searcher)
    wanted = all_of([matched, *compile_filters(query.filters)])
    pages = Pages(view, wanted, sort)
    turned = pages.at(query.offset, query.limit) if place is None else pages.after(place, query.limit)
    following = None if turned.place is None else turned.place.to_bytes()
    results = SearchResults(
        total=turned.hits.total,
        hits=tuple(_hits(searcher, turned.hits, wanted, looked, query)),
        facets=tuple(facets(searcher, matched, query)),
        next_offset=turned.rank if following and turned.rank <= FURTHEST_OFFSET else None,
        consistency=turned.consistency,
    )
    return Page(results, following)


def wanted_by(query: SearchQuery, searcher: Searcher) -> Query:
    """What its hits match."""
    matched, _ = _matched(query, searcher)
    return all_of([matched, *compile_filters(query.filters)])


def found_ids(searcher: Searcher, wanted: Query, limit: int, *, among: Sequence[str] | None = None) -> list[str]:
    """Ids of the best hits; if `among` is given, of those of these documents."""
    if among is not None:
        wanted = all_of([wanted, unscored(one_of("id", among))])
    hits = find(searcher, wanted, ORDERINGS[Sort.RELEVANCE], offset=0, limit=limit, count=False)
    return [_text(searcher.doc(address), "id") for _, address in hits.ranked]


def _matched(query: SearchQuery, searcher: Searcher) -> tuple[Query, Looked]:
    return (every_document(), Looked()) if query.match is None else compile_match(query.match, searcher)


def _hits(searcher: Searcher, found: Hits, wanted: Query, looked: Looked, query: SearchQuery) -> Iterator[Hit]:
    documents = [(value, address, searcher.doc(address)) for value, address in found.ranked]
    ids = [_text(document, "id") for _, _, document in documents]
    highlights = Highlights(searcher, looked, ids, query.snippet_characters) if query.highlight else None
    scored = sort_of(query) is Sort.RELEVANCE
    for value, address, document in documents:
        title, language = _text(document, "title"), document.get_first("language")
        yield Hit(
            document_id=_text(document, "id"),
            score=value if scored else None,
            title=title,
            title_marks=highlights.in_title(title, language) if highlights else (),
            snippet=highlights and highlights.of_body(_text(document, "body"), language),
            document_type=_text(document, "document_type"),
            industry=document.get_first("industry"),
            language=language,
            tags=tuple(document.get_all("tags")),
            media_type=document.get_first("media_type"),
            characters=document.get_first("characters"),
            pages=document.get_first("pages"),
            created_at=moment(_number(document, "created_at")),
            updated_at=moment(_number(document, "updated_at")),
            version=_number(document, "version"),
            explanation=explain(searcher, wanted, address) if query.explain else None,
        )


def _text(document: Document, name: str) -> str:
    return str(document.get_first(name))


def _number(document: Document, name: str) -> int:
    return int(str(document.get_first(name)))
