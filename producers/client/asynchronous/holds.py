"""Holds: what keeps jobs from running."""

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import Id, delete, get, path, post
from schemas.holds import Hold, NewHold
from schemas.holds import Holds as HoldList


class AsyncHolds:
    """What keeps jobs of yours from running. Needs an admin key. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def list(self) -> tuple[Hold, ...]:
        """Your own, and those an operator made for everybody."""
        return (await self._client.ask(HoldList, get(path("holds")))).holds

    async def create(self, wanted: NewHold) -> Hold:
        """Keeps your jobs that match from running, until it is deleted. Repeating it is safe."""
        return await self._client.ask(Hold, post(path("holds"), wanted))

    async def delete(self, hold_id: Id) -> None:
        """Lets go on what it held. ProblemAnswer when there is no such hold of yours."""
        await self._client.send(delete(path("holds", hold_id)))
