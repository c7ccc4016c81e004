"""`python -m tests.benchmarks.models.driver VERB …`: calls models, and prints as its last line how long that took.

`direct` calls a provider through the product's own adapter and nothing else, be it the simulator or a gateway in front of
it. `pipeline` asks through everything that a job's call goes through. `hits` asks a few questions again and again.
"""

import argparse
import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from itertools import count
from uuid import UUID, uuid4

import uvloop
from pydantic import SecretStr

from infrastructure import settings as settings_module
from infrastructure.concurrency import watched
from infrastructure.concurrency.gc_tuning import tune_gc
from infrastructure.concurrency.loops import Loop
from infrastructure.model_registry.registry import load
from infrastructure.openai.provider import chat_provider
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import ModelRequest, user
from infrastructure.settings import Settings
from infrastructure.wiring import keyring
from tests.model_calls import OnTheLoop
from tests.tenancy import tenants_numbered
from workers.ai.pipeline.call import CacheOutcome, ModelCall
from workers.ai.pipeline.opening import open_models

MODEL = "house-model"
TEXT = "The tenant pays the rent of EUR 1,250.00 on the first of each month. " * 30
"""Some 2 KB, as a section's instruction with a page of a document has."""
WARM_CALLS = 30


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of a call, and of processor time for each in this process."""

    calls: int
    p50: float
    p95: float
    p99: float
    cpu: float
    seconds: float
    hits: int = 0


async def direct(url: str, calls: int, in_flight: int) -> Timed:
    registry = load(settings_module.load().ai_models_file)
    provider = chat_provider("compatible", url, SecretStr("sk-bench"), registry, needs_key=False)
    try:

        async def one(number: int) -> None:
            await provider.complete(_request(number))

        return await timed(one, calls, in_flight)
    finally:
        await provider.close()


async def pipeline(settings: Settings, calls: int, in_flight: int, questions: int = 0) -> Timed:
    """With `questions`, so many are asked in turn; otherwise each is asked once."""
    hits = 0
    (tenant_id,) = await tenants_numbered(settings.database, 1)
    async with (
        keyring(settings) as sealer,
        open_models(settings, load(settings.ai_models_file), OnTheLoop(), sealer) as models,
    ):
        loops = [watched.start(_repeat(loop), loop.name) for loop in models.loops]

        async def one(number: int) -> None:
            nonlocal hits
            reply = await models.ask(_call(tenant_id, number % questions if questions and number >= 0 else number))
            hits += reply.cache is CacheOutcome.HIT

        try:
            taken = await timed(one, calls, in_flight, warm=not questions)
        finally:
            for loop in loops:
                loop.cancel()
    return replace(taken, hits=hits)


async def timed(one: Callable[[int], Awaitable[None]], calls: int, in_flight: int, *, warm: bool = True) -> Timed:
    numbers, taken = iter(range(calls)), []
    if warm:
        await asyncio.gather(*(one(-number) for number in range(1, min(WARM_CALLS, in_flight) + 1)))
        for number in range(WARM_CALLS):
            await one(-1_000 - number)
    tune_gc()

    async def caller() -> None:
        for number in numbers:
            began_at = time.perf_counter()
            await one(number)
            taken.append(time.perf_counter() - began_at)

    cpu, began_at = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    seconds, cpu = time.perf_counter() - began_at, time.process_time() - cpu
    return replace(spread(taken), cpu=1_000 * cpu / calls, seconds=seconds)


def spread(taken: list[float]) -> Timed:
    """Of so many seconds each."""
    ordered = sorted(1_000 * one for one in taken)
    return Timed(len(ordered), _at(ordered, 0.5), _at(ordered, 0.95), _at(ordered, 0.99), 0.0, sum(taken))


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1]


_asked = count()
_SERIES = uuid4().hex


def _request(number: int) -> ModelRequest:
    # Never asked before, so that nobody has it in a cache.
    text = f"{_SERIES} {number} {next(_asked)} {TEXT}"
    return ModelRequest(MODEL, (user(text),), max_output_tokens=200)


def _call(tenant_id: UUID, number: int) -> ModelCall:
    return ModelCall(
        tenant_id, Purpose.SECTION, ModelRequest("", (user(f"{_SERIES} {number} {TEXT}"),), max_output_tokens=200)
    )


async def _repeat(loop: Loop) -> None:
    while True:
        await loop.step()
        await asyncio.sleep(min(loop.period_seconds, 10.0))


def main() -> None:
    given = _arguments()
    settings = settings_module.load()
    if given.verb == "direct":
        taken = uvloop.run(direct(given.url, given.calls, given.in_flight))
    else:
        taken = uvloop.run(pipeline(settings, given.calls, given.in_flight, given.questions))
    print(json.dumps(asdict(taken)), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.models.driver", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("direct", "pipeline"):
        verb = verbs.add_parser(name)
        verb.add_argument("calls", type=int)
        verb.add_argument("in_flight", type=int)
    verbs.choices["direct"].add_argument("url")
    verbs.choices["pipeline"].add_argument("--questions", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
