"""How a search could be asked so that it finds the same sooner."""

from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import model_validator

from schemas.model import Model
from schemas.search.query import SearchQuery


class Rule(StrEnum):
    EXACT_WORDS = "exact_words"
    """Looks for words as they are written, without typing errors."""
    NO_SHORT_BEGINNING = "no_short_beginning"
    """Leaves out the beginning of a word that has one or two letters, beside other words."""
    FILTERS = "filters"
    """Narrows by filters instead of clauses."""
    NO_SNIPPETS = "no_snippets"
    """Asks for many hits without snippets, which can be asked for with those that are shown."""
    SHORTER_PERIOD = "shorter_period"
    """Goes on from the page's first document by its time, instead of passing over all before it."""
    NO_DUPLICATES = "no_duplicates"
    """Asks for nothing twice."""


class RewriteOutcome(StrEnum):
    FASTER = "faster"
    NO_GAIN = "no_gain"
    """The same hits, and hardly sooner."""
    OTHER_HITS = "other_hits"
    """It isn't the same search, here and now."""


class Rewrite(Model):
    """A search that was rewritten and replayed."""

    rule: Rule
    why: str
    outcome: RewriteOutcome
    gain: float | None
    """How many times as fast as the original, as measured; None where the hits were others."""
    query: SearchQuery


class Advice(Model):
    took_seconds: float
    """The original's median, without the cache."""
    hits: int
    runs: int
    """How often each was run, in turn with the others."""
    rewrites: tuple[Rewrite, ...]
    """The most gain first. Empty when no rule applies."""


class AdviceRequest(Model):
    """Give a search, or the id of a slow one that was kept."""

    query: SearchQuery | None = None
    slow_query_id: UUID | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.query is None) == (self.slow_query_id is None):
            raise ValueError("give query or slow_query_id")
        return self
