"""What a durable job around a call of a model adds to it, and how soon its reader sees the model's first token.

A job is submitted over HTTP, stored, claimed, run, written down call by call and settled; its result is waited for by whoever
submitted it. All of that is held against LiteLLM's proxy, which passes on a call. The first token is held against one bare hop.
"""

import sys
from functools import partial

from tests.benchmarks.bench import Bench
from tests.benchmarks.models.driver import Timed
from tests.benchmarks.models.providers import Providers, detail, drive, environment, gateway
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.serving import Serving, serve, serve_product
from tests.benchmarks.stage import READY_SECONDS, Show
from tests.benchmarks.systems import PRODUCT

SCENARIO = "model jobs"
LOADS, QUICK_LOADS = ((1, 100), (64, 640), (250, 1_500)), ((1, 20), (64, 128))
MODEL_SECONDS = 1.0
FIRST_TOKENS, QUICK_FIRST_TOKENS = 60, 10
AT_MOST, AT_MOST_OF_A_HOP, GENERATION_SECONDS = 1.0, 2.5, 2.0
LEAST_ADDED_MS = 0.05
ALONE, PROXY, JOB = "the model alone", "LiteLLM's proxy", "a durable job"
LIVE, HOP = "first token, at a job's reader", "first token, after one bare hop"


def run(bench: Bench) -> None:
    loads = QUICK_LOADS if bench.quick else LOADS
    for number in bench.rounds:
        with bench.stage.show(PRODUCT) as show, Providers() as providers:
            serving = _serve(show, providers)
            providers.pace(first_token_seconds=MODEL_SECONDS)
            for in_flight, calls in loads:
                bench.stage.calm()
                _jobs(bench, show, providers, serving, (in_flight, calls), number)
            _first_tokens(bench, show, providers, serving, number)
    for in_flight, _ in loads:
        ours, theirs = (_added(bench, subject, in_flight) for subject in (JOB, PROXY))
        ratio = Spread.of(mine / max(other, LEAST_ADDED_MS) for mine, other in zip(ours, theirs, strict=True))
        claim = f"added p50, {in_flight} in flight: a durable job / LiteLLM's proxy"
        bench.book.judge(Verdict(SCENARIO, claim, ratio, at_most=AT_MOST))
        p95 = Spread.of(bench.book.values(SCENARIO, _named(JOB, in_flight), of="p95")).times(0.001)
        claim = f"a job whose model takes 1 s, {in_flight} in flight: p95"
        bench.book.judge(Verdict(SCENARIO, claim, p95, "s", at_most=GENERATION_SECONDS))
    ratio = bench.book.ratio(SCENARIO, LIVE, HOP, of="p95")
    bench.book.judge(Verdict(SCENARIO, f"{LIVE} / {HOP}: p95", ratio, at_most=AT_MOST_OF_A_HOP))


def _serve(show: Show, providers: Providers) -> Serving:
    both = {**environment(show, providers), "BUCATINI_JOBS": "tests.benchmarks.models.jobs"}
    serving = serve_product(show, **both)
    for name, module in (("dispatcher", ("producers.dispatcher",)), ("worker", ("workers.runtime", "ai"))):
        running = show.start_program(name, sys.executable, "-m", *module, **both)
        running.await_ready(partial(running.said, "ready: "), within_seconds=READY_SECONDS)
    return serving


def _jobs(bench: Bench, show: Show, providers: Providers, serving: Serving, load: tuple[int, int], number: int) -> None:
    in_flight, calls = load
    (alone,) = drive(show, providers, "direct", calls, in_flight, providers.chat_url)
    with gateway(show, providers) as url:
        (proxied,) = drive(show, providers, "direct", calls, in_flight, url)
    verb = ("jobs", serving.url, calls, "--in-flight", in_flight, "--key", serving.key)
    (job,) = drive(show, providers, *verb, program="callers")
    for subject, taken in ((ALONE, alone), (PROXY, proxied), (JOB, job)):
        _note(bench, _named(subject, in_flight), number, taken)


def _first_tokens(bench: Bench, show: Show, providers: Providers, serving: Serving, number: int) -> None:
    calls = QUICK_FIRST_TOKENS if bench.quick else FIRST_TOKENS
    providers.pace(first_token_seconds=0.3, token_seconds=0.02)
    hop = serve(show, "hop", "-m", "tests.benchmarks.models.hop", UPSTREAM=f"{providers.chat_url}/chat/completions")
    simulator = ("--simulator", providers.url)
    (raw,) = drive(show, providers, "raw", hop.url, calls, *simulator, program="callers")
    (live,) = drive(show, providers, "live", serving.url, calls, *simulator, "--key", serving.key, program="callers")
    _note(bench, HOP, number, raw)
    _note(bench, LIVE, number, live)


def _added(bench: Bench, subject: str, in_flight: int) -> list[float]:
    with_it, alone = (bench.book.values(SCENARIO, _named(one, in_flight)) for one in (subject, ALONE))
    return [max(one - other, 0.0) for one, other in zip(with_it, alone, strict=True)]


def _named(subject: str, in_flight: int) -> str:
    return f"{subject}, {in_flight} in flight"


def _note(bench: Bench, subject: str, number: int, taken: Timed) -> None:
    bench.book.note(Measured(SCENARIO, subject, number, taken.p50, "ms", detail=detail(taken)))
