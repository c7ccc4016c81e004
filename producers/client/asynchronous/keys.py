"""Data keys: what a tenant's texts are sealed with. `RotateKeys` is a command, submitted like any other."""

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import get, path
from schemas.keys import TenantKey, TenantKeys


class AsyncKeys:
    """Your data keys. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def list(self) -> tuple[TenantKey, ...]:
        """The newest first. Their material never leaves the vault."""
        return (await self._client.ask(TenantKeys, get(path("keys")))).keys
