"""The metrics of what is told to others: webhooks and consumer groups. The rules are those of `monitoring.metrics.bus`."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from monitoring.metrics.registry import registry

_WEBHOOK_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_webhook_seconds = Histogram(
    "bucatini_webhook_attempt_seconds",
    "Attempts to deliver a webhook, by what followed",
    ["outcome"],
    buckets=_WEBHOOK_BUCKETS,
    registry=registry,
)
_webhook_lag = Gauge(
    "bucatini_webhook_lag_seconds",
    "Age of the oldest event that some webhook has room for and hasn't been fed",
    registry=registry,
)
_group_events = Counter(
    "bucatini_group_events",
    "Events of consumer groups: given out, given out again, acknowledged",
    ["outcome"],
    registry=registry,
)


def webhook_answered(outcome: str, seconds: float) -> None:
    """One attempt to deliver a webhook: `delivered`, `again`, `giveup` or `pause`."""
    _webhook_seconds.labels(outcome).observe(seconds)


def webhooks_lagged(seconds: float) -> None:
    """How old the oldest event is that should be on its way to a webhook and isn't, now."""
    _webhook_lag.set(seconds)


def group_events_given(first: int, again: int) -> None:
    """So many events were given to members of consumer groups, and so many that others hadn't acknowledged."""
    _group_events.labels("given").inc(first)
    _group_events.labels("again").inc(again)


def group_events_acknowledged(count: int) -> None:
    """So many events are done with."""
    _group_events.labels("acknowledged").inc(count)
