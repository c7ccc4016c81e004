"""DBOS: a queue of workflows of no steps. Durable. Its poll takes all that waits, so one process does the work."""

import os
import sys
import threading

from dbos import DBOS, DBOSConfig
from load import PAD, TENANTS
from tally import Tally

QUEUE = "nothings"
POLL_SECONDS = 0.1

config: DBOSConfig = {
    "name": "peer",
    "system_database_url": os.environ["DATABASE_URL"],
    "application_version": "1",
    "log_level": "WARNING",
}


@DBOS.workflow(name="nothing")
def nothing(pad: str, tenant: str) -> None:
    tally.ran()


def launch() -> None:
    DBOS(config=config)
    DBOS.launch()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            launch()
            DBOS.register_queue(QUEUE, polling_interval_sec=POLL_SECONDS)
            DBOS.destroy()
        case ["enqueue", jobs]:
            DBOS(config=config)
            DBOS.listen_queues([])
            DBOS.launch()
            for _ in range(int(jobs)):
                DBOS.enqueue_workflow(QUEUE, nothing, PAD, str(TENANTS[0]))
            DBOS.destroy()
        case ["work", "1"]:
            tally = Tally.of_environment()
            launch()
            threading.Event().wait()
