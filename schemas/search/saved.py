"""Saved searches, which tell when a new document matches."""

from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.model import Model
from schemas.search.query import SearchQuery

MAX_SAVED_SEARCHES: Final = 100
"""Of a tenant."""

SavedSearchName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["overdue-leases"])]


class SavedSearch(Model):
    """What to look for in documents that are indexed from now on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query": {"match": {"op": "phrase", "text": "rent is overdue"}}}]}
    )

    query: SearchQuery
    """What it finds counts, which must have all of the words as they are spelled; the order, pages, facets and snippets that
    it asks for don't."""
    description: Annotated[str, Field(max_length=500)] = ""
    """For people."""

    @model_validator(mode="after")
    def _finds_something(self) -> Self:
        if self.query.cursor is not None or self.query.offset:
            raise ValueError("a saved search has no page; leave out cursor and offset")
        return self


class NewSavedSearch(SavedSearch):
    name: SavedSearchName


class NamedSavedSearch(NewSavedSearch):
    updated_at: datetime


class SavedSearches(Model):
    """By name."""

    searches: tuple[NamedSavedSearch, ...]
