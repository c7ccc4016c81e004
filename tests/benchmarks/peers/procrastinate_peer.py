"""Procrastinate with a hundred jobs at a time. Durable."""

import asyncio
import os
import sys

from load import PAD, TENANTS
from procrastinate import App, PsycopgConnector
from tally import Tally

CONCURRENCY = 100
BATCH = 200

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))


@app.task(name="nothing")
async def nothing(pad: str, tenant: str, called_at: float = 0.0) -> None:
    tally.ran(called_at)


async def install() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def enqueue(jobs: int) -> None:
    command = {"pad": PAD, "tenant": str(TENANTS[0])}
    async with app.open_async():
        for start in range(0, jobs, BATCH):
            await nothing.batch_defer_async(*[command] * min(BATCH, jobs - start))


async def work() -> None:
    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            asyncio.run(install())
        case ["enqueue", jobs]:
            asyncio.run(enqueue(int(jobs)))
        case ["work", "1"]:
            tally = Tally.of_environment()
            asyncio.run(work())
