"""A received doorbell, and how many of its jobs are still pending or running here."""

import asyncio

from schemas.jobs import JobState


class Delivery:
    """`done` is set when none of its jobs is open."""

    __slots__ = ("ahead", "done", "open", "revoked", "tally")

    def __init__(self, count: int, *, ahead: bool = False) -> None:
        self.open = count
        self.ahead = ahead
        """Rung for ahead of the commit: its jobs may not be visible yet."""
        self.revoked = False
        """Revoked by an operator: none of its jobs may run."""
        self.tally: dict[JobState, int] = {}
        """How many of its jobs ended a run in each state, for Celery's dashboards."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not count:
            self.done.set_result(None)

    def count(self, state: JobState) -> None:
        self.tally[state] = self.tally.get(state, 0) + 1

    def close(self, jobs: int = 1) -> None:
        self.open -= jobs
        if self.open == 0:
            self.done.set_result(None)
