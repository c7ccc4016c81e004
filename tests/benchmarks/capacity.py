"""What several machines would carry, worked out from what one measured. Pure: figures in, figures out."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

MICRO = 1e-6
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What one job costs each part, from accept to settled."""

    postgres_us: float
    redis_us: float
    worker_us: float
    dispatcher_us: float
    producer_us: float
    wal_bytes: float

    @classmethod
    def of(cls, jobs_per_second: float, cores: Mapping[str, float], wal_bytes: float) -> "Coefficients":
        """From a steady state: what a part used of a core is shared by the jobs of a second."""

        def microseconds(*parts: str) -> float:
            return sum(used for name, used in cores.items() if name.startswith(parts)) / jobs_per_second / MICRO

        return cls(
            postgres_us=microseconds("PostgreSQL"),
            redis_us=microseconds("Redis"),
            worker_us=microseconds("worker"),
            dispatcher_us=microseconds("dispatcher"),
            producer_us=microseconds("producer"),
            wal_bytes=wal_bytes,
        )


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What isn't measured here but decided or bought."""

    jobs_per_second: float
    postgres_cores: int
    busy: float
    """How full a core may be on the average, so that peaks and vacuum have room."""
    scaling: float
    """What a further core of PostgreSQL adds, of what the first one did: locks and the one log make it less than 1."""
    wal_megabytes_per_second: float
    """What the volume under the log takes for long."""
    handler_seconds: float
    """How long a job's own work takes; most of it waiting for somebody else."""
    handler_cpu_ms: float
    """What of that the worker's core computes."""
    concurrency: int
    """Jobs that one worker process runs at a time."""
    connections_per_worker: int
    most_connections: int
    kept_days: float
    bytes_per_finished_job: float


@dataclass(frozen=True, slots=True)
class Capacity:
    postgres_jobs_per_second: float
    """That one PostgreSQL carries by its cores."""
    wal_jobs_per_second: float
    """That its log carries."""
    redis_jobs_per_second: float
    dispatcher_jobs_per_second: float
    databases: int
    """Over which the jobs would have to be spread."""
    worker_processes: int
    workers_by_cpu: int
    workers_by_concurrency: int
    producer_processes: int
    connections_per_database: int
    workers_that_fit: int
    """By the connections one database allows."""
    wal_megabytes_per_second: float
    redis_share: float
    """Of its one core."""
    kept_gigabytes: float

    @property
    def one_database_carries(self) -> float:
        return min(self.postgres_jobs_per_second, self.wal_jobs_per_second)

    @property
    def limit(self) -> str:
        return "its cores" if self.postgres_jobs_per_second <= self.wal_jobs_per_second else "its log"


def capacity(cost: Coefficients, given: Assumptions) -> Capacity:
    effective_cores = sum(given.scaling**number for number in range(given.postgres_cores))
    by_cores = effective_cores * given.busy / (cost.postgres_us * MICRO)
    by_log = given.wal_megabytes_per_second * 1e6 / cost.wal_bytes
    by_cpu = given.jobs_per_second * (cost.worker_us * MICRO + given.handler_cpu_ms / 1_000) / given.busy
    by_concurrency = given.jobs_per_second * given.handler_seconds / (given.concurrency * given.busy)
    workers = ceil(max(by_cpu, by_concurrency, 1))
    databases = ceil(given.jobs_per_second / min(by_cores, by_log))
    return Capacity(
        postgres_jobs_per_second=by_cores,
        wal_jobs_per_second=by_log,
        redis_jobs_per_second=given.busy / (cost.redis_us * MICRO),
        dispatcher_jobs_per_second=given.busy / (cost.dispatcher_us * MICRO),
        databases=databases,
        worker_processes=workers,
        workers_by_cpu=ceil(by_cpu),
        workers_by_concurrency=ceil(by_concurrency),
        producer_processes=ceil(max(given.jobs_per_second * cost.producer_us * MICRO / given.busy, 1)),
        connections_per_database=ceil(workers / databases) * given.connections_per_worker,
        workers_that_fit=given.most_connections // given.connections_per_worker,
        wal_megabytes_per_second=given.jobs_per_second * cost.wal_bytes / 1e6,
        redis_share=given.jobs_per_second * cost.redis_us * MICRO,
        kept_gigabytes=given.jobs_per_second * DAY_SECONDS * given.kept_days * given.bytes_per_finished_job / 1e9,
    )
