"""What somebody who types may mean, and counts without hits."""

from schemas.model import Model
from schemas.search.results import Facet


class Suggestion(Model):
    text: str
    document_id: str | None
    """Of the document with this title; None for a word."""
    documents: int
    """How many of those that pass the filters have it."""


class Suggestions(Model):
    suggestions: tuple[Suggestion, ...]
    """Titles and words that begin so, the likeliest first."""
    did_you_mean: str | None = None
    """The words as documents spell them, where nothing begins as they are written. It has hits under the same filters."""


class FacetCounts(Model):
    total: int
    """Documents that match and pass the filters."""
    facets: tuple[Facet, ...]
