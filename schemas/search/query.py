"""A search: what to look for, and how to answer."""

from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field, field_validator, model_validator

from schemas.model import Model
from schemas.search.filters import Filters
from schemas.search.match import Match, check_size, check_words
from schemas.search.text import SearchText

MAX_HITS: Final = 100
FURTHEST_OFFSET: Final = 1_000
MAX_PERIODS: Final = 400
"""The most values of the facet `created_at`."""


class FacetField(StrEnum):
    DOCUMENT_TYPE = "document_type"
    INDUSTRY = "industry"
    LANGUAGE = "language"
    """Of languages, not whole tags: `fr` counts `fr-CH` as well."""
    TAGS = "tags"
    MEDIA_TYPE = "media_type"
    CREATED_AT = "created_at"
    """Counted by periods: see `period`."""


class CalendarPeriod(StrEnum):
    DAY = "day"
    WEEK = "week"
    """From Monday."""
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Sort(StrEnum):
    RELEVANCE = "relevance"
    NEWEST = "newest"
    OLDEST = "oldest"
    CHANGED = "changed"
    """What was changed last comes first."""
    LONGEST = "longest"
    SHORTEST = "shortest"


class SearchQuery(Model):
    """A search in the tenant's own documents."""

    text: SearchText | None = None
    """As a person types it: words that must all occur, "a phrase" in quotation marks, -without, begin*. Give this or
    `match`."""
    match: Match | None = None
    """What to look for in titles and texts; everything if neither is given."""
    filters: Filters = Filters()
    facets: Annotated[tuple[FacetField, ...], Field(max_length=len(FacetField))] = ()
    """Fields whose values are counted. A field's own filter doesn't narrow its counts, so that a user sees the other
    choices."""
    facet_limit: Annotated[int, Field(ge=1, le=100)] = 10
    period: CalendarPeriod = CalendarPeriod.MONTH
    """Of the facet `created_at`, in UTC."""
    highlight: bool = True
    snippet_characters: Annotated[int, Field(ge=40, le=500)] = 160
    sort: Sort | None = None
    """By relevance if there is something to match, else the newest first."""
    synonyms: bool = True
    """Whether the tenant's synonyms are looked for as well."""
    correct: bool = True
    """Whether a search for words with few hits may suggest other spellings, and, without any hit, answer with those."""
    widen: bool = True
    """Whether a search by relevance for several typed words, which fewer than ten documents have all of, is answered with
    documents that have some of them as well, behind those."""
    explain: bool = False
    """Whether each hit says where its score comes from."""
    limit: Annotated[int, Field(ge=0, le=MAX_HITS)] = 10
    offset: Annotated[int, Field(ge=0, le=FURTHEST_OFFSET)] = 0
    cursor: Annotated[str, Field(max_length=8_000)] | None = None
    """`next_cursor` of the page before. Everything else must be as it was there."""

    @field_validator("match", mode="before")
    @classmethod
    def _not_too_deep(cls, match: Any) -> Any:
        check_size(match)
        return match

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check_words(self.match)
        if self.text is not None and self.match is not None:
            raise ValueError("give text or match, not both")
        if self.cursor is not None and self.offset:
            raise ValueError("give cursor or offset, not both")
        if len(set(self.facets)) < len(self.facets):
            raise ValueError("facets names a field twice")
        return self
