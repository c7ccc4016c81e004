"""How many documents a second are read in a limited child process, beside the format's library called bare.

One document at a time on both sides, of some hundred thousand characters. The library is called in the benchmark's own
process; what the product does beside it (recognition, limits, structure, the language, the way into the child and back)
is the difference. Some are reported without being a target: lxml on DOCX and ODT, where it gives the letters of one part and
knows nothing of the format, and html.parser, which reads web pages for many programs and for this one no more.
"""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

from infrastructure.extraction.extractor import ChildExtractor
from infrastructure.ports.extraction import Extracted
from tests.benchmarks.bench import Bench
from tests.benchmarks.documents import Sent, documents
from tests.benchmarks.results import Measured, Spread, Verdict

SCENARIO = "extraction"
AT_LEAST = 0.8
SECONDS, QUICK_SECONDS = 4.0, 1.0
TURNS = 4
"""Each side has several short turns in a round: what the machine does meanwhile, it does to both."""
WARM_DOCUMENTS = 2
TENANT = UUID(int=1)


@dataclass(frozen=True, slots=True)
class Reading:
    documents: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Reading") -> "Reading":
        return Reading(self.documents + other.documents, self.seconds + other.seconds)

    @property
    def rate(self) -> float:
        return self.documents / self.seconds


def run(bench: Bench) -> None:
    sent = documents()
    with asyncio.Runner() as runner:
        extractor = ChildExtractor(children=1)
        try:
            runner.run(extractor.warm())
            for number in bench.rounds:
                for one in sent:
                    _measure(bench, runner, extractor, one, number)
        finally:
            runner.run(extractor.close())
    for one in sent:
        ratio = bench.book.ratio(SCENARIO, _ours(one), _bare(one))
        at_least = AT_LEAST if one.is_target else None
        bench.book.judge(Verdict(SCENARIO, f"{one.name} / {one.library} called bare", ratio, at_least=at_least))
    for one in sent:
        rate = Spread.of(bench.book.values(SCENARIO, _ours(one)))
        bench.book.judge(Verdict(SCENARIO, _ours(one), rate, unit="documents/s"))


def _ours(one: Sent) -> str:
    return f"{one.name}, beside {one.library}"


def _bare(one: Sent) -> str:
    return f"{one.library}, {one.name}"


def _measure(bench: Bench, runner: asyncio.Runner, extractor: ChildExtractor, one: Sent, number: int) -> None:
    seconds = (QUICK_SECONDS if bench.quick else SECONDS) / TURNS
    runner.run(_read(extractor, one, documents=WARM_DOCUMENTS))
    one.read_bare(one.content)
    ours, bare = Reading(), Reading()
    for _ in range(TURNS):
        ours += runner.run(_read(extractor, one, seconds=seconds))
        bare += _read_bare(one, seconds)
    detail: dict[str, float | str] = {"kilobytes": len(one.content) / 1000}
    for subject, reading in ((_ours(one), ours), (_bare(one), bare)):
        bench.book.note(Measured(SCENARIO, subject, number, reading.rate, "documents/s", detail=detail))


async def _read(extractor: ChildExtractor, one: Sent, *, seconds: float = 0.0, documents: int = 1) -> Reading:
    """Until the time is over, and at least so many."""
    begun_at = time.monotonic()
    count = 0
    while count < documents or time.monotonic() - begun_at < seconds:
        outcome = await extractor.extract(TENANT, one.content)
        if not isinstance(outcome, Extracted) or outcome.format != one.name:
            raise AssertionError(f"{one.name} wasn't read: {outcome}")
        count += 1
    return Reading(count, time.monotonic() - begun_at)


def _read_bare(one: Sent, seconds: float) -> Reading:
    begun_at = time.monotonic()
    count = 0
    while not count or time.monotonic() - begun_at < seconds:
        one.read_bare(one.content)
        count += 1
    return Reading(count, time.monotonic() - begun_at)
