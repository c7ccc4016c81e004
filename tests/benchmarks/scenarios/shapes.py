"""Whether a drain keeps its speed in the shapes that years, mistakes and many tenants give a system.

Each shape is drained right after its own baseline: the same number of jobs, the same settings, without the shape. What
counts is jobs a second to the very end, but where some jobs need two runs. There three jobs are four runs, each claimed,
fenced and settled with its events, so jobs a second would be 0.75 times as many even if a failure cost nothing; and the
last retries wait for their back-off with nothing else left to do. That shape is judged by runs a second while there is
work, and what it does to the end is told beside it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import psycopg

from infrastructure.local_stack.supervisor.processes import PartFailed
from tests.benchmarks.bench import Bench
from tests.benchmarks.flower import watched
from tests.benchmarks.history import leave_history
from tests.benchmarks.results import Measured, Verdict
from tests.benchmarks.scenarios.drain import BUSY_RATE, drained
from tests.benchmarks.stage import Show
from tests.benchmarks.systems import PRODUCT, System

LEAST = 0.8
JOBS, QUICK_JOBS = 80_000, 15_000
QUICK_HISTORY = 100_000
FAILING_EVERY = 3
TENANTS, KINDS = 1_000, 200
HELD, HELD_SECONDS = 1_000, 180
"""Longer than a minute, so that all of them still run when a slow machine has drained the rest."""
ROOM = 256
"""For other jobs beside those that are held: what a worker has by default."""
HISTORY = "history"

Begun = Callable[[], bool]


@contextmanager
def _alone(show: Show) -> Iterator[Begun]:
    yield lambda: True


@contextmanager
def _beside_a_snapshot(show: Show) -> Iterator[Begun]:
    """A reader that began a transaction, read, and idles: nothing that was alive then may be cleaned up."""
    with psycopg.connect(show.database_url) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM jobs")
        yield lambda: True
        assert reader.execute("SELECT count(*) FROM jobs").fetchone() == (0,), "the snapshot was held all along"


@contextmanager
def _beside_held_jobs(show: Show) -> Iterator[Begun]:
    def held() -> bool:
        return show.ask("SELECT count(*) FROM jobs WHERE kind = 'bench.lasts' AND state = 'running'") == HELD

    show.do("hold", str(HELD), str(HELD_SECONDS))
    yield held
    assert held(), f"the {HELD} jobs beside the drain ran all along"


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    enqueued: tuple[str, ...] = ()
    """How its jobs differ, in words of the product's `enqueue`."""
    beside: Callable[[Show], AbstractContextManager[Begun]] = _alone
    runs_per_job: float = 1.0
    size: int = 1
    """How many times as many jobs."""
    concurrency: int | None = None
    """Of its workers and its baseline's, if not the default."""
    system: System = PRODUCT
    database: str | None = None

    @property
    def baseline(self) -> str:
        return f"baseline of: {self.name}"

    @property
    def environment(self) -> dict[str, str]:
        return {} if self.concurrency is None else {"WORKER_CONCURRENCY": str(self.concurrency)}


_ALL_BUT_THE_HELD = replace(
    PRODUCT, open_jobs="SELECT EXISTS (SELECT FROM jobs WHERE finished_at IS NULL AND kind <> 'bench.lasts')"
)
SHAPES = (
    Shape("a snapshot held open", beside=_beside_a_snapshot),
    Shape(
        f"every {FAILING_EVERY}rd job fails its first attempt",
        enqueued=("--failing-every", str(FAILING_EVERY)),
        runs_per_job=1 + 1 / FAILING_EVERY,
        size=2,
    ),
    Shape(f"{TENANTS:,} tenants", enqueued=("--tenants", str(TENANTS))),
    Shape(f"{TENANTS:,} tenants, each beyond its window", enqueued=("--tenants", str(TENANTS)), size=2),
    Shape(f"{KINDS} kinds", enqueued=("--kinds", str(KINDS))),
    # Flower takes a second or two to see its first task, and the drain counts only from then.
    Shape("task events on, Flower watching", beside=watched, size=4),
    Shape(
        f"{HELD:,} jobs running beside it",
        beside=_beside_held_jobs,
        concurrency=HELD + ROOM,
        system=_ALL_BUT_THE_HELD,
    ),
)


def run(bench: Bench) -> None:
    shapes = (_with_history(bench), *SHAPES)
    for number in bench.rounds:
        for shape in shapes:
            try:
                _pair(bench, shape, number)
            except (AssertionError, PartFailed, OSError) as error:
                # One shape that a system can't bear must not hide how it bears the others.
                bench.book.skip("shapes", f"{shape.name}: {error}")
    measured = [shape for shape in shapes if len(bench.book.values("shapes", shape.name)) == len(bench.rounds)]
    for shape in measured:
        jobs = bench.book.ratio("shapes", shape.name, shape.baseline)
        if shape.runs_per_job == 1.0:
            bench.book.judge(Verdict("shapes", f"{shape.name} / without", jobs, at_least=LEAST))
        else:
            busy = bench.book.ratio("shapes", shape.name, shape.baseline, of=BUSY_RATE)
            claim = f"{shape.name} / without"
            bench.book.judge(Verdict("shapes", f"{claim}, busy runs/s", busy, at_least=LEAST))
            bench.book.judge(Verdict("shapes", f"{claim}, runs/s to the end", jobs.times(shape.runs_per_job)))
            bench.book.judge(Verdict("shapes", f"{claim}, jobs/s to the end", jobs))
    for shape in measured:
        used = bench.book.ratio("shapes", shape.name, shape.baseline, of="cpu_us_per_job")
        bench.book.judge(Verdict("shapes", f"CPU a job: {shape.name} / without", used))
    assert len(measured) == len(shapes), "not every shape could be measured; those that could are judged"


def _with_history(bench: Bench) -> Shape:
    """The same database for all rounds: what a round adds to it is a hundredth of what is there."""
    jobs = QUICK_HISTORY if bench.quick else bench.history_jobs
    made = leave_history(bench.stage.empty_database(PRODUCT, HISTORY), jobs)
    shape = Shape(f"{jobs:,} finished jobs in the tables", database=HISTORY)
    detail: dict[str, float | str] = {"gigabytes": made.bytes / 1e9}
    bench.book.note(Measured("shapes", f"making {jobs:,} finished jobs", 0, made.seconds, "s", detail=detail))
    return shape


def _pair(bench: Bench, shape: Shape, number: int) -> None:
    jobs = (QUICK_JOBS if bench.quick else JOBS) * shape.size
    with bench.stage.show(PRODUCT) as show:
        show.do("enqueue", str(jobs))
        measured = drained(bench, show, "shapes", shape.baseline, number, jobs, 1, environment=shape.environment)
        bench.book.note(measured)
    with bench.stage.show(shape.system, database=shape.database) as show, shape.beside(show) as begun:
        show.do("enqueue", str(jobs), *shape.enqueued)
        runs = round(jobs * shape.runs_per_job)
        measured = drained(
            bench,
            show,
            "shapes",
            shape.name,
            number,
            runs,
            1,
            runs_per_job=runs / jobs,
            begun=begun,
            environment=shape.environment,
        )
        bench.book.note(measured)
