"""What narrows a search without changing the order of its hits."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.documents import DocumentId, Label, LanguageTag
from schemas.model import Model
from schemas.search.match import KeywordField, NumberField
from schemas.search.text import Moment


class Period(Model):
    """From `since` (included) until `before` (not included); either may be left open."""

    since: Moment | None = None
    before: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.before and self.since >= self.before:
            raise ValueError("since must be earlier than before")
        return self


class Span(Model):
    """From `at_least` (included) to `below` (not included); either may be left open."""

    at_least: Annotated[int, Field(ge=0, le=2**53)] | None = None
    below: Annotated[int, Field(ge=0, le=2**53)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise ValueError("at_least must be less than below")
        return self


class Filters(Model):
    """Narrows the hits without changing their score. Values of one field are alternatives, except that all of `tags` must
    be present. A facet isn't narrowed by the filter of its own field; that of tags only by `tags`, not by `any_tags`."""

    document_types: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    industries: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    languages: Annotated[tuple[LanguageTag, ...], Field(max_length=20)] = ()
    tags: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    any_tags: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    """At least one of these must be present."""
    media_types: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    document_ids: Annotated[tuple[DocumentId, ...], Field(max_length=1_000)] = ()
    created: Period | None = None
    updated: Period | None = None
    characters: Span | None = None
    pages: Span | None = None
    has: Annotated[tuple[KeywordField | NumberField, ...], Field(max_length=7)] = ()
    """Fields that must have a value."""
    lacks: Annotated[tuple[KeywordField | NumberField, ...], Field(max_length=7)] = ()
    """Fields that must have none."""
