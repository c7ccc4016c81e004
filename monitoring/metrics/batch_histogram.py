"""A Prometheus histogram that takes a whole batch of observations at once.

The client library's own takes 1–2 µs and a lock an observation: at 15,000 jobs a second and two observations a job, 5 %
of the core that runs them. This one takes a tenth of that.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class BatchHistogram(Collector):
    """Observations by one label's value. Safe from any thread."""

    def __init__(
        self, name: str, documentation: str, label: str, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._bounds = tuple(buckets)
        self._names = (*(str(float(bound)) for bound in buckets), "+Inf")
        self._lock = Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        registry.register(self)

    def observe(self, value: str, observations: Iterable[float]) -> None:
        """Counts each observation under this value of the label."""
        with self._lock:
            counts = self._counts.get(value)
            if counts is None:
                counts = self._counts[value] = [0] * len(self._names)
            total = self._sums.get(value, 0.0)
            for observation in observations:
                counts[bisect_left(self._bounds, observation)] += 1
                total += observation
            self._sums[value] = total

    def describe(self) -> Iterable[Metric]:
        yield HistogramMetricFamily(self._name, self._documentation, labels=[self._label])

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            observed = [(value, tuple(counts), self._sums[value]) for value, counts in self._counts.items()]
        family = HistogramMetricFamily(self._name, self._documentation, labels=[self._label])
        for value, counts, total in observed:
            family.add_metric([value], list(zip(self._names, _running_totals(counts), strict=True)), total)
        yield family


def _running_totals(counts: Iterable[int]) -> Iterator[float]:
    total = 0
    for count in counts:
        total += count
        yield total
