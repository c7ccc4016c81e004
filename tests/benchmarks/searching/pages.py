"""Full pages: how long one takes, how many go through at once, and what putting a query in the engine's words costs."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator

from schemas.search import SearchQuery
from tests.benchmarks.searching.bare import Answer
from tests.benchmarks.searching.contest import CALLERS, TENANT, Contest
from tests.benchmarks.searching.questions import Question, questions
from tests.integration.search.flow import Watched

WARM_PAGES = 20
TURNS = 4
"""Each side has several short turns in a round: what the machine does meanwhile, it does to both."""


async def times_of_pages(contest: Contest, seed: object, count: int) -> tuple[list[float], list[float]]:
    """Seconds of the product's and of the bare page, for one question after the other, each first every other time."""
    answering = contest.answering(Watched(), cache_bytes=0)
    asked = questions(seed)

    async def ours(question: Question) -> tuple[float, int]:
        sent = question.as_sent
        began = time.perf_counter()
        results = await answering.answer(TENANT, SearchQuery.model_validate_json(sent))
        return time.perf_counter() - began, results.total

    async def bare(question: Question) -> tuple[float, int]:
        began = time.perf_counter()
        answer = await contest.bare.page(question)
        return time.perf_counter() - began, answer.total

    for question in itertools.islice(asked, WARM_PAGES):
        await ours(question)
        await bare(question)
    product_times, bare_times = [], []
    for number, question in enumerate(itertools.islice(asked, count)):
        if number % 2:
            (mine, total), (theirs, other_total) = await ours(question), await bare(question)
        else:
            (theirs, other_total), (mine, total) = await bare(question), await ours(question)
        assert total == other_total, f"the product finds {total} documents, and its peer {other_total}"
        product_times.append(mine)
        bare_times.append(theirs)
    return product_times, bare_times


async def check_agreement(contest: Contest) -> None:
    """Both answer the same, or their times can't be compared."""
    answering = contest.answering(Watched(), cache_bytes=0)
    for question in itertools.islice(questions("agreement"), 5):
        answer = await contest.bare.page(question)
        results = await answering.answer(TENANT, SearchQuery.model_validate_json(question.as_sent))
        assert results.total == answer.total, f"{results.total} hits, and the peer has {answer.total}"
        assert {hit.document_id for hit in results.hits} == {hit["id"] for hit in answer.hits}, "other hits"
        for facet in results.facets:
            ours = sorted(one.count for one in facet.values)
            # Beside the most frequent values the product lists those that were chosen.
            theirs = sorted(answer.facets[facet.field].values())
            assert set(theirs) <= set(ours), f"other counts of {facet.field}: {ours} and {theirs}"


async def rates_of_clients(contest: Contest, seed: object, seconds: float) -> tuple[float, float]:
    """Pages a second for many clients at once: the product's, and the bare ones."""
    answering = contest.answering(Watched(), cache_bytes=0)

    async def ours(question: Question) -> object:
        return await answering.answer(TENANT, SearchQuery.model_validate_json(question.as_sent))

    async def bare(question: Question) -> Answer:
        return await contest.bare.page_beside_others(question)

    counts, spent = [0, 0], [0.0, 0.0]
    for turn, (side, page) in itertools.product(range(TURNS), enumerate((ours, bare))):
        asked = questions(f"{seed} {turn}")
        began = time.perf_counter()
        counts[side] += await _pages_within(seconds / TURNS, asked, page)
        spent[side] += time.perf_counter() - began
    return counts[0] / spent[0], counts[1] / spent[1]


async def _pages_within(
    seconds: float, asked: Iterator[Question], page: Callable[[Question], Awaitable[object]]
) -> int:
    until, count = time.perf_counter() + seconds, 0

    async def client() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await page(next(asked))
            count += 1

    await asyncio.gather(*(client() for _ in range(CALLERS)))
    return count


async def times_of_construction(contest: Contest, seed: object, count: int) -> tuple[list[float], list[float]]:
    """Seconds from the JSON of a full page to the engine's own query: on the clock, and of the processor."""
    preparation = contest.answering(Watched()).preparation
    clock, processor = [], []
    for question in itertools.islice(questions(seed), count):
        sent = question.as_sent
        began, used = time.perf_counter(), time.thread_time()
        query = SearchQuery.model_validate_json(sent)
        prepared = await preparation.prepare(TENANT, query)
        contest.compile(prepared.searched)
        processor.append(time.thread_time() - used)
        clock.append(time.perf_counter() - began)
    return clock, processor
