"""How long a job waits at a quiet moment: from the call to the handler's first line, one worker process.

Calls come at random moments, the same for each system. The product's figure holds the durable accept and the claim.
"""

import statistics
import time

from tests.benchmarks.bench import Bench
from tests.benchmarks.peers.tally import latencies
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.scenarios.drain import START_SECONDS
from tests.benchmarks.stage import Show
from tests.benchmarks.systems import CELERY, PGQUEUER, PRODUCT, System
from tests.benchmarks.waiting import pass_time

WARM_SECONDS = 3.0
SECONDS, QUICK_SECONDS = 30.0, 8.0
TOP_SECONDS, QUICK_TOP_SECONDS = 12.0, 4.0
LOW, TOP = 50, 1_000
PERCENTILES = (50, 95, 99)
KEPT_UP = 0.9
"""A system that ran less of what was called for has no waiting time, only a growing backlog."""
LAST_ONES_SECONDS = 1.0


def run(bench: Bench) -> None:
    for number in bench.rounds:
        for system in (PRODUCT, CELERY, PGQUEUER):
            _round(bench, system, number, LOW, QUICK_SECONDS if bench.quick else SECONDS)
        for system in (PRODUCT, CELERY):
            _round(bench, system, number, TOP, QUICK_TOP_SECONDS if bench.quick else TOP_SECONDS)
    _judge(bench)


def _round(bench: Bench, system: System, number: int, rate: int, seconds: float) -> None:
    with bench.stage.show(system) as show:
        found = _waits(bench, show, number, rate, seconds)
        if len(found) < rate * seconds * KEPT_UP:
            bench.book.skip("pickup", f"{system.name} can't keep up with {rate} calls a second on this machine")
            return
        for percentile in PERCENTILES:
            milliseconds = statistics.quantiles(found, n=100, method="inclusive")[percentile - 1] * 1_000
            detail: dict[str, float | str] = {"jobs": len(found)}
            subject = f"{system.name}, {rate}/s, p{percentile}"
            bench.book.note(Measured("pickup", subject, number, milliseconds, "ms", detail=detail))


def _waits(bench: Bench, show: Show, number: int, rate: int, seconds: float) -> list[float]:
    """Seconds waited, of each job called for within that time, once everything was warm."""
    bench.stage.calm()
    show.start_workers(1)
    show.start("caller", "call", str(rate), str(START_SECONDS + WARM_SECONDS + seconds), str(number))
    show.await_that(
        lambda: show.count().runs > 0,
        lambda: f"{show.system.name} had run nothing",
        within_seconds=START_SECONDS,
    )
    pass_time(WARM_SECONDS)
    warm_at = time.monotonic()
    pass_time(seconds + LAST_ONES_SECONDS)
    return latencies(show.tallies, called_between=(warm_at, warm_at + seconds))


def _judge(bench: Bench) -> None:
    book = bench.book
    for percentile in (50, 99):
        ours, theirs = (f"{system.name}, {LOW}/s, p{percentile}" for system in (PRODUCT, CELERY))
        claim = f"{PRODUCT.name} / {CELERY.name} at {LOW}/s, p{percentile}"
        book.judge(Verdict("pickup", claim, book.ratio("pickup", ours, theirs), at_most=1.0))
    for system, rate in ((PRODUCT, LOW), (CELERY, LOW), (PGQUEUER, LOW), (PRODUCT, TOP), (CELERY, TOP)):
        for percentile in (50, 99):
            subject = f"{system.name}, {rate}/s, p{percentile}"
            if values := book.values("pickup", subject):
                book.judge(Verdict("pickup", subject, Spread.of(values), unit="ms"))
