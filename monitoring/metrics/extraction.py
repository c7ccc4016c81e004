"""The metrics of extraction: documents read, by format and outcome. The rules are those of `monitoring.metrics.bus`."""

from typing import Final

from prometheus_client import Histogram

from monitoring.metrics.registry import registry

# Seconds, from a short text to the longest that a document is given.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 90, 120)

_extraction_seconds = Histogram(
    "bucatini_extraction_seconds",
    "Documents read, most of them in a child process, by their format and what came of them",
    ["format", "outcome"],
    buckets=_BUCKETS,
    registry=registry,
)


def extraction_ended(document_format: str, outcome: str, seconds: float) -> None:
    """Counts a document by its format and outcome (`extracted`, or why it was refused), and observes its duration. Both are
    closed sets: see infrastructure/ports/extraction.py."""
    _extraction_seconds.labels(document_format, outcome).observe(seconds)
