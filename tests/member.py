"""`python -m tests.member URL KEY GROUP PATTERN FILE [HOLD]`: a consumer group's member in a process of its own. It notes
each event, a line of JSON each, then acknowledges it; with HOLD it takes one and holds it for ever."""

import json
import sys
import threading
from pathlib import Path

from producers.client import Bucatini

LEASE_SECONDS = 2.0


def main() -> None:
    url, key, group, pattern, file, *hold = sys.argv[1:]
    print("ready: taking", flush=True)
    with Bucatini(url, key) as client:
        for delivery in client.groups.subscribe(pattern, group=group, limit=5, lease_seconds=LEASE_SECONDS):
            noted = {"id": delivery.event.id, "deliveries": delivery.deliveries}
            with Path(file).open("a") as notes:
                notes.write(json.dumps(noted) + "\n")
            if hold:
                threading.Event().wait()
            delivery.ack()


if __name__ == "__main__":
    main()
