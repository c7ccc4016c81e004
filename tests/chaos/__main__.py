"""`python -m tests.chaos --minutes N [--seed S]`: the long run. Ends with exit code 1 when a promise was broken."""

import argparse
import sys
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

from tests.chaos.storm import Storm, blow

JOBS_A_SECOND = 40


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000))
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60
    storm = Storm(arguments.seed, seconds, jobs=int(seconds * JOBS_A_SECOND), rest_seconds=120.0)
    with TemporaryDirectory(prefix="bucatini-chaos-", ignore_cleanup_errors=True) as folder:
        aftermath = blow(storm, Path(folder))
    print(aftermath)
    broken = [*aftermath.ledger.wrong, *(f"left behind: {process}" for process in aftermath.left_behind)]
    print("\n".join(broken) or "every promise was kept")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
