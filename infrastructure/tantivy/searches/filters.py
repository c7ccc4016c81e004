"""Compiles filters and exact clauses. None of them changes a score."""

from collections.abc import Iterable, Iterator, Sequence

from tantivy import FieldType, Occur, Query

from infrastructure.tantivy.fields import SCHEMA, every_document, microseconds
from schemas.search import Exists, FacetField, Filters, KeywordField, NumberField, Period, Range, Span, Terms, TimeField


def compile_filters(filters: Filters, *, but: FacetField | None = None) -> Iterator[Query]:
    """One query for each filter. `but` leaves out the filter of that field."""
    for own, values in _alternatives(filters):
        if values and but != own:
            yield unscored(one_of(own.value, values))
    for tag in filters.tags:
        yield unscored(Query.term_query(SCHEMA, "tags", tag))
    if filters.document_ids:
        yield unscored(one_of("id", filters.document_ids))
    if filters.created and but is not FacetField.CREATED_AT:
        yield from _period(TimeField.CREATED_AT, filters.created)
    if filters.updated:
        yield from _period(TimeField.UPDATED_AT, filters.updated)
    if filters.characters:
        yield from _span(NumberField.CHARACTERS, filters.characters)
    if filters.pages:
        yield from _span(NumberField.PAGES, filters.pages)
    for field in filters.has:
        yield has(field)
    for field in filters.lacks:
        yield none_of([has(field)])


def narrows(filters: Filters, field: FacetField) -> bool:
    """Whether there is a filter that leaves the field's facet as it is."""
    if field is FacetField.CREATED_AT:
        return filters.created is not None
    return any(name == field and values for name, values in _alternatives(filters))


def compile_terms(clause: Terms) -> Query:
    return unscored(one_of(clause.field.value, clause.values))


def compile_range(clause: Range) -> Query:
    if isinstance(clause.field, TimeField):
        period = Period(since=clause.since, before=clause.before)
        return all_of(_period(clause.field, period))
    return all_of(_span(clause.field, Span(at_least=clause.at_least, below=clause.below)))


def compile_exists(clause: Exists) -> Query:
    return has(clause.field)


def has(field: KeywordField | NumberField) -> Query:
    return unscored(Query.exists_query(counted_field(field)))


def counted_field(field: KeywordField | NumberField | FacetField) -> str:
    """The fast field with the values of this one."""
    return "language_alone" if field.value == KeywordField.LANGUAGE.value else field.value


def all_of(queries: Iterable[Query]) -> Query:
    """Matches what all of them match; every document when there is none."""
    clauses = [(Occur.Must, query) for query in queries]
    return Query.boolean_query(clauses) if clauses else every_document()


def any_of(queries: Iterable[Query]) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries])


def none_of(queries: Iterable[Query]) -> Query:
    excluded = [(Occur.MustNot, query) for query in queries]
    return unscored(Query.boolean_query([(Occur.Must, every_document()), *excluded]))


def one_of(name: str, values: Sequence[str]) -> Query:
    return Query.term_set_query(SCHEMA, name, list(values))


def unscored(query: Query) -> Query:
    return Query.const_score_query(query, 0.0)


def _alternatives(filters: Filters) -> Iterator[tuple[FacetField, Sequence[str]]]:
    """The filters that are satisfied by one of their values, by the field whose facet they leave as it is."""
    yield FacetField.DOCUMENT_TYPE, filters.document_types
    yield FacetField.INDUSTRY, filters.industries
    yield FacetField.LANGUAGE, filters.languages
    yield FacetField.TAGS, filters.any_tags
    yield FacetField.MEDIA_TYPE, filters.media_types


def _period(field: TimeField, period: Period) -> Iterator[Query]:
    since = None if period.since is None else microseconds(period.since)
    before = None if period.before is None else microseconds(period.before)
    yield from _between(field.value, since, before)


def _span(field: NumberField, span: Span) -> Iterator[Query]:
    yield from _between(field.value, span.at_least, span.below)


def _between(name: str, first: int | None, end: int | None) -> Iterator[Query]:
    if first is None and end is None:
        return
    # Tantivy refuses to leave out an end that isn't there.
    yield unscored(
        Query.range_query(SCHEMA, name, FieldType.Integer, first, end, include_upper=end is None),
    )
