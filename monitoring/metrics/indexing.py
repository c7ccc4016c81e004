"""The metrics of indexing: documents by outcome, how many come together, and how long until they are found."""

from enum import StrEnum
from typing import Final

from prometheus_client import Counter, Histogram

from monitoring.metrics.registry import registry

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_DOCUMENTS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


class Outcome(StrEnum):
    """What came of a document that was to be indexed."""

    INDEXED = "indexed"
    SUPERSEDED = "superseded"
    """Newer content stands."""
    REFUSED = "refused"
    """It can't be indexed."""
    DELAYED = "delayed"
    """The index couldn't be written; its job is tried again."""
    UNINDEXED = "unindexed"
    """It was taken out."""


_documents = Counter(
    "bucatini_search_documents_total",
    "Documents that were to be indexed or taken out of an index, by what came of them",
    ["outcome"],
    registry=registry,
)
_together = Histogram(
    "bucatini_search_batch_documents",
    "Documents that one job hands to the search engine together",
    buckets=_DOCUMENTS,
    registry=registry,
)
_until_found_seconds = Histogram(
    "bucatini_search_until_found_seconds",
    "From handing a document to the search engine until searches find it",
    buckets=_SECONDS,
    registry=registry,
)


def documents_ended(outcome: Outcome, count: int = 1) -> None:
    if count:
        _documents.labels(outcome).inc(count)


def batch_written(documents: int) -> None:
    _together.observe(documents)


def document_found(seconds: float) -> None:
    _until_found_seconds.observe(seconds)
