"""Observability: metrics, logs, traces, health checks, Flower, and the Prometheus and Grafana files."""

import sys


def _import_structlog_without_rich() -> None:
    """For tracebacks in colours, which no process of ours prints, structlog imports all of rich and pygments: a tenth of
    what a worker loads until it is ready. None makes that import fail as it does where rich isn't installed."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # the import system documents it
    try:
        import structlog  # noqa: F401  # for those who import it next
    finally:
        del sys.modules["rich"]


_import_structlog_without_rich()
