"""API keys: who may ask for what in a tenant's name."""

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import delete, get, path, post
from schemas.api_keys import ApiKey, ApiKeyCreated, NewApiKey
from schemas.api_keys import ApiKeys as ApiKeyList


class AsyncApiKeys:
    """Your tenant's API keys. Needs an admin key. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def list(self) -> tuple[ApiKey, ...]:
        """Revoked ones too, the newest first."""
        return (await self._client.ask(ApiKeyList, get(path("api-keys")))).keys

    async def create(self, wanted: NewApiKey) -> ApiKeyCreated:
        """With the key itself, which is shown this once. Isn't repeated when the connection breaks: look whether it was
        made."""
        return await self._client.ask(ApiKeyCreated, post(path("api-keys"), wanted, repeatable=False))

    async def revoke(self, key_id: str) -> None:
        """It opens nothing any more, everywhere within five seconds. Repeating it is safe."""
        await self._client.send(delete(path("api-keys", key_id)))
