"""The indexing command, the search query language and search results."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from schemas.commands import Command
from schemas.document_references import check_source
from schemas.documents import MAX_TEXT_CHARACTERS, DocumentId, DocumentRef, Label, LanguageTag
from schemas.model import Model

MAX_LEVELS = 16
MAX_CLAUSES = 64
MAX_WORDS = 64
MAX_HITS = 100
FURTHEST_OFFSET = 1_000

_WORD = re.compile(r"[^\W_]+")
_EARLIEST, _LATEST = datetime(1700, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SealedAtRest:
    """Marks a field that is stored as ciphertext only.

    `indexed_because` records why a search index may contain its words anyway. A sealed field without it is never indexed.
    """

    indexed_because: str | None = None


def _in_range(moment: datetime) -> datetime:
    # An index keeps times as nanoseconds in 64 bits, which end in 1677 and 2262.
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("the time must lie between the years 1700 and 2200")
    return moment


def _searchable(text: str) -> str:
    if not _WORD.search(text):
        raise ValueError("the text has no word to search for")
    return text


Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]
SearchText = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_searchable)]


class IndexDocument(Command):
    """Makes a document searchable: one that is stored already, or one that is sent along and stored first. A later request
    for the same id replaces it; an earlier one that runs late doesn't."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"document_id": "0117", "title": "Lease", "text": "Due.", "document_type": "lease"}]
        }
    )

    kind: ClassVar[str] = "search.index_document"
    queue: ClassVar[str] = "search"
    version: ClassVar[int] = 3
    time_limit_seconds: ClassVar[float] = 120.0

    document: DocumentRef | None = None
    """A stored document. All that is to be known of it is stored with it: give nothing else."""
    document_id: DocumentId | None = None
    title: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    text: Annotated[
        str | None,
        Field(max_length=MAX_TEXT_CHARACTERS),
        SealedAtRest(indexed_because="Finding a document by the words of its text is what this command is sent for."),
    ] = None
    document_type: Label | None = None
    industry: Label | None = None
    language: LanguageTag | None = None
    """Enables stemming for known languages: `agreements` finds `agreement`."""
    tags: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    created_at: Moment | None = None
    """When the document was created; the time of its first indexing if not given."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        needed = ("document_id", "title", "text", "document_type")
        check_source(self, without=needed, never_with=(*needed, "industry", "language", "tags", "created_at"))
        return self

    @classmethod
    def upcast(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        if version > 1 or "body" not in fields:
            return fields
        return {**{name: value for name, value in fields.items() if name != "body"}, "text": fields["body"]}


class AllTerms(Model):
    """Every word must occur, in any order, in the title or the text."""

    op: Literal["all_terms"] = "all_terms"
    text: SearchText
    fuzzy: bool = False
    """Also accepts one typing error in each word of four letters or more; such hits rank lower."""


class Phrase(Model):
    """The words must occur next to each other, in this order."""

    op: Literal["phrase"] = "phrase"
    text: SearchText
    slop: Annotated[int, Field(ge=0, le=5)] = 0
    """How many positions words may be moved."""


class Prefix(Model):
    """The last word is a prefix; the words before it must match exactly. For search-as-you-type."""

    op: Literal["prefix"] = "prefix"
    text: SearchText


def _not_empty(clauses: tuple["Match", ...]) -> tuple["Match", ...]:
    if not clauses:
        raise ValueError("give at least one clause")
    return clauses


# A `min_length` would report every faulty clause as a missing one too.
Clauses = Annotated[
    tuple["Match", ...],
    Field(max_length=MAX_CLAUSES, json_schema_extra={"minItems": 1}),
    AfterValidator(_not_empty),
]


class AllOf(Model):
    """Every clause must match."""

    op: Literal["all_of"] = "all_of"
    clauses: Clauses


class AnyOf(Model):
    """At least one clause must match."""

    op: Literal["any_of"] = "any_of"
    clauses: Clauses


class NoneOf(Model):
    """No clause may match."""

    op: Literal["none_of"] = "none_of"
    clauses: Clauses


Match = Annotated[AllTerms | Phrase | Prefix | AllOf | AnyOf | NoneOf, Field(discriminator="op")]


class Period(Model):
    """From `since` (included) until `before` (not included); either may be left open."""

    since: Moment | None = None
    before: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.before and self.since >= self.before:
            raise ValueError("since must be earlier than before")
        return self


class Filters(Model):
    """Narrows the hits without changing their score. Values of one field are alternatives, except that all tags must be
    present."""

    document_types: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    industries: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    languages: Annotated[tuple[LanguageTag, ...], Field(max_length=20)] = ()
    tags: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    created: Period | None = None


class FacetField(StrEnum):
    DOCUMENT_TYPE = "document_type"
    INDUSTRY = "industry"


class Sort(StrEnum):
    RELEVANCE = "relevance"
    NEWEST = "newest"
    OLDEST = "oldest"


class SearchQuery(Model):
    """A search in the tenant's own documents."""

    match: Match | None = None
    """What to look for in titles and texts; everything if not given."""
    filters: Filters = Filters()
    facets: Annotated[tuple[FacetField, ...], Field(max_length=len(FacetField))] = ()
    """Fields whose values are counted. A field's own filter doesn't narrow its counts, so that a user sees the other
    choices."""
    facet_limit: Annotated[int, Field(ge=1, le=100)] = 10
    highlight: bool = True
    snippet_characters: Annotated[int, Field(ge=40, le=500)] = 160
    sort: Sort | None = None
    """By relevance if there is something to match, else the newest first."""
    limit: Annotated[int, Field(ge=0, le=MAX_HITS)] = 10
    offset: Annotated[int, Field(ge=0, le=FURTHEST_OFFSET)] = 0

    @field_validator("match", mode="before")
    @classmethod
    def _not_too_deep(cls, match: Any) -> Any:
        # Checked before validation builds the tree, which is slow when it is deep.
        for clauses, (_, level) in enumerate(_walk(match), start=1):
            if level > MAX_LEVELS:
                raise ValueError(f"match is nested deeper than {MAX_LEVELS} levels")
            if clauses > MAX_CLAUSES:
                raise ValueError(f"match has more than {MAX_CLAUSES} clauses")
        return match

    @model_validator(mode="after")
    def _not_too_wide(self) -> Self:
        words = sum(len(_WORD.findall(clause.text)) for clause, _ in _walk(self.match) if hasattr(clause, "text"))
        if words > MAX_WORDS:
            raise ValueError(f"match has {words} words; at most {MAX_WORDS} are searched for")
        if len(set(self.facets)) < len(self.facets):
            raise ValueError("facets names a field twice")
        return self


def _walk(match: Any) -> Iterator[tuple[Any, int]]:
    """Every clause, validated or as sent, with its level."""
    unread = [] if match is None else [(match, 1)]
    while unread:
        clause, level = unread.pop()
        yield clause, level
        inner = clause.get("clauses") if isinstance(clause, dict) else getattr(clause, "clauses", None)
        if isinstance(inner, list | tuple):
            unread.extend((one, level + 1) for one in inner)


class Mark(Model):
    """A matching range in a snippet, from `start` to before `end`, in Unicode code points."""

    start: int
    end: int


class Snippet(Model):
    """The most relevant excerpt of a document's text: plain text, never markup."""

    text: str
    marks: tuple[Mark, ...] = ()


class Hit(Model):
    document_id: str
    score: float | None
    """Higher is better; comparable within one response only. None when sorted by time."""
    title: str
    snippet: Snippet | None
    document_type: str
    industry: str | None
    language: str | None
    tags: tuple[str, ...]
    created_at: datetime
    version: int


class FacetValue(Model):
    value: str
    count: int


class Facet(Model):
    """The most frequent values first; `others` counts the hits whose value isn't listed."""

    field: FacetField
    values: tuple[FacetValue, ...]
    others: int


class SearchResults(Model):
    total: int
    hits: tuple[Hit, ...]
    facets: tuple[Facet, ...] = ()
    next_offset: int | None = None
    """Offset of the next page; None on the last page and at the maximum offset."""
