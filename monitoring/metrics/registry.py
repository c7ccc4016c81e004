"""Where every metric is registered: see `monitoring.metrics.bus`."""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

# The series that say when each other series began: half of all, and nothing here reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it unannotated

registry: Final = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
GCCollector(registry=registry)
