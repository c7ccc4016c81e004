"""Your own keys of the providers of models."""

from typing import Final

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import delete, get, path, put
from schemas.ai.usage import CredentialState, CredentialStates, NewCredential

AI: Final = "ai"
CREDENTIALS: Final = "credentials"


class AsyncCredentials:
    """Used in place of the deployment's. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def list(self) -> tuple[CredentialState, ...]:
        """By provider. The keys themselves are never shown."""
        return (await self._client.ask(CredentialStates, get(path(AI, CREDENTIALS)))).credentials

    async def get(self, provider: str) -> CredentialState:
        return await self._client.ask(CredentialState, get(path(AI, CREDENTIALS, provider)))

    async def set(self, provider: str, key: str) -> CredentialState:
        """Used by calls that begin two seconds later at the latest, without a restart. Safe to repeat."""
        return await self._client.ask(CredentialState, put(path(AI, CREDENTIALS, provider), NewCredential(key=key)))

    async def remove(self, provider: str) -> None:
        """Within two seconds the deployment's key is used, if it has one."""
        await self._client.send(delete(path(AI, CREDENTIALS, provider)))
