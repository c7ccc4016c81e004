"""How fast jobs go through while they are still coming in: one producer and the workers at once, for some seconds.

The producer may be a few thousand jobs ahead, so the slower of the two sets the pace. The product's producer has 256
callers, each of which waits until its one job is committed; Celery's calls `apply_async`.
"""

from dataclasses import dataclass

from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.scenarios.drain import START_SECONDS, subject_of
from tests.benchmarks.stage import Show
from tests.benchmarks.systems import CELERY, PRODUCT, System
from tests.benchmarks.waiting import pass_time

MAX_AHEAD = 4_000
WARM_SECONDS = 2.0
SECONDS, QUICK_SECONDS = 12.0, 4.0


@dataclass(frozen=True, slots=True)
class Entry:
    system: System
    processes: int

    @property
    def subject(self) -> str:
        return subject_of(self.system, self.processes)


PRODUCT_1, PRODUCT_2, STOCK = Entry(PRODUCT, 1), Entry(PRODUCT, 2), Entry(CELERY, 2)


def run(bench: Bench) -> None:
    for number in bench.rounds:
        for entry in (PRODUCT_1, STOCK, PRODUCT_2):
            with bench.stage.show(entry.system) as show:
                bench.book.note(steady(bench, show, "steady", entry.subject, number, entry.processes))
    for entry in (PRODUCT_1, PRODUCT_2):
        ratio = bench.book.ratio("steady", entry.subject, STOCK.subject)
        bench.book.judge(Verdict("steady", f"{entry.subject} / {STOCK.subject}", ratio, at_least=10.0))
    for entry in (PRODUCT_1, PRODUCT_2, STOCK):
        rate = Spread.of(bench.book.values("steady", entry.subject))
        bench.book.judge(Verdict("steady", entry.subject, rate, unit="jobs/s"))


def steady(bench: Bench, show: Show, scenario: str, subject: str, number: int, processes: int) -> Measured:
    """Runs per second once everything is warm."""
    bench.stage.calm()
    show.start_workers(processes)
    show.start("producer", "produce", str(MAX_AHEAD))
    show.await_that(
        lambda: show.count().processes >= processes,
        lambda: f"{subject}: not all processes were at work",
        within_seconds=START_SECONDS,
    )
    pass_time(WARM_SECONDS)
    meter, before, log_before = show.meter(), show.count().runs, show.log_bytes()
    pass_time(QUICK_SECONDS if bench.quick else SECONDS)
    stretch, done, logged = meter.read(), show.count().runs - before, show.log_bytes() - log_before
    detail: dict[str, float | str] = {
        "jobs": done,
        "seconds": stretch.seconds,
        "cpu_us_per_job": stretch.microseconds_per(done),
        "wal_bytes_per_job": logged / done,
    }
    return Measured(scenario, subject, number, done / stretch.seconds, "jobs/s", stretch.cores, detail)
