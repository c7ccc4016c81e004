"""How fast a backlog is worked off: jobs queued beforehand, then workers.

Measured from the moment when every worker process has run a job to the moment when, by the system's own books, no job is
open. The product's jobs are committed, fenced, and leave a timeline of three events each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.stage import Show
from tests.benchmarks.systems import CELERY, DBOS, DRAMATIQ, PGQUEUER, PROCRASTINATE, PRODUCT, TASKIQ, System

START_SECONDS = 60.0
DRAIN_SECONDS = 180.0
BUSY = 0.95
"""Of the runs: until then there is more work than workers. What comes last may wait for a back-off."""
BUSY_RATE = "busy_runs_per_second"


@dataclass(frozen=True, slots=True)
class Entry:
    """A system, its number of worker processes, and how many jobs keep those busy for some seconds."""

    system: System
    processes: int
    jobs: int
    quick_jobs: int

    @property
    def subject(self) -> str:
        return subject_of(self.system, self.processes)


def subject_of(system: System, processes: int) -> str:
    return f"{system.name}, {processes} process{'es' if processes > 1 else ''}"


PRODUCT_1, PRODUCT_2 = Entry(PRODUCT, 1, 80_000, 20_000), Entry(PRODUCT, 2, 100_000, 30_000)
STOCK = Entry(CELERY, 2, 6_000, 2_500)
PGQUEUER_1, PGQUEUER_2 = Entry(PGQUEUER, 1, 40_000, 15_000), Entry(PGQUEUER, 2, 60_000, 20_000)
PROCRASTINATE_1 = Entry(PROCRASTINATE, 1, 3_000, 1_000)
ENTRIES = (
    PRODUCT_1,
    STOCK,
    PGQUEUER_1,
    PRODUCT_2,
    PGQUEUER_2,
    PROCRASTINATE_1,
    Entry(DBOS, 1, 1_500, 500),
    Entry(DRAMATIQ, 2, 15_000, 5_000),
    Entry(TASKIQ, 2, 15_000, 5_000),
)


def run(bench: Bench) -> None:
    for number in bench.rounds:
        for entry in ENTRIES:
            with bench.stage.show(entry.system) as show:
                jobs = entry.quick_jobs if bench.quick else entry.jobs
                show.do("enqueue", str(jobs))
                bench.book.note(drained(bench, show, "drain", entry.subject, number, jobs, entry.processes))
    _judge(bench)


def drained(
    bench: Bench,
    show: Show,
    scenario: str,
    subject: str,
    number: int,
    runs: int,
    processes: int,
    *,
    runs_per_job: float = 1.0,
    begun: Callable[[], bool] = lambda: True,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Measured:
    """Starts the workers on what is queued, and measures until all is done. What a drain must have beside it has `begun`
    before the clock starts."""
    bench.stage.calm()
    show.start_workers(processes, **environment)
    show.await_that(
        lambda: show.count().processes >= processes and begun(),
        lambda: f"not: {subject} has {processes} processes and all else at work",
        within_seconds=START_SECONDS,
    )
    meter, runs_before, log_before = show.meter(), show.count().runs, show.log_bytes()
    if runs_before > runs / 2:
        raise AssertionError(f"{subject}: too few jobs to measure, {runs_before} of {runs} runs were over at the start")
    busy = round(runs * BUSY)
    show.await_runs(busy, within_seconds=DRAIN_SECONDS)
    busy_seconds = meter.read().seconds
    show.await_runs(runs, within_seconds=DRAIN_SECONDS)
    show.await_end(within_seconds=DRAIN_SECONDS)
    stretch, logged = meter.read(), show.log_bytes() - log_before
    done = (runs - runs_before) / runs_per_job
    detail: dict[str, float | str] = {
        "jobs": done,
        "seconds": stretch.seconds,
        "cpu_us_per_job": stretch.microseconds_per(done),
        "wal_bytes_per_job": logged / done,
        BUSY_RATE: (busy - runs_before) / busy_seconds,
    }
    return Measured(scenario, subject, number, done / stretch.seconds, "jobs/s", stretch.cores, detail)


def _judge(bench: Bench) -> None:
    book = bench.book
    pairs = [
        (PRODUCT_1, STOCK, 12.0),
        (PRODUCT_2, STOCK, 12.0),
        (PRODUCT_1, PGQUEUER_1, 1.2),
        (PRODUCT_2, PGQUEUER_2, 1.2),
        (PRODUCT_1, PROCRASTINATE_1, 15.0),
    ]
    for ours, theirs, target in pairs:
        ratio = book.ratio("drain", ours.subject, theirs.subject)
        book.judge(Verdict("drain", f"{ours.subject} / {theirs.subject}", ratio, at_least=target))
    for entry in ENTRIES:
        rate = Spread.of(book.values("drain", entry.subject))
        book.judge(Verdict("drain", entry.subject, rate, unit="jobs/s"))
