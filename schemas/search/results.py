"""What a search answers."""

from datetime import datetime
from enum import StrEnum

from schemas.model import Model
from schemas.search.query import FacetField


class Mark(Model):
    """A matching range in a snippet, from `start` to before `end`, in Unicode code points."""

    start: int
    end: int


class Snippet(Model):
    """The most relevant excerpt of a document's text: plain text, never markup."""

    text: str
    marks: tuple[Mark, ...] = ()


class Explanation(Model):
    """What a number was made of."""

    value: float
    description: str
    details: tuple["Explanation", ...] = ()


class Hit(Model):
    document_id: str
    score: float | None
    """Higher is better; comparable within one response only. None when sorted by something else."""
    title: str
    title_marks: tuple[Mark, ...] = ()
    snippet: Snippet | None
    document_type: str
    industry: str | None
    language: str | None
    tags: tuple[str, ...]
    media_type: str | None = None
    characters: int | None = None
    pages: int | None = None
    created_at: datetime
    updated_at: datetime | None = None
    version: int
    explanation: Explanation | None = None


class FacetValue(Model):
    value: str
    """Of `created_at`, the first day of a period: `2026-11-01`."""
    count: int


class Facet(Model):
    """The most frequent values first, periods in their order; `others` counts the hits whose value isn't listed."""

    field: FacetField
    values: tuple[FacetValue, ...]
    others: int


class Consistency(StrEnum):
    SNAPSHOT = "snapshot"
    """All pages so far are of the documents as they were at the first one."""
    RESUMED = "resumed"
    """The index has changed since the page before: hits that moved may come twice or be left out."""


class SearchResults(Model):
    total: int
    hits: tuple[Hit, ...]
    facets: tuple[Facet, ...] = ()
    next_offset: int | None = None
    """Offset of the next page; None on the last page and at the maximum offset."""
    next_cursor: str | None = None
    """Brings the next page, however deep. None on the last page."""
    consistency: Consistency = Consistency.SNAPSHOT
    did_you_mean: str | None = None
    """Words that are spelled otherwise and have hits, under the same filters."""
    widened: bool = False
    """Whether documents with only some of the words are among the hits, behind those with all of them."""
    corrected: bool = False
    """Whether the hits are those of `did_you_mean`, since there was none for what was searched for."""
