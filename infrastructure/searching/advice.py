"""Rules by which a search may find the same sooner. Each only proposes: whether the hits are the same is seen when it is
replayed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from schemas.search import (
    AllOf,
    AllTerms,
    AnyOf,
    Exists,
    FacetField,
    Filters,
    Hit,
    KeywordField,
    Match,
    NoneOf,
    Period,
    Prefix,
    Range,
    Rule,
    SearchQuery,
    Sort,
    Span,
    Terms,
    TimeField,
)
from schemas.search.text import WORD

MANY_SNIPPETS: Final = 50
FAR_OFFSET: Final = 200
SHORT_BEGINNING: Final = 2
INSTANT: Final = timedelta(microseconds=1)

_FILTER_OF: Final = {
    KeywordField.DOCUMENT_TYPE: "document_types",
    KeywordField.INDUSTRY: "industries",
    KeywordField.LANGUAGE: "languages",
    KeywordField.TAGS: "any_tags",
    KeywordField.MEDIA_TYPE: "media_types",
}
_PERIOD_OF: Final = {TimeField.CREATED_AT: "created", TimeField.UPDATED_AT: "updated"}


@dataclass(frozen=True, slots=True)
class Proposal:
    rule: Rule
    why: str
    query: SearchQuery


def proposals(query: SearchQuery, hits: Sequence[Hit]) -> Iterator[Proposal]:
    """What may be faster than a query without text. `hits` are those that it has."""
    if (exact := _changed(query, _without_typing_errors)) is not None:
        yield Proposal(Rule.EXACT_WORDS, "words that documents have needn't be looked for with typing errors", exact)
    if (longer := _changed(query, _without_short_beginnings)) is not None:
        why = "the beginning of one or two letters stands for very many words; the other words find the same"
        yield Proposal(Rule.NO_SHORT_BEGINNING, why, longer)
    if (filtered := _with_filters(query)) is not None:
        yield Proposal(Rule.FILTERS, "what doesn't change the order of hits is a filter", filtered)
    if query.highlight and query.limit >= MANY_SNIPPETS:
        without = query.model_copy(update={"highlight": False})
        why = f"a snippet of each of {query.limit} hits is made; ask for snippets where they are shown"
        yield Proposal(Rule.NO_SNIPPETS, why, without)
    if (shorter := _from_its_first_hit(query, hits)) is not None:
        why = f"{query.offset} hits are found to be passed over; a period, or next_cursor, begins behind them"
        yield Proposal(Rule.SHORTER_PERIOD, why, shorter)
    if (once := _changed(query, _without_duplicates)) is not None:
        yield Proposal(Rule.NO_DUPLICATES, "a clause that occurs twice is looked for twice", once)


def _changed(query: SearchQuery, change: Callable[[Match], Match | None]) -> SearchQuery | None:
    """None if it stays the same, or nothing would be left to look for."""
    if query.match is None:
        return None
    changed = _mapped(query.match, change)
    return None if changed is None or changed == query.match else query.model_copy(update={"match": changed})


def _mapped(match: Match, change: Callable[[Match], Match | None]) -> Match | None:
    """The tree with each clause changed, the innermost first; those that became None, and what is empty then, left out."""
    if isinstance(match, AllOf | AnyOf | NoneOf):
        inner = tuple(one for clause in match.clauses if (one := _mapped(clause, change)) is not None)
        return change(match.model_copy(update={"clauses": inner})) if inner else None
    return change(match)


def _without_typing_errors(match: Match) -> Match:
    is_fuzzy = isinstance(match, AllTerms) and match.fuzzy
    return match.model_copy(update={"fuzzy": False}) if is_fuzzy else match


def _without_short_beginnings(match: Match) -> Match | None:
    if isinstance(match, Prefix):
        words = WORD.findall(match.text)
        if len(words) > 1 and len(words[-1]) <= SHORT_BEGINNING:
            return AllTerms(text=" ".join(words[:-1]), field=match.field, weight=match.weight)
    if isinstance(match, AllOf):
        kept = tuple(clause for clause in match.clauses if not _is_a_short_beginning(clause))
        return _all_of(kept) if kept and any(isinstance(one, AllTerms | Prefix) for one in kept) else match
    return match


def _is_a_short_beginning(match: Match) -> bool:
    return isinstance(match, Prefix) and len(match.text) <= SHORT_BEGINNING


def _without_duplicates(match: Match) -> Match:
    if isinstance(match, AllOf | AnyOf | NoneOf):
        once = tuple(clause for place, clause in enumerate(match.clauses) if clause not in match.clauses[:place])
        if len(once) < len(match.clauses):
            is_alone = len(once) == 1 and not isinstance(match, NoneOf)
            return once[0] if is_alone else match.model_copy(update={"clauses": once})
    return match


def _all_of(clauses: tuple[Match, ...]) -> Match:
    return clauses[0] if len(clauses) == 1 else AllOf(clauses=clauses)


def _with_filters(query: SearchQuery) -> SearchQuery | None:
    clauses = query.match.clauses if isinstance(query.match, AllOf) else () if query.match is None else (query.match,)
    filters, kept = query.filters, []
    for clause in clauses:
        taken = _filter_by(filters, clause, query.facets)
        if taken is None:
            kept.append(clause)
        else:
            filters = taken
    if len(kept) == len(clauses):
        return None
    # Without anything to match, the order would be another.
    sort = query.sort or Sort.RELEVANCE
    match = _all_of(tuple(kept)) if kept else None
    return query.model_copy(update={"match": match, "filters": filters, "sort": sort})


def _filter_by(filters: Filters, clause: Match, facets: Sequence[FacetField]) -> Filters | None:
    """The filters with the clause among them. None where it isn't one, or its field has a filter, or a facet, which its own
    filter wouldn't narrow."""
    match clause:
        case Terms(field=field, values=values) if field.value not in facets:
            return _with(filters, _FILTER_OF[field], values)
        case Range(field=TimeField() as field) if field.value not in facets:
            return _with(filters, _PERIOD_OF[field], Period(since=clause.since, before=clause.before))
        case Range(field=field) if not isinstance(field, TimeField):
            return _with(filters, field.value, Span(at_least=clause.at_least, below=clause.below))
        case Exists(field=field) if field.value not in facets and field not in filters.has:
            return filters.model_copy(update={"has": (*filters.has, field)})
        case _:
            return None


def _with(filters: Filters, name: str, value: Any) -> Filters | None:
    return None if getattr(filters, name) else filters.model_copy(update={name: value})


def _from_its_first_hit(query: SearchQuery, hits: Sequence[Hit]) -> SearchQuery | None:
    sort = query.sort or (Sort.NEWEST if query.match is None else Sort.RELEVANCE)
    if query.offset <= FAR_OFFSET or not hits or sort not in (Sort.NEWEST, Sort.OLDEST):
        return None
    first, asked = hits[0].created_at, query.filters.created or Period()
    # It lies within the period that was asked for: it was found there.
    if sort is Sort.NEWEST:
        period = Period(since=asked.since, before=first + INSTANT)
    else:
        period = Period(since=first, before=asked.before)
    narrowed = query.filters.model_copy(update={"created": period})
    return query.model_copy(update={"filters": narrowed, "offset": 0})
