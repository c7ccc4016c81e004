"""The metrics of outgoing events: webhooks and consumer groups. The rules are those of `monitoring.metrics.bus`."""

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
    """Counts an attempt to deliver a webhook by outcome (`delivered`, `again`, `giveup` or `pause`), and observes its
    duration."""
    _webhook_seconds.labels(outcome).observe(seconds)


def webhooks_lagged(seconds: float) -> None:
    """Sets the age of the oldest event that should have been fed to a webhook."""
    _webhook_lag.set(seconds)


def group_events_given(first: int, again: int) -> None:
    """Counts events delivered to members of consumer groups: the first time, and again after a lease expired."""
    _group_events.labels("given").inc(first)
    _group_events.labels("again").inc(again)


def group_events_acknowledged(count: int) -> None:
    """Counts acknowledged events."""
    _group_events.labels("acknowledged").inc(count)
