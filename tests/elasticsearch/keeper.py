"""`python -m tests.elasticsearch.keeper RUN_FOLDER RUN_PID RUN_BORN_AT`: keeps the server that a run's processes share.

It ends with the run, also when that is killed, and not with the process that happened to need a server first.
"""

import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from infrastructure.local_stack.supervisor.processes import Identity, PartFailed, living
from tests.elasticsearch.cluster import elasticsearch_cluster
from tests.elasticsearch.distribution import Distribution

FOUND, KEPT = "elasticsearch-found.json", "elasticsearch-kept.json"
"""In the run's folder: what the servers are started from, and the shared one's address."""
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4_000_000_000
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the server."""

    url: str = ""
    snapshots: str = ""
    failure: str = ""
    """Why it didn't start."""


def main(run_folder: str, run_pid: str, run_born_at: str) -> None:
    folder, run = Path(run_folder), Identity(int(run_pid), float(run_born_at))
    found = json.loads((folder / FOUND).read_text())
    distribution = Distribution(Path(found["home"]), Path(found["java_home"]))
    # Named as the other servers' folders are, so that a later run removes what a killed one left in memory.
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    with TemporaryDirectory(
        prefix=f"bucatini-tests-{run.pid}-", dir=MEMORY if in_memory else None, ignore_cleanup_errors=True
    ) as own:
        Path(own).chmod(0o755)
        try:
            with elasticsearch_cluster(Path(own), distribution) as cluster:
                _tell(folder, Kept(url=cluster.urls, snapshots=str(cluster.snapshots)))
                while living(run) is not None and folder.exists():
                    time.sleep(LOOK_SECONDS)
        except PartFailed as error:
            _tell(folder, Kept(failure=str(error)))


def _tell(folder: Path, kept: Kept) -> None:
    """Whoever reads it finds all of it."""
    unfinished = folder / f"{KEPT}.new"
    unfinished.write_text(json.dumps(asdict(kept)))
    unfinished.rename(folder / KEPT)


if __name__ == "__main__":
    main(*sys.argv[1:])
