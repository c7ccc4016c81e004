"""The registry of every metric: see `monitoring.metrics.bus`."""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

# Disables the `_created` series: half of all series, and nothing here reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it unannotated

registry: Final = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
GCCollector(registry=registry)
