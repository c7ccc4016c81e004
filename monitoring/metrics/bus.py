"""Metrics of the bus, each declared once. Callers report what happened; no other package imports the Prometheus client.

The registry is our own: Flower and other libraries add series of their own to the client's default one, some labelled
by worker or task, and what we serve is a contract with the alerts and dashboards beside this file.

No label names a tenant, a job or a worker: their number has no bound, and Prometheus keeps each combination for ever.
The values that remain are held to a limit all the same; what exceeds it is counted as "other".
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from monitoring.metrics.batch_histogram import BatchHistogram
from monitoring.metrics.label_limits import LimitedLabel
from monitoring.metrics.registry import registry as _registry
from schemas.jobs import JobState
from schemas.tenants import TenantState


class Path(StrEnum):
    """The three hot paths into PostgreSQL, each with its own connection."""

    SUBMIT = "submit"
    CLAIM = "claim"
    SETTLE = "settle"


class Server(StrEnum):
    """The servers that every process depends on."""

    POSTGRES = "postgres"
    REDIS = "redis"


_kinds = LimitedLabel(100)
_problems = LimitedLabel(100)
_queues = LimitedLabel(20)

# Seconds. From a no-op to the longest time limit; and from a free worker to a queue without workers.
_RUN_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
_PICKUP_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_LAG_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15)
_BATCH_BUCKETS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

_submitted = Counter("bucatini_jobs_submitted", "Jobs accepted", ["kind"], registry=_registry)
_claimed = Counter("bucatini_jobs_claimed", "Attempts started", ["queue"], registry=_registry)
_settled = Counter(
    "bucatini_jobs_settled", "Attempts settled, by the state they led to", ["kind", "state"], registry=_registry
)
_retried = Counter(
    "bucatini_jobs_retried", "Attempts that ended in a retry, by their problem", ["problem"], registry=_registry
)
_discarded = Counter("bucatini_settles_discarded", "Outcomes that came after their lease was lost", registry=_registry)
_leases_lost = Counter("bucatini_leases_lost", "Running jobs taken from dead or silent workers", registry=_registry)
_held_back = Counter("bucatini_jobs_held_back", "Jobs kept from being claimed by a hold", registry=_registry)
_held_now = Gauge("bucatini_jobs_held", "Jobs that a hold keeps from being claimed", registry=_registry)
_capped_now = Gauge("bucatini_jobs_capped", "Jobs that wait for a slot of their concurrency limit", registry=_registry)
_tenants_now = Gauge("bucatini_tenants", "Tenants by state", ["state"], registry=_registry)
_handed_back = Counter(
    "bucatini_jobs_handed_back",
    "Jobs a worker received and put back because it couldn't start them soon",
    registry=_registry,
)
_replayed = Counter("bucatini_jobs_replayed", "Failed jobs queued again by a replay of many", registry=_registry)
_removed = Counter("bucatini_jobs_removed", "Ended jobs removed after their retention", registry=_registry)
_run_seconds = BatchHistogram("bucatini_job_run_seconds", "From start to settled", "kind", _RUN_BUCKETS, _registry)
_pickup_seconds = BatchHistogram(
    "bucatini_job_pickup_seconds", "From accepted, or due, to started", "kind", _PICKUP_BUCKETS, _registry
)

_queue_depth = Gauge("bucatini_queue_depth", "Jobs that are due and that no worker has", ["queue"], registry=_registry)
_queue_oldest = Gauge(
    "bucatini_queue_oldest_seconds", "How long the oldest of them has waited", ["queue"], registry=_registry
)
_slots = Counter("bucatini_schedule_slots", "Looks at schedules that were due", ["outcome"], registry=_registry)
_workers_alive = Gauge("bucatini_workers_alive", "Workers whose heartbeat is fresh", registry=_registry)
_sweeps = Counter("bucatini_sweeps", "Rounds of the dispatcher", registry=_registry)
_doorbells = Counter("bucatini_doorbells", "Doorbells pushed to Redis", ["outcome"], registry=_registry)
_batch_jobs = BatchHistogram("bucatini_batch_jobs", "Jobs in one statement", "lane", _BATCH_BUCKETS, _registry)

_connections_lost = Counter(
    "bucatini_connections_lost", "Calls that found a server away; each is made again", ["server"], registry=_registry
)
_part_ok = Gauge(
    "bucatini_part_ok",
    "1 while a part that this process stands on does all that it is asked, else 0",
    ["part"],
    registry=_registry,
)
_loop_lag = Histogram(
    "bucatini_loop_lag_seconds", "How late the event loop ran a timer", buckets=_LAG_BUCKETS, registry=_registry
)

# A series that has never counted is absent, and an alert on its increase would miss the first time it counts.
_doorbells_rung, _doorbells_failed = (_doorbells.labels(outcome) for outcome in ("rung", "failed"))
for _outcome in ("fired", "passed", "broken"):
    _slots.labels(_outcome)
for _server in Server:
    _connections_lost.labels(_server)


def jobs_submitted(kind: str, count: int = 1) -> None:
    """Counts committed jobs of a kind."""
    _submitted_of(kind).inc(count)


@lru_cache(maxsize=1_000)
def _submitted_of(kind: str) -> Counter:
    # Looking a series up by its labels costs more than counting in it, and it is done for every job and every batch.
    return _submitted.labels(_kinds(kind))


def jobs_claimed(queue: str, count: int = 1) -> None:
    """Counts claimed jobs of a queue."""
    _claimed_from(queue).inc(count)


@lru_cache(maxsize=100)
def _claimed_from(queue: str) -> Counter:
    return _claimed.labels(_queues(queue))


def picked_up(kind: str, waits_seconds: Iterable[float]) -> None:
    """Observes each claimed job's wait, from when it was accepted or, if later, due."""
    _pickup_seconds.observe(_kinds(kind), waits_seconds)


def jobs_settled(kind: str, state: JobState, count: int) -> None:
    """Counts attempts of a kind that ended in this state; `jobs_ran` observes their durations."""
    _settled_as(kind, state).inc(count)


@lru_cache(maxsize=1_000)
def _settled_as(kind: str, state: JobState) -> Counter:
    return _settled.labels(_kinds(kind), state)


def jobs_ran(kind: str, runs_seconds: Iterable[float]) -> None:
    """Observes the duration of each attempt."""
    _run_seconds.observe(_kinds(kind), runs_seconds)


def jobs_retried(problem: str, count: int = 1) -> None:
    """Counts attempts that will be retried because of this problem (its short name)."""
    _retried.labels(_problems(problem)).inc(count)


def settles_discarded(count: int = 1) -> None:
    """Counts outcomes that were discarded because their fencing token was no longer valid."""
    _discarded.inc(count)


def jobs_held_back(count: int) -> None:
    """Counts jobs that a worker received and a hold kept from being claimed."""
    _held_back.inc(count)


def tenants_seen(count_by_state: Mapping[str, int]) -> None:
    """Sets how many tenants the dispatcher found in each state."""
    for state in TenantState:
        _tenants_now.labels(state.value).set(count_by_state.get(state, 0))


def withheld_seen(*, capped: int, held: int) -> None:
    """Sets how many jobs the dispatcher found capped and held."""
    _capped_now.set(capped)
    _held_now.set(held)


def jobs_handed_back(count: int) -> None:
    """Counts jobs that a worker received and put back into their queue because it couldn't start them soon."""
    _handed_back.inc(count)


def jobs_replayed(count: int) -> None:
    """Counts failed jobs that a bulk replay queued again."""
    _replayed.inc(count)


def jobs_removed(count: int) -> None:
    """Counts ended jobs that retention deleted."""
    _removed.inc(count)


def leases_lost(count: int) -> None:
    """Counts running jobs taken from workers that died or went silent."""
    _leases_lost.inc(count)


def queue_seen(queue: str, *, depth: int, oldest_seconds: float) -> None:
    """Sets the depth of a queue and the age of its oldest job, 0 for an empty queue."""
    label = _queues(queue)
    _queue_depth.labels(label).set(depth)
    _queue_oldest.labels(label).set(oldest_seconds)


def workers_seen(alive: int) -> None:
    """Sets how many workers the dispatcher found alive."""
    _workers_alive.set(alive)


def schedules_looked_at(*, fired: int, passed: int, broken: int) -> None:
    """Counts the slots of due schedules: `fired` submitted a job; `passed` didn't, because the last job still ran or it
    was too late; `broken` paused their schedule, which can't fire any more."""
    for outcome, count in (("fired", fired), ("passed", passed), ("broken", broken)):
        _slots.labels(outcome).inc(count)


def swept() -> None:
    """Counts a finished sweep."""
    _sweeps.inc()


def doorbells_rung(count: int = 1) -> None:
    """Counts doorbells pushed to Redis."""
    _doorbells_rung.inc(count)


def doorbells_failed(count: int = 1) -> None:
    """Counts doorbells that couldn't be pushed; the sweeper publishes them again."""
    _doorbells_failed.inc(count)


def batch_sent(path: Path, jobs: int) -> None:
    """Observes the number of jobs in one statement."""
    _batch_jobs.observe(path, (jobs,))


def connection_lost(server: Server) -> None:
    """Counts a call that found the server unreachable and will be retried."""
    _connections_lost.labels(server).inc()


def part_found(part: str, *, ok: bool) -> None:
    """Sets a part's readiness, by its probe."""
    _part_ok.labels(part).set(ok)


def loop_lagged(seconds: float) -> None:
    """Observes how late the event loop ran a timer."""
    _loop_lag.observe(seconds)


def render_metrics() -> tuple[bytes, str]:
    """All metrics of this process in Prometheus's text format, and its content type."""
    return generate_latest(_registry), CONTENT_TYPE_LATEST
