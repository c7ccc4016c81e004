"""What a scenario is given: the servers, the rounds to go, and the book it writes into."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.results import Book
from tests.benchmarks.stage import Stage


@dataclass(frozen=True, slots=True)
class Bench:
    stage: Stage
    book: Book
    rounds: Sequence[int]
    quick: bool
    """Fewer and smaller runs: whether it works, not how fast it is."""
    history_jobs: int = 0
    """Finished jobs in the tables of the shape that has them."""
