"""The product as a program with the same verbs as its peers: `install`, `enqueue`, `work`, `produce`, `call`, `bulk`,
`hold`."""

import argparse
import asyncio
import functools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import uvloop

from infrastructure import settings as settings_module
from infrastructure.postgres.migration import migrate
from infrastructure.settings import Settings
from kinds.run import Run
from monitoring.logs.logging import configure
from producers.submission.submitter import Submitter, new_job, open_submitter
from schemas.commands import Command
from tests.benchmarks.peers.load import PAD, TENANTS, Reservoir, call_together, produce_together
from tests.benchmarks.peers.tally import Tally, count
from tests.tenancy import tenants_numbered
from workers.runtime.handler import Handler
from workers.runtime.serve import serve

CALLERS = 256
"""Single submissions under way at a time; what comes in the same moment is committed together."""
BULK = 500
MAX_KINDS = 200
MAX_TENANTS = len(TENANTS)


class Nothing(Command):
    kind: ClassVar[str] = "bench.nothing"
    queue: ClassVar[str] = "ai"
    pad: str = PAD
    called_at: float = 0.0


class FailsFirst(Nothing):
    """Its first attempt ends in an exception."""

    kind: ClassVar[str] = "bench.fails_first"


class Lasts(Nothing):
    """Holds its place for a while."""

    kind: ClassVar[str] = "bench.lasts"
    seconds: float


def _variety() -> tuple[type[Nothing], ...]:
    return tuple(type(f"Nothing{n}", (Nothing,), {"kind": f"bench.nothing_{n}"}) for n in range(1, MAX_KINDS))


NOTHINGS: tuple[type[Nothing], ...] = (Nothing, *_variety())
COMMANDS: tuple[type[Command], ...] = (*NOTHINGS, FailsFirst, Lasts)


@asynccontextmanager
async def handlers(settings: Settings) -> AsyncIterator[tuple[Handler[Any], ...]]:
    tally = Tally.of_environment()

    async def do_nothing(command: Nothing, run: Run) -> None:
        tally.ran(command.called_at)

    async def fail_first(command: FailsFirst, run: Run) -> None:
        tally.ran(command.called_at)
        if run.attempt == 1:
            raise RuntimeError("the first attempt fails")

    async def last(command: Lasts, run: Run) -> None:
        await asyncio.sleep(command.seconds)

    yield (*(Handler(kind, do_nothing) for kind in NOTHINGS), Handler(FailsFirst, fail_first), Handler(Lasts, last))


async def enqueue(settings: Settings, jobs: int, tenants: int, kinds: int, failing_every: int) -> None:
    tenant_ids = await tenants_numbered(settings.database, tenants)
    async with open_submitter(settings) as submitter:
        for start in range(0, jobs, BULK):
            numbers = range(start, min(start + BULK, jobs))
            await submitter.submit_all(
                [new_job(tenant_ids[number % tenants], _command(number, kinds, failing_every)) for number in numbers]
            )


def _command(number: int, kinds: int, failing_every: int) -> Nothing:
    if failing_every and number % failing_every == 0:
        return FailsFirst()
    return NOTHINGS[number % kinds]()


async def bulk(settings: Settings, jobs: int, size: int) -> None:
    """Submits by calls of this size, one after the other, and leaves beside the tallies how many seconds that took."""
    tenant_ids = await tenants_numbered(settings.database, MAX_TENANTS)
    async with open_submitter(settings) as submitter:
        begun_at = time.monotonic()
        for start in range(0, jobs, size):
            share = [new_job(tenant_ids[number % MAX_TENANTS], Nothing()) for number in range(start, start + size)]
            await submitter.submit_all(share)
        seconds = time.monotonic() - begun_at
    (Path(os.environ["TALLY_FOLDER"]) / "bulk-seconds").write_text(str(seconds))


async def hold(settings: Settings, jobs: int, seconds: float) -> None:
    """Submits jobs that all run at once for so long."""
    tenant_ids = await tenants_numbered(settings.database, MAX_TENANTS)
    async with open_submitter(settings) as submitter:
        lasting = Lasts(pad="", seconds=seconds)
        await submitter.submit_all([new_job(tenant_ids[number % MAX_TENANTS], lasting) for number in range(jobs)])


async def produce(settings: Settings, most_ahead: int) -> None:
    folder = Path(os.environ["TALLY_FOLDER"])
    tenant_ids = await tenants_numbered(settings.database, MAX_TENANTS)
    async with open_submitter(settings) as submitter:
        await produce_together(
            _submits(submitter, tenant_ids), Reservoir(lambda: count(folder).runs, most_ahead), CALLERS
        )


async def call(settings: Settings, rate: float, seconds: float, seed: int) -> None:
    tenant_ids = await tenants_numbered(settings.database, MAX_TENANTS)
    async with open_submitter(settings) as submitter:
        await call_together(_submits(submitter, tenant_ids), rate, seconds, seed)


def _submits(submitter: Submitter, tenant_ids: Sequence[UUID]) -> Callable[..., Awaitable[object]]:
    turn = iter(range(1 << 62))

    async def submit(called_at: float = 0.0) -> object:
        return await submitter.submit(tenant_ids[next(turn) % len(tenant_ids)], Nothing(called_at=called_at))

    return submit


def work(settings: Settings) -> None:
    configure(settings.log_level, settings.log_format, process="worker")
    serve(settings, "ai", handlers, [command.kind for command in COMMANDS])


def main() -> None:
    settings = settings_module.load()
    given = _arguments()
    verb: Callable[[], object] = {
        "install": lambda: migrate(settings.database),
        "work": lambda: work(settings),
        "enqueue": lambda: _run(enqueue, settings, given.jobs, given.tenants, given.kinds, given.failing_every),
        "bulk": lambda: _run(bulk, settings, given.jobs, given.size),
        "hold": lambda: _run(hold, settings, given.jobs, given.seconds),
        "produce": lambda: _run(produce, settings, given.most_ahead),
        "call": lambda: _run(call, settings, given.rate, given.seconds, given.seed),
    }[given.verb]
    verb()


def _run(work: Callable[..., Any], *arguments: object) -> None:
    uvloop.run(functools.partial(work, *arguments)())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.product")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("install")
    verbs.add_parser("work").add_argument("processes", type=int, choices=[1])
    enqueued = verbs.add_parser("enqueue")
    enqueued.add_argument("jobs", type=int)
    enqueued.add_argument("--tenants", type=int, default=len(TENANTS))
    enqueued.add_argument("--kinds", type=int, default=1)
    enqueued.add_argument("--failing-every", type=int, default=0)
    bulked = verbs.add_parser("bulk")
    bulked.add_argument("jobs", type=int)
    bulked.add_argument("size", type=int)
    held = verbs.add_parser("hold")
    held.add_argument("jobs", type=int)
    held.add_argument("seconds", type=float)
    verbs.add_parser("produce").add_argument("most_ahead", type=int)
    called = verbs.add_parser("call")
    called.add_argument("rate", type=float)
    called.add_argument("seconds", type=float)
    called.add_argument("seed", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    main()
