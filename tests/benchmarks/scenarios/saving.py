"""What the AI pool saves on the samples that come with Bucatini, by its own query: `GET /api/ai/usage`.

Each sample is imported, and a status report is written from it, section after section, by a simulated provider that charges as
the real ones do, with a prompt cache that works as theirs. Half of the jobs are submitted once more, as people do.
"""

import sys
from datetime import date
from pathlib import Path
from typing import Final

from producers.client import Bucatini
from schemas.ai import GenerateDocument, PromptRef
from schemas.ai.usage import UsageReport
from schemas.documents import DocumentRef
from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.serving import serve_product
from tests.benchmarks.stage import READY_SECONDS, Show
from tests.benchmarks.systems import PRODUCT, ROOT
from tests.simulated_providers import SimulatedProviders

SCENARIO = "saving"
SAMPLES: Final = tuple(sorted((ROOT / "samples").iterdir()))
QUICK_SAMPLES = 5
MODEL = "claude-sonnet-5-5"
OUTPUT_TOKENS = 250
END_SECONDS = 600.0
FRESH, SAVED = "saved where nothing is asked twice", "saved where half is asked once more"


def run(bench: Bench) -> None:
    for number in bench.rounds[:1]:  # The same in each: nothing of it depends on the machine.
        with bench.stage.show(PRODUCT) as show, SimulatedProviders() as providers:
            providers.pace(output_tokens=OUTPUT_TOKENS)
            _measure(bench, show, providers, number)
    for subject in (FRESH, SAVED):
        saved = Spread.of(bench.book.values(SCENARIO, subject))
        bench.book.judge(Verdict(SCENARIO, subject, saved, unit="%", at_least=20))


def _measure(bench: Bench, show: Show, providers: SimulatedProviders, number: int) -> None:
    serving = serve_product(show)
    _start(show, "dispatcher", "producers.dispatcher")
    _start(show, "search", "workers.runtime", "search")
    _start(show, "ai", "workers.runtime", "ai", ANTHROPIC_BASE_URL=providers.url, ANTHROPIC_API_KEY="sk-of-the-bench")
    with Bucatini(serving.url, serving.key) as client:
        refs = [_imported(client, file) for file in SAMPLES[: QUICK_SAMPLES if bench.quick else None]]
        for subject, some in ((FRESH, refs), (SAVED, refs[::2])):
            for job in [client.jobs.submit(_report(ref)) for ref in some]:
                job.result(END_SECONDS)
            _note(bench, subject, client.ai.usage(), number)


def _note(bench: Bench, subject: str, report: UsageReport, number: int) -> None:
    assert report.saved_percent is not None, "it was priced"
    assert report.total.unpriced == 0
    detail: dict[str, float | str] = {
        "calls": report.total.calls,
        "cached": report.total.cached,
        "cost": str(report.total.cost_usd),
        "without savings": str(report.total.shadow_usd),
    }
    bench.book.note(Measured(SCENARIO, subject, number, report.saved_percent, "%", detail=detail))


def _report(ref: DocumentRef) -> GenerateDocument:
    return GenerateDocument(
        title="Status",
        prompt=PromptRef(name="status_report"),
        inputs=(ref,),
        facts={"project": ref.id, "report_date": str(date(2026, 11, 30)), "status": "green"},
        models=(MODEL,),
    )


def _imported(client: Bucatini, file: Path) -> DocumentRef:
    document = client.documents.add(file)
    document.imported(READY_SECONDS)
    return DocumentRef(id=document.id)


def _start(show: Show, name: str, *module: str, **environment: str) -> None:
    running = show.start_program(name, sys.executable, "-m", *module, **environment)
    running.await_ready(lambda: running.said("ready: "), within_seconds=READY_SECONDS)
