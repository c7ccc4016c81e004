"""What a search looks for: a closed tree of clauses, bounded before it is built. Nothing in it is an engine's own syntax."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.documents import Label
from schemas.model import Model
from schemas.search.text import WORD, Moment, SearchText

MAX_LEVELS: Final = 16
"""Elasticsearch takes 30 of its own, of which a clause of ours may need two."""
MAX_CLAUSES: Final = 64
MAX_WORDS: Final = 64


class TextField(StrEnum):
    """Where words are looked for."""

    ANYWHERE = "anywhere"
    """In the title or the text; words of one clause may be in different ones."""
    TITLE = "title"
    TEXT = "text"


class KeywordField(StrEnum):
    """Fields whose values are compared exactly, and counted."""

    DOCUMENT_TYPE = "document_type"
    INDUSTRY = "industry"
    LANGUAGE = "language"
    """A document has its whole tag and its language alone: `fr-CH` and `fr`."""
    TAGS = "tags"
    MEDIA_TYPE = "media_type"


class TimeField(StrEnum):
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"


class NumberField(StrEnum):
    CHARACTERS = "characters"
    PAGES = "pages"


Weight = Annotated[float, Field(gt=0, le=10)]
"""Multiplies what the clause adds to the score of a hit."""


class AllTerms(Model):
    """Every word must occur, in any order."""

    op: Literal["all_terms"] = "all_terms"
    text: SearchText
    fuzzy: bool = False
    """Also accepts one typing error in each word of four letters or more; such hits rank lower."""
    field: TextField = TextField.ANYWHERE
    weight: Weight = 1.0


class Phrase(Model):
    """The words must occur next to each other, in this order."""

    op: Literal["phrase"] = "phrase"
    text: SearchText
    slop: Annotated[int, Field(ge=0, le=5)] = 0
    """How many positions words may be moved."""
    field: TextField = TextField.ANYWHERE
    weight: Weight = 1.0


class Prefix(Model):
    """The last word is a prefix; the words before it must match exactly. For search-as-you-type."""

    op: Literal["prefix"] = "prefix"
    text: SearchText
    field: TextField = TextField.ANYWHERE
    weight: Weight = 1.0


class Terms(Model):
    """The field has at least one of these values. Changes no score."""

    op: Literal["terms"] = "terms"
    field: KeywordField
    values: Annotated[tuple[Label, ...], Field(min_length=1, max_length=50)]


class Range(Model):
    """A time or a number within limits: from the lower one (included) to the upper one (not included). Changes no score."""

    op: Literal["range"] = "range"
    field: TimeField | NumberField
    since: Moment | None = None
    """Of a time."""
    before: Moment | None = None
    at_least: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """Of a number."""
    below: Annotated[int, Field(ge=0, le=2**53)] | None = None

    @model_validator(mode="after")
    def _fits_its_field(self) -> Self:
        times, numbers = (self.since, self.before), (self.at_least, self.below)
        if isinstance(self.field, TimeField) and numbers != (None, None):
            raise ValueError(f"{self.field} is a time: give since and before")
        if isinstance(self.field, NumberField) and times != (None, None):
            raise ValueError(f"{self.field} is a number: give at_least and below")
        if self.since and self.before and self.since >= self.before:
            raise ValueError("since must be earlier than before")
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise ValueError("at_least must be less than below")
        if times == numbers == (None, None):
            raise ValueError("give at least one limit")
        return self


class Exists(Model):
    """The document has any value in the field. Changes no score."""

    op: Literal["exists"] = "exists"
    field: KeywordField | NumberField


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


TextClause = AllTerms | Phrase | Prefix
Match = Annotated[
    AllTerms | Phrase | Prefix | Terms | Range | Exists | AllOf | AnyOf | NoneOf, Field(discriminator="op")
]


def walk(match: Any) -> Iterator[tuple[Any, int]]:
    """Every clause, validated or as sent, with its level."""
    unread = [] if match is None else [(match, 1)]
    while unread:
        clause, level = unread.pop()
        yield clause, level
        inner = clause.get("clauses") if isinstance(clause, dict) else getattr(clause, "clauses", None)
        if isinstance(inner, list | tuple):
            unread.extend((one, level + 1) for one in inner)


def check_size(match: Any) -> None:
    """Raises ValueError for a tree that is too deep or too wide. Takes it as it was sent: to build it first would be slow."""
    for clauses, (_, level) in enumerate(walk(match), start=1):
        if level > MAX_LEVELS:
            raise ValueError(f"match is nested deeper than {MAX_LEVELS} levels")
        if clauses > MAX_CLAUSES:
            raise ValueError(f"match has more than {MAX_CLAUSES} clauses")


def check_words(match: "Match | None") -> None:
    """Raises ValueError for a tree with too many words."""
    words = sum(len(WORD.findall(clause.text)) for clause, _ in walk(match) if isinstance(clause, TextClause))
    if words > MAX_WORDS:
        raise ValueError(f"match has {words} words; at most {MAX_WORDS} are searched for")
