"""The metrics of what is exported to a collector of traces. The rules are those of `monitoring.metrics.bus`."""

from typing import Final

from prometheus_client import Counter

from monitoring.metrics.registry import registry

QUEUE_FULL: Final = "queue_full"
EXPORT_FAILED: Final = "export_failed"

_dropped = Counter(
    "bucatini_spans_dropped",
    "Spans that no collector got: the queue was full, or the collector refused them or can't be reached",
    ["reason"],
    registry=registry,
)
# Both from the start: a series that has never counted is absent, and alerts on its increase miss the first.
_full, _failed = (_dropped.labels(reason) for reason in (QUEUE_FULL, EXPORT_FAILED))


def queue_was_full() -> None:
    _full.inc()


def export_failed(spans: int) -> None:
    _failed.inc(spans)
