"""Holds as the client sees them: what keeps jobs from running. See `producers.client.blocking`."""

from collections.abc import Generator
from uuid import UUID

from producers.client.exchange import JSON, Outcome, Request, Step, exchange
from producers.client.ports import AsyncClient, Client
from schemas.holds import Hold, NewHold
from schemas.holds import Holds as HoldList

HERE = "/api/holds"


def _adding(wanted: NewHold) -> Generator[Step, Outcome, Hold]:
    reply = yield from exchange(Request("POST", HERE, JSON, wanted.model_dump_json(exclude_none=True).encode()))
    return Hold.model_validate_json(reply.body)


def _listing() -> Generator[Step, Outcome, tuple[Hold, ...]]:
    reply = yield from exchange(Request("GET", HERE))
    return HoldList.model_validate_json(reply.body).holds


def _removing(hold_id: UUID) -> Generator[Step, Outcome, None]:
    yield from exchange(Request("DELETE", f"{HERE}/{hold_id}"))


class Holds:
    """What keeps jobs of yours from running, by the blocking client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> tuple[Hold, ...]:
        """Your own, and those an operator made for everybody."""
        return self._client.carry_out(_listing())

    def add(self, wanted: NewHold) -> Hold:
        """Keeps your jobs that match from running, until it is removed. Repeating it is safe. Needs an admin key."""
        return self._client.carry_out(_adding(wanted))

    def remove(self, hold_id: UUID) -> None:
        """Lets go on what it held. ProblemAnswer when there is no such hold of yours."""
        self._client.carry_out(_removing(hold_id))


class AsyncHolds:
    """See `Holds`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self) -> tuple[Hold, ...]:
        """See `Holds.list`."""
        return await self._client.carry_out(_listing())

    async def add(self, wanted: NewHold) -> Hold:
        """See `Holds.add`."""
        return await self._client.carry_out(_adding(wanted))

    async def remove(self, hold_id: UUID) -> None:
        """See `Holds.remove`."""
        await self._client.carry_out(_removing(hold_id))
