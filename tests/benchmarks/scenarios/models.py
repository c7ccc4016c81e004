"""What the pipeline adds to a call of a model, beside what LiteLLM's proxy adds to it.

All of them call the same simulated provider through the same client: alone, with the proxy in between, and through our whole
pipeline, which writes each attempt into PostgreSQL before and after it. What is added is the difference to the call alone,
in the same round, at the same number in flight. With many in flight the model takes a second, as models do: else the
simulator would be what is measured.
"""

from dataclasses import dataclass

from tests.benchmarks.bench import Bench
from tests.benchmarks.models.driver import Timed
from tests.benchmarks.models.providers import Providers, detail, drive, gateway
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.stage import Show
from tests.benchmarks.systems import PRODUCT

SCENARIO = "models"
AT_MOST = 0.25
MAX_HIT = 0.1
MIN_HITS = 0.8
PIPELINE_MS = 50.0
POOL_CALLS, POOL_SECONDS, POOL_PROCESSES = 250, 5.0, 4
AT_MOST_OF_POOL = 1.3
LEAST_ADDED_MS = 0.05
"""Less than this a difference of two measurements doesn't tell."""
QUESTIONS, REPEATS = 50, 20


@dataclass(frozen=True, slots=True)
class Load:
    in_flight: int
    model_seconds: float
    calls: int

    def named(self, subject: str) -> str:
        return f"{subject}, {self.in_flight} in flight"


LOADS = (Load(1, 0.0, 300), Load(64, 1.0, 640), Load(250, 1.0, 1_500))
QUICK_LOADS = (Load(1, 0.0, 60), Load(64, 0.5, 128))
ALONE, PROXY, PIPELINE = "the model alone", "LiteLLM's proxy", "the pipeline"
HIT, MISS, REPEATED = "a hit of the cache", "a miss", "repeated questions"
POOL = "1,000 calls of 5 s"


def run(bench: Bench) -> None:
    loads = QUICK_LOADS if bench.quick else LOADS
    for number in bench.rounds:
        with bench.stage.show(PRODUCT) as show, Providers() as providers:
            for load in loads:
                bench.stage.calm()
                _overhead(bench, show, providers, load, number)
            _cache(bench, show, providers, number)
            if not bench.quick:
                _pool(bench, show, providers, number)
    for load in loads:
        for percentile in ("p50", "p99"):
            ours, theirs = (_added(bench, subject, load, percentile) for subject in (PIPELINE, PROXY))
            ratio = Spread.of(mine / max(other, LEAST_ADDED_MS) for mine, other in zip(ours, theirs, strict=True))
            claim = load.named(f"added {percentile}: pipeline / LiteLLM's proxy")
            bench.book.judge(Verdict(SCENARIO, claim, ratio, at_most=AT_MOST))
        added = Spread.of(_added(bench, PIPELINE, load, "p50"))
        bench.book.judge(Verdict(SCENARIO, load.named("the pipeline adds"), added, "ms", at_most=PIPELINE_MS))
    _judge_cache(bench)
    if not bench.quick:
        _judge_pool(bench)


def _overhead(bench: Bench, show: Show, providers: Providers, load: Load, number: int) -> None:
    providers.pace(first_token_seconds=load.model_seconds)
    how_many = (load.calls, load.in_flight)
    (alone,) = drive(show, providers, "direct", *how_many, providers.chat_url)
    with gateway(show, providers) as url:
        meter = show.meter()
        (proxied,) = drive(show, providers, "direct", *how_many, url)
        cores = meter.read().cores
    (ours,) = drive(show, providers, "pipeline", *how_many)
    _note(bench, load.named(ALONE), number, alone)
    bench.book.note(Measured(SCENARIO, load.named(PROXY), number, proxied.p50, "ms", cores, detail(proxied)))
    _note(bench, load.named(PIPELINE), number, ours)


def _added(bench: Bench, subject: str, load: Load, percentile: str) -> list[float]:
    with_it = bench.book.values(SCENARIO, load.named(subject), of=percentile)
    alone = bench.book.values(SCENARIO, load.named(ALONE), of=percentile)
    return [max(one - other, 0.0) for one, other in zip(with_it, alone, strict=True)]


def _cache(bench: Bench, show: Show, providers: Providers, number: int) -> None:
    providers.pace(first_token_seconds=0.0)
    (misses,) = drive(show, providers, "pipeline", 200, 1)
    # One at a time: each but the first of each question is a hit.
    (hits,) = drive(show, providers, "pipeline", QUESTIONS * REPEATS, 1, "--questions", QUESTIONS)
    (repeated,) = drive(show, providers, "pipeline", QUESTIONS * REPEATS, 20, "--questions", QUESTIONS)
    _note(bench, MISS, number, misses)
    _note(bench, HIT, number, hits)
    share = repeated.hits / repeated.calls
    bench.book.note(Measured(SCENARIO, REPEATED, number, share, "of them hits", detail=detail(repeated)))


def _judge_cache(bench: Bench) -> None:
    ratio = bench.book.ratio(SCENARIO, HIT, MISS)
    bench.book.judge(
        Verdict(SCENARIO, "a hit of the cache / a miss of a model that takes no time", ratio, at_most=MAX_HIT)
    )
    share = Spread.of(bench.book.values(SCENARIO, REPEATED))
    bench.book.judge(Verdict(SCENARIO, "hits among repeated questions", share, "", at_least=MIN_HITS))


def _pool(bench: Bench, show: Show, providers: Providers, number: int) -> None:
    providers.pace(first_token_seconds=POOL_SECONDS)
    drivers = drive(show, providers, "pipeline", 2 * POOL_CALLS, POOL_CALLS, processes=POOL_PROCESSES)
    slowest = max(drivers, key=lambda one: one.p95)
    cpu = sum(one.cpu for one in drivers) / len(drivers)
    bench.book.note(
        Measured(SCENARIO, POOL, number, slowest.p95 / 1_000, "s", detail={**detail(slowest), "cpu_ms_a_call": cpu})
    )


def _judge_pool(bench: Bench) -> None:
    p95 = Spread.of(bench.book.values(SCENARIO, POOL)).times(1 / POOL_SECONDS)
    bench.book.judge(
        Verdict(SCENARIO, f"{POOL} by {POOL_PROCESSES} processes: p95 / 5 s", p95, at_most=AT_MOST_OF_POOL)
    )
    cpu = Spread.of(bench.book.values(SCENARIO, POOL, of="cpu_ms_a_call"))
    bench.book.judge(Verdict(SCENARIO, f"{POOL}: processor time a call", cpu, "ms"))


def _note(bench: Bench, subject: str, number: int, timed: Timed) -> None:
    bench.book.note(Measured(SCENARIO, subject, number, timed.p50, "ms", detail=detail(timed)))
