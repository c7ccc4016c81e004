"""Taskiq on a Redis list. Not durable."""

import asyncio
import os
import sys

from load import PAD, TENANTS
from tally import Tally
from taskiq_redis import ListQueueBroker

broker = ListQueueBroker(os.environ["REDIS_URL"])
tally = Tally.of_environment()


@broker.task(task_name="nothing")
async def nothing(pad: str, tenant: str) -> None:
    tally.ran()


async def enqueue(jobs: int) -> None:
    await broker.startup()
    for _ in range(jobs):
        await nothing.kiq(PAD, str(TENANTS[0]))
    await broker.shutdown()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            pass
        case ["enqueue", jobs]:
            asyncio.run(enqueue(int(jobs)))
        case ["work", processes]:
            command = ["taskiq", "worker", "taskiq_peer:broker", "--workers", processes, "--log-level", "WARNING"]
            os.execv(sys.executable, [sys.executable, "-m", *command])
