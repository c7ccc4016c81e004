"""A doorbell under way: how many of its jobs are still this worker's business."""

import asyncio


class Delivery:
    __slots__ = ("ahead", "done", "open", "revoked")

    def __init__(self, count: int, *, ahead: bool = False) -> None:
        self.open = count
        self.ahead = ahead
        """Its jobs may not be committed yet."""
        self.revoked = False
        """An operator wants none of its jobs to run."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not count:
            self.done.set_result(None)

    def close(self, jobs: int = 1) -> None:
        self.open -= jobs
        if self.open == 0:
            self.done.set_result(None)
