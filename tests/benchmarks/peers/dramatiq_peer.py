"""Dramatiq on Redis: processes of eight threads, as its command line has them. Not durable."""

import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from load import PAD, TENANTS
from tally import Tally

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))
tally = Tally.of_environment()


@dramatiq.actor(actor_name="nothing")
def nothing(pad: str, tenant: str) -> None:
    tally.ran()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            pass
        case ["enqueue", jobs]:
            for _ in range(int(jobs)):
                nothing.send(PAD, str(TENANTS[0]))
        case ["work", processes]:
            os.execv(
                sys.executable,
                [sys.executable, "-m", "dramatiq", "dramatiq_peer", "--processes", processes, "--threads", "8"],
            )
