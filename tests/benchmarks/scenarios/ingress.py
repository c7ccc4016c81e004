"""How many requests a second one ingress process takes in, beside bare Starlette with one insert for each.

The product authenticates, validates, stores the job with its first event and rings the bell before it answers 202. Both
are one uvicorn process with the same settings. Nobody works the jobs off: what is measured is getting in.
"""

import json
import sys
import urllib.request

from tests.benchmarks import bare
from tests.benchmarks.bench import Bench
from tests.benchmarks.peers.load import PAD
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.serving import Serving, serve, serve_product
from tests.benchmarks.stage import Show
from tests.benchmarks.systems import PRODUCT

LEAST = 0.5
CONNECTIONS = (16, 64)
SECONDS, QUICK_SECONDS = 10.0, 4.0
BULK, BULK_CONNECTIONS = 1_000, 4
BULK_JOBS, QUICK_BULK_JOBS = 60_000, 20_000
LEFT_SECONDS = 30.0
"""For the callers to start, to warm up and to end."""

ONE_PATH, MANY_PATH = "/api/ai/process-document", "/api/jobs/batch"
ONE = {"title": "Lease", "text": PAD}
MANY = {"jobs": [{"kind": "ai.process_document", "command": ONE} for _ in range(BULK)]}

OURS, BARE = "bucatini", "bare Starlette and one insert"
BULK_OVER_HTTP = f"{MANY_PATH}, {BULK:,} a request"
BULK_INSIDE = f"submit_all, {BULK:,} a call"


def run(bench: Bench) -> None:
    for number in bench.rounds:
        for connections in CONNECTIONS:
            with bench.stage.show(PRODUCT) as show:
                _called(
                    bench, show, serve_product(show), ONE_PATH, ONE, _subject(OURS, connections), number, connections
                )
            with bench.stage.show(PRODUCT) as show:
                show.execute(bare.TABLE)
                serving = serve(show, "bare", "-m", "tests.benchmarks.bare")
                _called(bench, show, serving, bare.PATH, ONE, _subject(BARE, connections), number, connections)
        _bulk(bench, number)
    _judge(bench)


def _subject(name: str, connections: int) -> str:
    return f"{name}, {connections} connections"


def _called(
    bench: Bench,
    show: Show,
    serving: Serving,
    path: str,
    body: object,
    subject: str,
    number: int,
    connections: int,
    *,
    jobs_each: int = 1,
) -> None:
    bench.stage.calm()
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    asked, found = show.folder / "body.json", show.folder / "found.json"
    asked.write_text(json.dumps(body))
    meter = show.meter()
    callers = show.start_program(
        "callers",
        *(sys.executable, "-m", "tests.benchmarks.callers", serving.url + path, str(connections), str(seconds)),
        CALLERS_BODY=str(asked),
        CALLERS_FOUND=str(found),
        CALLERS_KEY=serving.key,
    )
    callers.await_end(within_seconds=seconds + LEFT_SECONDS)
    cores = meter.read().cores
    heard = json.loads(found.read_text())
    detail: dict[str, float | str] = {
        "p50_ms": heard["p50_ms"],
        "p99_ms": heard["p99_ms"],
        "callers_cores": heard["cpu_seconds"] / heard["seconds"],
    }
    rate = heard["requests"] * jobs_each / heard["seconds"]
    bench.book.note(Measured("ingress", subject, number, rate, "jobs/s", cores, detail))


def _bulk(bench: Bench, number: int) -> None:
    jobs = QUICK_BULK_JOBS if bench.quick else BULK_JOBS
    with bench.stage.show(PRODUCT) as show:
        bench.stage.calm()
        show.do("bulk", str(jobs), str(BULK))
        seconds = float((show.tallies / "bulk-seconds").read_text())
        bench.book.note(Measured("ingress", BULK_INSIDE, number, jobs / seconds, "jobs/s"))
    with bench.stage.show(PRODUCT) as show:
        serving = serve_product(show)
        if not _offers(serving, MANY_PATH):
            bench.book.skip("ingress", f"this ingress has no {MANY_PATH}")
            return
        _called(bench, show, serving, MANY_PATH, MANY, BULK_OVER_HTTP, number, BULK_CONNECTIONS, jobs_each=BULK)


def _offers(serving: Serving, path: str) -> bool:
    with urllib.request.urlopen(f"{serving.url}/openapi.json", timeout=10) as answer:
        return path in json.load(answer)["paths"]


def _judge(bench: Bench) -> None:
    book = bench.book
    for connections in CONNECTIONS:
        ours, theirs = _subject(OURS, connections), _subject(BARE, connections)
        book.judge(Verdict("ingress", f"{ours} / {BARE}", book.ratio("ingress", ours, theirs), at_least=LEAST))
    subjects = [_subject(name, connections) for connections in CONNECTIONS for name in (OURS, BARE)]
    for subject in (*subjects, BULK_INSIDE, BULK_OVER_HTTP):
        if values := book.values("ingress", subject):
            book.judge(Verdict("ingress", subject, Spread.of(values), unit="jobs/s"))
