"""What the client's resources need of the client. They depend on this and not on the client, which is built of them."""

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Protocol, TypeVar
from uuid import UUID

from events.envelope import CloudEvent
from producers.client.exchange import Outcome, Step
from producers.client.sse import Following
from schemas.jobs import Job

T = TypeVar("T")


class Client(Protocol):
    """The blocking client: see `producers.client.blocking`."""

    def carry_out(self, steps: Generator[Step, Outcome, T]) -> T: ...

    def follow(self, following: Following) -> Iterator[CloudEvent]: ...

    def jobs(self, *, batch_id: UUID | None = None) -> Iterator[Job]: ...


class AsyncClient(Protocol):
    """The client for asyncio: see `producers.client.async_client`."""

    async def carry_out(self, steps: Generator[Step, Outcome, T]) -> T: ...

    def follow(self, following: Following) -> AsyncIterator[CloudEvent]: ...

    def jobs(self, *, batch_id: UUID | None = None) -> AsyncIterator[Job]: ...
