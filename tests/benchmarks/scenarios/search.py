"""Searches and indexing beside the engine's own client called bare, over one index in one process.

Both sides answer the same full page: two words, ten filters, six facets of which each counts without its own filter, ten hits
with snippets. Ours is asked as the ingress asks it: a query is read, prepared and compiled, and the cache has never seen it.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from random import Random
from statistics import quantiles
from uuid import UUID

from infrastructure.ports.search import IndexedDocument
from infrastructure.searching.preparation import Preparation
from schemas.search import SearchQuery
from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.searches.corpus import FULL_PAGE, TENANT, Corpus, questions
from tests.benchmarks.searches.engines import Beside, elasticsearch, tantivy
from tests.benchmarks.systems import PRODUCT
from tests.elasticsearch.distribution import NotHere
from tests.integration.search.flow import Chosen, Flow

SCENARIO = "search"
DOCUMENTS, QUICK_DOCUMENTS = 100_000, 5_000
QUESTIONS, QUICK_QUESTIONS = 150, 30
INDEXED, QUICK_INDEXED = 20_000, 2_000
TENANTS, QUICK_TENANTS = 1_000, 50
CLIENTS = 16
CLIENT_SECONDS, QUICK_CLIENT_SECONDS = 5.0, 1.0
ASKED, KINDS, WRITE_EVERY = 2_000, 400, 100
FEWEST_HITS = 10
"""With less a page isn't full, and ours looks further."""
ANOTHER = UUID(int=2)


def run(bench: Bench) -> None:
    with tempfile.TemporaryDirectory(prefix="searches-") as name, asyncio.Runner() as runner:
        folder = Path(name)
        folder.chmod(0o755)
        runner.run(_embedded(bench, folder))
        try:
            with bench.stage.show(PRODUCT) as show:
                runner.run(_on_a_server(bench, folder, show.database_url, bench.stage.redis_url))
        except NotHere as error:
            bench.book.skip(SCENARIO, str(error))
    _built(bench)


async def _embedded(bench: Bench, folder: Path) -> None:
    async with tantivy(folder / "tantivy") as beside:
        await _measure(bench, beside)
        await _memory(bench, beside)


async def _on_a_server(bench: Bench, folder: Path, database_url: str, redis_url: str) -> None:
    async with elasticsearch(folder, database_url, redis_url) as beside:
        await _measure(bench, beside)


async def _measure(bench: Bench, beside: Beside) -> None:
    began = time.monotonic()
    await beside.engine.rebuild(ANOTHER, _all(Corpus(0)))
    _note(bench, beside, "an index is made", 0, time.monotonic() - began, "s")
    await beside.engine.rebuild(TENANT, _all(Corpus(QUICK_DOCUMENTS if bench.quick else DOCUMENTS)))
    for number in bench.rounds:
        await _pages(bench, beside, number)
        await _clients(bench, beside, number)
        await _indexing(bench, beside, number)
        await _kept(bench, beside, number)
    _judge(bench, beside)


async def _all(corpus: Corpus) -> AsyncIterator[Sequence[IndexedDocument]]:
    for batch in corpus.batches():
        yield batch


async def _pages(bench: Bench, beside: Beside, number: int) -> None:
    """The two sides take turns, question by question, and in the other order each time."""
    flow, ours, bare = Flow(beside.engine), list[float](), list[float]()
    for place, text in enumerate(questions(QUICK_QUESTIONS if bench.quick else QUESTIONS, seed=number)):
        found = await beside.ask_bare(text)
        if found < FEWEST_HITS:
            continue
        results = await Flow(beside.engine).search(text, **FULL_PAGE)
        assert results.total == found, f"{text!r}: {results.total} hits here, {found} there"
        turns = [
            (ours, lambda text=text: flow.search(text, **FULL_PAGE)),
            (bare, lambda text=text: beside.ask_bare(text)),
        ]
        for times, ask in turns if place % 2 else reversed(turns):
            began = time.perf_counter()
            await ask()
            times.append((time.perf_counter() - began) * 1_000)
    for subject, times in (("a full page", ours), ("a full page by hand", bare)):
        ranked = quantiles(times, n=20)
        detail: dict[str, float | str] = {"p95": ranked[18], "questions": len(times)}
        _note(bench, beside, subject, number, ranked[9], "ms", detail)


async def _clients(bench: Bench, beside: Beside, number: int) -> None:
    seconds = QUICK_CLIENT_SECONDS if bench.quick else CLIENT_SECONDS
    flow, turn = Flow(beside.engine), count(1_000 * number)

    async def ours(text: str) -> object:
        # Another limit is another question for the cache.
        return await flow.search(text, **{**FULL_PAGE, "facet_limit": 1 + next(turn) % 97})

    for subject, ask in (("searches", ours), ("searches by hand", beside.ask_bare)):
        _note(bench, beside, subject, number, await _rate(ask, seconds), "searches/s")


async def _rate(ask: Callable[[str], Awaitable[object]], seconds: float) -> float:
    asked, done = questions(2_000, seed=99), 0
    began = time.monotonic()

    async def client(mine: Iterator[str]) -> None:
        nonlocal done
        for text in mine:
            if time.monotonic() - began > seconds:
                return
            await ask(text)
            done += 1

    await asyncio.gather(*(client(iter(asked[one::CLIENTS] * 50)) for one in range(CLIENTS)))
    return done / (time.monotonic() - began)


async def _indexing(bench: Bench, beside: Beside, number: int) -> None:
    size = QUICK_INDEXED if bench.quick else INDEXED
    batches = list(Corpus(size, seed=number).batches())
    await beside.engine.rebuild(ANOTHER, _all(Corpus(0)))
    began = time.monotonic()
    for batch in batches:
        await asyncio.gather(*(beside.engine.index(ANOTHER, one) for one in batch))
    _note(bench, beside, "indexing", number, size / (time.monotonic() - began), "documents/s")
    began = time.monotonic()
    await beside.index_bare(batches)
    _note(bench, beside, "indexing by hand", number, size / (time.monotonic() - began), "documents/s")


async def _kept(bench: Bench, beside: Beside, number: int) -> None:
    """Popular questions come often, and now and then a document is written, which ends every kept answer."""
    random, flow, asked = Random(number), Flow(beside.engine), questions(KINDS, seed=number)  # Always the same.
    sums = [sum(1 / (rank + 1) for rank in range(last + 1)) for last in range(KINDS)]
    (document,) = Corpus(1, seed=number).documents()
    for place, text in enumerate(random.choices(asked, cum_weights=sums, k=ASKED // (10 if bench.quick else 1))):
        if place % WRITE_EVERY == WRITE_EVERY - 1:
            await beside.engine.index(TENANT, document)
        await flow.search(text)
    lookups = flow.watched.lookups
    _note(bench, beside, "kept answers", number, 100 * lookups["hit"] / lookups.total(), "%")


async def _memory(bench: Bench, beside: Beside) -> None:
    """Of the process, by so many tenants whose indexes were all written and asked."""
    number = QUICK_TENANTS if bench.quick else TENANTS
    before, few = _resident_mb(), Corpus(10)
    for tenant in range(number):
        await beside.engine.rebuild(UUID(int=1_000 + tenant), _all(few))
        await beside.engine.search(UUID(int=1_000 + tenant), SearchQuery(limit=1))
    _note(bench, beside, f"memory by {number:,} tenants", 0, _resident_mb() - before, "MB")
    bench.book.judge(
        Verdict(SCENARIO, f"memory by {number:,} tenants", Spread.of([_resident_mb() - before]), unit="MB")
    )


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _built(bench: Bench) -> None:
    """Reads and prepares a query, before an engine is asked."""

    async def times() -> list[float]:
        preparation, taken = Preparation(Chosen()), []
        for text in questions(500):
            began = time.perf_counter()
            await preparation.prepare(TENANT, SearchQuery.model_validate({"text": text, **FULL_PAGE}))
            taken.append((time.perf_counter() - began) * 1_000)
        return taken

    p95 = quantiles(asyncio.run(times()), n=20)[18]
    bench.book.note(Measured(SCENARIO, "building a query, p95", 0, p95, "ms"))
    bench.book.judge(Verdict(SCENARIO, "building a query, p95", Spread.of([p95]), unit="ms", at_most=1.0))


def _note(
    bench: Bench,
    beside: Beside,
    subject: str,
    number: int,
    value: float,
    unit: str,
    detail: dict[str, float | str] | None = None,
) -> None:
    bench.book.note(Measured(SCENARIO, f"{beside.name}: {subject}", number, value, unit, detail=detail or {}))


def _judge(bench: Bench, beside: Beside) -> None:
    def subject(name: str) -> str:
        return f"{beside.name}: {name}"

    def ratio(ours: str, bare: str, of: str | None = None) -> Spread:
        return bench.book.ratio(SCENARIO, subject(ours), subject(bare), of=of)

    def values(name: str, of: str | None = None) -> Spread:
        return Spread.of(bench.book.values(SCENARIO, subject(name), of=of))

    page, by_hand = "a full page", "a full page by hand"
    verdicts = (
        Verdict(SCENARIO, subject("a full page / by hand, p50"), ratio(page, by_hand), at_most=1.3),
        Verdict(SCENARIO, subject("a full page / by hand, p95"), ratio(page, by_hand, "p95"), at_most=1.3),
        Verdict(SCENARIO, subject(f"{CLIENTS} clients / by hand"), ratio("searches", "searches by hand")),
        Verdict(SCENARIO, subject("indexing / by hand"), ratio("indexing", "indexing by hand"), at_least=0.7),
        Verdict(SCENARIO, subject("a full page, p95"), values(page, "p95"), unit="ms", at_most=100.0),
        Verdict(SCENARIO, subject("an index is made"), values("an index is made"), unit="s", at_most=30.0),
        Verdict(SCENARIO, subject("indexing"), values("indexing"), unit="documents/s", at_least=10_000.0),
        Verdict(SCENARIO, subject("kept answers"), values("kept answers"), unit="%", at_least=70.0),
    )
    for verdict in verdicts:
        bench.book.judge(verdict)
