"""Health: whether the ingress is up, and the servers that it needs."""

from typing import Final

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.exchange import Request
from schemas.health import Alive, Ready

NOT_READY: Final = 503


class AsyncHealth:
    """The ingress itself. Every call may raise Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def alive(self) -> Alive:
        """Whether the process answers."""
        return await self._client.ask(Alive, Request("GET", "/healthz"))

    async def ready(self) -> Ready:
        """Whether it can do its work, and which part refuses if it can't."""
        return await self._client.ask(Ready, Request("GET", "/readyz", accepts=frozenset({NOT_READY})))
