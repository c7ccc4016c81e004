"""The metrics of the relevance probe, which looks for documents by their own titles. The rules are those of
`monitoring.metrics.bus`."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from prometheus_client import Counter, Gauge

from monitoring.metrics.registry import registry


class Outcome(StrEnum):
    """What came of a document that was looked for."""

    FIRST = "first"
    LOWER = "lower"
    """Another came before it."""
    MISSED = "missed"
    """It isn't among the first hits."""
    FAILED = "failed"
    """The engine couldn't be asked."""


# A label, since a gauge without one would be 0 until the first round, which is the worst that it can say.
_mrr = Gauge(
    "bucatini_search_relevance_probe_mrr",
    "Mean reciprocal rank of the documents that the last round looked for by their own titles: 1 if all came first",
    ["engine"],
    registry=registry,
)
_documents = Counter(
    "bucatini_search_relevance_probe_documents",
    "Documents that were looked for by their own titles, by what came of them",
    ["outcome"],
    registry=registry,
)
# As in `monitoring.metrics.bus`: a series counts from zero.
_COUNT: Final = {outcome: _documents.labels(outcome) for outcome in Outcome}


def looked_for(engine: str, reciprocal_ranks: Sequence[float]) -> None:
    """Reports a round: 1 for a document that came first, a half for one that came second, 0 for one that was missed."""
    for one in reciprocal_ranks:
        _COUNT[_outcome(one)].inc()
    if reciprocal_ranks:
        _mrr.labels(engine).set(sum(reciprocal_ranks) / len(reciprocal_ranks))


def could_not_look(documents: int) -> None:
    _COUNT[Outcome.FAILED].inc(documents)


def _outcome(reciprocal_rank: float) -> Outcome:
    if reciprocal_rank == 1.0:
        return Outcome.FIRST
    return Outcome.LOWER if reciprocal_rank else Outcome.MISSED
