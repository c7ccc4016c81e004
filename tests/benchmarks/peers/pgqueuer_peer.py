"""PgQueuer on asyncpg, 200 jobs a batch, on uvloop as its own command line runs it. Durable; no timeline, no fencing."""

import asyncio
import json
import os
import sys

import asyncpg
import uvloop
from load import PAD, TENANTS, call_together
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from tally import Tally

BATCH = 200


async def connect() -> asyncpg.Connection:
    return await asyncpg.connect(os.environ["DATABASE_URL"])


async def install() -> None:
    await Queries(AsyncpgDriver(await connect())).install()


def payload(called_at: float = 0.0) -> bytes:
    return json.dumps({"pad": PAD, "tenant": str(TENANTS[0]), "called_at": called_at}).encode()


async def enqueue(jobs: int) -> None:
    queries = Queries(AsyncpgDriver(await connect()))
    for start in range(0, jobs, BATCH):
        share = min(BATCH, jobs - start)
        await queries.enqueue(["nothing"] * share, [payload()] * share, [0] * share)


async def work() -> None:
    tally = Tally.of_environment()
    queue = PgQueuer.from_asyncpg_connection(await connect())

    @queue.entrypoint("nothing")
    async def nothing(job: Job) -> None:
        tally.ran(json.loads(job.payload)["called_at"])

    await queue.run(batch_size=BATCH)


async def call(rate: float, seconds: float, seed: int) -> None:
    queries = Queries(AsyncpgDriver(await connect()))

    async def submit(called_at: float) -> None:
        await queries.enqueue("nothing", payload(called_at))

    await call_together(submit, rate, seconds, seed)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            asyncio.run(install())
        case ["enqueue", jobs]:
            uvloop.run(enqueue(int(jobs)))
        case ["work", "1"]:
            uvloop.run(work())
        case ["call", rate, seconds, seed]:
            uvloop.run(call(float(rate), float(seconds), int(seed)))
