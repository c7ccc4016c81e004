"""Stock Celery on Redis: prefork, every option as shipped, no result backend. Nothing of it is durable.

Each peer is one program with the same verbs: `install`, `enqueue COUNT`, `work PROCESSES`, and where it is measured so,
`produce MAX_AHEAD` and `call RATE SECONDS SEED`.
"""

import os
import sys
from pathlib import Path

from celery import Celery
from load import PAD, TENANTS, Reservoir, call, produce
from tally import Tally, count

app = Celery("peer", broker=os.environ["REDIS_URL"])
tally = Tally.of_environment()


@app.task(name="nothing")
def nothing(pad: str, tenant: str, called_at: float = 0.0) -> None:
    tally.ran(called_at)


def submit(called_at: float = 0.0) -> None:
    nothing.apply_async(kwargs={"pad": PAD, "tenant": str(TENANTS[0]), "called_at": called_at})


def enqueue(jobs: int) -> None:
    for _ in range(jobs):
        submit()


def work(processes: int) -> None:
    app.worker_main(["worker", "--concurrency", str(processes)])


def runs() -> int:
    return count(Path(os.environ["TALLY_FOLDER"])).runs


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            pass
        case ["enqueue", jobs]:
            enqueue(int(jobs))
        case ["work", processes]:
            work(int(processes))
        case ["produce", most_ahead]:
            produce(submit, Reservoir(runs, int(most_ahead)))
        case ["call", rate, seconds, seed]:
            call(submit, float(rate), float(seconds), int(seed))
