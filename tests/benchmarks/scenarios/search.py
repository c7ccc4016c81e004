"""A full search page (ten filters, six facets, snippets) beside a query that is written by hand for the same engine's own
client, on the same index; and what else a search has to bear: many clients, writes, many tenants.

The product's page begins with the JSON of a query, and ends with results that are checked: typed text, synonyms, canonical
form, the mark of what is visible, hits as models. Its cache is off, except where it is what is measured. Both sides are asked
the same in turn, and must find the same. Elasticsearch is left out where none can be had.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from infrastructure.local_stack.supervisor.processes import PartFailed
from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.searching.caching import share_of_hits
from tests.benchmarks.searching.contest import CALLERS, Contest, elasticsearch_node, on_elasticsearch, on_tantivy
from tests.benchmarks.searching.pages import check_agreement, rates_of_clients, times_of_construction, times_of_pages
from tests.benchmarks.searching.writing import rates_of_adding, rates_of_building, times_of_creation
from tests.benchmarks.systems import PRODUCT, ROOT
from tests.elasticsearch.distribution import NotHere, distribution

SCENARIO = "search"
PAGE_AT_MOST, INDEXING_AT_LEAST, CONSTRUCTION_AT_MOST_MS = 1.3, 0.7, 1.0
SEARCH_AT_MOST_MS, CREATION_AT_MOST_SECONDS, INDEXED_AT_LEAST, HITS_AT_LEAST = 100.0, 30.0, 10_000.0, 70.0
BETWEEN_WRITES = (100, 1_000)
"""Searches of a tenant between two of its writes."""


class Sizes:
    """How much of everything a run measures."""

    def __init__(self, *, quick: bool) -> None:
        self.documents = 5_000 if quick else 100_000
        self.pages = 40 if quick else 300
        self.constructions = 100 if quick else 1_000
        self.client_seconds = 2.0 if quick else 16.0
        self.added = 400 if quick else 8_000
        self.built = 2_000 if quick else 20_000
        self.created = 3 if quick else 20
        self.repeated = 500 if quick else 3_000
        self.tenants = 50 if quick else 1_000


def run(bench: Bench) -> None:
    sizes = Sizes(quick=bench.quick)
    with bench.stage.show(PRODUCT) as show:
        _measure(bench, on_tantivy(show.folder / "tantivy", sizes.documents), sizes)
        _tenants(bench, show.folder / "tenants", sizes)
        shutil.rmtree(show.folder / "tantivy", ignore_errors=True)
        try:
            with elasticsearch_node(show.folder, distribution()) as node:
                _measure(bench, on_elasticsearch(node.url, show, bench.stage, sizes.documents), sizes)
        except (NotHere, PartFailed) as error:
            bench.book.skip(f"{SCENARIO} on Elasticsearch", str(error))


def _measure(bench: Bench, opening: AbstractAsyncContextManager[Contest], sizes: Sizes) -> None:
    asyncio.run(_measure_all(bench, opening, sizes))


async def _measure_all(bench: Bench, opening: AbstractAsyncContextManager[Contest], sizes: Sizes) -> None:
    async with opening as contest:
        await check_agreement(contest)
        _note(bench, f"{contest.name}, built first", 0, sizes.documents / contest.seconds_to_build, "documents/s")
        for number in bench.rounds:
            bench.stage.calm()
            await _pages(bench, contest, sizes, number)
            await _clients(bench, contest, sizes, number)
            await _writes(bench, contest, sizes, number)
            await _cache(bench, contest, sizes, number)
        _judge(bench, contest.name)


async def _pages(bench: Bench, contest: Contest, sizes: Sizes, number: int) -> None:
    ours, bare = await times_of_pages(contest, number, sizes.pages)
    _note_times(bench, f"{contest.name}, page", number, ours)
    _note_times(bench, f"{contest.name}, bare page", number, bare)
    clock, processor = await times_of_construction(contest, number, sizes.constructions)
    _note_times(bench, f"{contest.name}, construction", number, clock)
    _note_times(bench, f"{contest.name}, construction, processor", number, processor)


async def _clients(bench: Bench, contest: Contest, sizes: Sizes, number: int) -> None:
    ours, bare = await rates_of_clients(contest, number, sizes.client_seconds)
    _note(bench, f"{contest.name}, {CALLERS} clients", number, ours, "pages/s")
    _note(bench, f"{contest.name}, {CALLERS} bare clients", number, bare, "pages/s")


async def _writes(bench: Bench, contest: Contest, sizes: Sizes, number: int) -> None:
    ours, bare = await rates_of_adding(contest, number, sizes.added)
    _note(bench, f"{contest.name}, indexed", number, ours, "documents/s")
    _note(bench, f"{contest.name}, bare indexed", number, bare, "documents/s")
    ours, bare = await rates_of_building(contest, number, sizes.built)
    _note(bench, f"{contest.name}, built", number, ours, "documents/s")
    _note(bench, f"{contest.name}, bare built", number, bare, "documents/s")
    _note_times(bench, f"{contest.name}, creation", number, await times_of_creation(contest, sizes.created))


async def _cache(bench: Bench, contest: Contest, sizes: Sizes, number: int) -> None:
    for between in BETWEEN_WRITES:
        share = await share_of_hits(contest, number, sizes.repeated, between)
        _note(bench, f"{contest.name}, cache, {between} between writes", number, share, "%")


def _tenants(bench: Bench, folder: Path, sizes: Sizes) -> None:
    argv = [sys.executable, "-m", "tests.benchmarks.searching.tenants", str(folder), str(sizes.tenants)]
    began = time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.returncode, f"the process with many tenants failed: {done.stderr[-2_000:]}"
    found = json.loads(done.stdout)
    subject = f"Tantivy, {sizes.tenants:,} tenants"
    detail = {**found, "seconds": time.monotonic() - began}
    bench.book.note(Measured(SCENARIO, subject, 0, found["searched"] - found["start"], "MiB", detail=detail))
    for name, word in (("start", "at the start"), ("written", "all written"), ("searched", "all searched")):
        bench.book.judge(Verdict(SCENARIO, f"memory, {subject}, {word}", Spread.of([found[name]]), unit="MiB"))


def _note(bench: Bench, subject: str, number: int, value: float, unit: str) -> None:
    bench.book.note(Measured(SCENARIO, subject, number, value, unit, detail={"load": os.getloadavg()[0]}))


def _note_times(bench: Bench, subject: str, number: int, seconds: Sequence[float]) -> None:
    percentiles = statistics.quantiles(seconds, n=100, method="inclusive")
    p50, p95 = percentiles[49] * 1_000, percentiles[94] * 1_000
    detail: dict[str, float | str] = {"p95": p95, "load": os.getloadavg()[0]}
    bench.book.note(Measured(SCENARIO, subject, number, p50, "ms", detail=detail))


def _judge(bench: Bench, name: str) -> None:
    book = bench.book

    def spread(subject: str, *, of: str | None = None) -> Spread:
        return Spread.of(book.values(SCENARIO, f"{name}, {subject}", of=of))

    def ratio(ours: str, bare: str, *, of: str | None = None) -> Spread:
        return book.ratio(SCENARIO, f"{name}, {ours}", f"{name}, {bare}", of=of)

    def judge(claim: str, measured: Spread, **target: float | str) -> None:
        book.judge(Verdict(SCENARIO, f"{name}: {claim}", measured, **target))  # type: ignore[arg-type]

    for percentile, of in (("p50", None), ("p95", "p95")):
        judge(f"page / bare page, {percentile}", ratio("page", "bare page", of=of), at_most=PAGE_AT_MOST)
    judge("page, p50", spread("page"), unit="ms")
    judge("page, p95", spread("page", of="p95"), unit="ms", at_most=SEARCH_AT_MOST_MS)
    judge("bare page, p50", spread("bare page"), unit="ms")
    judge("bare page, p95", spread("bare page", of="p95"), unit="ms")
    judge("query construction, p95", spread("construction", of="p95"), unit="ms", at_most=CONSTRUCTION_AT_MOST_MS)
    judge("query construction, processor, p95", spread("construction, processor", of="p95"), unit="ms")
    judge(f"{CALLERS} clients / bare", ratio(f"{CALLERS} clients", f"{CALLERS} bare clients"))
    judge(f"{CALLERS} clients", spread(f"{CALLERS} clients"), unit="pages/s")
    for subject in ("indexed", "built"):
        judge(f"{subject} / bare", ratio(subject, f"bare {subject}"), at_least=INDEXING_AT_LEAST)
        judge(subject, spread(subject), unit="documents/s", at_least=INDEXED_AT_LEAST)
        judge(f"bare {subject}", spread(f"bare {subject}"), unit="documents/s")
    creation = spread("creation", of="p95").times(0.001)
    judge("a new tenant's index, p95", creation, unit="s", at_most=CREATION_AT_MOST_SECONDS)
    for between in BETWEEN_WRITES:
        subject = f"cache, {between} between writes"
        judge(f"cache hits, {between:,} searches between writes", spread(subject), unit="%", at_least=HITS_AT_LEAST)
