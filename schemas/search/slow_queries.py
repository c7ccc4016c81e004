"""Searches that took long: their shape, without a word of what was looked for."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from schemas.model import Model
from schemas.search.query import FacetField, Sort


class QueryShape(Model):
    """What a search is made of."""

    ops: Mapping[str, int]
    """How often each kind of clause occurs, synonyms included; `all_terms~` is one with typing errors allowed."""
    words: int
    levels: int
    filters: tuple[str, ...]
    """Which are set, not to what."""
    facets: tuple[FacetField, ...]
    sort: Sort | None
    highlight: bool
    limit: int
    offset: int
    deep: bool
    """Whether it went on from a cursor."""


class SlowQuery(Model):
    """A search that took longer than SEARCH_SLOW_SECONDS."""

    id: UUID
    at: datetime
    took_seconds: float
    hits: int
    shape: QueryShape
    replayable: bool
    """Whether the search itself was kept, sealed, for `advise`."""


class SlowQueries(Model):
    """The newest first. A tenant's newest 200 are kept."""

    queries: tuple[SlowQuery, ...]
    next_cursor: str | None = None
