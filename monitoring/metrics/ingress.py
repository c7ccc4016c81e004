"""The metrics of the ingress: requests, connections and event subscribers. The rules are those of
`monitoring.metrics.bus`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from monitoring.metrics.label_limits import OTHER, LimitedLabel
from monitoring.metrics.registry import registry

_routes = LimitedLabel(200)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HTTP_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_sse_subscribers = Gauge("bucatini_sse_subscribers", "Open event streams", registry=registry)
_sockets = Gauge("bucatini_sockets", "Open WebSockets", registry=registry)
_socket_subscriptions = Gauge("bucatini_socket_subscriptions", "What they are subscribed to", registry=registry)
_events_delivered = Counter("bucatini_events_delivered", "Events written to subscribers", registry=registry)
_fell_behind = Counter("bucatini_subscribers_fell_behind", "Slow subscribers sent to catch up", registry=registry)

_connections = Gauge("bucatini_connections", "Open connections", registry=registry)
_connections_refused = Counter(
    "bucatini_connections_refused",
    "Connections that were ended since they asked too much of the process",
    ["reason"],
    registry=registry,
)

_http_requests = Counter(
    "bucatini_http_requests", "Requests answered", ["route", "method", "status"], registry=registry
)
_http_seconds = Histogram(
    "bucatini_http_request_seconds",
    "From request to answer",
    ["route", "method"],
    buckets=_HTTP_BUCKETS,
    registry=registry,
)
_requests_limited = Counter(
    "bucatini_requests_limited", "Requests refused since a limit was reached", ["limited"], registry=registry
)

_quotas_refused = Counter(
    "bucatini_quotas_refused",
    "Requests refused since their tenant has used a quota up",
    ["quota"],
    registry=registry,
)

QUOTAS: Final = (
    *("queued_jobs", "stored_bytes", "documents", "schedules", "webhooks", "groups", "streams"),
    *("ai_usd_a_day", "ai_usd_a_month", "keys", "holds", "replays"),
)
REFUSED_SINCE: Final = ("full", "address_full", "gave_way", "head_too_large", "silent", "malformed", "unread")

# As in `monitoring.metrics.bus`: a series counts from zero.
for _limited in ("tenant", "key"):
    _requests_limited.labels(_limited)
for _quota in QUOTAS:
    _quotas_refused.labels(_quota)
for _reason in REFUSED_SINCE:
    _connections_refused.labels(_reason)


@contextmanager
def sse_subscriber() -> Iterator[None]:
    """Counts one open event stream for as long as the block runs."""
    _sse_subscribers.inc()
    try:
        yield
    finally:
        _sse_subscribers.dec()


@contextmanager
def socket_open() -> Iterator[None]:
    """Counts one open WebSocket for as long as the block runs."""
    _sockets.inc()
    try:
        yield
    finally:
        _sockets.dec()


@contextmanager
def socket_subscription() -> Iterator[None]:
    """Counts one subscription of a WebSocket for as long as the block runs."""
    _socket_subscriptions.inc()
    try:
        yield
    finally:
        _socket_subscriptions.dec()


def events_delivered(count: int = 1) -> None:
    """Counts events written to subscribers."""
    _events_delivered.inc(count)


def subscriber_fell_behind() -> None:
    """Counts a subscriber that read too slowly and has to catch up from PostgreSQL."""
    _fell_behind.inc()


def http_answered(*, route: str, method: str, status: int, seconds: float) -> None:
    """Counts a response and observes its duration. `route` is the pattern (`/api/jobs/{id}`), never the path that was
    asked for."""
    answered, took = _answered(route, method if method in _METHODS else OTHER, status)
    answered.inc()
    took.observe(seconds)


@lru_cache(maxsize=1_000)
def _answered(route: str, verb: str, status: int) -> tuple[Counter, Histogram]:
    # As in `monitoring.metrics.bus`: looking a series up by its labels costs more than counting in it.
    label = _routes(route)
    return _http_requests.labels(label, verb, str(status)), _http_seconds.labels(label, verb)


def request_limited(limited: str) -> None:
    """Counts a request refused because its tenant or key made too many."""
    _requests_limited.labels(limited).inc()


def quota_refused(quota: str) -> None:
    """Counts a request refused because its tenant has used up the quota, which is one of QUOTAS. Requests a minute are
    counted by `request_limited`."""
    _quotas_refused.labels(quota).inc()


def connections_open(count: int) -> None:
    """Sets how many connections are open."""
    _connections.set(count)


def connection_refused(reason: str) -> None:
    """Counts a connection closed for one of the reasons in REFUSED_SINCE, before the application responded."""
    _connections_refused.labels(reason).inc()
