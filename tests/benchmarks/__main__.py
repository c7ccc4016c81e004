"""`python -m tests.benchmarks [--only SCENARIO] [--quick]`: measures the product beside its peers on this machine."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from infrastructure.local_stack.supervisor.processes import PartFailed
from tests.benchmarks.bench import Bench
from tests.benchmarks.plots import draw
from tests.benchmarks.reading import runs
from tests.benchmarks.results import Book, table
from tests.benchmarks.scenarios import (
    drain,
    events,
    extraction,
    idle,
    imports,
    ingress,
    model_jobs,
    models,
    pickup,
    returning,
    saving,
    search,
    shapes,
    steady,
)
from tests.benchmarks.stage import set_stage
from tests.benchmarks.systems import PeersMissing, install_peers

ROUNDS = 3
MAX_MINUTES = 90.0
SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "drain": drain.run,
    "steady": steady.run,
    "pickup": pickup.run,
    "shapes": shapes.run,
    "ingress": ingress.run,
    "events": events.run,
    "returning": returning.run,
    "idle": idle.run,
    "extraction": extraction.run,
    "imports": imports.run,
    "saving": saving.run,
    "search": search.run,
    "models": models.run,
    "model-jobs": model_jobs.run,
}
WITH_PEERS = {"drain", "steady", "pickup", "models", "model-jobs"}
"""These are measured beside other systems, which are installed first."""
HISTORY_JOBS = 5_000_000


def main() -> int:
    arguments = _arguments()
    # Ends in order: a run that is told to stop takes its servers and its folder with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = arguments.only or list(SCENARIOS)
    try:
        if WITH_PEERS.intersection(names):
            install_peers()
    except PeersMissing as error:
        print(error, file=sys.stderr)
        return 2
    book = Book(quick=arguments.quick)
    rounds = range(arguments.rounds or (1 if arguments.quick else ROUNDS))
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user, who must get in.
        with set_stage(Path(folder)) as stage:
            bench = Bench(stage, book, rounds, arguments.quick, arguments.history_jobs)
            complete = _run(bench, names)
    print(f"\n{table(book.verdicts)}\n\nwritten to {book.path}")
    if not arguments.quick:
        draw([one for one in runs() if not one.quick])
    return 0 if complete else 1


def _run(bench: Bench, names: list[str]) -> bool:
    """Whether every scenario could be measured. Targets that weren't met are told, and are no failure."""
    complete = True
    deadline = time.monotonic() + MAX_MINUTES * 60
    for name in names:
        if time.monotonic() > deadline:
            bench.book.skip(name, f"{MAX_MINUTES:.0f} minutes are over")
            complete = False
            continue
        try:
            SCENARIOS[name](bench)
        except (AssertionError, PartFailed, OSError) as error:
            bench.book.skip(name, str(error))
            complete = False
    return complete


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(SCENARIOS), help="this scenario; may be repeated")
    parser.add_argument("--quick", action="store_true", help="one small round: shows that it works, measures little")
    parser.add_argument("--rounds", type=int, help=f"instead of {ROUNDS}")
    parser.add_argument(
        "--history-jobs", type=int, default=HISTORY_JOBS, help="finished jobs in the tables of `shapes`; %(default)s"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
